/* optimizer.h - one step on one row of weights.
 *
 * SGD (with momentum and decay), Adam and AdamW as in PyTorch 1.13, but Adam's
 * count is kept per weight: the number of steps since its younger unit was
 * born. */
#ifndef WORKER_MODEL_OPTIMIZER_H
#define WORKER_MODEL_OPTIMIZER_H

#include "proto/job.h"
#include <stdbool.h>
#include <stdint.h>

/* Slots beside the weights: 0, 1 (m) or 2 (m and v). */
uint32_t optimizer_slots(const struct optimizer_spec *spec);

/* Whether a step is w = decay w - rate g alone, which the gradient's product
 * can do itself. */
bool optimizer_is_plain(const struct optimizer_spec *spec);

/* Adam's bias correction, made ready for use. Both figures of a weight are
 * the larger step and the smaller root of its row's and its column's. */
struct correction {
    float step; /* rate / (1 - beta1^n) */
    float root; /* sqrt(1 - beta2^n) */
};

/* n: steps since birth, this one included; at least 1. */
struct correction optimizer_correction(const struct optimizer_spec *spec,
                                       double rate,
                                       uint64_t n);

/* x^n by squaring: the same bits everywhere, which pow does not promise. */
double power(double x, uint64_t n);

struct optimizer_row {
    uint32_t n;     /* weights */
    float *w;       /* [n] */
    const float *g; /* [n]: gradient of the batch's mean loss */
    float *m;       /* [n] or NULL */
    float *v;       /* [n] or NULL */
    float scale;    /* of the gradient: 1, or less where it is clipped */
    float rate;
    struct correction row; /* Adam: of the row's unit */
    const float *steps;    /* Adam: [n] of the columns */
    const float *roots;    /* Adam: [n] of the columns */
};

void optimizer_apply(const struct optimizer_spec *spec,
                     const struct optimizer_row *row);

#endif /* WORKER_MODEL_OPTIMIZER_H */
