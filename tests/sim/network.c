#include "tests/sim/network.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/center.h"
#include "tests/sim/host.h"

#include <string.h>

enum { WAITING_MAX = 4096, OLD_FRAMES = 8 };

struct channel {
    uint64_t busy_us; /* when the newest of it arrives */
    uint64_t parted_until_us;
    bool lossy;
};

struct network {
    struct channel up[SIM_HOSTS_MAX];
    struct channel down[SIM_HOSTS_MAX];
    struct channel data[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    struct channel copies[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    uint32_t waiting_count; /* for the coordinator */
    struct letter *waiting[WAITING_MAX];
    /* PLANT_STALE_TERM: frames that have been sent, of some time ago. */
    struct parcel old[SIM_HOSTS_MAX][OLD_FRAMES];
    uint32_t old_count[SIM_HOSTS_MAX];
};

void network_open(struct world *w)
{
    w->network = world_memory(sizeof(*w->network));
}

void network_close(struct world *w)
{
    struct network *n = w->network;

    for (uint32_t i = 0; i < n->waiting_count; i++) {
        mem_free(n->waiting[i]);
    }
    mem_free(n);
}

/* When something sent now arrives: behind all that was sent before. */
static uint64_t arrival(struct world *w, struct channel *c)
{
    uint64_t at = w->now_us + 20;

    if (at < c->parted_until_us) {
        at = c->parted_until_us;
    }
    at += world_draw(w, w->scenario->troubles.delay_us);
    if (at < c->busy_us) {
        at = c->busy_us;
    }
    c->busy_us = at;
    return at;
}

/* --- Control --- */

static struct letter *write_letter(struct world *w,
                                   uint32_t host,
                                   const struct wire *message)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = wire_encode(message, &bytes, &size);
    struct letter *letter;

    if (status != STATUS_OK) {
        world_fail(w, "a %s message cannot be encoded: %s",
                   wire_kind_name(message->kind), status_text(status));
        return NULL;
    }
    letter = world_memory(sizeof(*letter) + size);
    letter->host = host;
    letter->birth = w->processes[1 + host].birth;
    letter->size = size;
    memcpy(letter->bytes, bytes, size);
    mem_free(bytes);
    return letter;
}

static void on_center(struct world *w, struct event *event)
{
    center_take(w, event->payload);
}

static void on_host(struct world *w, struct event *event)
{
    host_take(w, event->payload);
}

static void post_up(struct world *w, struct letter *letter)
{
    struct event event = {
        .fn = on_center, .process = COORDINATOR, .payload = letter};

    event.at_us = arrival(w, &w->network->up[letter->host]);
    (void)world_post(w, event);
}

void network_to_center(struct world *w,
                       uint32_t host,
                       const struct wire *message)
{
    struct network *n = w->network;
    struct letter *letter = write_letter(w, host, message);

    if (letter == NULL) {
        return;
    }
    if (!process_alive(w, COORDINATOR)) {
        CHECK(n->waiting_count < WAITING_MAX);
        n->waiting[n->waiting_count++] = letter;
        return;
    }
    post_up(w, letter);
}

void network_center_up(struct world *w)
{
    struct network *n = w->network;

    for (uint32_t h = 0; h < SIM_HOSTS_MAX; h++) {
        n->up[h].busy_us = w->now_us; /* what was under way is lost */
        n->down[h].busy_us = w->now_us;
    }
    for (uint32_t i = 0; i < n->waiting_count; i++) {
        post_up(w, n->waiting[i]);
    }
    n->waiting_count = 0;
}

void network_host_down(struct world *w, uint32_t host)
{
    struct network *n = w->network;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n->waiting_count; i++) {
        if (n->waiting[i]->host == host) {
            mem_free(n->waiting[i]);
        } else {
            n->waiting[kept++] = n->waiting[i];
        }
    }
    n->waiting_count = kept;
}

void network_to_host(struct world *w, uint32_t host, const struct wire *message)
{
    struct letter *letter = write_letter(w, host, message);
    struct event event = {
        .fn = on_host, .process = 1 + host, .payload = letter};

    if (letter == NULL) {
        return;
    }
    event.at_us = arrival(w, &w->network->down[host]);
    (void)world_post(w, event);
}

/* --- Data --- */

bool network_reaches(const struct world *w,
                     uint32_t from,
                     uint32_t to,
                     uint64_t to_birth)
{
    return process_alive(w, 1 + to) && w->processes[1 + to].birth == to_birth &&
           w->network->data[from][to].parted_until_us <= w->now_us;
}

static void on_parcel(struct world *w, struct event *event)
{
    const struct parcel *parcel = event->payload;

    host_take_frame(w, event->process - 1, parcel);
}

static void deliver(struct world *w,
                    uint32_t from,
                    uint32_t to,
                    const struct parcel *parcel)
{
    struct event event = {.fn = on_parcel, .process = 1 + to};

    event.payload = world_copy(parcel, sizeof(*parcel));
    event.at_us = arrival(w, &w->network->data[from][to]);
    (void)world_post(w, event);
}

/* PLANT_STALE_TERM: once in a while a frame of an older term takes the place
 * of the one that is due, made to look like it. */
static void replace_by_old(struct world *w, uint32_t from, struct parcel *p)
{
    struct network *n = w->network;
    struct parcel *kept = &n->old[from][n->old_count[from] % OLD_FRAMES];

    if (kept->frame.term != 0 && kept->frame.term < p->frame.term &&
        world_chance(w, 20)) {
        world_say(w, "plant: a frame of term %llu passes for one of %llu",
                  (unsigned long long)kept->frame.term,
                  (unsigned long long)p->frame.term);
        p->frame = kept->frame;
    }
    n->old_count[from]++;
    if (kept->frame.term == 0 || kept->frame.term < p->frame.term) {
        *kept = *p;
    }
}

bool network_send(struct world *w,
                  uint32_t from,
                  uint32_t to,
                  uint64_t to_birth,
                  const struct frame_header *header,
                  const struct shard_frame *frame)
{
    const struct troubles *t = &w->scenario->troubles;
    struct channel *c = &w->network->data[from][to];
    bool calm = w->now_us >= w->scenario->calm_us;
    struct parcel parcel = {
        .header = *header, .frame = *frame, .to_birth = to_birth};

    if (!process_alive(w, 1 + to) || w->processes[1 + to].birth != to_birth) {
        return world_chance(w, 2); /* not yet known, or known */
    }
    if (w->scenario->plant == PLANT_STALE_TERM) {
        replace_by_old(w, from, &parcel);
    }
    if ((!calm && world_chance(w, t->frame_loss)) ||
        (c->lossy && w->now_us < c->parted_until_us && world_chance(w, 2))) {
        world_say(w, "a frame from w%u to w%u is lost", from, to);
        return true;
    }
    deliver(w, from, to, &parcel);
    if (!calm && world_chance(w, t->frame_twice)) {
        deliver(w, from, to, &parcel);
    }
    return true;
}

static void on_piece(struct world *w, struct event *event)
{
    vault_take(w, event->process - 1, event->payload);
}

void network_piece(struct world *w, uint32_t to, const struct piece *piece)
{
    const struct troubles *t = &w->scenario->troubles;
    struct channel *c = &w->network->copies[piece->from][to];
    bool calm = w->now_us >= w->scenario->calm_us;
    uint32_t times = !calm && world_chance(w, t->piece_twice) ? 2 : 1;

    if (!process_alive(w, 1 + to) ||
        w->processes[1 + to].birth != piece->to_birth) {
        return;
    }
    if ((!calm && world_chance(w, t->piece_loss)) ||
        (c->lossy && w->now_us < c->parted_until_us && world_chance(w, 2))) {
        world_say(w, "a piece from w%u to w%u is lost", piece->from, to);
        return;
    }
    for (uint32_t i = 0; i < times; i++) {
        struct event event = {.fn = on_piece, .process = 1 + to};

        event.payload = world_copy(piece, sizeof(*piece));
        event.at_us = arrival(w, c);
        (void)world_post(w, event);
    }
}

void network_part(
    struct world *w, uint32_t a, uint32_t b, uint64_t until_us, bool lossy)
{
    struct network *n = w->network;
    struct channel *channels[] = {&n->data[a][b], &n->data[b][a],
                                  &n->copies[a][b], &n->copies[b][a]};

    for (uint32_t c = 0; c < sizeof(channels) / sizeof(channels[0]); c++) {
        channels[c]->parted_until_us = until_us;
        channels[c]->lossy = lossy;
    }
}
