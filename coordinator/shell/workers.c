#include "coordinator/shell/workers.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* Each worker, and as many again that have just been restarted. */
    PEERS_MAX = 4 * WORKERS_MAX,
    ROUTING_BYTES_MAX = 255,
    MESSAGES_PER_TURN = 64,
    /* Grants and reports in flight are few; a worker that has let this many
     * pile up is not there any more. */
    QUEUE_MAX = 1000,
    LINGER_MS = 500,
    /* The largest decoded message: an Opened or a record of a shard of
     * SHARD_TENSORS_MAX x TENSOR_CHUNKS_MAX hashes. Pages that are not
     * needed are never touched. */
    ARENA_BYTES = 16 << 20
};

struct peer {
    uint32_t number; /* 0: free */
    uint64_t used;   /* tick of its last message */
    size_t size;
    unsigned char routing[ROUTING_BYTES_MAX];
};

struct workers {
    struct loop *loop;
    struct link *link;
    void (*on_message)(void *owner, uint32_t peer, const struct wire *message);
    void *owner;
    bool listening;
    uint32_t last_number;
    uint64_t tick;
    uint64_t malformed_count;
    struct arena arena;
    void *memory;
    struct peer peers[PEERS_MAX];
};

static struct peer *find_routing(struct workers *workers,
                                 const void *routing,
                                 size_t size)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct peer *peer = &workers->peers[p];

        if (peer->number != 0 && peer->size == size &&
            memcmp(peer->routing, routing, size) == 0) {
            return peer;
        }
    }
    return NULL;
}

static struct peer *find_number(struct workers *workers, uint32_t number)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (workers->peers[p].number == number) {
            return &workers->peers[p];
        }
    }
    return NULL;
}

/* A full table gives up the peer that has been silent for longest; if it was
 * alive after all, the next message to it fails and the core is told. */
static struct peer *add_peer(struct workers *workers,
                             const void *routing,
                             size_t size)
{
    struct peer *peer = &workers->peers[0];

    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (workers->peers[p].number == 0) {
            peer = &workers->peers[p];
            break;
        }
        if (workers->peers[p].used < peer->used) {
            peer = &workers->peers[p];
        }
    }
    *peer = (struct peer){.number = ++workers->last_number, .size = size};
    memcpy(peer->routing, routing, size);
    return peer;
}

static void drop(struct workers *workers, const char *why)
{
    workers->malformed_count++;
    log_line(LOG_WARN, "workers", "message_dropped",
             "why=\"%s\" count=%" PRIu64, why, workers->malformed_count);
}

static void take(struct workers *workers, struct frame *parts, size_t count)
{
    const void *routing = frame_data(&parts[0]);
    size_t size = frame_size(&parts[0]);
    struct peer *peer = NULL;
    struct wire message;
    enum status status;

    if (count != 2 || size > ROUTING_BYTES_MAX) {
        drop(workers, "not two parts");
        return;
    }
    arena_reset(&workers->arena);
    status = wire_decode(frame_data(&parts[1]), frame_size(&parts[1]),
                         &workers->arena, &message);
    if (status != STATUS_OK) {
        drop(workers, status_text(status));
        return;
    }
    peer = find_routing(workers, routing, size);
    if (peer == NULL) {
        peer = add_peer(workers, routing, size);
    }
    peer->used = ++workers->tick;
    workers->on_message(workers->owner, peer->number, &message);
}

static void on_link(void *owner)
{
    struct workers *workers = owner;

    for (int i = 0; i < MESSAGES_PER_TURN && workers->listening; i++) {
        struct frame parts[3];
        size_t count = 0;
        enum status status = link_receive(workers->link, parts, 3, &count);

        if (status == STATUS_BUSY) {
            return;
        }
        if (status != STATUS_OK) {
            drop(workers, "too many parts");
            continue;
        }
        take(workers, parts, count);
        for (size_t p = 0; p < count; p++) {
            frame_close(&parts[p]);
        }
    }
}

enum status workers_open(const struct workers_options *options,
                         struct workers **out)
{
    const struct link_options link = {.kind = LINK_ROUTER,
                                      .part_bytes_max = CONTROL_BYTES_MAX,
                                      .queue_max = QUEUE_MAX,
                                      .linger_ms = LINGER_MS,
                                      .heartbeat_ms = options->heartbeat_ms};
    struct workers *workers = mem_new(sizeof(*workers));
    enum status status = STATUS_NO_MEMORY;

    if (workers == NULL) {
        return STATUS_NO_MEMORY;
    }
    workers->loop = options->loop;
    workers->on_message = options->on_message;
    workers->owner = options->owner;
    workers->memory = mem_new(ARENA_BYTES);
    if (workers->memory == NULL) {
        goto fail;
    }
    arena_init(&workers->arena, workers->memory, ARENA_BYTES);
    status =
        link_bind(options->context, &link, options->endpoint, &workers->link);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = loop_add_link(workers->loop, workers->link, on_link, workers);
    if (status != STATUS_OK) {
        goto fail;
    }
    workers->listening = true;
    *out = workers;
    return STATUS_OK;

fail:
    workers_close(workers);
    return status;
}

void workers_close(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    loop_remove_link(workers->loop, workers->link);
    link_close(workers->link);
    mem_free(workers->memory);
    mem_free(workers);
}

const char *workers_endpoint(const struct workers *workers)
{
    return link_endpoint(workers->link);
}

enum status workers_send(struct workers *workers,
                         uint32_t peer_number,
                         const struct wire *message)
{
    const struct peer *peer = find_number(workers, peer_number);
    unsigned char *bytes = NULL;
    struct frame parts[2];
    size_t size = 0;
    enum status status = STATUS_UNAVAILABLE;

    if (peer_number == 0 || peer == NULL) {
        return STATUS_UNAVAILABLE;
    }
    status = wire_encode(message, &bytes, &size);
    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "workers", "message_not_encoded",
                 "kind=%s why=\"%s\"", wire_kind_name(message->kind),
                 status_text(status));
        return status;
    }
    status = frame_init_copy(&parts[0], peer->routing, peer->size);
    if (status != STATUS_OK) {
        goto out;
    }
    status = frame_init_copy(&parts[1], bytes, size);
    if (status != STATUS_OK) {
        frame_close(&parts[0]);
        goto out;
    }
    status = link_send(workers->link, parts, 2);
    if (status != STATUS_OK) {
        frame_close(&parts[0]);
        frame_close(&parts[1]);
        log_line(LOG_WARN, "workers", "peer_lost",
                 "peer=%" PRIu32 " kind=%s why=\"%s\"", peer_number,
                 wire_kind_name(message->kind), status_text(status));
        status = STATUS_UNAVAILABLE;
    }

out:
    mem_free(bytes);
    return status;
}

void workers_forget(struct workers *workers, uint32_t peer_number)
{
    struct peer *peer = find_number(workers, peer_number);

    if (peer_number != 0 && peer != NULL) {
        *peer = (struct peer){.number = 0};
    }
}

void workers_pause(struct workers *workers)
{
    if (workers->listening) {
        workers->listening = false;
        loop_remove_link(workers->loop, workers->link);
    }
}

void workers_resume(struct workers *workers)
{
    enum status status;

    if (workers->listening) {
        return;
    }
    workers->listening = true;
    status = loop_add_link(workers->loop, workers->link, on_link, workers);
    /* Its own place among the loop's sources has just been given up. */
    CHECK(status == STATUS_OK);
}

uint64_t workers_malformed(const struct workers *workers)
{
    return workers->malformed_count;
}
