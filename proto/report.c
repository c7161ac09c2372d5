#include "proto/report.h"

#include "base/check.h"
#include <string.h>

/* The tree over at most SHARDS_MAX = 64 leaves has this many levels. */
enum { TREE_LEVELS = 7 };

void layer_sums_add(struct layer_sums *a, const struct layer_sums *b)
{
    a->units += b->units;
    a->live += b->live;
    a->eligible += b->eligible;
    a->dormant += b->dormant;
    /* Every shard of a layer sees every example: not a sum. */
    if (b->examples > a->examples) {
        a->examples = b->examples;
    }
    a->h += b->h;
    a->h_abs += b->h_abs;
    a->h_square += b->h_square;
    a->firings += b->firings;
    a->taylor += b->taylor;
    a->weight_abs += b->weight_abs;
    a->weights += b->weights;
    a->utility += b->utility;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        a->activity.count[i] += b->activity.count[i];
        a->utilities.count[i] += b->utilities.count[i];
    }
}

/* Works like a binary counter: level[n] holds the sum of 2^n neighbours until
 * a second one of that size comes. What is left at the end joins from the
 * smallest to the largest, which is the tree of pairs, pairs of pairs, ... */
void report_merge_layer(const struct report *const *reports,
                        uint32_t shards_count,
                        struct layer_sums *out)
{
    struct layer_sums level[TREE_LEVELS];
    uint32_t held = 0; /* bit n: level[n] is in use */

    CHECK(shards_count >= 1);
    CHECK(shards_count <= SHARDS_MAX);
    for (uint32_t s = 0; s < shards_count; s++) {
        struct layer_sums sum = reports[s]->sums;
        int n = 0;

        for (; held & (1u << n); n++) {
            layer_sums_add(&level[n], &sum);
            sum = level[n];
        }
        level[n] = sum;
        held = s + 1; /* the carries of a binary counter */
    }
    memset(out, 0, sizeof(*out));
    for (int n = 0, any = 0; n < TREE_LEVELS; n++) {
        if ((held & (1u << n)) == 0) {
            continue;
        }
        if (any) {
            layer_sums_add(&level[n], out);
        }
        *out = level[n];
        any = 1;
    }
}

/* floor(2 * (log2(value) + 24)) without a logarithm: twice the exponent, and
 * one more if the mantissa is above the square root of two. The double nearest
 * to that root lies above it, and no double equals it. */
static int histogram_bin(double value)
{
    static const double root_of_two = 0x1.6a09e667f3bcdp+0;
    const uint64_t one = 0x3ff0000000000000;
    const uint64_t mantissa_mask = 0x000fffffffffffff;
    uint64_t bits;
    double mantissa;
    int bin;

    if (value <= 0) {
        return 0;
    }
    memcpy(&bits, &value, sizeof(bits));
    bin = 2 * ((int)(bits >> 52 & 0x7ff) - 1023 + 24);
    bits = (bits & mantissa_mask) | one;
    memcpy(&mantissa, &bits, sizeof(mantissa));
    bin += mantissa >= root_of_two;
    if (bin < 0) {
        return 0;
    }
    return bin < HISTOGRAM_BINS ? bin : HISTOGRAM_BINS - 1;
}

/* Infinity and NaN fall into the last bin, where they are seen. */
void histogram_add(struct histogram *histogram, double value)
{
    histogram->count[histogram_bin(value)]++;
}
