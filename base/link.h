/* link.h - 0MQ sockets and their message parts.
 *
 * A link belongs to the thread of its loop. Nothing here blocks: a send to a
 * full or missing peer is STATUS_BUSY or STATUS_UNAVAILABLE, a receive with
 * nothing there is STATUS_BUSY. Every link sets LINGER, MAXMSGSIZE and its
 * high-water marks before it binds or connects. */
#ifndef BASE_LINK_H
#define BASE_LINK_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_context;
struct link;

/* One message part: memory shared by reference between holders. Same size and
 * alignment as zmq_msg_t (checked at compile time in link.c). A part must be
 * initialised by one frame_init_* call and is then closed exactly once,
 * directly or by a function that takes it. */
struct frame {
    _Alignas(8) unsigned char opaque[64];
};

enum link_kind {
    LINK_ROUTER = 1, /* mandatory routing; first part names the peer */
    LINK_DEALER,
    LINK_PUSH,
    LINK_PULL,
    LINK_PAIR
};

struct link_options {
    enum link_kind kind;
    size_t part_bytes_max;  /* larger parts from a peer drop its connection */
    int queue_max;          /* messages each way; 0: no limit (bounded by the
                               protocol above) */
    int linger_ms;          /* how long close tries to deliver */
    const char *routing_id; /* dealer: what the router sees; NULL: chosen */
    int heartbeat_ms;       /* ZMTP heartbeat; 0: off */
};

enum status link_context_open(struct link_context **out) MUST_CHECK;
void link_context_close(struct link_context *context); /* after all links */

/* endpoint: ipc://PATH, tcp://HOST:PORT (port * picks one), inproc://NAME.
 * Errors: IO (address in use, no permission: errno is logged), INVALID. */
enum status link_bind(struct link_context *context,
                      const struct link_options *options,
                      const char *endpoint,
                      struct link **out) MUST_CHECK;
enum status link_connect(struct link_context *context,
                         const struct link_options *options,
                         const char *endpoint,
                         struct link **out) MUST_CHECK;
void link_close(struct link *link); /* accepts NULL */

/* The endpoint really bound (wildcards resolved); borrowed from the link. */
const char *link_endpoint(const struct link *link);

/* Sends all parts as one message. Takes the parts on success; on failure they
 * stay the caller's. UNAVAILABLE: router does not know the peer. */
enum status link_send(struct link *link,
                      struct frame *parts,
                      size_t count) MUST_CHECK;

/* Receives one whole message into parts (uninitialised before). BUSY: nothing
 * there. INVALID: more than max parts; the message has been thrown away. The
 * parts are the caller's to close. */
enum status link_receive(struct link *link,
                         struct frame *parts,
                         size_t max,
                         size_t *out_count) MUST_CHECK;

/* For loop.c alone: the 0MQ socket. */
void *link_socket(struct link *link);

enum status frame_init_size(struct frame *frame, size_t size) MUST_CHECK;
enum status frame_init_copy(struct frame *frame,
                            const void *bytes,
                            size_t size) MUST_CHECK;
void frame_init_empty(struct frame *frame);
/* A further reference to source's bytes; the bytes must not change any more. */
void frame_share(struct frame *frame, struct frame *source);
/* source becomes empty (but stays initialised). frame: uninitialised. */
void frame_move(struct frame *frame, struct frame *source);
void frame_close(struct frame *frame);
void *frame_data(struct frame *frame);
size_t frame_size(const struct frame *frame);

#endif /* BASE_LINK_H */
