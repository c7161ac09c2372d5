/* The passes of a step: input, forward, loss, backward. */
#include "worker/model/shard.h"

#include "base/check.h"
#include "worker/model/activation.h"
#include "worker/model/inside.h"
#include "worker/model/loss.h"
#include "worker/model/statistics.h"
#include "worker/model/tree.h"
#include "worker/model/vector.h"
#include <math.h>
#include <string.h>

void shard_begin(struct shard *shard,
                 enum pass_kind kind,
                 uint64_t step,
                 uint32_t rows)
{
    CHECK(rows >= 1);
    CHECK(rows <= (kind == PASS_TRAIN ? shard->rows_trained : shard->rows_max));
    shard->pass = kind;
    shard->step = step;
    shard->rows = rows;
    if (kind == PASS_TRAIN) {
        shard->progress.examples += rows;
    }
}

void shard_input(struct shard *shard,
                 uint32_t first,
                 uint32_t rows,
                 uint32_t producer,
                 const float *values)
{
    uint32_t units = shard_producer_units(shard, producer);
    size_t stride = shard->weights.stride;
    float *x = shard->x + first * stride;

    CHECK(first + rows <= shard->rows);
    if (units == 0) {
        return; /* values may be NULL */
    }
    for (uint32_t p = 0; p < producer; p++) {
        x += shard->producer_units[p];
    }
    for (uint32_t r = 0; r < rows; r++) {
        memcpy(x + r * stride, values + (size_t)r * units, units * sizeof(*x));
    }
}

VECTOR static void add_bias(const struct shard *shard, uint32_t rows, float *z)
{
    const float *restrict bias = slab_row(&shard->biases, TENSOR_WEIGHT, 0);
    uint32_t units = shard->units_count;

    for (uint32_t r = 0; r < rows; r++) {
        float *restrict row = z + (size_t)r * units;

        for (uint32_t u = 0; u < units; u++) {
            row[u] += bias[u];
        }
    }
}

/* A lesioned unit's column of values [rows, U] becomes its mean, or zero. */
static void still_columns(const struct shard *shard,
                          uint32_t rows,
                          bool mean,
                          float *values)
{
    uint32_t units = shard->units_count;

    if (shard->lesioned_units == 0) {
        return;
    }
    for (uint32_t u = 0; u < units; u++) {
        const struct unit *unit = &shard->units[u];

        if (unit->state != UNIT_LESIONED) {
            continue;
        }
        for (uint32_t r = 0; r < rows; r++) {
            values[(size_t)r * units + u] = mean ? unit->mean : 0.0f;
        }
    }
}

void shard_forward(struct shard *shard,
                   uint32_t first,
                   uint32_t rows,
                   float *out)
{
    size_t n = (size_t)rows * shard->units_count;
    size_t at = (size_t)first * shard->units_count;
    bool train = shard->pass == PASS_TRAIN;

    CHECK(first + rows <= shard->rows);
    if (n == 0) {
        return; /* out may be NULL */
    }
    blas_enter();
    shard->kind->forward(shard, first, rows, out);
    add_bias(shard, rows, out);
    if (train && activation_keeps_z(shard->activation)) {
        memcpy(shard->z + at, out, n * sizeof(*out));
    }
    activation_apply(shard->activation, n, out, out);
    still_columns(shard, rows, true, out);
    if (train || shard->last) {
        memcpy(shard->h + at, out, n * sizeof(*out));
    }
    if (train) {
        statistics_forward(shard, rows, out);
    }
}

void shard_gradient(struct shard *shard,
                    uint32_t first,
                    uint32_t rows,
                    uint32_t consumers_count,
                    const float *const *values)
{
    struct matrix dz = shard_dz(shard, first, rows);

    CHECK(shard->pass == PASS_TRAIN);
    CHECK(first + rows <= shard->rows);
    if (dz.columns == 0) {
        return; /* values may be NULL */
    }
    blas_enter();
    tree_sum(values, consumers_count, (size_t)rows * dz.columns, dz.at);
}

/* An overflow anywhere reaches the loss within a step: seen here first. */
static void count_training(struct shard *shard, const struct evaluation *sums)
{
    struct progress *progress = &shard->progress;

    progress->loss_examples += sums->examples;
    progress->correct += sums->correct;
    progress->loss_sum += sums->loss_sum;
    if (!isfinite(sums->loss_sum) && !progress->not_finite) {
        progress->not_finite = 1;
        progress->not_finite_step = shard->step;
    }
}

void shard_loss(struct shard *shard,
                uint32_t first,
                uint32_t rows,
                const uint32_t *labels,
                struct evaluation *out)
{
    struct matrix dz = shard_dz(shard, first, rows);
    struct evaluation sums = {0};
    struct loss_input input = {.rows = rows,
                               .outputs = shard->units_count,
                               .batch = shard->rows,
                               .z = shard->h +
                                    (size_t)first * shard->units_count,
                               .labels = labels};

    CHECK(shard->last);
    CHECK(first + rows <= shard->rows);
    blas_enter();
    if (shard->pass == PASS_EVALUATE) {
        loss_apply(shard->spec.loss, &input, out);
        return;
    }
    input.gradient = dz.at;
    loss_apply(shard->spec.loss, &input, &sums);
    count_training(shard, &sums);
}

void shard_backward(struct shard *shard,
                    uint32_t first,
                    uint32_t rows,
                    float *const *out)
{
    struct matrix dz = shard_dz(shard, first, rows);
    size_t n = (size_t)rows * shard->units_count;
    const float *h = shard->h + (size_t)first * shard->units_count;
    const float *z = NULL;

    CHECK(shard->pass == PASS_TRAIN);
    CHECK(first + rows <= shard->rows);
    blas_enter();
    if (activation_keeps_z(shard->activation)) {
        z = shard->z + (size_t)first * shard->units_count;
    }
    statistics_backward(shard, rows, h, dz.at);
    activation_gradient(shard->activation, n, z, h, dz.at);
    still_columns(shard, rows, false, dz.at);
    if (out != NULL) {
        shard->kind->backward(shard, first, rows, out);
    }
}
