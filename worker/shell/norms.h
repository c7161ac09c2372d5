/* norms.h - the squared gradient norms of a pass, and the scale that clips.
 *
 * Norms of one pass replace those of the one before; the scheduler sees to it
 * that none is missing and none comes early. */
#ifndef WORKER_SHELL_NORMS_H
#define WORKER_SHELL_NORMS_H

#include "base/limits.h"
#include <stdint.h>

struct norms {
    uint32_t layers_count;
    uint32_t layer_at[LAYERS_MAX + 1];       /* of a layer in squares */
    double squares[LAYERS_MAX * SHARDS_MAX]; /* by layer, then shard */
};

/* shards_count [layers_count] */
void norms_init(struct norms *norms,
                uint32_t layers_count,
                const uint32_t *shards_count);

/* bytes: one double, at any address. */
void norms_put(struct norms *norms,
               uint32_t layer,
               uint32_t shard,
               const void *bytes);

/* min(1, clip / (norm + 1e-6)), as PyTorch's clip_grad_norm_; the squares are
 * added along the fixed tree over all shards. */
double norms_scale(const struct norms *norms, double clip);

#endif /* WORKER_SHELL_NORMS_H */
