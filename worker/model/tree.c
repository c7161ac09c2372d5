#include "worker/model/tree.h"

#include "base/check.h"
#include "base/limits.h"
#include <stdbool.h>
#include "worker/model/vector.h"
#include <string.h>

enum {
    TREE_LEVELS = 7, /* over SHARDS_MAX = 64 leaves */
    /* Elements summed at once: the levels stay in the first-level cache. */
    PART = 256
};

VECTOR static void add(float *restrict a, const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        a[i] += b[i];
    }
}

/* A binary counter, as in proto/report.c: level[k] holds the sum of 2^k
 * neighbours until a second such sum comes. Addition of two floats commutes,
 * so only the shape of the tree matters. */
static void sum_part(const float *const *values,
                     uint32_t values_count,
                     size_t first,
                     size_t n,
                     float *out)
{
    float level[TREE_LEVELS][PART];
    const float *sum = NULL;

    for (uint32_t c = 0; c < values_count; c++) {
        const float *carry = values[c] + first;
        int k = 0;

        for (; c >> k & 1; k++) {
            add(level[k], carry, n);
            carry = level[k];
        }
        memcpy(level[k], carry, n * sizeof(float));
    }
    for (int k = 0; k < TREE_LEVELS; k++) {
        if ((values_count >> k & 1) == 0) {
            continue;
        }
        if (sum != NULL) {
            add(level[k], sum, n);
        }
        sum = level[k];
    }
    memcpy(out + first, sum, n * sizeof(float));
}

void tree_sum(const float *const *values,
              uint32_t values_count,
              size_t n,
              float *out)
{
    CHECK(values_count >= 1);
    CHECK(values_count <= SHARDS_MAX);
    if (values_count == 1) {
        memmove(out, values[0], n * sizeof(float));
        return;
    }
    for (size_t first = 0; first < n; first += PART) {
        size_t count = n - first < PART ? n - first : PART;

        sum_part(values, values_count, first, count, out);
    }
}

void tree_sum_double(const float *const *values,
                     uint32_t values_count,
                     size_t n,
                     double *out)
{
    CHECK(values_count >= 1);
    CHECK(values_count <= SHARDS_MAX);
    for (size_t i = 0; i < n; i++) {
        double level[TREE_LEVELS] = {0};
        double sum = 0;

        for (uint32_t c = 0; c < values_count; c++) {
            double carry = values[c][i];
            int k = 0;

            for (; c >> k & 1; k++) {
                carry = level[k] + carry;
            }
            level[k] = carry;
        }
        for (int k = 0; k < TREE_LEVELS; k++) {
            if (values_count >> k & 1) {
                sum = level[k] + sum;
            }
        }
        out[i] = sum;
    }
}
