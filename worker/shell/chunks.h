/* chunks.h - the chunk link: tensor bytes to and from the coordinator's store.
 *
 * Each request is answered once, under the hash that it names; of several
 * with one hash the oldest is answered first. A request that cannot be sent
 * yet waits for the link; one without an answer in time ends as DEADLINE. */
#ifndef WORKER_SHELL_CHUNKS_H
#define WORKER_SHELL_CHUNKS_H

#include "base/hash.h"
#include "base/link.h"
#include "base/loop.h"
#include "proto/wire.h"

struct chunks;

/* Called on the loop's thread, from a later turn than the request's. bytes: of
 * a GET that is OK, checked against the hash, borrowed; else NULL. */
typedef void chunks_done_fn(void *owner,
                            enum status status,
                            struct part *bytes);

enum {
    /* Requests under way: the cutter's window and those of all loaders. */
    CHUNKS_MAX = 32,
    /* A store that has not answered by then is stuck or gone. */
    CHUNKS_DEADLINE_MS = 30000
};

enum status chunks_open(struct loop *loop,
                        struct link_context *context,
                        struct chunks **out) MUST_CHECK;
/* No done function is called. Accepts NULL. */
void chunks_close(struct chunks *chunks);

/* To this endpoint from now on, under far_key (NULL: plainly). A new life of
 * the coordinator knows nothing of requests to the one before: they end as
 * UNAVAILABLE. */
enum status chunks_connect(struct chunks *chunks,
                           const char *endpoint,
                           const struct curvekey *far_key,
                           uint64_t life) MUST_CHECK;

/* BUSY: CHUNKS_MAX are under way. Takes bytes on success. */
enum status chunks_put(struct chunks *chunks,
                       const struct hash *hash,
                       struct part *bytes,
                       chunks_done_fn *done,
                       void *owner) MUST_CHECK;
enum status chunks_get(struct chunks *chunks,
                       const struct hash *hash,
                       chunks_done_fn *done,
                       void *owner) MUST_CHECK;

/* No done function of this owner is called any more. */
void chunks_forget(struct chunks *chunks, const void *owner);

#endif /* WORKER_SHELL_CHUNKS_H */
