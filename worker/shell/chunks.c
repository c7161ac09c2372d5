#include "worker/shell/chunks.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/chunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    RETRY_MS = 10,        /* while the link does not stand */
    ANSWERS_PER_CALL = 8, /* of up to 1 MB each */
    HEARTBEAT_MS = 2000
};

enum request_state { REQUEST_FREE = 0, REQUEST_WAITING, REQUEST_SENT };

struct request {
    enum request_state state;
    uint64_t number; /* rising: tells the oldest */
    uint64_t deadline_ms;
    enum chunk_kind kind; /* CHUNK_PUT or CHUNK_GET */
    struct hash hash;
    struct part bytes;    /* of a PUT, which may have to be sent again */
    chunks_done_fn *done; /* NULL: forgotten */
    void *owner;
};

struct chunks {
    struct loop *loop;
    struct link_context *context;
    struct link *link;  /* NULL: not connected yet */
    struct link *watch; /* whether it stands */
    uint64_t quiet_ms;  /* until then nothing is sent */
    char endpoint[ENDPOINT_BYTES_MAX];
    uint64_t life;
    uint32_t timer;
    bool has_timer;
    uint64_t last_number;
    struct request requests[CHUNKS_MAX];
};

static void drop_request(struct request *request)
{
    if (request->state != REQUEST_FREE && request->kind == CHUNK_PUT) {
        part_close(&request->bytes);
    }
    request->state = REQUEST_FREE;
}

/* The slot is free before the call, which may make a new request. */
static void end_request(struct request *request,
                        enum status status,
                        struct part *bytes)
{
    chunks_done_fn *done = request->done;
    void *owner = request->owner;

    drop_request(request);
    if (done != NULL) {
        done(owner, status, bytes);
    }
}

/* Sending */

static enum status send_request(struct chunks *chunks, struct request *request)
{
    struct chunk_header header = {.kind = request->kind, .hash = request->hash};
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    size_t size = chunk_header_encode(&header, bytes);
    struct part parts[2];
    size_t count = 1;
    enum status status = part_init_copy(&parts[0], bytes, size);

    if (status != STATUS_OK) {
        return status;
    }
    if (request->kind == CHUNK_PUT) {
        part_share(&parts[count++], &request->bytes);
    }
    status = link_send(chunks->link, parts, count);
    if (status != STATUS_OK) {
        while (count > 0) {
            part_close(&parts[--count]);
        }
        return status;
    }
    request->state = REQUEST_SENT;
    return STATUS_OK;
}

/* What was under way when the connection ended, or its answer, is lost: it is
 * asked again, which is harmless, since a chunk is named by its hash. Not at
 * once: 0MQ tells of the end before it throws the connection's queue away, and
 * what is sent in between goes with it. */
static void ask_again(struct chunks *chunks)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
        struct request *request = &chunks->requests[i];

        if (request->state != REQUEST_SENT) {
            continue;
        }
        request->state = REQUEST_WAITING;
        count++;
        if (request->done == NULL) { /* nobody waits for it any more */
            drop_request(request);
        }
    }
    chunks->quiet_ms = clock_now_ms() + RETRY_MS;
    if (count > 0) {
        log_line(LOG_INFO, "chunks", "asked_again",
                 "count=%" PRIu32 " why=\"the link was lost\"", count);
    }
}

static void take_changes(struct chunks *chunks)
{
    enum link_change change = LINK_UNCHANGED;
    int connection = -1;

    while (chunks->watch != NULL &&
           (change = link_next_change(chunks->watch, &connection)) !=
               LINK_UNCHANGED) {
        if (change == LINK_ENDED) {
            ask_again(chunks);
        }
    }
}

/* Those that wait go out in the order made; true: some still wait. */
static bool send_waiting(struct chunks *chunks)
{
    take_changes(chunks);
    for (;;) {
        struct request *next = NULL;

        for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
            struct request *request = &chunks->requests[i];

            if (request->state == REQUEST_WAITING &&
                (next == NULL || request->number < next->number)) {
                next = request;
            }
        }
        if (next == NULL) {
            return false;
        }
        if (chunks->link == NULL || clock_now_ms() < chunks->quiet_ms ||
            send_request(chunks, next) != STATUS_OK) {
            return true;
        }
    }
}

static void set_timer(struct chunks *chunks, bool waiting)
{
    uint64_t next_ms = waiting ? clock_now_ms() + RETRY_MS : UINT64_MAX;

    for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
        const struct request *request = &chunks->requests[i];

        if (request->state != REQUEST_FREE && request->deadline_ms < next_ms) {
            next_ms = request->deadline_ms;
        }
    }
    loop_set_timer(chunks->loop, chunks->timer, next_ms);
}

static void on_timer(void *owner)
{
    struct chunks *chunks = owner;
    uint64_t now_ms = clock_now_ms();

    for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
        struct request *request = &chunks->requests[i];

        if (request->state != REQUEST_FREE && request->deadline_ms <= now_ms) {
            end_request(request, STATUS_DEADLINE, NULL);
        }
    }
    set_timer(chunks, send_waiting(chunks));
}

/* Receiving */

static struct request *find_request(struct chunks *chunks,
                                    enum chunk_kind kind,
                                    const struct hash *hash)
{
    struct request *oldest = NULL;

    for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
        struct request *request = &chunks->requests[i];

        if (request->state == REQUEST_SENT && request->kind == kind &&
            hash_equal(&request->hash, hash) &&
            (oldest == NULL || request->number < oldest->number)) {
            oldest = request;
        }
    }
    return oldest;
}

static void take_bytes(struct request *request,
                       const struct chunk_header *header,
                       struct part *parts,
                       size_t count)
{
    enum status status = (enum status)header->status;
    struct hash found;

    if (status == STATUS_OK && count != 2) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        hash_bytes(part_data(&parts[1]), part_size(&parts[1]), &found);
        status = hash_equal(&found, &header->hash) ? STATUS_OK : STATUS_CORRUPT;
    }
    end_request(request, status, status == STATUS_OK ? &parts[1] : NULL);
}

static void take_answer(struct chunks *chunks, struct part *parts, size_t count)
{
    struct chunk_header header = {.kind = 0};
    struct request *request = NULL;
    enum status status = chunk_header_decode(part_data(&parts[0]),
                                             part_size(&parts[0]), &header);

    if (status == STATUS_OK && header.kind == CHUNK_STORED) {
        request = find_request(chunks, CHUNK_PUT, &header.hash);
    } else if (status == STATUS_OK && header.kind == CHUNK_BYTES) {
        request = find_request(chunks, CHUNK_GET, &header.hash);
    }
    if (request == NULL) {
        log_line(LOG_WARN, "chunks", "answer_refused", "kind=%u", header.kind);
    } else if (header.kind == CHUNK_STORED) {
        end_request(request, (enum status)header.status, NULL);
    } else {
        take_bytes(request, &header, parts, count);
    }
}

static void on_readable(void *owner)
{
    struct chunks *chunks = owner;

    for (int i = 0; i < ANSWERS_PER_CALL; i++) {
        struct part parts[2];
        size_t count = 0;
        enum status status = link_receive(chunks->link, parts, 2, &count);

        if (status == STATUS_BUSY) {
            break;
        }
        if (status != STATUS_OK) {
            continue; /* link_receive has logged it */
        }
        take_answer(chunks, parts, count);
        while (count > 0) {
            part_close(&parts[--count]);
        }
    }
    set_timer(chunks, send_waiting(chunks));
}

static void on_change(void *owner)
{
    struct chunks *chunks = owner;

    set_timer(chunks, send_waiting(chunks));
}

/* Requests */

static enum status begin(struct chunks *chunks,
                         const struct request *wanted,
                         struct part *bytes)
{
    uint32_t i = 0;

    while (i < CHUNKS_MAX && chunks->requests[i].state != REQUEST_FREE) {
        i++;
    }
    if (i == CHUNKS_MAX) {
        return STATUS_BUSY;
    }
    chunks->requests[i] = *wanted;
    chunks->requests[i].state = REQUEST_WAITING;
    chunks->requests[i].number = ++chunks->last_number;
    chunks->requests[i].deadline_ms = clock_now_ms() + CHUNKS_DEADLINE_MS;
    if (bytes != NULL) {
        part_move(&chunks->requests[i].bytes, bytes);
        part_close(bytes);
    }
    set_timer(chunks, send_waiting(chunks));
    return STATUS_OK;
}

enum status chunks_put(struct chunks *chunks,
                       const struct hash *hash,
                       struct part *bytes,
                       chunks_done_fn *done,
                       void *owner)
{
    struct request wanted = {
        .kind = CHUNK_PUT, .hash = *hash, .done = done, .owner = owner};

    return begin(chunks, &wanted, bytes);
}

enum status chunks_get(struct chunks *chunks,
                       const struct hash *hash,
                       chunks_done_fn *done,
                       void *owner)
{
    struct request wanted = {
        .kind = CHUNK_GET, .hash = *hash, .done = done, .owner = owner};

    return begin(chunks, &wanted, NULL);
}

/* What is under way keeps its slot, since it will be answered. */
void chunks_forget(struct chunks *chunks, const void *owner)
{
    for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
        struct request *request = &chunks->requests[i];

        if (request->state == REQUEST_FREE || request->owner != owner) {
            continue;
        }
        request->done = NULL;
        if (request->state == REQUEST_WAITING) {
            drop_request(request);
        }
    }
}

/* Life */

enum status chunks_open(struct loop *loop,
                        struct link_context *context,
                        struct chunks **out)
{
    struct chunks *chunks = mem_new(sizeof(*chunks));
    enum status status = STATUS_NO_MEMORY;

    if (chunks == NULL) {
        return status;
    }
    chunks->loop = loop;
    chunks->context = context;
    status = loop_add_timer(loop, UINT64_MAX, on_timer, chunks, &chunks->timer);
    chunks->has_timer = status == STATUS_OK;
    if (status != STATUS_OK) {
        chunks_close(chunks);
        return status;
    }
    *out = chunks;
    return STATUS_OK;
}

static void close_link(struct chunks *chunks)
{
    loop_remove_link(chunks->loop, chunks->watch);
    link_unwatch(chunks->link, chunks->watch);
    chunks->watch = NULL;
    loop_remove_link(chunks->loop, chunks->link);
    link_close(chunks->link);
    chunks->link = NULL;
}

void chunks_close(struct chunks *chunks)
{
    if (chunks == NULL) {
        return;
    }
    for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
        drop_request(&chunks->requests[i]);
    }
    close_link(chunks);
    if (chunks->has_timer) {
        loop_remove_timer(chunks->loop, chunks->timer);
    }
    mem_free(chunks);
}

static enum status open_link(struct chunks *chunks,
                             const char *endpoint,
                             const struct curvekey *far_key)
{
    struct link_options options = {.kind = LINK_DEALER,
                                   .part_bytes_max = CHUNK_BYTES_MAX,
                                   .queue_max = 2 * CHUNKS_MAX,
                                   .linger_ms = 0,
                                   .far_key = far_key,
                                   .heartbeat_ms = HEARTBEAT_MS};
    enum status status =
        link_connect(chunks->context, &options, endpoint, &chunks->link);

    if (status == STATUS_OK) {
        status = loop_add_link(chunks->loop, chunks->link, on_readable, chunks);
    }
    if (status == STATUS_OK) {
        status = link_watch(chunks->link, &chunks->watch);
    }
    if (status == STATUS_OK) {
        status = loop_add_link(chunks->loop, chunks->watch, on_change, chunks);
    }
    if (status != STATUS_OK) {
        close_link(chunks);
        return status;
    }
    (void)snprintf(chunks->endpoint, sizeof(chunks->endpoint), "%s", endpoint);
    return STATUS_OK;
}

enum status chunks_connect(struct chunks *chunks,
                           const char *endpoint,
                           const struct curvekey *far_key,
                           uint64_t life)
{
    enum status status = STATUS_OK;

    if (chunks->link != NULL && chunks->life == life &&
        strcmp(chunks->endpoint, endpoint) == 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; chunks->life != life && i < CHUNKS_MAX; i++) {
        if (chunks->requests[i].state == REQUEST_SENT) {
            end_request(&chunks->requests[i], STATUS_UNAVAILABLE, NULL);
        }
    }
    chunks->life = life;
    if (chunks->link == NULL || strcmp(chunks->endpoint, endpoint) != 0) {
        close_link(chunks);
        ask_again(chunks);
        status = open_link(chunks, endpoint, far_key);
    }
    set_timer(chunks, send_waiting(chunks));
    return status;
}
