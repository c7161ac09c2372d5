#include "worker/model/optimizer.h"

#include "worker/model/vector.h"
#include <math.h>
#include <stddef.h>

uint32_t optimizer_slots(const struct optimizer_spec *spec)
{
    if (spec->kind == OPTIMIZER_SGD) {
        return spec->momentum != 0 ? 1 : 0;
    }
    return 2;
}

bool optimizer_is_plain(const struct optimizer_spec *spec)
{
    return optimizer_slots(spec) == 0;
}

double power(double x, uint64_t n)
{
    double result = 1;

    for (; n > 0; n >>= 1) {
        if (n & 1) {
            result *= x;
        }
        x *= x;
    }
    return result;
}

struct correction optimizer_correction(const struct optimizer_spec *spec,
                                       double rate,
                                       uint64_t n)
{
    return (struct correction){
        .step = (float)(rate / (1 - power(spec->beta1, n))),
        .root = (float)sqrt(1 - power(spec->beta2, n)),
    };
}

/* buf = mu buf + g; w -= rate buf. PyTorch's first step sets buf = g, which is
 * the same from zero. */
VECTOR static void momentum(const struct optimizer_spec *spec,
                            const struct optimizer_row *row)
{
    const float *restrict g = row->g;
    float *restrict w = row->w;
    float *restrict m = row->m;
    float mu = (float)spec->momentum;
    float decay = (float)spec->weight_decay;
    float scale = row->scale;
    float rate = row->rate;
    uint32_t n = row->n;

    for (uint32_t k = 0; k < n; k++) {
        float d = scale * g[k] + decay * w[k];

        m[k] = mu * m[k] + d;
        w[k] -= rate * m[k];
    }
}

VECTOR static void plain(const struct optimizer_spec *spec,
                         const struct optimizer_row *row)
{
    const float *restrict g = row->g;
    float *restrict w = row->w;
    float keep = (float)(1 - (double)row->rate * spec->weight_decay);

    float rate = row->rate * row->scale;
    uint32_t n = row->n;

    for (uint32_t k = 0; k < n; k++) {
        w[k] = keep * w[k] - rate * g[k];
    }
}

/* moment = beta moment + (1 - beta) d, or d^2, with d = scale g + decay w. */
VECTOR static void move_moment(const struct optimizer_row *row,
                               double beta_wanted,
                               float decay,
                               bool square,
                               float *restrict moment)
{
    const float *restrict g = row->g;
    const float *restrict w = row->w;
    float beta = (float)beta_wanted;
    float other = (float)(1 - beta_wanted);
    float scale = row->scale;
    uint32_t n = row->n;

    for (uint32_t k = 0; k < n; k++) {
        float d = scale * g[k] + decay * w[k];

        moment[k] = beta * moment[k] + other * d * (square ? d : 1.0f);
    }
}

VECTOR static void move_weights(const struct optimizer_row *row,
                                float keep,
                                float epsilon)
{
    const float *restrict m = row->m;
    const float *restrict v = row->v;
    const float *restrict steps = row->steps;
    const float *restrict roots = row->roots;
    float *restrict w = row->w;
    float row_step = row->row.step;
    float row_root = row->row.root;
    uint32_t n = row->n;

    for (uint32_t k = 0; k < n; k++) {
        float column_step = steps[k];
        float column_root = roots[k];
        float step = row_step > column_step ? row_step : column_step;
        float root = row_root < column_root ? row_root : column_root;

        w[k] = keep * w[k] - step * m[k] / (sqrtf(v[k]) / root + epsilon);
    }
}

/* Kingma and Ba (2015) and Loshchilov and Hutter (2019), in the order of
 * operations of PyTorch 1.13: denominator sqrt(v) / root + epsilon. Three
 * loops, since a compiler can see of each that its arrays do not overlap. */
static void adam(const struct optimizer_spec *spec,
                 const struct optimizer_row *row)
{
    bool decoupled = spec->kind == OPTIMIZER_ADAMW;
    float decay = decoupled ? 0.0f : (float)spec->weight_decay;
    float keep =
        decoupled ? (float)(1 - (double)row->rate * spec->weight_decay) : 1.0f;

    move_moment(row, spec->beta1, decay, false, row->m);
    move_moment(row, spec->beta2, decay, true, row->v);
    move_weights(row, keep, (float)spec->epsilon);
}

void optimizer_apply(const struct optimizer_spec *spec,
                     const struct optimizer_row *row)
{
    if (optimizer_is_plain(spec)) {
        plain(spec, row);
    } else if (spec->kind == OPTIMIZER_SGD) {
        momentum(spec, row);
    } else {
        adam(spec, row);
    }
}
