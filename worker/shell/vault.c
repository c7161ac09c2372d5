#include "worker/shell/vault.h"

#include "base/check.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/core/arrivals.h"
#include "worker/shell/courier.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
    /* A piece takes about 0.2 ms to check: frames get their turn. */
    MESSAGES_PER_CALL = 4
};

/* A copy that somebody is bringing, piece by piece. */
struct incoming {
    struct piece_header header;
    struct pieces pieces;
};

struct vault {
    struct vault_options options;
    struct link *inlet;
    struct courier *courier;
    struct holdings holdings;
    struct holding items[HOLDINGS_MAX]; /* bytes: struct pieces */
    struct arrivals arrivals;
    struct arrival places[VAULT_INCOMING_MAX];
    struct incoming incoming[VAULT_INCOMING_MAX]; /* by place */
};

static void log_lost(const struct holding_key *key, enum status status)
{
    log_line(
        LOG_WARN, "vault", "copy_not_kept",
        "job=j%" PRIu64 " interval=%" PRIu64 " layer=%u shard=%u why=\"%s\"",
        key->job, key->interval, key->layer, key->shard, status_text(status));
}

/* Holding */

static void free_holding(const struct holding *holding)
{
    if (holding->bytes != NULL) {
        pieces_close(holding->bytes);
        mem_free(holding->bytes);
    }
}

static void tell(struct vault *vault, const struct holding *holding)
{
    struct wire_kept kept = {.job = holding->key.job,
                             .line = holding->key.line,
                             .interval = holding->key.interval,
                             .layer = holding->key.layer,
                             .shard = holding->key.shard,
                             .cost_us = holding->cost_us,
                             .term = holding->key.term};

    vault->options.kept(vault->options.owner, &kept);
}

/* Takes pieces on success. */
static enum status hold(struct vault *vault,
                        struct holding *holding,
                        struct pieces *pieces)
{
    struct pieces *bytes = mem_new(sizeof(*bytes));
    struct holding old;
    enum status status = STATUS_NO_MEMORY;

    if (bytes == NULL) {
        return status;
    }
    holding->bytes = bytes;
    status = holdings_add(&vault->holdings, holding, &old);
    if (status != STATUS_OK) {
        mem_free(bytes);
        return status;
    }
    *bytes = *pieces;
    *pieces = (struct pieces){.count = 0};
    free_holding(&old);
    tell(vault, holding);
    return STATUS_OK;
}

enum status vault_hold(struct vault *vault,
                       const struct holding_key *key,
                       struct pieces *pieces)
{
    struct holding holding = {.key = *key};

    return hold(vault, &holding, pieces);
}

struct pieces *vault_find(struct vault *vault, const struct holding_key *key)
{
    const struct holding *holding = holdings_find(&vault->holdings, key);

    return holding != NULL ? holding->bytes : NULL;
}

static void drop_incoming(struct vault *vault, uint32_t at)
{
    pieces_close(&vault->incoming[at].pieces);
    arrivals_end(&vault->arrivals, at);
}

void vault_drop(struct vault *vault, const struct holdings_rule *rule)
{
    struct holding holding;
    uint32_t at = 0;

    courier_drop(vault->courier, rule);
    while (arrivals_drop(&vault->arrivals, rule, &at)) {
        drop_incoming(vault, at);
    }
    while (holdings_drop(&vault->holdings, rule, &holding)) {
        free_holding(&holding);
    }
}

void vault_keep(struct vault *vault,
                const struct vault_copy *copy,
                struct pieces *pieces)
{
    const struct holding_key *key = &copy->key;
    struct holdings_rule rule = holdings_on_keep(key, copy->kept);
    struct holding holding = {
        .key = *key, .own = true, .cost_us = copy->cost_us};
    struct piece_header header = {.job = key->job,
                                  .term = key->term,
                                  .line = key->line,
                                  .interval = key->interval,
                                  .kept = copy->kept,
                                  .layer = key->layer,
                                  .shard = key->shard};
    struct pieces shared;
    enum status status = STATUS_OK;

    vault_drop(vault, &rule);
    status = pieces_share(pieces, &shared);
    if (status == STATUS_OK) {
        status = hold(vault, &holding, &shared);
        pieces_close(&shared);
    }
    if (status == STATUS_OK && copy->buddy != NULL) {
        status = courier_send(vault->courier, copy->buddy, &header, pieces);
    }
    if (status != STATUS_OK) {
        log_lost(key, status);
    }
}

void vault_retell(struct vault *vault)
{
    for (uint32_t i = 0; i < vault->holdings.count; i++) {
        tell(vault, &vault->items[i]);
    }
}

struct vault_bytes vault_bytes(const struct vault *vault)
{
    struct vault_bytes bytes = {0};

    for (uint32_t i = 0; i < vault->holdings.count; i++) {
        const struct holding *holding = &vault->items[i];
        const struct pieces *pieces = holding->bytes;

        if (holding->own) {
            bytes.own += pieces->bytes;
        } else {
            bytes.buddies += pieces->bytes;
        }
    }
    return bytes;
}

/* A buddy brings a copy */

/* The first piece: room, after what its point makes needless. */
static uint32_t begin_incoming(struct vault *vault,
                               const struct piece_header *header)
{
    struct holding_key key = holdings_key(header);
    struct holdings_rule rule = holdings_on_keep(&key, header->kept);
    struct incoming *incoming = NULL;
    uint32_t at = 0;

    vault_drop(vault, &rule);
    at = arrivals_begin(&vault->arrivals, &key);
    incoming = &vault->incoming[at];
    pieces_close(&incoming->pieces);
    incoming->header = *header;
    incoming->pieces.evaluations_count = header->evaluations_count;
    return at;
}

/* Does a piece continue what has come, undamaged? */
static enum status check_piece(const struct incoming *incoming,
                               const struct piece_header *header,
                               struct part *bytes)
{
    const struct piece_header *first = &incoming->header;
    uint32_t count = incoming->pieces.count;
    uint64_t seed = count > 0 ? incoming->pieces.items[count - 1].sum : 0;

    if (first->term != header->term || first->count != header->count ||
        header->index != count) {
        return STATUS_CONFLICT;
    }
    return checksum_bytes(seed, part_data(bytes), part_size(bytes)) ==
                   header->sum
               ? STATUS_OK
               : STATUS_CORRUPT;
}

/* BUSY: the memory that others may fill is full. */
static enum status check_room(const struct vault *vault, size_t size)
{
    struct vault_bytes held = vault_bytes(vault);
    uint64_t used = held.own + held.buddies;

    for (uint32_t i = 0; i < VAULT_INCOMING_MAX; i++) {
        used += vault->incoming[i].pieces.bytes;
    }
    return used <= vault->options.bytes_max &&
                   size <= vault->options.bytes_max - used
               ? STATUS_OK
               : STATUS_BUSY;
}

static enum status add_piece(struct vault *vault,
                             uint32_t at,
                             const struct piece_header *header,
                             struct part *bytes)
{
    struct incoming *incoming = &vault->incoming[at];
    struct pieces *pieces = &incoming->pieces;
    struct holding_key key = holdings_key(header);
    enum status status = check_piece(incoming, header, bytes);

    if (status == STATUS_OK) {
        status = check_room(vault, part_size(bytes));
    }
    if (status == STATUS_OK) {
        status = pieces_add(pieces, bytes);
        if (status == STATUS_OK) {
            part_init_empty(bytes);
            pieces->items[header->index].sum = header->sum;
            pieces->summed = pieces->count;
        }
    }
    if (status == STATUS_OK && pieces->count == header->count) {
        status = vault_hold(vault, &key, pieces);
        if (status == STATUS_OK) {
            arrivals_end(&vault->arrivals, at);
        }
    }
    if (status != STATUS_OK) {
        log_lost(&key, status);
        drop_incoming(vault, at);
    }
    return status;
}

static enum status take_put(struct vault *vault,
                            const struct piece_header *header,
                            struct part *bytes)
{
    struct holding_key key = holdings_key(header);
    uint32_t at = 0;

    if (!vault->options.expects(vault->options.owner, header)) {
        return STATUS_STALE;
    }
    at = header->index == 0 ? begin_incoming(vault, header)
                            : arrivals_find(&vault->arrivals, &key);
    return at < VAULT_INCOMING_MAX ? add_piece(vault, at, header, bytes)
                                   : STATUS_CONFLICT;
}

/* Somebody fetches a copy */

static struct part *answer_get(struct vault *vault, struct piece_header *header)
{
    struct holding_key key = holdings_key(header);
    struct pieces *pieces = vault_find(vault, &key);

    header->kind = PIECE_MISSING;
    if (pieces == NULL || header->index >= pieces->count) {
        return NULL;
    }
    header->kind = PIECE_BYTES;
    header->count = pieces->count;
    header->evaluations_count = pieces->evaluations_count;
    header->sum = pieces_sum(pieces, header->index);
    return &pieces->items[header->index].part;
}

static void take_message(struct vault *vault, struct vaultlink_message *message)
{
    struct piece_header answer = message->header;
    struct part *bytes = NULL;

    if (answer.kind == PIECE_PUT) {
        answer.status = take_put(vault, &answer, &message->bytes);
        answer.kind = PIECE_STORED;
    } else if (answer.kind == PIECE_GET) {
        bytes = answer_get(vault, &answer);
    } else {
        return; /* nothing that is said to a vault */
    }
    if (vaultlink_send(vault->inlet, &message->from, &answer, bytes) !=
        STATUS_OK) {
        /* Gone, or it does not read: it will notice, or ask again. */
        log_line(LOG_DEBUG, "vault", "not_answered", "kind=%u", answer.kind);
    }
}

static void on_readable(void *owner)
{
    struct vault *vault = owner;

    for (int i = 0; i < MESSAGES_PER_CALL; i++) {
        struct vaultlink_message message;
        enum status status = vaultlink_receive(vault->inlet, true, &message);

        if (status == STATUS_BUSY) {
            return;
        }
        if (status != STATUS_OK) {
            log_line(LOG_WARN, "vault", "message_refused", "why=\"%s\"",
                     status_text(status));
            continue;
        }
        take_message(vault, &message);
        vaultlink_close(&message);
    }
}

/* Life */

const char *vault_endpoint(const struct vault *vault)
{
    return link_endpoint(vault->inlet);
}

static uint64_t memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page
                                 : UINT64_MAX;
}

enum status vault_open(const struct vault_options *options, struct vault **out)
{
    struct vault *vault = mem_new(sizeof(*vault));
    enum status status = STATUS_NO_MEMORY;

    if (vault == NULL) {
        return status;
    }
    vault->options = *options;
    if (options->bytes_max == 0) {
        vault->options.bytes_max = memory_bytes() / VAULT_MEMORY_SHARE;
    }
    holdings_init(&vault->holdings, vault->items, HOLDINGS_MAX);
    arrivals_init(&vault->arrivals, vault->places, VAULT_INCOMING_MAX);
    status = courier_open(options->loop, options->context, options->trust,
                          &vault->courier);
    if (status == STATUS_OK) {
        status = vaultlink_bind(options->context, options->endpoint,
                                options->locked, &vault->inlet);
    }
    if (status == STATUS_OK) {
        status = loop_add_link(options->loop, vault->inlet, on_readable, vault);
    }
    if (status != STATUS_OK) {
        vault_close(vault);
        return status;
    }
    *out = vault;
    return STATUS_OK;
}

/* As the exchange does: 0MQ leaves the file behind, whose name is ours. */
static void remove_socket(const struct vault *vault)
{
    static const char scheme[] = "ipc://";
    const size_t size = sizeof(scheme) - 1;

    if (strncmp(vault_endpoint(vault), scheme, size) == 0) {
        (void)unlink(vault_endpoint(vault) + size);
    }
}

void vault_close(struct vault *vault)
{
    if (vault == NULL) {
        return;
    }
    courier_close(vault->courier);
    for (uint32_t i = 0; i < VAULT_INCOMING_MAX; i++) {
        drop_incoming(vault, i);
    }
    for (uint32_t i = 0; i < vault->holdings.count; i++) {
        free_holding(&vault->items[i]);
    }
    if (vault->inlet != NULL) {
        loop_remove_link(vault->options.loop, vault->inlet);
        remove_socket(vault);
    }
    link_close(vault->inlet);
    mem_free(vault);
}
