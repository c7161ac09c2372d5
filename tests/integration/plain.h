/* plain.h - continual backprop in plain code: one process, no shards, no
 * messages. What the whole system does is checked against it.
 *
 * Dohare et al., "Loss of plasticity in deep continual learning", Nature 632
 * (2024), Algorithm 1, with the granularity that our system has: utilities
 * move, and renewals are named, once an interval, from what is known at its
 * end; those of interval n happen at the beginning of interval n + 2.
 *
 * A network of ReLU layers and a softmax, trained by plain SGD. Nothing here
 * calls the code that is checked. What is shared is what must be the same
 * number to the bit for two runs to stay together over thousands of steps: the
 * random generator, the BLAS behind worker/model/blas.h, and the data. */
#ifndef TESTS_INTEGRATION_PLAIN_H
#define TESTS_INTEGRATION_PLAIN_H

#include "base/rng.h"
#include "worker/model/blas.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    PLAIN_LAYERS = 3, /* the last one is the output */
    PLAIN_HIDDEN = PLAIN_LAYERS - 1,
    PLAIN_INPUTS_MAX = 784,
    PLAIN_UNITS_MAX = 64,
    PLAIN_ROWS_MAX = 8,
    PLAIN_NAMED_MAX = 256, /* renewals named and not yet done */
    NO_UNIT = -1
};

/* The algorithm's parameters, and what can be left out of it to see that it
 * would be noticed. */
struct plain_rules {
    double rate;         /* rho: renewals per mature unit and step */
    uint64_t maturity;   /* m: steps that a unit is safe */
    double decay;        /* eta */
    uint64_t delay;      /* intervals from the report to the renewal */
    bool corrects_age;   /* ranks by u / (1 - eta^age) */
    bool transfers_bias; /* the mean goes on in the next layer's bias */
    bool carries_credit; /* what is left of the budget is kept */
};

struct plain_unit {
    uint64_t birth;
    uint64_t age;   /* steps */
    double unseen;  /* eta^age: the weight that a running mean still lacks */
    double utility; /* running means, not corrected for age */
    double mean;
    double sum; /* of the interval: h, |h| */
    double sum_abs;
    bool named; /* to be renewed */
};

struct plain_layer {
    uint32_t inputs; /* K */
    uint32_t units;  /* U */
    double credit;   /* c_l of Algorithm 1 */
    struct plain_unit unit[PLAIN_UNITS_MAX];
    float w[PLAIN_UNITS_MAX * PLAIN_INPUTS_MAX]; /* [U, K] */
    float bias[PLAIN_UNITS_MAX];
    float x[PLAIN_ROWS_MAX * PLAIN_INPUTS_MAX]; /* [B, K] */
    float h[PLAIN_ROWS_MAX * PLAIN_UNITS_MAX];  /* [B, U] */
    float d[PLAIN_ROWS_MAX * PLAIN_UNITS_MAX];  /* [B, U]: dloss / dz */
};

struct plain_named {
    uint64_t interval; /* at whose beginning */
    uint32_t layer;
    uint32_t unit;
    uint64_t birth; /* of the unit that comes */
    float mean;     /* of the unit that goes */
};

struct plain {
    struct plain_rules rules;
    uint64_t seed;
    float step_size;
    uint64_t next_birth;
    struct plain_layer layer[PLAIN_LAYERS];
    uint32_t named_count;
    struct plain_named named[PLAIN_NAMED_MAX]; /* oldest first */
};

/* --- Units and their first weights --- */

static uint64_t plain_input_birth(const struct plain *p, uint32_t l, uint32_t k)
{
    return l == 0 ? k : p->layer[l - 1].unit[k].birth;
}

/* A new unit: Kaiming uniform weights, each from the births at its ends. */
static void plain_bear(struct plain *p, uint32_t l, uint32_t u, uint64_t birth)
{
    struct plain_layer *layer = &p->layer[l];
    double gain = l == PLAIN_HIDDEN ? 1.0 : sqrt(2.0);
    float bound = (float)(gain * sqrt(3.0 / layer->inputs));

    layer->unit[u] = (struct plain_unit){.birth = birth, .unseen = 1.0};
    layer->bias[u] = 0.0f;
    for (uint32_t k = 0; k < layer->inputs; k++) {
        struct rng_block block =
            rng_draw(p->seed, RNG_WEIGHT, birth, plain_input_birth(p, l, k), 0);

        layer->w[u * layer->inputs + k] =
            bound * (2.0f * rng_unit(block.v[0]) - 1.0f);
    }
}

/* sizes: inputs, units of each layer. Inputs are the first to be born. */
static void plain_begin(struct plain *p, const uint32_t sizes[PLAIN_LAYERS + 1])
{
    p->next_birth = sizes[0];
    p->named_count = 0;
    for (uint32_t l = 0; l < PLAIN_LAYERS; l++) {
        p->layer[l].inputs = sizes[l];
        p->layer[l].units = sizes[l + 1];
        p->layer[l].credit = 0;
        for (uint32_t u = 0; u < sizes[l + 1]; u++) {
            plain_bear(p, l, u, p->next_birth++);
        }
    }
}

/* --- One step of SGD --- */

static struct matrix plain_matrix(float *at, uint32_t rows, uint32_t columns)
{
    return (struct matrix){at, rows, columns, columns};
}

static void plain_forward(struct plain_layer *layer, uint32_t rows, bool relu)
{
    struct matrix x = plain_matrix(layer->x, rows, layer->inputs);
    struct matrix w = plain_matrix(layer->w, layer->units, layer->inputs);
    struct matrix z = plain_matrix(layer->h, rows, layer->units);

    blas_nt(&x, &w, &z); /* z = x W^T */
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t u = 0; u < layer->units; u++) {
            float *h = &layer->h[r * layer->units + u];

            *h += layer->bias[u];
            if (relu && *h < 0.0f) {
                *h = 0.0f;
            }
            layer->unit[u].sum += (double)*h;
            layer->unit[u].sum_abs += fabs((double)*h);
        }
    }
}

/* The gradient of the mean cross-entropy by the logits: softmax - onehot. */
static void plain_loss(struct plain_layer *output,
                       uint32_t rows,
                       const uint32_t *labels)
{
    for (uint32_t r = 0; r < rows; r++) {
        const float *z = output->h + r * output->units;
        float *d = output->d + r * output->units;
        float top = z[0];
        double sum = 0;

        for (uint32_t o = 1; o < output->units; o++) {
            top = z[o] > top ? z[o] : top;
        }
        for (uint32_t o = 0; o < output->units; o++) {
            double e = exp((double)(z[o] - top));

            sum += e;
            d[o] = (float)e;
        }
        for (uint32_t o = 0; o < output->units; o++) {
            double onehot = o == labels[r] ? 1.0 : 0.0;

            d[o] = (float)(((double)d[o] / sum - onehot) / rows);
        }
    }
}

/* From a layer's dloss/dz to that of the ReLU layer before it. */
static void plain_backward(struct plain_layer *layer,
                           struct plain_layer *before,
                           uint32_t rows)
{
    struct matrix dz = plain_matrix(layer->d, rows, layer->units);
    struct matrix w = plain_matrix(layer->w, layer->units, layer->inputs);
    struct matrix dx = plain_matrix(before->d, rows, before->units);

    blas_nn(&dz, &w, &dx); /* dx = dz W */
    for (uint32_t i = 0; i < rows * before->units; i++) {
        if (!(before->h[i] > 0.0f)) {
            before->d[i] = 0.0f;
        }
    }
}

static void plain_update(struct plain *p,
                         struct plain_layer *layer,
                         uint32_t rows)
{
    struct matrix dz = plain_matrix(layer->d, rows, layer->units);
    struct matrix x = plain_matrix(layer->x, rows, layer->inputs);
    struct matrix w = plain_matrix(layer->w, layer->units, layer->inputs);

    blas_tn(-p->step_size, &dz, &x, 1.0f, &w); /* W -= step dz^T x */
    for (uint32_t u = 0; u < layer->units; u++) {
        double gradient = 0;

        for (uint32_t r = 0; r < rows; r++) {
            gradient += (double)layer->d[r * layer->units + u];
        }
        layer->bias[u] -= p->step_size * (float)gradient;
    }
}

/* x [rows, inputs], labels [rows]. */
static void plain_step(struct plain *p,
                       const float *x,
                       const uint32_t *labels,
                       uint32_t rows)
{
    size_t inputs = p->layer[0].inputs;

    memcpy(p->layer[0].x, x, rows * inputs * sizeof(*x));
    for (uint32_t l = 0; l < PLAIN_LAYERS; l++) {
        plain_forward(&p->layer[l], rows, l < PLAIN_HIDDEN);
        if (l < PLAIN_HIDDEN) {
            memcpy(p->layer[l + 1].x, p->layer[l].h,
                   rows * p->layer[l].units * sizeof(float));
        }
    }
    plain_loss(&p->layer[PLAIN_HIDDEN], rows, labels);
    for (uint32_t l = PLAIN_HIDDEN; l > 0; l--) {
        plain_backward(&p->layer[l], &p->layer[l - 1], rows);
    }
    for (uint32_t l = 0; l < PLAIN_LAYERS; l++) {
        plain_update(p, &p->layer[l], rows);
        for (uint32_t u = 0; u < p->layer[l].units; u++) {
            p->layer[l].unit[u].age++;
            p->layer[l].unit[u].unseen *= p->rules.decay;
        }
    }
}

/* --- The end of an interval: utilities, and who is to be renewed --- */

/* u <- eta^n u + (1 - eta^n) mean|h| sum|w_out| after n steps; the running
 * mean of h alike. */
static void plain_measure(struct plain *p,
                          uint32_t l,
                          uint64_t steps,
                          uint64_t examples)
{
    const struct plain_layer *next = &p->layer[l + 1];
    double kept = 1;

    for (uint64_t s = 0; s < steps; s++) {
        kept *= p->rules.decay;
    }
    for (uint32_t u = 0; u < p->layer[l].units; u++) {
        struct plain_unit *unit = &p->layer[l].unit[u];
        double activity = unit->sum_abs / (double)examples;
        float outgoing = 0;

        for (uint32_t j = 0; j < next->units; j++) {
            outgoing += fabsf(next->w[j * next->inputs + u]);
        }
        unit->utility =
            kept * unit->utility + (1 - kept) * (activity * (double)outgoing);
        unit->mean =
            kept * unit->mean + (1 - kept) * (unit->sum / (double)examples);
        unit->sum = 0;
        unit->sum_abs = 0;
    }
}

static bool plain_is_mature(const struct plain *p,
                            const struct plain_unit *unit)
{
    return unit->age > p->rules.maturity;
}

/* The mature unit of least utility that is not yet named. */
static int plain_worst(const struct plain *p, uint32_t l)
{
    const struct plain_layer *layer = &p->layer[l];
    double least = 0;
    int worst = NO_UNIT;

    for (uint32_t u = 0; u < layer->units; u++) {
        const struct plain_unit *unit = &layer->unit[u];
        double lacks = p->rules.corrects_age ? unit->unseen : 0;
        double utility = unit->utility / (1 - lacks);

        if (!plain_is_mature(p, unit) || unit->named) {
            continue;
        }
        if (worst == NO_UNIT || utility < least ||
            (utility == least && unit->birth < layer->unit[worst].birth)) {
            worst = (int)u;
            least = utility;
        }
    }
    return worst;
}

/* Algorithm 1: c += rho n_eligible; while c > 1: the worst one goes, c -= 1. */
static void plain_name(struct plain *p,
                       uint32_t l,
                       uint64_t interval,
                       uint64_t steps)
{
    struct plain_layer *layer = &p->layer[l];
    uint32_t mature = 0;

    for (uint32_t u = 0; u < layer->units; u++) {
        mature += plain_is_mature(p, &layer->unit[u]);
    }
    layer->credit += p->rules.rate * (double)mature * (double)steps;
    while (layer->credit > 1.0 && p->named_count < PLAIN_NAMED_MAX) {
        int worst = plain_worst(p, l);
        struct plain_unit *unit = NULL;

        if (worst == NO_UNIT) {
            break;
        }
        unit = &layer->unit[worst];
        unit->named = true;
        layer->credit -= 1.0;
        p->named[p->named_count++] = (struct plain_named){
            .interval = interval + p->rules.delay,
            .layer = l,
            .unit = (uint32_t)worst,
            .birth = p->next_birth++,
            .mean = (float)(unit->mean / (1 - unit->unseen))};
    }
    if (!p->rules.carries_credit) {
        layer->credit = 0;
    }
}

static void plain_end_interval(struct plain *p,
                               uint64_t interval,
                               uint64_t steps,
                               uint64_t examples)
{
    for (uint32_t l = 0; l < PLAIN_HIDDEN; l++) {
        plain_measure(p, l, steps, examples);
    }
    for (uint32_t l = 0; l < PLAIN_HIDDEN; l++) {
        plain_name(p, l, interval, steps);
    }
}

/* --- The beginning of an interval: renewals named earlier happen --- */

static void plain_renew(struct plain *p, const struct plain_named *named)
{
    struct plain_layer *next = &p->layer[named->layer + 1];

    for (uint32_t j = 0; j < next->units; j++) {
        float *outgoing = &next->w[j * next->inputs + named->unit];

        if (p->rules.transfers_bias) {
            next->bias[j] += *outgoing * named->mean;
        }
        *outgoing = 0.0f;
    }
    plain_bear(p, named->layer, named->unit, named->birth);
}

/* Takes the next renewal that is due at the beginning of interval, and does
 * it. False: there is none left. out_gone: the birth of the unit that went. */
static bool plain_renew_next(struct plain *p,
                             uint64_t interval,
                             struct plain_named *out,
                             uint64_t *out_gone)
{
    if (p->named_count == 0 || p->named[0].interval != interval) {
        return false;
    }
    *out = p->named[0];
    *out_gone = p->layer[out->layer].unit[out->unit].birth;
    p->named_count--;
    memmove(p->named, p->named + 1, p->named_count * sizeof(p->named[0]));
    plain_renew(p, out);
    return true;
}

#endif /* TESTS_INTEGRATION_PLAIN_H */
