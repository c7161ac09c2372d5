/* copy.h - one shard's part of a cut: its state, copied to memory.
 *
 * The copy is taken between two operations of the shard; what is done with it
 * afterwards (hashing, storing, sending to a buddy) does not touch the shard
 * any more. */
#ifndef WORKER_SHELL_COPY_H
#define WORKER_SHELL_COPY_H

#include "base/status.h"
#include "worker/core/sched.h"
#include "worker/model/shard.h"
#include "worker/shell/pieces.h"

struct copy {
    struct sched_cut cut; /* what it is for, once the scheduler has said so */
    uint32_t layer;
    uint32_t shard;
    uint64_t cost_us; /* that the shard stood still for it */
    uint32_t tensors_count;
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t first[SHARD_TENSORS_MAX]; /* piece of each tensor */
    struct pieces pieces;
};

/* Fills in tensors, pieces and the cost. NO_MEMORY. */
enum status copy_open(const struct shard *shard, struct copy **out) MUST_CHECK;
void copy_close(struct copy *copy); /* accepts NULL */

/* How many pieces a tensor has. */
uint32_t copy_pieces(const struct copy *copy, uint32_t tensor);

#endif /* WORKER_SHELL_COPY_H */
