#include "worker/model/optimizer.h"

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
static void momentum(const struct optimizer_spec *spec,
                     const struct optimizer_row *row)
{
    const float *restrict g = row->g;
    float *restrict w = row->w;
    float *restrict m = row->m;
    float mu = (float)spec->momentum;
    float decay = (float)spec->weight_decay;

    for (uint32_t k = 0; k < row->n; k++) {
        float d = row->scale * g[k] + decay * w[k];

        m[k] = mu * m[k] + d;
        w[k] -= row->rate * m[k];
    }
}

static void plain(const struct optimizer_spec *spec,
                  const struct optimizer_row *row)
{
    const float *restrict g = row->g;
    float *restrict w = row->w;
    float keep = (float)(1 - (double)row->rate * spec->weight_decay);

    for (uint32_t k = 0; k < row->n; k++) {
        w[k] = keep * w[k] - row->rate * row->scale * g[k];
    }
}

/* Kingma and Ba (2015) and Loshchilov and Hutter (2019), in the order of
 * operations of PyTorch 1.13: denominator sqrt(v) / root + epsilon. */
static void adam(const struct optimizer_spec *spec,
                 const struct optimizer_row *row)
{
    const float *restrict g = row->g;
    const float *restrict steps = row->steps;
    const float *restrict roots = row->roots;
    float *restrict w = row->w;
    float *restrict m = row->m;
    float *restrict v = row->v;
    bool decoupled = spec->kind == OPTIMIZER_ADAMW;
    float decay = decoupled ? 0.0f : (float)spec->weight_decay;
    float keep =
        decoupled ? (float)(1 - (double)row->rate * spec->weight_decay) : 1.0f;
    float beta1 = (float)spec->beta1;
    float beta2 = (float)spec->beta2;
    float other1 = (float)(1 - spec->beta1);
    float other2 = (float)(1 - spec->beta2);
    float epsilon = (float)spec->epsilon;

    for (uint32_t k = 0; k < row->n; k++) {
        float d = row->scale * g[k] + decay * w[k];
        float step = row->row.step > steps[k] ? row->row.step : steps[k];
        float root = row->row.root < roots[k] ? row->row.root : roots[k];

        m[k] = beta1 * m[k] + other1 * d;
        v[k] = beta2 * v[k] + other2 * d * d;
        w[k] = keep * w[k] - step * m[k] / (sqrtf(v[k]) / root + epsilon);
    }
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
