#include "worker/shell/pointloader.h"

#include "base/check.h"
#include "base/checksum.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    RETRY_MS = 2, /* while a link is being built */
    PIECES_PER_CALL = 16
};

struct pointloader {
    struct pointloader_options options;
    uint32_t timer;
    bool has_timer;
    bool ended;
    uint32_t local; /* the shard that is being loaded */
    struct holding_key key;

    /* What is being fetched for it. */
    const struct wire_peer *source; /* of the link; NULL: there is none */
    struct link *link;
    struct pieces pieces;
    uint32_t count; /* pieces of the copy; 0: not known yet */
    uint32_t asked;
    uint64_t deadline_ms;
};

static void advance(struct pointloader *loader);

static void end(struct pointloader *loader, enum status status, const char *why)
{
    if (!loader->ended) {
        loader->ended = true;
        loop_set_timer(loader->options.loop, loader->timer, UINT64_MAX);
        loader->options.done(loader->options.owner, status, why);
    }
}

/* Whatever the reason, the coordinator goes back further. */
static void fail(struct pointloader *loader,
                 enum status status,
                 const char *what)
{
    char why[ERROR_BYTES_MAX];

    (void)snprintf(
        why, sizeof(why), "layer %u, shard %u, copy of boundary %llu: %s: %s",
        loader->key.layer, loader->key.shard,
        (unsigned long long)loader->key.interval, what, status_text(status));
    end(loader, STATUS_UNAVAILABLE, why);
}

/* Fetching */

static void close_link(struct pointloader *loader)
{
    if (loader->link != NULL) {
        loop_remove_link(loader->options.loop, loader->link);
        link_close(loader->link);
    }
    loader->link = NULL;
    loader->source = NULL;
}

/* As many as the window allows. How many there are the first answer tells. */
static void ask(struct pointloader *loader)
{
    struct piece_header header = {.kind = PIECE_GET,
                                  .job = loader->key.job,
                                  .term = loader->key.term,
                                  .line = loader->key.line,
                                  .interval = loader->key.interval,
                                  .layer = loader->key.layer,
                                  .shard = loader->key.shard};
    uint32_t end = loader->count > 0 ? loader->count : 1;

    while (loader->asked < end &&
           loader->asked - loader->pieces.count < POINTLOADER_WINDOW) {
        header.index = loader->asked;
        if (vaultlink_send(loader->link, NULL, &header, NULL) != STATUS_OK) {
            loop_set_timer(loader->options.loop, loader->timer,
                           clock_now_ms() + RETRY_MS);
            return;
        }
        loader->asked++;
    }
    loop_set_timer(loader->options.loop, loader->timer, loader->deadline_ms);
}

static bool is_wanted(const struct pointloader *loader,
                      const struct piece_header *header)
{
    struct holding_key key = {.job = header->job,
                              .term = header->term,
                              .line = header->line,
                              .interval = header->interval,
                              .layer = header->layer,
                              .shard = header->shard};

    return holdings_same(&key, &loader->key);
}

static enum status add_piece(struct pointloader *loader,
                             const struct piece_header *header,
                             struct part *bytes)
{
    struct pieces *pieces = &loader->pieces;
    uint32_t count = pieces->count;
    uint64_t seed = count > 0 ? pieces->items[count - 1].sum : 0;
    enum status status = STATUS_OK;

    if (count > 0 && header->count != loader->count) {
        return STATUS_CORRUPT;
    }
    if (header->index != count ||
        checksum_bytes(seed, part_data(bytes), part_size(bytes)) !=
            header->sum) {
        return STATUS_CORRUPT;
    }
    status = pieces_add(pieces, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    part_init_empty(bytes);
    pieces->items[count].sum = header->sum;
    pieces->summed = pieces->count;
    pieces->evaluations_count = header->evaluations_count;
    loader->count = header->count;
    loader->deadline_ms = clock_now_ms() + POINTLOADER_WAIT_MS;
    return STATUS_OK;
}

/* False: the copy is whole, or it is over. */
static bool take_answer(struct pointloader *loader,
                        struct vaultlink_message *message)
{
    enum status status = STATUS_OK;

    if (!is_wanted(loader, &message->header)) {
        return true;
    }
    if (message->header.kind != PIECE_BYTES) {
        fail(loader, STATUS_UNAVAILABLE, "it is not there any more");
        return false;
    }
    status = add_piece(loader, &message->header, &message->bytes);
    if (status != STATUS_OK) {
        fail(loader, status, "a piece is not taken");
        return false;
    }
    return loader->pieces.count < loader->count;
}

static void on_answers(void *owner)
{
    struct pointloader *loader = owner;
    bool more = !loader->ended && loader->link != NULL;

    for (int i = 0; more && i < PIECES_PER_CALL; i++) {
        struct vaultlink_message message;
        enum status status = vaultlink_receive(loader->link, false, &message);

        if (status == STATUS_BUSY) {
            break;
        }
        if (status == STATUS_OK) {
            more = take_answer(loader, &message);
            vaultlink_close(&message);
        }
    }
    if (loader->ended) {
        return;
    }
    if (more) {
        ask(loader);
    } else {
        advance(loader);
    }
}

static void on_timer(void *owner)
{
    struct pointloader *loader = owner;

    if (loader->ended) {
        return;
    }
    if (clock_now_ms() >= loader->deadline_ms) {
        char what[REASON_BYTES_MAX];

        (void)snprintf(what, sizeof(what), "worker w%u does not answer",
                       loader->source->worker);
        fail(loader, STATUS_UNAVAILABLE, what);
        return;
    }
    ask(loader);
}

/* The owner's place in assign->owners, and so its source's in sources. */
static const struct wire_peer *source_of(const struct pointloader *loader)
{
    const struct wire_assign *assign = loader->options.assign;
    uint32_t at = loader->key.shard;

    for (uint32_t l = 0; l < loader->key.layer; l++) {
        at += assign->arch->layers[l].shards_count;
    }
    CHECK(at < assign->sources_count);
    CHECK(assign->sources[at] < assign->holders_count);
    return &assign->holders[assign->sources[at]];
}

/* One link at a time; it is used again where the source is the same. */
static void begin_fetch(struct pointloader *loader)
{
    const struct wire_peer *source = source_of(loader);
    const struct pointloader_options *o = &loader->options;
    enum status status = STATUS_OK;

    if (loader->source != source) {
        close_link(loader);
        status = vaultlink_connect(o->context, o->trust, source, &loader->link);
        if (status == STATUS_OK) {
            loader->source = source;
            status = loop_add_link(o->loop, loader->link, on_answers, loader);
        }
    }
    if (status != STATUS_OK) {
        fail(loader, STATUS_UNAVAILABLE, "no link to the worker that has it");
        return;
    }
    loader->count = 0;
    loader->asked = 0;
    loader->deadline_ms = clock_now_ms() + POINTLOADER_WAIT_MS;
    ask(loader);
}

/* Loading */

static void name_shard(struct pointloader *loader, struct shard **out)
{
    const struct wire_assign *assign = loader->options.assign;

    loader->key = (struct holding_key){.job = assign->job,
                                       .term = assign->point_term,
                                       .line = assign->point_line,
                                       .interval = assign->point_interval};
    *out = session_shard(loader->options.session, loader->local,
                         &loader->key.layer, &loader->key.shard);
}

/* What was fetched becomes one of the host's copies. */
static enum status end_fetch(struct pointloader *loader)
{
    enum status status = STATUS_OK;

    if (loader->count == 0) {
        return STATUS_OK;
    }
    status = vault_hold(loader->options.vault, &loader->key, &loader->pieces);
    loader->count = 0;
    return status;
}

/* Goes on until a copy must be fetched, or all is done. */
static void advance(struct pointloader *loader)
{
    enum status status = end_fetch(loader);

    if (status != STATUS_OK) {
        fail(loader, status, "it cannot be held");
        return;
    }
    while (loader->local < session_shards(loader->options.session)) {
        struct shard *shard = NULL;
        struct pieces *pieces = NULL;

        name_shard(loader, &shard);
        pieces = vault_find(loader->options.vault, &loader->key);
        if (pieces == NULL) {
            begin_fetch(loader);
            return;
        }
        status = pieces_load(pieces, shard);
        if (status != STATUS_OK) {
            fail(loader, status, "it has another shape than the shard");
            return;
        }
        loader->local++;
    }
    end(loader, STATUS_OK, "");
}

enum status pointloader_open(const struct pointloader_options *options,
                             struct pointloader **out)
{
    struct pointloader *loader = mem_new(sizeof(*loader));
    enum status status = STATUS_NO_MEMORY;

    CHECK(options->assign->from_point);
    if (loader == NULL) {
        return status;
    }
    loader->options = *options;
    status = loop_add_timer(options->loop, UINT64_MAX, on_timer, loader,
                            &loader->timer);
    loader->has_timer = status == STATUS_OK;
    if (status != STATUS_OK) {
        pointloader_close(loader);
        return status;
    }
    *out = loader;
    return STATUS_OK;
}

void pointloader_start(struct pointloader *loader)
{
    advance(loader);
}

void pointloader_close(struct pointloader *loader)
{
    if (loader == NULL) {
        return;
    }
    close_link(loader);
    if (loader->has_timer) {
        loop_remove_timer(loader->options.loop, loader->timer);
    }
    pieces_close(&loader->pieces);
    mem_free(loader);
}
