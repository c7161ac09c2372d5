/* ready.h - which operation a local shard may run next, and what it is made
 * of. Pure questions about a sched; see sched.h. */
#ifndef WORKER_CORE_READY_H
#define WORKER_CORE_READY_H

#include "worker/core/sched.h"

/* No operation can run now. */
enum { READY_NONE = 0, READY_RANKS = 4 };

/* An enum sched_op, or READY_NONE. */
int ready_op(const struct sched *sched, const struct sched_shard *shard);

/* What runs first, below READY_RANKS: the higher the rank the sooner. Highest
 * is what other shards wait for: backward, norms and columns, then forward.
 * Nobody waits for the first layer's backward, and an update only has to come
 * before the shard's next forward. */
int ready_rank(int op, uint32_t layer);

void ready_describe(const struct sched *sched,
                    uint32_t local,
                    enum sched_op op,
                    struct sched_run *out);

/* The rows of a microbatch of the shard's present pass. */
struct program_rows ready_rows(const struct sched *sched,
                               const struct sched_shard *shard,
                               uint32_t microbatch);

#endif /* WORKER_CORE_READY_H */
