/* ready.h - which operation a local shard may run next, and what it is made
 * of. Pure questions about a sched; see sched.h. */
#ifndef WORKER_CORE_READY_H
#define WORKER_CORE_READY_H

#include "worker/core/sched.h"

/* No operation can run now. */
enum { READY_NONE = 0 };

/* An enum sched_op, or READY_NONE. */
int ready_op(const struct sched *sched, const struct sched_shard *shard);

/* Do other shards wait for this operation's output at the end of a pass? Such
 * operations go first, see sched.h. */
bool ready_is_urgent(int op);

void ready_describe(const struct sched *sched,
                    uint32_t local,
                    enum sched_op op,
                    struct sched_run *out);

/* The rows of a microbatch of the shard's present pass. */
struct program_rows ready_rows(const struct sched *sched,
                               const struct sched_shard *shard,
                               uint32_t microbatch);

#endif /* WORKER_CORE_READY_H */
