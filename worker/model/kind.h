/* kind.h - the table of functions that makes a kind of layer.
 *
 * A kind knows its products and nothing else: batches, activations, optimiser,
 * statistics and edits belong to struct shard and are the same for all. A new
 * kind is one file that fills one table. */
#ifndef WORKER_MODEL_KIND_H
#define WORKER_MODEL_KIND_H

#include <stdint.h>

struct shard;
struct matrix;

struct layer_kind {
    const char *name;

    /* z [rows, U] of input rows first .. first+rows, without the bias. */
    void (*forward)(const struct shard *shard,
                    uint32_t first,
                    uint32_t rows,
                    float *z);

    /* The gradient by the inputs, from the gradient by z that the shard has
     * kept: out[p] [rows, units of producer p]. */
    void (*backward)(const struct shard *shard,
                     uint32_t first,
                     uint32_t rows,
                     float *const *out);

    /* c = alpha x gradient of unit first's weights and those after it, as many
     * as c has rows, over the whole batch, + beta x c. c may be the weights
     * themselves: that is a step of SGD. */
    void (*gradient)(const struct shard *shard,
                     uint32_t first,
                     float alpha,
                     float beta,
                     const struct matrix *c);
};

extern const struct layer_kind layer_dense;

#endif /* WORKER_MODEL_KIND_H */
