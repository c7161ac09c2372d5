/* exchange.h - the data link: frames from and to the other workers.
 *
 * One PULL socket is bound for all that comes in, one PUSH socket goes to each
 * peer. A frame is two parts: header and floats. Nothing is sent again: a
 * frame that cannot be sent is the session's fault to report. */
#ifndef WORKER_SHELL_EXCHANGE_H
#define WORKER_SHELL_EXCHANGE_H

#include "base/link.h"
#include "base/loop.h"
#include "proto/frame.h"
#include "worker/shell/trust.h"
#include <stdbool.h>

struct exchange;

struct exchange_options {
    struct loop *loop;
    struct link_context *context;
    const char *endpoint; /* to bind */
    struct trust *trust;  /* borrowed */
    void *owner;
    /* A frame with a valid header; takes payload, which is aligned for
     * floats. */
    void (*on_frame)(void *owner,
                     const struct frame_header *header,
                     struct part *payload);
};

enum status exchange_open(const struct exchange_options *options,
                          struct exchange **out) MUST_CHECK;
void exchange_close(struct exchange *exchange); /* accepts NULL */

/* Where others reach it; borrowed. */
const char *exchange_endpoint(const struct exchange *exchange);

/* Begins to connect to a worker, anew where its endpoint or key has changed.
 * REFUSED: see trust_far. */
enum status exchange_connect(struct exchange *exchange,
                             const struct wire_peer *peer) MUST_CHECK;
/* Tries the link to a worker: does it stand? Under keys it is made anew from
 * time to time until it does: the far end may not have known ours yet. */
bool exchange_connected(struct exchange *exchange, uint32_t worker);

/* Takes payload in any case. UNAVAILABLE: the link does not stand. */
enum status exchange_send(struct exchange *exchange,
                          uint32_t worker,
                          const struct frame_header *header,
                          struct part *payload) MUST_CHECK;

/* Takes in what is there; the loop also does so, between other work. */
void exchange_poll(struct exchange *exchange);

uint64_t exchange_bytes_sent(const struct exchange *exchange);

#endif /* WORKER_SHELL_EXCHANGE_H */
