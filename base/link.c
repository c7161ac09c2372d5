#include "base/link_inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

/* A part is a zmq_msg_t under another name, so that zmq.h stays here. Both
 * are opaque bytes which only the library reads. */
_Static_assert(sizeof(struct part) == sizeof(zmq_msg_t),
               "struct part must be as large as zmq_msg_t");
_Static_assert(_Alignof(struct part) >= _Alignof(zmq_msg_t),
               "struct part must be aligned as zmq_msg_t is");

/* A peer is given up after this many silent heartbeats: one may be late. */
enum { HEARTBEATS_MISSED = 3 };

/* Frames */

enum status part_init_size(struct part *part, size_t size)
{
    return zmq_msg_init_size(message_of(part), size) == 0 ? STATUS_OK
                                                          : STATUS_NO_MEMORY;
}

enum status part_init_copy(struct part *part, const void *bytes, size_t size)
{
    enum status status = part_init_size(part, size);

    if (status == STATUS_OK && size > 0) {
        memcpy(part_data(part), bytes, size);
    }
    return status;
}

void part_init_empty(struct part *part)
{
    CHECK(zmq_msg_init(message_of(part)) == 0);
}

/* Below 33 bytes 0MQ keeps the bytes in the part itself and copies them; from
 * there on both parts count one reference each to the same bytes. */
void part_share(struct part *part, struct part *source)
{
    part_init_empty(part);
    CHECK(zmq_msg_copy(message_of(part), message_of(source)) == 0);
}

void part_move(struct part *part, struct part *source)
{
    part_init_empty(part);
    CHECK(zmq_msg_move(message_of(part), message_of(source)) == 0);
}

/* 0MQ clears the part, so that a second close is found here. */
void part_close(struct part *part)
{
    CHECK(zmq_msg_close(message_of(part)) == 0);
}

void *part_data(struct part *part)
{
    return zmq_msg_data(message_of(part));
}

size_t part_size(const struct part *part)
{
    return zmq_msg_size(const_message_of(part));
}

static void close_parts(struct part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        part_close(&parts[i]);
    }
}

/* Contexts */

enum status link_context_open(struct link_context **out)
{
    struct link_context *context = mem_new(sizeof(*context));

    if (context == NULL) {
        return STATUS_NO_MEMORY;
    }
    context->zmq = zmq_ctx_new();
    if (context->zmq == NULL) {
        log_line(LOG_ERROR, "link", "context_failed", "why=\"%s\"",
                 zmq_strerror(errno));
        mem_free(context);
        return STATUS_NO_MEMORY;
    }
    *out = context;
    return STATUS_OK;
}

void link_context_close(struct link_context *context)
{
    if (context == NULL) {
        return;
    }
    /* Waits for what the links' linger_ms still allows to be delivered. */
    while (zmq_ctx_term(context->zmq) != 0) {
        CHECK(errno == EINTR);
    }
    mem_free(context);
}

/* Opening */

static int socket_type(enum link_kind kind)
{
    switch (kind) {
    case LINK_ROUTER:
        return ZMQ_ROUTER;
    case LINK_DEALER:
        return ZMQ_DEALER;
    case LINK_PUSH:
        return ZMQ_PUSH;
    case LINK_PULL:
        return ZMQ_PULL;
    case LINK_PAIR:
        return ZMQ_PAIR;
    case LINK_REPLY:
        return ZMQ_REP;
    }
    check_fail(__FILE__, __LINE__, "kind is a link_kind");
}

void link_set(void *socket, int option, const void *value, size_t size)
{
    CHECK(zmq_setsockopt(socket, option, value, size) == 0);
}

static void set_int(void *socket, int option, int value)
{
    link_set(socket, option, &value, sizeof(value));
}

/* 0MQ reads most of these when it binds or connects, and never again. */
static void set_options(void *socket, const struct link_options *options)
{
    int64_t bytes_max = (int64_t)options->part_bytes_max;

    /* The default would let the end of a process wait for ever for a peer
     * that is gone. */
    set_int(socket, ZMQ_LINGER, options->linger_ms);
    /* Per part: how many parts a message may have is for link_receive. */
    link_set(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof(bytes_max));
    /* They count whole messages: the default of 1000 is 16 GB of tensors. */
    set_int(socket, ZMQ_SNDHWM, options->queue_max);
    set_int(socket, ZMQ_RCVHWM, options->queue_max);
    /* Nothing is queued for a peer that is not there: a message is refused
     * with BUSY, not kept to be delivered to a later life of the peer. */
    set_int(socket, ZMQ_IMMEDIATE, 1);
    if (options->kind == LINK_ROUTER) {
        /* Otherwise messages to an unknown or a full peer vanish. */
        set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
        /* A peer that comes back before we have seen its old connection end
         * takes over its name. Otherwise 0MQ would accept the new connection
         * and never read from it. */
        set_int(socket, ZMQ_ROUTER_HANDOVER, 1);
    }
    if (options->heartbeat_ms > 0) {
        set_int(socket, ZMQ_HEARTBEAT_IVL, options->heartbeat_ms);
        set_int(socket, ZMQ_HEARTBEAT_TIMEOUT,
                HEARTBEATS_MISSED * options->heartbeat_ms);
    }
    if (options->retry_ms > 0) {
        set_int(socket, ZMQ_RECONNECT_IVL, options->retry_ms);
    }
    if (options->routing_id != NULL) {
        link_set(socket, ZMQ_ROUTING_ID, options->routing_id,
                 strlen(options->routing_id));
    }
}

static void check_options(const struct link_options *options)
{
    CHECK(options->part_bytes_max > 0);
    CHECK(options->part_bytes_max <= INT64_MAX);
    CHECK(options->queue_max >= 0);
    CHECK(options->linger_ms >= 0);
    CHECK(options->heartbeat_ms >= 0);
    if (options->routing_id != NULL) {
        CHECK(options->kind == LINK_DEALER);
        CHECK(options->routing_id[0] != '\0');
    }
    CHECK(options->handshake_ms >= 0);
    CHECK(options->retry_ms >= 0);
}

/* What errno of a failed bind or connect means to a caller: a wrong endpoint,
 * or a system that does not let us have it. */
static enum status status_of_endpoint(int code)
{
    switch (code) {
    case EINVAL:
    case EPROTONOSUPPORT:
    case ENOCOMPATPROTO:
    case ENAMETOOLONG: /* ipc: a path has at most 107 bytes */
        return STATUS_INVALID;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_IO;
    }
}

static enum status attach(struct link *link,
                          enum direction direction,
                          const char *endpoint)
{
    const char *event = direction == BIND ? "bind_failed" : "connect_failed";
    size_t size = sizeof(link->endpoint);
    int code = direction == BIND ? zmq_bind(link->socket, endpoint)
                                 : zmq_connect(link->socket, endpoint);

    if (code != 0) {
        code = errno;
        log_line(LOG_ERROR, "link", event, "endpoint=%s why=\"%s\"", endpoint,
                 zmq_strerror(code));
        return status_of_endpoint(code);
    }
    if (direction == CONNECT) {
        struct text text;

        text_init(&text, link->endpoint, sizeof(link->endpoint));
        text_add(&text, endpoint);
        return STATUS_OK;
    }
    /* A wildcard may resolve to something longer than what was given. */
    if (zmq_getsockopt(link->socket, ZMQ_LAST_ENDPOINT, link->endpoint,
                       &size) != 0) {
        return STATUS_INVALID;
    }
    link->named = strncmp(endpoint, "inproc:", strlen("inproc:")) == 0;
    return STATUS_OK;
}

static enum status link_open(struct link_context *context,
                             const struct link_options *options,
                             enum direction direction,
                             const char *endpoint,
                             struct link **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct link *link = NULL;

    check_options(options);
    if (options->locked && direction == BIND) {
        CHECK(context->asks);
    }
    if (options->far_key != NULL && options->keys == NULL &&
        !context->has_keys) {
        log_line(LOG_ERROR, "link", "no_keys", "endpoint=%s", endpoint);
        return STATUS_INVALID; /* a peer asks for what we do not have */
    }
    if (strlen(endpoint) >= ENDPOINT_BYTES_MAX) {
        log_line(LOG_ERROR, "link", "endpoint_too_long", "bytes=%zu",
                 strlen(endpoint));
        return STATUS_INVALID;
    }
    link = mem_new(sizeof(*link));
    if (link == NULL) {
        return STATUS_NO_MEMORY;
    }
    link->context = context;
    link->socket = zmq_socket(context->zmq, socket_type(options->kind));
    if (link->socket == NULL) {
        status = errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO;
        log_line(LOG_ERROR, "link", "socket_failed", "why=\"%s\"",
                 zmq_strerror(errno));
        goto fail;
    }
    set_options(link->socket, options);
    link_set_keys(link, options, direction);
    status = attach(link, direction, endpoint);
    if (status != STATUS_OK) {
        goto fail;
    }
    if (strcmp(endpoint, LINK_ZAP_ENDPOINT) == 0) {
        context->asks = true;
    }
    *out = link;
    return STATUS_OK;

fail:
    link_close(link);
    return status;
}

/* An ipc endpoint is a file. 0MQ unlinks what an earlier life left there, and
 * so takes the file from a process that still listens: whoever binds must be
 * sure by other means (a lock) that there is only one of them. */
enum status link_bind(struct link_context *context,
                      const struct link_options *options,
                      const char *endpoint,
                      struct link **out)
{
    return link_open(context, options, BIND, endpoint, out);
}

enum status link_connect(struct link_context *context,
                         const struct link_options *options,
                         const char *endpoint,
                         struct link **out)
{
    return link_open(context, options, CONNECT, endpoint, out);
}

/* 0MQ gives an address back some time after zmq_close, on a thread of its own.
 * An inproc name can be had back at once. A tcp port or an ipc file cannot:
 * who wants to bind the same again closes the context first, since a late
 * close would even unlink the new file. */
void link_close(struct link *link)
{
    if (link == NULL) {
        return;
    }
    CHECK(!link->watched);
    if (link->named) {
        CHECK(zmq_unbind(link->socket, link->endpoint) == 0);
    }
    if (link->socket != NULL) {
        CHECK(zmq_close(link->socket) == 0);
    }
    mem_free(link);
}

const char *link_endpoint(const struct link *link)
{
    return link->endpoint;
}

void *link_socket(struct link *link)
{
    return link->socket;
}

/* Sending */

/* Sends a further reference, so that the caller's part stays whole. */
static int send_share(struct link *link, struct part *part, bool more)
{
    int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    struct part share;
    int code = 0;

    part_share(&share, part);
    do {
        code = zmq_msg_send(message_of(&share), link->socket, flags);
    } while (code < 0 && errno == EINTR);
    if (code < 0) {
        code = errno;
        part_close(&share); /* else 0MQ has taken it */
        return code;
    }
    return 0;
}

static enum status status_of_send(int code)
{
    switch (code) {
    case EAGAIN:
        return STATUS_BUSY;
    case EHOSTUNREACH:
        return STATUS_UNAVAILABLE;
    default:
        /* EFSM, ENOTSUP, ETERM, ENOTSOCK, EFAULT: a socket that cannot send,
         * or one used after its end. */
        check_fail(__FILE__, __LINE__, "the link can send");
    }
}

enum status link_send(struct link *link, struct part *parts, size_t count)
{
    size_t sent = 0;
    int code = 0;

    CHECK(count > 0);
    while (sent < count) {
        code = send_share(link, &parts[sent], sent + 1 < count);
        if (code != 0) {
            break;
        }
        sent++;
    }
    if (code != 0 && sent == 0) {
        return status_of_send(code);
    }
    if (code != 0) {
        /* Limits are tested at the first part only, so the peer has gone
         * between two parts. 0MQ throws away the message up to and including
         * its last part: that must still be handed in, or else the next
         * message would lose its head. */
        for (size_t i = sent + 1; i < count; i++) {
            (void)send_share(link, &parts[i], i + 1 < count);
        }
        return STATUS_UNAVAILABLE;
    }
    close_parts(parts, count);
    return STATUS_OK;
}

/* Receiving */

/* False: nothing is there. part is uninitialised before, and after that. */
static bool receive_part(struct link *link, struct part *part, bool *out_more)
{
    int code = 0;

    part_init_empty(part);
    do {
        code = zmq_msg_recv(message_of(part), link->socket, ZMQ_DONTWAIT);
    } while (code < 0 && errno == EINTR);
    if (code < 0) {
        CHECK(errno == EAGAIN);
        part_close(part);
        return false;
    }
    *out_more = zmq_msg_more(message_of(part)) != 0;
    return true;
}

/* Throws away the rest of a message with too many parts. */
static size_t drain(struct link *link)
{
    bool more = true;
    size_t count = 0;

    while (more) {
        struct part part;

        /* 0MQ hands out the parts of a message only when it has them all. */
        CHECK(receive_part(link, &part, &more));
        part_close(&part);
        count++;
    }
    return count;
}

enum status link_receive(struct link *link,
                         struct part *parts,
                         size_t max,
                         size_t *out_count)
{
    bool more = true;
    size_t count = 0;

    CHECK(max > 0);
    while (more && count < max) {
        if (!receive_part(link, &parts[count], &more)) {
            CHECK(count == 0);
            return STATUS_BUSY;
        }
        count++;
    }
    if (more) {
        link_hang_up(link, link_connection(&parts[0]));
        close_parts(parts, count);
        log_line(LOG_WARN, "link", "too_many_parts",
                 "endpoint=%s parts=%zu max=%zu", link->endpoint,
                 count + drain(link), max);
        return STATUS_INVALID;
    }
    *out_count = count;
    return STATUS_OK;
}
