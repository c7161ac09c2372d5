/* copy.h - one shard's part of a cut: its state, copied to memory.
 *
 * The copy is taken between two operations of the shard; what is done with it
 * afterwards (hashing, storing) does not touch the shard any more. */
#ifndef WORKER_SHELL_COPY_H
#define WORKER_SHELL_COPY_H

#include "base/status.h"
#include "worker/model/shard.h"

struct copy {
    uint32_t local; /* among its session's shards */
    uint32_t layer;
    uint32_t shard;
    uint64_t version; /* 0 until the cut names it */
    uint32_t tensors_count;
    uint32_t evaluations_count; /* see shard_expect_evaluations */
    struct tensor tensors[SHARD_TENSORS_MAX];
    unsigned char *bytes[SHARD_TENSORS_MAX]; /* into one block */
    unsigned char *block;
};

/* Fills in all but local, layer, shard and version. NO_MEMORY. */
enum status copy_open(const struct shard *shard, struct copy **out) MUST_CHECK;
void copy_close(struct copy *copy); /* accepts NULL */

#endif /* WORKER_SHELL_COPY_H */
