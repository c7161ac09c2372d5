/* report.h - one shard's statistics for one interval.
 *
 * All measures are sums, so that shards merge by addition along the fixed
 * binary tree over the shard index (report_merge); ratios are taken once, by
 * the policy. Histograms are integers and merge exactly. */
#ifndef PROTO_REPORT_H
#define PROTO_REPORT_H

#include "base/hash.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

enum evaluation_set {
    EVALUATION_HELD_OUT = 1, /* `task` of the evaluation data */
    EVALUATION_GUARD_BEFORE, /* guard examples before the edits */
    EVALUATION_GUARD_AFTER
};

struct evaluation {
    enum evaluation_set set;
    uint32_t task;
    uint64_t examples;
    uint64_t correct;
    double loss_sum;
};

/* A unit that a rule may name. Utility follows Dohare et al. (Nature 2024):
 * u <- eta^n u + (1 - eta^n) * mean|h| * sum|w_out|, once an interval of n
 * steps; `utility` is u / (1 - eta^age), age in steps. */
struct candidate {
    struct unit_id id;
    uint64_t age;   /* steps since birth */
    double utility; /* corrected for age */
    double mean;    /* running mean activation, corrected for age */
};

/* Bin b of HISTOGRAM_BINS counts values in [2^(b/2 - 24), 2^(b/2 + 1/2 - 24)):
 * two bins an octave; bin 0 also takes all below (zero), the last all above. */
struct histogram {
    uint32_t count[HISTOGRAM_BINS];
};

struct layer_sums {
    uint32_t units; /* live and lesioned */
    uint32_t live;
    uint32_t eligible; /* live and older than the renew rule's maturity */
    uint32_t dormant;  /* live with mean |h| = 0 over the interval */
    uint64_t examples; /* of the interval: the same in all shards of a layer,
                          so merging keeps it (the larger) and does not add */
    double h;          /* sums over live units and examples */
    double h_abs;
    double h_square;
    double firings;    /* h > 0 */
    double taylor;     /* (g h)^2, g of one example's loss */
    double weight_abs; /* |w| over the shard's incoming weights */
    uint64_t weights;
    double utility;            /* over live units */
    struct histogram activity; /* mean |h| per live unit */
    struct histogram utilities;
};

struct report {
    uint64_t term;
    uint64_t interval;
    uint32_t layer;
    uint32_t shard;
    struct layer_sums sums;
    /* The output layer's shard alone: */
    uint64_t examples;
    uint64_t correct; /* online: before the update that uses the example */
    double loss_sum;
    bool not_finite; /* a loss, gradient or weight overflowed; of any shard */
    uint64_t not_finite_step;
    uint32_t candidates_count;
    uint32_t evaluations_count; /* the output layer's alone */
    /* Last, since they are most of it and few are used (see report_copy).
     * Candidates: the live, eligible units of least utility, ascending (ties:
     * lower birth first). */
    struct candidate candidates[REPORT_CANDIDATES_MAX];
    struct evaluation evaluations[REPORT_EVALUATIONS_MAX];
};

/* All but the places that are not used: a coordinator takes thousands of
 * reports, and has no page of memory for what it does not touch. */
void report_copy(struct report *to, const struct report *from);

/* a += b, field by field (examples excepted, see there). Call along the tree:
 * report_merge_layer does. */
void layer_sums_add(struct layer_sums *a, const struct layer_sums *b);

/* Sums the shards' reports of one layer along the fixed binary tree over the
 * shard index: pairs (0,1) (2,3) ..., then pairs of those. reports[s] belongs
 * to shard s. */
void report_merge_layer(const struct report *const *reports,
                        uint32_t shards_count,
                        struct layer_sums *out);

/* Of all fields but the term, so of what a replay must report again to the last
 * bit. Not for use against anybody who wants two reports to have the same. */
uint64_t report_hash(const struct report *report);
/* Of several, in order; begin with hash 0. */
uint64_t report_hash_join(uint64_t hash, uint64_t next);

void histogram_add(struct histogram *histogram, double value);

#endif /* PROTO_REPORT_H */
