#include "coordinator/shell/links/chunks.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/chunk.h"

#include <string.h>

enum {
    /* One transaction: some milliseconds, so that a journal record never
     * waits long for its turn. */
    PUTS_PER_JOB = 4,
    /* Bytes received and not yet written: 32 MB at most. */
    PUTS_MAX = 32,
    GETS_MAX = 256,
    /* Answers that their peer does not take yet. */
    ANSWERS_MAX = 64,
    MESSAGES_PER_TURN = 16,
    RETRY_MS = 2,
    /* A peer that takes nothing for so long is given up: its own deadlines
     * are shorter. */
    ANSWER_DEADLINE_MS = 10000,
    PEER_QUEUE_MAX = 64,
    LINGER_MS = 500
};

/* A chunk on its way: routing id, hash, bytes. */
struct transfer {
    struct part routing;
    struct part bytes; /* PUT: received. GET: read */
    bool has_bytes;
    struct hash hash;
    enum status status;
    uint64_t since_ms;
    uint32_t kind; /* of the answer */
};

struct ring {
    struct transfer *items;
    uint32_t size;
    uint32_t first;
    uint32_t count;
};

struct chunks {
    struct loop *loop;
    struct link *link;
    struct store *store;
    struct jobs *writer;
    struct jobs *reader;
    uint32_t timer;
    bool has_timer;
    bool listening;
    bool stopped;
    struct ring puts;
    struct ring gets;
    struct ring answers;
    struct transfer writing[PUTS_PER_JOB]; /* the writer's while busy */
    uint32_t writing_count;
    struct transfer reading; /* the reader's while busy */
    bool reading_busy;
    unsigned char *read_buffer; /* CHUNK_BYTES_MAX */
    size_t read_size;
    struct trust *trust;
    bool keyed; /* the link lets keys in alone */
};

static enum status ring_open(struct ring *ring, uint32_t size)
{
    ring->items = mem_array(size, sizeof(*ring->items));
    ring->size = size;
    return ring->items != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool ring_is_full(const struct ring *ring)
{
    return ring->count == ring->size;
}

static void ring_add(struct ring *ring, const struct transfer *transfer)
{
    CHECK(!ring_is_full(ring));
    ring->items[(ring->first + ring->count++) % ring->size] = *transfer;
}

static struct transfer ring_take(struct ring *ring)
{
    struct transfer transfer = ring->items[ring->first];

    CHECK(ring->count > 0);
    ring->first = (ring->first + 1) % ring->size;
    ring->count--;
    return transfer;
}

static void transfer_fini(struct transfer *transfer)
{
    part_close(&transfer->routing);
    if (transfer->has_bytes) {
        part_close(&transfer->bytes);
    }
}

static void ring_close(struct ring *ring)
{
    while (ring->count > 0) {
        struct transfer transfer = ring_take(ring);

        transfer_fini(&transfer);
    }
    mem_free(ring->items);
}

static void proceed(struct chunks *chunks);

/* --- Answers --- */

/* BUSY: the peer takes nothing at the moment; the transfer stays whole. */
static enum status send_answer(struct chunks *chunks, struct transfer *transfer)
{
    const struct chunk_header header = {.kind = transfer->kind,
                                        .status = (uint32_t)transfer->status,
                                        .hash = transfer->hash};
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    size_t size = chunk_header_encode(&header, bytes);
    bool with_bytes =
        transfer->kind == CHUNK_BYTES && transfer->status == STATUS_OK;
    struct part parts[3];
    size_t count = with_bytes ? 3 : 2;
    enum status status = part_init_copy(&parts[1], bytes, size);

    if (status != STATUS_OK) {
        return status;
    }
    part_share(&parts[0], &transfer->routing);
    if (with_bytes) {
        part_share(&parts[2], &transfer->bytes);
    }
    status = link_send(chunks->link, parts, count);
    if (status != STATUS_OK) {
        for (size_t p = 0; p < count; p++) {
            part_close(&parts[p]);
        }
    }
    return status;
}

static void send_answers(struct chunks *chunks)
{
    while (chunks->answers.count > 0) {
        struct transfer *transfer =
            &chunks->answers.items[chunks->answers.first];
        enum status status = send_answer(chunks, transfer);
        struct transfer done;

        if (status == STATUS_BUSY &&
            clock_now_ms() < transfer->since_ms + ANSWER_DEADLINE_MS) {
            loop_set_timer(chunks->loop, chunks->timer,
                           clock_now_ms() + RETRY_MS);
            return;
        }
        if (status != STATUS_OK) {
            log_line(LOG_WARN, "chunks", "answer_lost", "why=\"%s\"",
                     status_text(status));
        }
        done = ring_take(&chunks->answers);
        transfer_fini(&done);
    }
}

static void answer(struct chunks *chunks, struct transfer *transfer)
{
    transfer->since_ms = clock_now_ms();
    ring_add(&chunks->answers, transfer);
    send_answers(chunks);
}

static void on_timer(void *owner)
{
    struct chunks *chunks = owner;

    send_answers(chunks);
    proceed(chunks);
}

/* --- Writing --- */

static void write_puts(void *work)
{
    struct chunks *chunks = work;
    struct chunk list[PUTS_PER_JOB];
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < chunks->writing_count; i++) {
        struct transfer *put = &chunks->writing[i];

        list[i] = (struct chunk){.hash = put->hash,
                                 .bytes = part_data(&put->bytes),
                                 .size = part_size(&put->bytes)};
    }
    status = store_put_chunks(chunks->store, list, chunks->writing_count);
    for (uint32_t i = 0; i < chunks->writing_count; i++) {
        /* One that is not what its hash says must not take the others. */
        chunks->writing[i].status =
            status == STATUS_CORRUPT
                ? store_put_chunks(chunks->store, &list[i], 1)
                : status;
    }
}

static void puts_done(void *work)
{
    struct chunks *chunks = work;

    for (uint32_t i = 0; i < chunks->writing_count; i++) {
        struct transfer *put = &chunks->writing[i];

        if (put->status != STATUS_OK) {
            log_line(LOG_ERROR, "chunks", "put_failed", "why=\"%s\"",
                     status_text(put->status));
        }
        part_close(&put->bytes);
        put->has_bytes = false;
        put->kind = CHUNK_STORED;
        answer(chunks, put);
    }
    chunks->writing_count = 0;
    proceed(chunks);
}

static void start_puts(struct chunks *chunks)
{
    enum status status;

    /* Each chunk written needs room for its answer. */
    if (chunks->writing_count > 0 || chunks->puts.count == 0 ||
        chunks->answers.size - chunks->answers.count < PUTS_PER_JOB + 1) {
        return;
    }
    while (chunks->writing_count < PUTS_PER_JOB && chunks->puts.count > 0) {
        chunks->writing[chunks->writing_count++] = ring_take(&chunks->puts);
    }
    status = jobs_submit(chunks->writer, write_puts, puts_done, chunks);
    if (status != STATUS_OK) { /* the pool is being stopped */
        for (uint32_t i = 0; i < chunks->writing_count; i++) {
            transfer_fini(&chunks->writing[i]);
        }
        chunks->writing_count = 0;
    }
}

/* --- Reading --- */

static void read_get(void *work)
{
    struct chunks *chunks = work;

    chunks->reading.status =
        store_get_chunk(chunks->store, &chunks->reading.hash,
                        chunks->read_buffer, &chunks->read_size);
}

static void get_done(void *work)
{
    struct chunks *chunks = work;
    struct transfer *get = &chunks->reading;

    chunks->reading_busy = false;
    if (get->status == STATUS_OK) {
        get->status =
            part_init_copy(&get->bytes, chunks->read_buffer, chunks->read_size);
        get->has_bytes = get->status == STATUS_OK;
    }
    if (get->status != STATUS_OK) {
        log_line(LOG_ERROR, "chunks", "get_failed", "why=\"%s\"",
                 status_text(get->status));
    }
    get->kind = CHUNK_BYTES;
    answer(chunks, get);
    proceed(chunks);
}

static void start_get(struct chunks *chunks)
{
    /* Room is left for what the writer may answer meanwhile. */
    if (chunks->reading_busy || chunks->gets.count == 0 ||
        chunks->answers.size - chunks->answers.count < PUTS_PER_JOB + 1) {
        return;
    }
    chunks->reading = ring_take(&chunks->gets);
    if (jobs_submit(chunks->reader, read_get, get_done, chunks) != STATUS_OK) {
        transfer_fini(&chunks->reading);
        return;
    }
    chunks->reading_busy = true;
}

/* --- Receiving --- */

static bool has_room(const struct chunks *chunks)
{
    return !ring_is_full(&chunks->puts) && !ring_is_full(&chunks->gets);
}

static void on_link(void *owner);

/* Starts what can be started, and listens where there is room: a full table
 * holds the senders back through 0MQ's own queues. */
static void proceed(struct chunks *chunks)
{
    bool listen = false;

    start_puts(chunks);
    start_get(chunks);
    listen = has_room(chunks) && !chunks->stopped;
    if (listen && !chunks->listening) {
        chunks->listening = loop_add_link(chunks->loop, chunks->link, on_link,
                                          chunks) == STATUS_OK;
    }
    if (!listen && chunks->listening) {
        loop_remove_link(chunks->loop, chunks->link);
        chunks->listening = false;
    }
}

static bool read_header(struct part *parts,
                        size_t count,
                        struct chunk_header *header)
{
    size_t size = 0;

    if (count < 2 ||
        chunk_header_decode(part_data(&parts[1]), part_size(&parts[1]),
                            header) != STATUS_OK) {
        return false;
    }
    if (header->kind == CHUNK_GET) {
        return count == 2;
    }
    if (header->kind != CHUNK_PUT || count != 3) {
        return false;
    }
    size = part_size(&parts[2]);
    return size > 0 && size <= CHUNK_BYTES_MAX;
}

/* False: nobody that may speak here. *out_who: for the log. */
static bool judge_key(struct chunks *chunks,
                      struct part *parts,
                      size_t count,
                      const char **out_who)
{
    struct curvekey key;
    const char *name = NULL;

    *out_who = "someone without a key";
    if (!chunks->keyed) {
        return true;
    }
    if (part_sender(&parts[count - 1], &key)) {
        name = trust_name(chunks->trust, &key);
    }
    if (name == NULL) {
        trust_blame(chunks->trust, TRUST_REVOKED, chunks->link,
                    &parts[count - 1], "a key that is not known any more");
        return false;
    }
    *out_who = name;
    return true;
}

/* Takes what it needs of the parts. */
static void take(struct chunks *chunks, struct part *parts, size_t count)
{
    struct transfer transfer = {.status = STATUS_OK};
    struct chunk_header header;
    const char *who = NULL;

    if (!judge_key(chunks, parts, count, &who)) {
        return;
    }
    if (!read_header(parts, count, &header)) {
        trust_blame(chunks->trust, TRUST_MALFORMED, chunks->link,
                    &parts[count - 1], who);
        return;
    }
    transfer.hash = header.hash;
    part_move(&transfer.routing, &parts[0]);
    if (header.kind == CHUNK_GET) {
        ring_add(&chunks->gets, &transfer);
        return;
    }
    part_move(&transfer.bytes, &parts[2]);
    transfer.has_bytes = true;
    ring_add(&chunks->puts, &transfer);
}

static void on_link(void *owner)
{
    struct chunks *chunks = owner;

    for (int i = 0; i < MESSAGES_PER_TURN && has_room(chunks); i++) {
        struct part parts[3];
        size_t count = 0;
        enum status status = link_receive(chunks->link, parts, 3, &count);

        if (status == STATUS_BUSY) {
            break;
        }
        if (status != STATUS_OK) { /* too many parts: thrown away */
            trust_blame(chunks->trust, TRUST_MALFORMED, chunks->link, NULL,
                        "someone");
            continue;
        }
        take(chunks, parts, count);
        for (size_t p = 0; p < count; p++) {
            part_close(&parts[p]);
        }
    }
    proceed(chunks);
}

/* --- Opening and closing --- */

static enum status open_parts(struct chunks *chunks,
                              const struct chunks_options *options)
{
    const struct curvekey_pair *keys =
        trust_keys(options->trust, options->endpoint);
    const struct link_options link = {.kind = LINK_ROUTER,
                                      .part_bytes_max = CHUNK_BYTES_MAX,
                                      .queue_max = PEER_QUEUE_MAX,
                                      .linger_ms = LINGER_MS,
                                      .locked = keys != NULL,
                                      .keys = keys,
                                      .handshake_ms = TRUST_HANDSHAKE_MS,
                                      .heartbeat_ms = options->heartbeat_ms};
    enum status status = ring_open(&chunks->puts, PUTS_MAX);

    if (status == STATUS_OK) {
        status = ring_open(&chunks->gets, GETS_MAX);
    }
    if (status == STATUS_OK) {
        status = ring_open(&chunks->answers, ANSWERS_MAX);
    }
    chunks->read_buffer = mem_new(CHUNK_BYTES_MAX);
    if (chunks->read_buffer == NULL) {
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        status = loop_add_timer(chunks->loop, UINT64_MAX, on_timer, chunks,
                                &chunks->timer);
        chunks->has_timer = status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = link_bind(options->context, &link, options->endpoint,
                           &chunks->link);
    }
    return status;
}

enum status chunks_open(const struct chunks_options *options,
                        struct chunks **out)
{
    struct chunks *chunks = mem_new(sizeof(*chunks));
    enum status status;

    if (chunks == NULL) {
        return STATUS_NO_MEMORY;
    }
    chunks->loop = options->loop;
    chunks->store = options->store;
    chunks->writer = options->writer;
    chunks->reader = options->reader;
    chunks->trust = options->trust;
    chunks->keyed = trust_keys(options->trust, options->endpoint) != NULL;
    status = open_parts(chunks, options);
    if (status != STATUS_OK) {
        chunks_close(chunks);
        return status;
    }
    proceed(chunks);
    *out = chunks;
    return STATUS_OK;
}

void chunks_stop(struct chunks *chunks)
{
    chunks->stopped = true;
    proceed(chunks);
}

void chunks_close(struct chunks *chunks)
{
    if (chunks == NULL) {
        return;
    }
    CHECK(chunks->writing_count == 0);
    CHECK(!chunks->reading_busy);
    if (chunks->listening) {
        loop_remove_link(chunks->loop, chunks->link);
    }
    if (chunks->has_timer) {
        loop_remove_timer(chunks->loop, chunks->timer);
    }
    ring_close(&chunks->puts);
    ring_close(&chunks->gets);
    ring_close(&chunks->answers);
    link_close(chunks->link);
    mem_free(chunks->read_buffer);
    mem_free(chunks);
}

const char *chunks_endpoint(const struct chunks *chunks)
{
    return link_endpoint(chunks->link);
}
