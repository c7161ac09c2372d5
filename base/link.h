/* link.h - 0MQ sockets and their message parts.
 *
 * A link belongs to the thread of its loop. Nothing here blocks: a send to a
 * full or missing peer is STATUS_BUSY or STATUS_UNAVAILABLE, a receive with
 * nothing there is STATUS_BUSY. Every link sets LINGER, MAXMSGSIZE and its
 * high-water marks before it binds or connects. */
#ifndef BASE_LINK_H
#define BASE_LINK_H

#include "base/curvekey.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_context;
struct link;

enum { LINK_DOMAIN_BYTES = 16 };

/* May the holder of this key come in by a link of this domain? */
typedef bool link_known_fn(void *owner,
                           const char *domain,
                           const struct curvekey *key);

/* One message part: memory shared by reference between holders. Same size and
 * alignment as zmq_msg_t (checked at compile time in link.c). A part must be
 * initialised by one part_init_* call and is then closed exactly once,
 * directly or by a function that takes it. */
struct part {
    _Alignas(8) unsigned char opaque[64];
};

enum link_kind {
    LINK_ROUTER = 1, /* mandatory routing; first part names the peer */
    LINK_DEALER,
    LINK_PUSH,
    LINK_PULL,
    LINK_PAIR,
    LINK_REPLY /* each message received must be answered before the next */
};

/* Where 0MQ asks who may connect: base/zap.h binds it. */
#define LINK_ZAP_ENDPOINT "inproc://zeromq.zap.01"

struct link_options {
    enum link_kind kind;
    size_t part_bytes_max;  /* larger parts from a peer drop its connection */
    int queue_max;          /* messages each way; 0: no limit (bounded by the
                               protocol above) */
    int linger_ms;          /* how long close tries to deliver */
    const char *routing_id; /* dealer: what the router sees; NULL: chosen */
    int heartbeat_ms;       /* ZMTP heartbeat; 0: off */
    /* A link with keys speaks to links with keys alone, and all that is on it
     * is encrypted. */
    bool locked; /* bind: with our keys; whom the zap knows may come in */
    const char *domain; /* locked: told to the zap; NULL: "links" */
    /* Connect: whom we mean to speak to, with our keys, copied; NULL: plainly.
     */
    const struct curvekey *far_key;
    const struct curvekey_pair *keys; /* ours; NULL: those of the context */
    int handshake_ms; /* bind: a connection that takes longer to introduce
                         itself ends; 0: 30 s */
    int retry_ms; /* connect: between two tries, and at most as much again; 0:
                     100 */
};

/* What becomes of a link's connections. */
enum link_change {
    LINK_UNCHANGED = 0, /* nothing more to tell */
    LINK_ACCEPTED,      /* bind: somebody has come */
    LINK_INTRODUCED,    /* both sides know each other: messages can be sent */
    LINK_ENDED          /* by the far end, or since its process is gone */
};

/* INVALID: the shown key is not that of the secret one. */
enum status link_keys_check(const struct curvekey_pair *keys) MUST_CHECK;

enum status link_context_open(struct link_context **out) MUST_CHECK;
void link_context_close(struct link_context *context); /* after all links */

/* The process's own keys, copied; for links whose options have none. */
void link_context_keys(struct link_context *context,
                       const struct curvekey_pair *keys);
/* Whom locked links let in; for zap.c alone. */
void link_context_known(struct link_context *context,
                        link_known_fn *known,
                        void *owner);

/* endpoint: ipc://PATH, tcp://HOST:PORT (port * picks one), inproc://NAME. A
 * zap of the context must be open before a locked link is: without one 0MQ
 * would let anyone in.
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
                      struct part *parts,
                      size_t count) MUST_CHECK;

/* Receives one whole message into parts (uninitialised before). BUSY: nothing
 * there. INVALID: more than max parts; the message has been thrown away and its
 * connection, if we have accepted it, ended. The parts are the caller's to
 * close. */
enum status link_receive(struct link *link,
                         struct part *parts,
                         size_t max,
                         size_t *out_count) MUST_CHECK;

/* Which connection a received part came by; -1: not known. Good until the next
 * turn of the loop. */
int link_connection(const struct part *part);
/* Ends that connection; its peer may come back, and is asked for its key then.
 * Does nothing to a connection that is not one of those that link has
 * accepted (its number may be another's by now). */
void link_hang_up(const struct link *link, int connection);

/* A link of its own, to be read by link_next_change alone, on which everything
 * is told that becomes of link's connections from now on, in order. That one
 * has ended is known as soon as the system knows. No message is read before
 * its connection's beginning can be. What its sender sent before the end may be
 * read after it.
 * Errors: NO_MEMORY, IO. */
enum status link_watch(struct link *link, struct link **out) MUST_CHECK;
/* Before link is closed. watch: NULL is accepted; else it is closed. */
void link_unwatch(struct link *link, struct link *watch);
/* *out_connection: as in link_connection; -1: not known. Numbers of connections
 * that have ended are used again. */
enum link_change link_next_change(struct link *watch, int *out_connection);

/* Whoever has sent this part may still come in, or link is not locked; else the
 * connection is ended: 0MQ asks for a key but once, when it is made. */
bool link_admits(const struct link *link, const struct part *part);

/* For loop.c alone: the 0MQ socket. */
void *link_socket(struct link *link);

enum status part_init_size(struct part *part, size_t size) MUST_CHECK;
enum status part_init_copy(struct part *part,
                           const void *bytes,
                           size_t size) MUST_CHECK;
void part_init_empty(struct part *part);
/* A further reference to source's bytes; the bytes must not change any more. */
void part_share(struct part *part, struct part *source);
/* source becomes empty (but stays initialised). part: uninitialised. */
void part_move(struct part *part, struct part *source);
void part_close(struct part *part);
/* Whose key the connection had that a received part came by. False: none, on a
 * link without keys. */
bool part_sender(const struct part *part, struct curvekey *out);
void *part_data(struct part *part);
size_t part_size(const struct part *part);

#endif /* BASE_LINK_H */
