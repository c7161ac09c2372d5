#include "worker/model/statistics.h"

#include "base/check.h"
#include "worker/model/optimizer.h"
#include "worker/model/vector.h"
#include <math.h>
#include <string.h>

/* What the rules of the job need to know of it. */
struct rules {
    double decay;             /* eta of the running means, per step */
    double renew_maturity;    /* steps; of `eligible` */
    double shortest_maturity; /* steps; of candidates */
};

VECTOR void statistics_forward(struct shard *shard,
                               uint32_t rows,
                               const float *h)
{
    uint32_t units = shard->units_count;
    double *restrict sum = figure(shard, FIGURE_H);
    double *restrict sum_abs = figure(shard, FIGURE_H_ABS);
    double *restrict sum_square = figure(shard, FIGURE_H_SQUARE);
    double *restrict firings = figure(shard, FIGURE_FIRINGS);

    for (uint32_t r = 0; r < rows; r++, h += units) {
        for (uint32_t u = 0; u < units; u++) {
            double v = (double)h[u];

            sum[u] += v;
            sum_abs[u] += fabs(v);
            sum_square[u] += v * v;
            firings[u] += h[u] > 0.0f ? 1.0 : 0.0;
        }
    }
}

VECTOR void statistics_backward(struct shard *shard,
                                uint32_t rows,
                                const float *h,
                                const float *d)
{
    uint32_t units = shard->units_count;
    double *restrict taylor = figure(shard, FIGURE_TAYLOR);
    double batch = shard->rows;

    for (uint32_t r = 0; r < rows; r++, h += units, d += units) {
        for (uint32_t u = 0; u < units; u++) {
            double v = batch * (double)d[u] * (double)h[u];

            taylor[u] += v * v;
        }
    }
}

void statistics_forget(struct shard *shard, uint32_t unit)
{
    for (int f = 0; f < FIGURES_COUNT; f++) {
        figure(shard, (enum unit_figure)f)[unit] = 0;
    }
}

static struct rules find_rules(const struct job_spec *spec)
{
    const struct role_spec *renew = &spec->roles[ROLE_RENEW];
    const struct role_spec *prune = &spec->roles[ROLE_PRUNE];
    struct rules rules = {.decay = 0.99}; /* the paper's, in all experiments */
    double renewing = INFINITY;
    double pruning = INFINITY;

    for (uint32_t i = 0; i < renew->count; i++) {
        const struct policy_spec *policy = &renew->policies[i];

        if (policy->policy == POLICY_CONTINUAL_BACKPROP) {
            rules.decay = policy->value[CBP_DECAY];
            renewing = fmin(renewing, policy->value[CBP_MATURITY]);
        }
    }
    for (uint32_t i = 0; i < prune->count; i++) {
        const struct policy_spec *policy = &prune->policies[i];

        if (policy->policy == POLICY_CONTRIBUTION) {
            pruning = fmin(pruning, policy->value[CONTRIBUTION_MATURITY]);
        }
    }
    rules.renew_maturity = isfinite(renewing) ? renewing : pruning;
    rules.shortest_maturity = fmin(renewing, pruning);
    if (isinf(rules.shortest_maturity)) {
        rules.renew_maturity = rules.shortest_maturity = 0;
    }
    return rules;
}

/* u <- eta^n u + (1 - eta^n) mean|h| outgoing, and the running mean alike. A
 * lesioned unit's figures rest: it does not act. */
static void move_on(struct shard *shard,
                    const struct rules *rules,
                    uint64_t steps,
                    const double *outgoing)
{
    double old = power(rules->decay, steps);
    double examples = (double)shard->progress.examples;

    if (steps == 0 || shard->progress.examples == 0) {
        return;
    }
    for (uint32_t u = 0; u < shard->units_count; u++) {
        double activity = figure(shard, FIGURE_H_ABS)[u] / examples;
        double mean = figure(shard, FIGURE_H)[u] / examples;
        double pays = outgoing != NULL ? activity * outgoing[u] : 0;
        double *utility = &figure(shard, FIGURE_UTILITY)[u];
        double *running = &figure(shard, FIGURE_MEAN)[u];

        if (shard->units[u].state != UNIT_LIVE) {
            continue;
        }
        *utility = old * *utility + (1 - old) * pays;
        *running = old * *running + (1 - old) * mean;
    }
}

/* The figures of one unit, corrected for its age: a running mean that began
 * at zero has only 1 - eta^age of its weight. */
static struct candidate measure(const struct shard *shard,
                                const struct rules *rules,
                                uint32_t u)
{
    const struct unit *unit = &shard->units[u];
    struct candidate c = {.id = unit->id};
    double weight;

    if (shard->progress.next_step <= unit->born_step) {
        return c;
    }
    c.age = shard->progress.next_step - unit->born_step;
    weight = 1 - power(rules->decay, c.age);
    if (weight > 0) {
        c.utility = figure(shard, FIGURE_UTILITY)[u] / weight;
        c.mean = figure(shard, FIGURE_MEAN)[u] / weight;
    }
    return c;
}

static bool comes_before(const struct candidate *a, const struct candidate *b)
{
    if (a->utility != b->utility) {
        return a->utility < b->utility;
    }
    return a->id.birth < b->id.birth;
}

/* Keeps the list sorted and short. */
static void insert(struct report *out, const struct candidate *c)
{
    uint32_t at = out->candidates_count;

    if (at == REPORT_CANDIDATES_MAX) {
        at--;
        if (!comes_before(c, &out->candidates[at])) {
            return;
        }
    } else {
        out->candidates_count++;
    }
    for (; at > 0 && comes_before(c, &out->candidates[at - 1]); at--) {
        out->candidates[at] = out->candidates[at - 1];
    }
    out->candidates[at] = *c;
}

static void add_unit(const struct shard *shard,
                     const struct rules *rules,
                     uint32_t u,
                     struct report *out)
{
    struct layer_sums *sums = &out->sums;
    double activity = figure(shard, FIGURE_H_ABS)[u];
    struct candidate c = measure(shard, rules, u);

    if (shard->progress.examples > 0) {
        double mean = activity / (double)shard->progress.examples;

        sums->dormant += activity == 0;
        histogram_add(&sums->activity, mean);
    }
    sums->live++;
    sums->h += figure(shard, FIGURE_H)[u];
    sums->h_abs += activity;
    sums->h_square += figure(shard, FIGURE_H_SQUARE)[u];
    sums->firings += figure(shard, FIGURE_FIRINGS)[u];
    sums->taylor += figure(shard, FIGURE_TAYLOR)[u];
    if (shard->last) {
        return; /* a class has no outgoing weights, hence no utility */
    }
    sums->utility += c.utility;
    histogram_add(&sums->utilities, c.utility);
    sums->eligible += (double)c.age > rules->renew_maturity;
    if ((double)c.age > rules->shortest_maturity) {
        insert(out, &c);
    }
}

/* In LANES sums side by side, which the compiler can compute together. */
VECTOR static double row_abs(const float *w, uint32_t n)
{
    enum { LANES = 8 };
    double lanes[LANES] = {0};
    double sum = 0;
    uint32_t k = 0;

    for (; k + LANES <= n; k += LANES) {
        for (uint32_t i = 0; i < LANES; i++) {
            lanes[i] += fabs((double)w[k + i]);
        }
    }
    for (; k < n; k++) {
        sum += fabs((double)w[k]);
    }
    for (uint32_t i = 0; i < LANES; i++) {
        sum += lanes[i];
    }
    return sum;
}

static double weights_abs(const struct shard *shard)
{
    double sum = 0;

    for (uint32_t u = 0; u < shard->units_count; u++) {
        sum += row_abs(slab_row(&shard->weights, TENSOR_WEIGHT, u),
                       shard->inputs_count);
    }
    return sum;
}

/* An overflow anywhere in the interval shows in its sums; the loss is watched
 * at every step, so there the step is exact, elsewhere it is the last. */
static void look_for_overflow(struct shard *shard, const struct layer_sums *s)
{
    double all =
        s->h_abs + s->h_square + s->taylor + s->weight_abs + s->utility;

    if (!isfinite(all) && !shard->progress.not_finite) {
        shard->progress.not_finite = 1;
        shard->progress.not_finite_step =
            shard->progress.next_step > 0 ? shard->progress.next_step - 1 : 0;
    }
}

static void begin_interval(struct shard *shard)
{
    uint64_t next_step = shard->progress.next_step;

    for (int f = FIGURE_H; f <= FIGURE_TAYLOR; f++) {
        memset(figure(shard, (enum unit_figure)f), 0,
               shard->units_count * sizeof(double));
    }
    shard->progress = (struct progress){.next_step = next_step};
    shard->evaluations_count = 0;
}

void shard_report(struct shard *shard,
                  uint64_t steps,
                  const double *outgoing,
                  struct report *out)
{
    struct rules rules = find_rules(&shard->spec);
    uint64_t term = out->term;
    uint64_t interval = out->interval;

    blas_enter();
    *out = (struct report){.term = term,
                           .interval = interval,
                           .layer = shard->layer,
                           .shard = shard->index};
    move_on(shard, &rules, steps, outgoing);
    for (uint32_t u = 0; u < shard->units_count; u++) {
        if (shard->units[u].state == UNIT_LIVE) {
            add_unit(shard, &rules, u, out);
        }
    }
    out->sums.units = shard->units_count;
    out->sums.examples = shard->progress.examples;
    out->sums.weight_abs = weights_abs(shard);
    out->sums.weights = (uint64_t)shard->units_count * shard->inputs_count;
    look_for_overflow(shard, &out->sums);
    out->examples = shard->progress.loss_examples;
    out->correct = shard->progress.correct;
    out->loss_sum = shard->progress.loss_sum;
    out->not_finite = shard->progress.not_finite != 0;
    out->not_finite_step = shard->progress.not_finite_step;
    out->evaluations_count = shard->evaluations_count;
    memcpy(out->evaluations, shard->evaluations,
           shard->evaluations_count * sizeof(*out->evaluations));
    begin_interval(shard);
}

void shard_keep_evaluation(struct shard *shard, const struct evaluation *e)
{
    CHECK(shard->evaluations_count < REPORT_EVALUATIONS_MAX);
    shard->evaluations[shard->evaluations_count++] = *e;
}
