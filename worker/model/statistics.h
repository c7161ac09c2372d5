/* statistics.h - how well each unit is used: sums, utilities, reports.
 *
 * Utility is that of Dohare et al. (Nature 632, 2024, eq. 1), moved on once an
 * interval instead of once a step; see the README for what that changes. */
#ifndef WORKER_MODEL_STATISTICS_H
#define WORKER_MODEL_STATISTICS_H

#include "worker/model/inside.h"

/* Adds rows of h [rows, U] to the sums of the interval. */
void statistics_forward(struct shard *shard, uint32_t rows, const float *h);

/* Adds rows of (g h)^2; d [rows, U] is the gradient of the batch's mean loss by
 * h, so g of one example's loss is d x B. */
void statistics_backward(struct shard *shard,
                         uint32_t rows,
                         const float *h,
                         const float *d);

/* Drops what was gathered of one unit: a new one has taken its place. */
void statistics_forget(struct shard *shard, uint32_t unit);

#endif /* WORKER_MODEL_STATISTICS_H */
