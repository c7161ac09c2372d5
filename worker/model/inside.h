/* inside.h - what the files of this folder share of struct shard.
 *
 * Nobody else includes this; shard.h is the door. Arrays are sized for
 * units_room and inputs_room; only the first U and K elements count. */
#ifndef WORKER_MODEL_INSIDE_H
#define WORKER_MODEL_INSIDE_H

#include "proto/arch.h"
#include "proto/job.h"
#include "proto/report.h"
#include "worker/model/blas.h"
#include "worker/model/kind.h"
#include "worker/model/shard.h"
#include "worker/model/slab.h"

enum {
    TENSOR_WEIGHT = 0,
    TENSOR_M = 1, /* momentum; Adam's first moment */
    TENSOR_V = 2, /* Adam's second moment */
    TENSORS_MAX = 3,
    /* Units whose gradient is computed at once where it is not applied by the
     * product itself: few enough that it stays in the second-level cache. */
    GRADIENT_UNITS = 64
};

/* One array of doubles per unit each. */
enum unit_figure {
    FIGURE_H = 0,    /* sums over the interval's examples: h */
    FIGURE_H_ABS,    /* |h| */
    FIGURE_H_SQUARE, /* h^2 */
    FIGURE_FIRINGS,  /* h > 0 */
    FIGURE_TAYLOR,   /* (g h)^2, g of one example's loss */
    FIGURE_MEAN,     /* running mean of h, not corrected for age */
    FIGURE_UTILITY,  /* running utility, not corrected for age */
    FIGURES_COUNT
};

/* What an interval has gathered beside the units' figures. */
struct progress {
    uint64_t next_step; /* the step after the last update */
    uint64_t examples;  /* of the interval */
    uint64_t loss_examples;
    uint64_t correct;
    double loss_sum;
    uint64_t not_finite; /* 0 or 1 */
    uint64_t not_finite_step;
};

struct shard {
    struct job_spec spec;
    const struct layer_kind *kind;
    uint32_t layer;
    uint32_t index;
    bool last; /* the output layer */
    enum activation activation;

    uint32_t units_count;  /* U */
    uint32_t inputs_count; /* K */
    uint32_t units_room;
    uint32_t inputs_room;
    struct unit *units;  /* [U] */
    struct unit *inputs; /* [K]; mean counts where lesioned */
    uint32_t lesioned_units;
    uint32_t lesioned_inputs;
    uint32_t producers_count;
    uint32_t producer_units[SHARDS_MAX];

    struct slab weights; /* weight, m, v: [U, K] each */
    struct slab biases;  /* the same: [1, U] each */

    /* The batch. x is also the evaluation's; h is so in the output layer. */
    enum pass_kind pass;
    uint64_t step;
    uint32_t rows;         /* B */
    uint32_t rows_max;     /* room of x, and of h where last */
    uint32_t rows_trained; /* room of h, z and dz otherwise */
    float *x;              /* [B, stride of K] */
    float *h;              /* [B, U] */
    float *z;  /* [B, U]; only where the activation needs it (GELU) */
    float *dz; /* [B, U]: the gradient by h, then by z */

    float *scratch;       /* [GRADIENT_UNITS, stride of K] */
    float *bias_gradient; /* [U] */
    double *bias_sums;    /* [U] */
    float *corrections;   /* Adam: 2 x [K], 2 x [U] */
    float *still;         /* weights that stand still, during an update */
    size_t still_capacity;

    double *figures; /* FIGURES_COUNT x [units_room] */
    struct progress progress;
    uint32_t evaluations_count;
    struct evaluation evaluations[REPORT_EVALUATIONS_MAX];
};

static inline double *figure(const struct shard *shard, enum unit_figure f)
{
    return shard->figures + (size_t)f * shard->units_room;
}

/* Rows first .. first+rows of a kept array of the batch. */
struct matrix shard_x(const struct shard *shard, uint32_t first, uint32_t rows);
struct matrix shard_dz(const struct shard *shard,
                       uint32_t first,
                       uint32_t rows);

/* Makes room for this many units and inputs, also for weights that must stand
 * still. NO_MEMORY: nothing has changed. */
enum status shard_reserve(struct shard *shard,
                          uint32_t units,
                          uint32_t inputs) MUST_CHECK;
enum status shard_reserve_still(struct shard *shard,
                                uint32_t lesioned_units,
                                uint32_t lesioned_inputs) MUST_CHECK;

#endif /* WORKER_MODEL_INSIDE_H */
