#include "worker/shell/exchange.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Frames taken in per call, so that control traffic gets its turn. */
    FRAMES_PER_CALL = 64,
    /* A tcp link whose other end is silent is given up after three of these; a
     * process that dies is noticed at once. */
    HEARTBEAT_MS = 2000,
    /* A link under keys that does not stand by then is made anew. Doubles. */
    REDIAL_MS = 50,
    REDIAL_MAX_MS = 800
};

struct peer {
    struct link *link; /* NULL: a free entry */
    uint32_t worker;
    uint64_t used; /* the exchange's count of uses: the least goes first */
    uint64_t redial_ms;
    uint64_t redial_wait_ms;
    struct wire_peer place;
};

struct exchange {
    struct exchange_options options;
    struct link *inlet;
    struct peer peers[WORKERS_MAX];
    uint64_t uses;
    uint64_t bytes_sent;
};

/* No limit on the queues: the protocol bounds what can be under way. */
static struct link_options link_options(enum link_kind kind)
{
    return (struct link_options){.kind = kind,
                                 .part_bytes_max = FRAME_BYTES_MAX,
                                 .queue_max = 0,
                                 .linger_ms = 0,
                                 .heartbeat_ms = HEARTBEAT_MS};
}

/* 0MQ may hand over bytes where they lie in its receive buffer. */
static enum status align_floats(struct part *payload)
{
    struct part aligned;
    enum status status = STATUS_OK;

    if ((uintptr_t)part_data(payload) % alignof(float) == 0) {
        return STATUS_OK;
    }
    status = part_init_copy(&aligned, part_data(payload), part_size(payload));
    if (status == STATUS_OK) {
        part_close(payload);
        part_move(payload, &aligned);
        part_close(&aligned);
    }
    return status;
}

/* A message of one empty part only tries the link. */
static void take_message(struct exchange *exchange,
                         struct part *parts,
                         size_t count)
{
    struct trust *trust = exchange->options.trust;
    struct frame_header header;
    enum status status = STATUS_INVALID;

    if (count == 2) {
        status = frame_header_decode(part_data(&parts[0]), part_size(&parts[0]),
                                     part_size(&parts[1]), &header);
    } else if (count == 1 && part_size(&parts[0]) == 0) {
        part_close(&parts[0]);
        return;
    }
    if (status != STATUS_OK) {
        trust_blame(trust, exchange->inlet, &parts[0], "not a frame of ours");
    } else if (!trust_is_from(trust, exchange->inlet, &parts[0],
                              header.from_worker)) {
        status = STATUS_REFUSED;
    } else {
        status = align_floats(&parts[1]);
    }
    if (status != STATUS_OK) {
        for (size_t i = 0; i < count; i++) {
            part_close(&parts[i]);
        }
        return;
    }
    part_close(&parts[0]);
    exchange->options.on_frame(exchange->options.owner, &header, &parts[1]);
}

void exchange_poll(struct exchange *exchange)
{
    for (int i = 0; i < FRAMES_PER_CALL; i++) {
        struct part parts[2];
        size_t count = 0;
        enum status status = link_receive(exchange->inlet, parts, 2, &count);

        if (status == STATUS_BUSY) {
            return;
        }
        if (status != STATUS_OK) {
            trust_blame(exchange->options.trust, exchange->inlet, NULL,
                        "too many parts");
            continue;
        }
        take_message(exchange, parts, count);
    }
}

static void on_readable(void *owner)
{
    exchange_poll(owner);
}

enum status exchange_open(const struct exchange_options *options,
                          struct exchange **out)
{
    struct link_options inlet = link_options(LINK_PULL);
    bool locked = trust_locks(options->trust, options->endpoint);
    struct exchange *exchange = mem_new(sizeof(*exchange));
    enum status status = STATUS_NO_MEMORY;

    if (exchange == NULL) {
        return status;
    }
    exchange->options = *options;
    inlet.locked = locked;
    inlet.domain = TRUST_DATA;
    inlet.handshake_ms = TRUST_HANDSHAKE_MS;
    status = link_bind(options->context, &inlet, options->endpoint,
                       &exchange->inlet);
    if (status == STATUS_OK) {
        status = loop_add_link(options->loop, exchange->inlet, on_readable,
                               exchange);
    }
    if (status != STATUS_OK) {
        exchange_close(exchange);
        return status;
    }
    *out = exchange;
    return STATUS_OK;
}

/* 0MQ leaves the file of an ipc endpoint behind. Its name is this process's
 * alone, so nobody else's socket can be hit. */
static void remove_socket(const struct exchange *exchange)
{
    static const char scheme[] = "ipc://";
    const size_t size = sizeof(scheme) - 1;

    if (exchange->inlet != NULL &&
        strncmp(exchange_endpoint(exchange), scheme, size) == 0) {
        (void)unlink(exchange_endpoint(exchange) + size);
    }
}

void exchange_close(struct exchange *exchange)
{
    if (exchange == NULL) {
        return;
    }
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        link_close(exchange->peers[i].link);
    }
    loop_remove_link(exchange->options.loop, exchange->inlet);
    remove_socket(exchange);
    link_close(exchange->inlet);
    mem_free(exchange);
}

const char *exchange_endpoint(const struct exchange *exchange)
{
    return link_endpoint(exchange->inlet);
}

static struct peer *find_peer(struct exchange *exchange, uint32_t worker)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct peer *peer = &exchange->peers[i];

        if (peer->link != NULL && peer->worker == worker) {
            peer->used = ++exchange->uses;
            return peer;
        }
    }
    return NULL;
}

/* A free entry, or that of the worker not heard of for longest. A placement
 * has WORKERS_MAX workers at most, this one included, so one in use stays. */
static struct peer *take_peer(struct exchange *exchange)
{
    struct peer *oldest = &exchange->peers[0];

    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct peer *peer = &exchange->peers[i];

        if (peer->link == NULL) {
            return peer;
        }
        if (peer->used < oldest->used) {
            oldest = peer;
        }
    }
    link_close(oldest->link);
    oldest->link = NULL;
    return oldest;
}

static enum status dial(const struct exchange *exchange,
                        const struct wire_peer *place,
                        struct link **out)
{
    struct link_options options = link_options(LINK_PUSH);
    enum status status = trust_far(exchange->options.trust, place,
                                   place->endpoint, &options.far_key);

    if (status != STATUS_OK) {
        return status;
    }
    return link_connect(exchange->options.context, &options, place->endpoint,
                        out);
}

static bool same_place(const struct wire_peer *a, const struct wire_peer *b)
{
    return strcmp(a->endpoint, b->endpoint) == 0 && a->curve == b->curve &&
           curvekey_equal(&a->key, &b->key);
}

enum status exchange_connect(struct exchange *exchange,
                             const struct wire_peer *place)
{
    struct peer *peer = find_peer(exchange, place->worker);
    struct link *link = NULL;
    enum status status = STATUS_OK;

    if (peer != NULL && same_place(&peer->place, place)) {
        return STATUS_OK;
    }
    status = dial(exchange, place, &link);
    if (status != STATUS_OK) {
        return status;
    }
    if (peer != NULL) {
        link_close(peer->link);
    } else {
        peer = take_peer(exchange);
    }
    *peer = (struct peer){.link = link,
                          .worker = place->worker,
                          .used = ++exchange->uses,
                          .redial_wait_ms = REDIAL_MS,
                          .redial_ms = clock_now_ms() + REDIAL_MS,
                          .place = *place};
    return STATUS_OK;
}

/* Who was refused once is not asked again by 0MQ for long. */
static void redial(struct exchange *exchange, struct peer *peer)
{
    uint64_t now_ms = clock_now_ms();
    struct link *link = NULL;

    if (!peer->place.curve || now_ms < peer->redial_ms) {
        return;
    }
    if (peer->redial_wait_ms < REDIAL_MAX_MS) {
        peer->redial_wait_ms *= 2;
    }
    peer->redial_ms = now_ms + peer->redial_wait_ms;
    if (dial(exchange, &peer->place, &link) == STATUS_OK) {
        link_close(peer->link);
        peer->link = link;
    }
}

bool exchange_connected(struct exchange *exchange, uint32_t worker)
{
    struct peer *peer = find_peer(exchange, worker);
    struct part empty;

    if (peer == NULL) {
        return false;
    }
    part_init_empty(&empty);
    if (link_send(peer->link, &empty, 1) != STATUS_OK) {
        part_close(&empty);
        redial(exchange, peer);
        return false;
    }
    peer->redial_wait_ms = REDIAL_MS;
    return true;
}

enum status exchange_send(struct exchange *exchange,
                          uint32_t worker,
                          const struct frame_header *header,
                          struct part *payload)
{
    unsigned char bytes[FRAME_HEADER_BYTES_MAX];
    size_t size = frame_header_encode(header, bytes);
    struct peer *peer = find_peer(exchange, worker);
    struct part parts[2];
    uint64_t total = size + part_size(payload);
    enum status status = STATUS_UNAVAILABLE;

    if (peer != NULL) {
        status = part_init_copy(&parts[0], bytes, size);
    }
    if (status != STATUS_OK) {
        part_close(payload);
        return status;
    }
    part_move(&parts[1], payload);
    part_close(payload);
    status = link_send(peer->link, parts, 2);
    if (status != STATUS_OK) {
        part_close(&parts[1]);
        part_close(&parts[0]);
        return STATUS_UNAVAILABLE;
    }
    exchange->bytes_sent += total;
    return STATUS_OK;
}

uint64_t exchange_bytes_sent(const struct exchange *exchange)
{
    return exchange->bytes_sent;
}
