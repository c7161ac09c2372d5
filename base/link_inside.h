/* link_inside.h - what the files behind link.h share. Nobody else includes it.
 *
 * link.c opens, sends and receives; link_keys.c is about who is at the far end,
 * link_watch.c about whether it still is. */
#ifndef BASE_LINK_INSIDE_H
#define BASE_LINK_INSIDE_H

#include "base/limits.h"
#include "base/link.h"

#include <zmq.h>

struct link_context {
    void *zmq;
    bool asks; /* a zap is there to be asked about keys */
    link_known_fn *known;
    void *owner;
    bool has_keys;
    struct curvekey_pair keys;
};

struct link {
    struct link_context *context;
    void *socket;
    bool named;  /* endpoint is an inproc name that we hold */
    bool locked; /* lets keys in alone */
    bool watched;
    char domain[LINK_DOMAIN_BYTES];
    char endpoint[ENDPOINT_BYTES_MAX];
};

enum direction { BIND, CONNECT };

static inline zmq_msg_t *message_of(struct part *part)
{
    return (zmq_msg_t *)(void *)part;
}

static inline const zmq_msg_t *const_message_of(const struct part *part)
{
    return (const zmq_msg_t *)(const void *)part;
}

/* All options are known to this release of 0MQ and all values are checked, so
 * that a refusal is our mistake. */
void link_set(void *socket, int option, const void *value, size_t size);

/* Before the socket is bound or connected. */
void link_set_keys(struct link *link,
                   const struct link_options *options,
                   enum direction direction);

#endif /* BASE_LINK_INSIDE_H */
