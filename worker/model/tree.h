/* tree.h - sums over shards along the fixed binary tree.
 *
 * The tree pairs neighbours (0,1) (2,3) ..., then those pairs, and so on; an
 * odd one goes up alone. So a sum does not depend on which worker did which
 * part of it. */
#ifndef WORKER_MODEL_TREE_H
#define WORKER_MODEL_TREE_H

#include <stddef.h>
#include <stdint.h>

/* out[i] = sum over c of values[c][i], for i below n. values_count is 1 ..
 * SHARDS_MAX; out may be one of the values. */
void tree_sum(const float *const *values,
              uint32_t values_count,
              size_t n,
              float *out);

/* The same of float values into double. */
void tree_sum_double(const float *const *values,
                     uint32_t values_count,
                     size_t n,
                     double *out);

#endif /* WORKER_MODEL_TREE_H */
