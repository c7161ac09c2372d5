/* The dense layer: z = x W^T, a unit is a row of W. */
#include "worker/model/inside.h"

static struct matrix weights(const struct shard *shard,
                             uint32_t first_column,
                             uint32_t columns)
{
    return (struct matrix){.at = slab_row(&shard->weights, TENSOR_WEIGHT, 0) +
                                 first_column,
                           .rows = shard->units_count,
                           .columns = columns,
                           .stride = shard->weights.stride};
}

static void dense_forward(const struct shard *shard,
                          uint32_t first,
                          uint32_t rows,
                          float *z)
{
    struct matrix x = shard_x(shard, first, rows);
    struct matrix w = weights(shard, 0, shard->inputs_count);
    struct matrix out = {z, rows, shard->units_count, shard->units_count};

    blas_nt(&x, &w, &out);
}

static void dense_backward(const struct shard *shard,
                           uint32_t first,
                           uint32_t rows,
                           float *const *out)
{
    struct matrix dz = shard_dz(shard, first, rows);
    uint32_t column = 0;

    for (uint32_t p = 0; p < shard->producers_count; p++) {
        uint32_t units = shard->producer_units[p];
        struct matrix w = weights(shard, column, units);
        struct matrix dx = {out[p], rows, units, units};

        blas_nn(&dz, &w, &dx);
        column += units;
    }
}

static void dense_gradient(const struct shard *shard,
                           uint32_t first,
                           float alpha,
                           float beta,
                           const struct matrix *c)
{
    struct matrix dz = shard_dz(shard, 0, shard->rows);
    struct matrix x = shard_x(shard, 0, shard->rows);

    dz.at += first;
    dz.columns = c->rows;
    blas_tn(alpha, &dz, &x, beta, c);
}

const struct layer_kind layer_dense = {
    .name = "dense",
    .forward = dense_forward,
    .backward = dense_backward,
    .gradient = dense_gradient,
};
