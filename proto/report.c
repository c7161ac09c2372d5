#include "proto/report.h"

#include "base/check.h"
#include <stddef.h>
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

/* --- The hash --- */

/* One round of multiply and shift, as in SplitMix64 (Steele, Lea and Flood,
 * 2014). For a given word it is a bijection, so that no difference gets lost
 * on the way but by another difference. */
void report_copy(struct report *to, const struct report *from)
{
    CHECK(from->candidates_count <= REPORT_CANDIDATES_MAX);
    CHECK(from->evaluations_count <= REPORT_EVALUATIONS_MAX);
    memcpy(to, from,
           offsetof(struct report, candidates) +
               from->candidates_count * sizeof(from->candidates[0]));
    memcpy(to->evaluations, from->evaluations,
           from->evaluations_count * sizeof(from->evaluations[0]));
}

uint64_t report_hash_join(uint64_t hash, uint64_t next)
{
    hash = (hash ^ next) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t join_real(uint64_t hash, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return report_hash_join(hash, bits);
}

static uint64_t join_histogram(uint64_t hash, const struct histogram *histogram)
{
    for (uint32_t b = 0; b < HISTOGRAM_BINS; b += 2) {
        uint64_t low = histogram->count[b];
        uint64_t high = histogram->count[b + 1];

        hash = report_hash_join(hash, high << 32 | low);
    }
    return hash;
}

static uint64_t join_sums(uint64_t hash, const struct layer_sums *sums)
{
    hash = report_hash_join(hash, (uint64_t)sums->units << 32 | sums->live);
    hash =
        report_hash_join(hash, (uint64_t)sums->eligible << 32 | sums->dormant);
    hash = report_hash_join(hash, sums->examples);
    hash = join_real(hash, sums->h);
    hash = join_real(hash, sums->h_abs);
    hash = join_real(hash, sums->h_square);
    hash = join_real(hash, sums->firings);
    hash = join_real(hash, sums->taylor);
    hash = join_real(hash, sums->weight_abs);
    hash = report_hash_join(hash, sums->weights);
    hash = join_real(hash, sums->utility);
    hash = join_histogram(hash, &sums->activity);
    return join_histogram(hash, &sums->utilities);
}

static uint64_t join_candidate(uint64_t hash, const struct candidate *candidate)
{
    hash = report_hash_join(hash, candidate->id.line);
    hash = report_hash_join(hash, candidate->id.birth);
    hash = report_hash_join(hash, candidate->age);
    hash = join_real(hash, candidate->utility);
    return join_real(hash, candidate->mean);
}

static uint64_t join_evaluation(uint64_t hash, const struct evaluation *e)
{
    hash = report_hash_join(hash, (uint64_t)e->set << 32 | e->task);
    hash = report_hash_join(hash, e->examples);
    hash = report_hash_join(hash, e->correct);
    return join_real(hash, e->loss_sum);
}

uint64_t report_hash(const struct report *report)
{
    uint64_t hash = report_hash_join(0, report->interval);

    hash =
        report_hash_join(hash, (uint64_t)report->layer << 32 | report->shard);
    hash = join_sums(hash, &report->sums);
    hash = report_hash_join(hash, report->candidates_count);
    for (uint32_t c = 0; c < report->candidates_count; c++) {
        hash = join_candidate(hash, &report->candidates[c]);
    }
    hash = report_hash_join(hash, report->examples);
    hash = report_hash_join(hash, report->correct);
    hash = join_real(hash, report->loss_sum);
    hash = report_hash_join(hash, report->evaluations_count);
    for (uint32_t e = 0; e < report->evaluations_count; e++) {
        hash = join_evaluation(hash, &report->evaluations[e]);
    }
    hash = report_hash_join(hash, report->not_finite);
    return report_hash_join(hash, report->not_finite_step);
}
