#include "tests/sim/vault.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/host.h"
#include "tests/sim/invariants.h"

#include <string.h>

enum {
    WINDOW = 2,
    /* Shorter than the shells' ten seconds, to see it happen. */
    WAIT_US = 300000,
    LOAD_WAIT_US = 2000000
};

static struct vault *vault_of(const struct world *w, uint32_t host)
{
    return &w->hosts[host]->vault;
}

static struct piece_header header_of(const struct holding_key *key)
{
    return (struct piece_header){.job = key->job,
                                 .term = key->term,
                                 .line = key->line,
                                 .interval = key->interval,
                                 .layer = key->layer,
                                 .shard = key->shard,
                                 .count = 1 + key->layer % 3};
}

/* --- Holding --- */

void vault_open(struct vault *vault)
{
    holdings_init(&vault->holdings, vault->items, VAULT_HOLDINGS);
    arrivals_init(&vault->arrivals, vault->places, VAULT_INCOMING);
}

void vault_close(struct vault *vault)
{
    for (uint32_t i = 0; i < vault->holdings.count; i++) {
        mem_free(vault->items[i].bytes);
    }
    vault->holdings.count = 0;
}

static void tell(struct world *w, uint32_t host, const struct holding *holding)
{
    struct wire message = {.kind = WIRE_KEPT,
                           .kept = {.job = holding->key.job,
                                    .line = holding->key.line,
                                    .interval = holding->key.interval,
                                    .layer = holding->key.layer,
                                    .shard = holding->key.shard,
                                    .cost_us = holding->cost_us,
                                    .term = holding->key.term}};

    network_to_center(w, host, &message);
}

static void hold(struct world *w,
                 uint32_t host,
                 struct holding holding,
                 const struct shard_state *state)
{
    struct vault *vault = vault_of(w, host);
    struct holding old;

    holding.bytes = world_copy(state, sizeof(*state));
    if (holdings_add(&vault->holdings, &holding, &old) != STATUS_OK) {
        world_fail(w, "w%u holds too many copies", host);
        mem_free(holding.bytes);
        return;
    }
    mem_free(old.bytes);
    tell(w, host, &holding);
}

void vault_drop(struct vault *vault, const struct holdings_rule *rule)
{
    struct holding holding;
    uint32_t at = 0;

    for (uint32_t p = 0; p < VAULT_PARCELS; p++) {
        struct vault_parcel *parcel = &vault->parcels[p];
        struct holding_key key = holdings_key(&parcel->header);

        if (parcel->id != 0 && !holdings_stays(rule, &key)) {
            parcel->id = 0;
        }
    }
    while (arrivals_drop(&vault->arrivals, rule, &at)) {
        vault->incoming[at].count = 0;
    }
    while (holdings_drop(&vault->holdings, rule, &holding)) {
        mem_free(holding.bytes);
    }
}

void vault_retell(struct world *w, uint32_t host)
{
    struct vault *vault = vault_of(w, host);

    for (uint32_t i = 0; i < vault->holdings.count; i++) {
        tell(w, host, &vault->items[i]);
    }
}

/* --- Sending --- */

static void pump(struct world *w, uint32_t host, struct vault_parcel *parcel)
{
    struct piece piece = {.from = host,
                          .from_birth = w->processes[1 + host].birth,
                          .to_birth = parcel->to_birth,
                          .attempt = parcel->attempt,
                          .state = parcel->state};

    while (parcel->under_way < WINDOW &&
           parcel->header.index < parcel->header.count) {
        piece.header = parcel->header;
        parcel->header.index++;
        parcel->under_way++;
        network_piece(w, parcel->to, &piece);
    }
}

static void on_wait(struct world *w, struct event *event);

static void wait(struct world *w, uint32_t host, struct vault_parcel *parcel)
{
    struct event event = {.at_us = w->now_us + WAIT_US,
                          .fn = on_wait,
                          .process = 1 + host,
                          .a = parcel->id};

    parcel->deadline_us = event.at_us;
    (void)world_post(w, event);
}

static struct vault_parcel *find_parcel(struct vault *vault, uint64_t id)
{
    for (uint32_t p = 0; p < VAULT_PARCELS; p++) {
        if (vault->parcels[p].id == id) {
            return &vault->parcels[p];
        }
    }
    return NULL;
}

/* Not answered: by a new link, from the beginning. */
static void on_wait(struct world *w, struct event *event)
{
    uint32_t host = event->process - 1;
    struct vault_parcel *parcel = find_parcel(vault_of(w, host), event->a);

    if (parcel == NULL || w->now_us < parcel->deadline_us) {
        return;
    }
    parcel->attempt = ++w->posted;
    parcel->under_way = 0;
    parcel->stored = 0;
    parcel->header.index = 0;
    pump(w, host, parcel);
    wait(w, host, parcel);
}

static void take_stored(struct world *w,
                        uint32_t host,
                        const struct piece *piece)
{
    struct vault *vault = vault_of(w, host);

    for (uint32_t p = 0; p < VAULT_PARCELS; p++) {
        struct vault_parcel *parcel = &vault->parcels[p];

        if (parcel->id == 0 || parcel->attempt != piece->attempt ||
            parcel->under_way == 0) {
            continue;
        }
        parcel->under_way--;
        if (piece->header.status != STATUS_OK ||
            ++parcel->stored == parcel->header.count) {
            parcel->id = 0;
            return;
        }
        pump(w, host, parcel);
        wait(w, host, parcel);
        return;
    }
}

/* The one behind it in the ring; false: it is alone. */
static bool find_buddy(const struct session *s, uint32_t *out_peer)
{
    uint32_t count = s->assign.peers_count;

    *out_peer = (s->sched.config.self + 1) % count;
    return count > 1;
}

static void send_copy(struct world *w,
                      struct session *s,
                      const struct piece_header *header,
                      const struct shard_state *state)
{
    struct vault *vault = vault_of(w, s->host);
    struct vault_parcel *parcel = find_parcel(vault, 0);
    uint32_t peer = 0;

    if (!find_buddy(s, &peer)) {
        return;
    }
    if (parcel == NULL) {
        world_fail(w, "w%u has too many copies under way", s->host);
        return;
    }
    *parcel = (struct vault_parcel){.id = ++w->posted,
                                    .attempt = ++w->posted,
                                    .header = *header,
                                    .to = s->peers[peer],
                                    .to_birth = s->births[peer],
                                    .state = *state};
    if (w->scenario->plant == PLANT_SHORT_COPY && state->step > 0 &&
        world_chance(w, 4)) {
        world_say(w, "plant: a buddy's copy lacks a step");
        parcel->state.step--;
        parcel->state.hash = mix(parcel->state.hash, 1);
    }
    pump(w, s->host, parcel);
    wait(w, s->host, parcel);
}

/* PLANT_STALE_POINT: the bytes of an older copy, if there is one. */
static void perhaps_stale(struct world *w,
                          const struct vault *vault,
                          const struct holding_key *key,
                          struct shard_state *state)
{
    if (w->scenario->plant != PLANT_STALE_POINT) {
        return;
    }
    for (uint32_t i = 0; i < vault->holdings.count; i++) {
        const struct holding *old = &vault->items[i];

        if (old->key.job == key->job && old->key.layer == key->layer &&
            old->key.shard == key->shard && old->key.interval < key->interval &&
            world_chance(w, 2)) {
            world_say(w, "plant: an older copy under a newer name");
            memcpy(state, old->bytes, sizeof(*state));
            return;
        }
    }
}

void vault_keep(struct world *w, struct session *s, const struct sched_cut *cut)
{
    const struct shard *shard = &s->shards[cut->local];
    struct vault *vault = vault_of(w, s->host);
    struct shard_state state = shard->state;
    struct holding holding = {.key = {.job = s->assign.job,
                                      .term = s->assign.term,
                                      .line = cut->line,
                                      .interval = cut->interval,
                                      .layer = shard->layer,
                                      .shard = shard->index},
                              .own = true,
                              .cost_us = world_between(w, 1, 500)};
    struct holdings_rule rule = holdings_on_keep(&holding.key, cut->kept);
    struct piece_header header = header_of(&holding.key);

    header.kind = PIECE_PUT;
    header.kept = cut->kept;
    perhaps_stale(w, vault, &holding.key, &state);
    vault_drop(vault, &rule);
    invariants_kept(w, s, &holding.key, &shard->state);
    hold(w, s->host, holding, &state);
    send_copy(w, s, &header, &state);
}

/* --- A buddy brings a copy --- */

/* As slot_expects in worker/shell/slot.c. */
static bool expects(const struct world *w,
                    uint32_t host,
                    const struct piece_header *header)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *s = w->hosts[host]->sessions[i];
        uint32_t at = header->shard;

        if (s == NULL || s->stopped || s->assign.job != header->job ||
            s->assign.term != header->term ||
            header->layer >= s->assign.arch->layers_count) {
            continue;
        }
        for (uint32_t l = 0; l < header->layer; l++) {
            at += s->assign.arch->layers[l].shards_count;
        }
        return s->assign.owners[at] != s->worker;
    }
    return false;
}

static uint32_t begin_incoming(struct vault *vault,
                               const struct piece_header *header)
{
    struct holding_key key = holdings_key(header);
    struct holdings_rule rule = holdings_on_keep(&key, header->kept);
    uint32_t at = 0;

    vault_drop(vault, &rule);
    at = arrivals_begin(&vault->arrivals, &key);
    vault->incoming[at] = (struct vault_incoming){.header = *header};
    return at;
}

static enum status take_put(struct world *w,
                            uint32_t host,
                            const struct piece *piece)
{
    struct vault *vault = vault_of(w, host);
    const struct piece_header *header = &piece->header;
    struct holding_key key = holdings_key(header);
    struct vault_incoming *incoming = NULL;
    uint32_t at = 0;

    if (!expects(w, host, header)) {
        return STATUS_STALE;
    }
    at = header->index == 0 ? begin_incoming(vault, header)
                            : arrivals_find(&vault->arrivals, &key);
    if (at == VAULT_INCOMING) {
        return STATUS_CONFLICT;
    }
    incoming = &vault->incoming[at];
    if (incoming->header.term != header->term ||
        incoming->count != header->index) {
        arrivals_end(&vault->arrivals, at);
        return STATUS_CONFLICT;
    }
    if (++incoming->count == header->count) {
        arrivals_end(&vault->arrivals, at);
        hold(w, host, (struct holding){.key = holdings_key(header)},
             &piece->state);
    }
    return STATUS_OK;
}

static void answer(struct world *w,
                   uint32_t host,
                   const struct piece *piece,
                   struct piece *reply)
{
    reply->from = host;
    reply->from_birth = w->processes[1 + host].birth;
    reply->to_birth = piece->from_birth;
    network_piece(w, piece->from, reply);
}

/* --- Fetching --- */

static void advance(struct world *w, struct session *s);

static struct holding_key key_to_load(const struct session *s)
{
    const struct shard *shard = &s->shards[s->loading.local];

    return (struct holding_key){.job = s->assign.job,
                                .term = s->assign.point_term,
                                .line = s->assign.point_line,
                                .interval = s->assign.point_interval,
                                .layer = shard->layer,
                                .shard = shard->index};
}

static void end_load(struct world *w, struct session *s, enum status status)
{
    s->loading.under_way = false;
    host_loaded(w, s, status);
}

/* In data endpoints, as in session.c's find_peers. */
static const struct wire_peer *source_of(const struct session *s,
                                         const struct holding_key *key)
{
    uint32_t at = key->shard;

    for (uint32_t l = 0; l < key->layer; l++) {
        at += s->assign.arch->layers[l].shards_count;
    }
    CHECK(at < s->assign.sources_count);
    CHECK(s->assign.sources[at] < s->assign.holders_count);
    return &s->assign.holders[s->assign.sources[at]];
}

static void on_load_wait(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = h->sessions[i];

        if (s != NULL && s->id == event->a && !s->stopped &&
            s->loading.under_way && s->loading.asked == event->b) {
            world_say(w, "w%u: a source does not answer", s->host);
            end_load(w, s, STATUS_UNAVAILABLE);
        }
    }
}

static void ask_piece(struct world *w, struct session *s)
{
    struct holding_key key = key_to_load(s);
    struct piece piece = {.header = header_of(&key), .from = s->host};
    struct event event = {.at_us = w->now_us + LOAD_WAIT_US,
                          .fn = on_load_wait,
                          .process = 1 + s->host,
                          .a = s->id};
    uint32_t host = 0;

    piece.header.kind = PIECE_GET;
    piece.header.index = s->loading.count;
    piece.from_birth = w->processes[1 + s->host].birth;
    piece.attempt = s->id;
    session_peer(source_of(s, &key), &host, &piece.to_birth);
    s->loading.asked = ++w->posted;
    event.b = s->loading.asked;
    network_piece(w, host, &piece);
    (void)world_post(w, event);
}

/* Goes on until a copy must be fetched, or all is done. */
static void advance(struct world *w, struct session *s)
{
    while (s->loading.local < s->sched.locals_count) {
        struct holding_key key = key_to_load(s);
        const struct holding *held =
            holdings_find(&vault_of(w, s->host)->holdings, &key);

        if (held == NULL) {
            s->loading.count = 0;
            ask_piece(w, s);
            return;
        }
        memcpy(&s->shards[s->loading.local].state, held->bytes,
               sizeof(struct shard_state));
        invariants_restored(w, s, &s->shards[s->loading.local]);
        s->loading.local++;
    }
    end_load(w, s, STATUS_OK);
}

void vault_load(struct world *w, struct session *s)
{
    s->loading = (struct session_loading){.under_way = true};
    advance(w, s);
}

static void answer_get(struct world *w,
                       uint32_t host,
                       const struct piece *piece)
{
    struct holding_key key = holdings_key(&piece->header);
    const struct holding *held =
        holdings_find(&vault_of(w, host)->holdings, &key);
    struct piece reply = *piece;

    reply.header.kind = held != NULL ? PIECE_BYTES : PIECE_MISSING;
    if (held != NULL) {
        memcpy(&reply.state, held->bytes, sizeof(reply.state));
    }
    answer(w, host, piece, &reply);
}

static void take_bytes(struct world *w,
                       struct session *s,
                       const struct piece *piece)
{
    struct holding_key key = holdings_key(&piece->header);
    struct holding_key wanted = key_to_load(s);

    if (!holdings_same(&key, &wanted)) {
        return;
    }
    if (piece->header.kind != PIECE_BYTES ||
        piece->header.index != s->loading.count) {
        world_say(w, "w%u: a copy is not there any more, or damaged", s->host);
        end_load(w, s, STATUS_UNAVAILABLE);
        return;
    }
    if (++s->loading.count < piece->header.count) {
        ask_piece(w, s);
        return;
    }
    hold(w, s->host, (struct holding){.key = key}, &piece->state);
    advance(w, s);
}

void vault_take(struct world *w, uint32_t host, const struct piece *piece)
{
    struct piece reply = *piece;

    if (piece->header.kind == PIECE_PUT) {
        reply.header.status = take_put(w, host, piece);
        reply.header.kind = PIECE_STORED;
        answer(w, host, piece, &reply);
    } else if (piece->header.kind == PIECE_STORED) {
        take_stored(w, host, piece);
    } else if (piece->header.kind == PIECE_GET) {
        answer_get(w, host, piece);
    }
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = w->hosts[host]->sessions[i];

        if ((piece->header.kind == PIECE_BYTES ||
             piece->header.kind == PIECE_MISSING) &&
            s != NULL && s->id == piece->attempt && !s->stopped &&
            s->loading.under_way) {
            take_bytes(w, s, piece);
        }
    }
}
