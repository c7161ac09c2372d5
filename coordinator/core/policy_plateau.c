/* policy_plateau.c - add units where the loss has stopped falling.
 *
 * Cascade-correlation's trigger (Fahlman and Lebiere 1990: stagnation of the
 * error) with a confidence bound: a line is fitted to the online loss of the
 * last `window` intervals of one task; its fall over the window, relative to
 * the mean loss, is the improvement; growth is due where the upper 95% bound of
 * the improvement lies below `min_gain`. Windows do not span tasks and cover at
 * least 2,000 examples and twice the units of the widest hidden layer: where
 * intervals are short, a window has more of them, up to POLICY_WINDOW_MAX. A
 * layer with more than a tenth of dormant units has idle capacity and is not
 * grown. The layer grown is the one that has grown least, relative to its
 * start. */
#include "coordinator/core/policies.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

enum {
    EXAMPLES_MIN = 2000 /* a window of fewer is noise */
};

/* A layer with more idle units needs renewal, not growth. */
static const double DORMANT_MOST = 0.10;

/* Two-sided 95% quantiles of Student's t for 1 .. 10 degrees of freedom. */
static const double STUDENT[] = {12.706, 4.303, 3.182, 2.776, 2.571,
                                 2.447,  2.365, 2.306, 2.262, 2.228};

static double student(uint32_t freedom)
{
    CHECK(freedom > 0);
    if (freedom <= 10) {
        return STUDENT[freedom - 1];
    }
    return freedom <= 30 ? 2.1 : 1.96;
}

struct trend {
    double gain;  /* relative improvement over the window */
    double upper; /* its upper 95% bound */
};

static struct trend fit(const double *loss, uint32_t count)
{
    double mean_x = (double)(count - 1) / 2.0;
    double mean = 0;
    double sxx = 0;
    double sxy = 0;
    double residual = 0;
    double slope;
    double error;
    double scale;

    for (uint32_t i = 0; i < count; i++) {
        mean += loss[i] / (double)count;
    }
    for (uint32_t i = 0; i < count; i++) {
        double x = (double)i - mean_x;

        sxx += x * x;
        sxy += x * (loss[i] - mean);
    }
    slope = sxy / sxx;
    for (uint32_t i = 0; i < count; i++) {
        double e = loss[i] - mean - slope * ((double)i - mean_x);

        residual += e * e;
    }
    error = sqrt(residual / (double)(count - 2) / sxx);
    scale = (double)(count - 1) / mean;
    return (struct trend){.gain = -slope * scale,
                          .upper =
                              (-slope + student(count - 2) * error) * scale};
}

/* Examples that a window must have: fewer are noise. */
static uint64_t examples_least(const struct policy_view *view)
{
    uint64_t least = EXAMPLES_MIN;

    for (uint32_t l = 0; l < view->hidden_count; l++) {
        uint64_t twice = 2 * (uint64_t)view->arch->layers[l].units_count;

        least = twice > least ? twice : least;
    }
    return least;
}

static uint64_t examples_of(const struct policy_state *state)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < state->window_count; i++) {
        sum += state->window_examples[i];
    }
    return sum;
}

static void drop_oldest(struct policy_state *state)
{
    uint32_t kept = --state->window_count;

    memmove(&state->window[0], &state->window[1],
            kept * sizeof(state->window[0]));
    memmove(&state->window_examples[0], &state->window_examples[1],
            kept * sizeof(state->window_examples[0]));
}

/* The newest intervals that make up a window, and no older ones. */
static void remember(const struct policy_view *view,
                     struct policy_state *state,
                     uint32_t window,
                     uint64_t least)
{
    if (view->task_begins) {
        state->window_count = 0;
    }
    if (view->examples == 0) {
        return;
    }
    if (state->window_count == POLICY_WINDOW_MAX) {
        drop_oldest(state);
    }
    state->window[state->window_count] =
        view->loss_sum / (double)view->examples;
    state->window_examples[state->window_count++] = view->examples;
    while (state->window_count > window &&
           examples_of(state) - state->window_examples[0] >= least) {
        drop_oldest(state);
    }
}

/* The layer that has grown least relative to its start and may grow. */
static uint32_t choose(const struct policy_view *view,
                       const struct policy_spec *spec,
                       const struct plan *plan)
{
    uint32_t best = UINT32_MAX;
    double least = 0;

    for (uint32_t l = 0; l < view->hidden_count; l++) {
        const struct layer_view *lv = &view->layers[l];
        uint32_t units = plan->arch->layers[l].units_count;
        double grown =
            (double)units / (double)view->spec->model.hidden[l].units;

        if (!lv->open || units >= (uint32_t)spec->value[PLATEAU_MAX_UNITS]) {
            continue;
        }
        if ((double)lv->sums.dormant > DORMANT_MOST * (double)lv->sums.live) {
            continue;
        }
        if (best == UINT32_MAX || grown < least) {
            best = l;
            least = grown;
        }
    }
    return best;
}

static void grow(const struct policy_view *view,
                 const struct policy_spec *spec,
                 struct policy_state *state,
                 struct plasticity_state *all,
                 struct trend trend,
                 struct plan *plan)
{
    uint32_t layer = choose(view, spec, plan);
    uint32_t intervals = state->window_count;
    uint32_t units;
    uint32_t count = (uint32_t)spec->value[PLATEAU_ADD];

    if (layer == UINT32_MAX) {
        plan_idle(plan, state, POLICY_PLATEAU, 0, 1,
                  "flat, but no layer may grow: closed, idle or at max_units");
        return;
    }
    units = plan->arch->layers[layer].units_count;
    if (count > (uint32_t)spec->value[PLATEAU_MAX_UNITS] - units) {
        count = (uint32_t)spec->value[PLATEAU_MAX_UNITS] - units;
    }
    if (!plan_grow(plan, view, layer, POLICY_PLATEAU, count)) {
        return;
    }
    all->grows += count;
    state->silence = 0;
    state->since[0] = view->applies + (uint64_t)spec->value[PLATEAU_COOLDOWN];
    state->window_count = 0; /* what follows is another network's loss */

    struct text why = plan_record(plan, POLICY_PLATEAU, layer, EDIT_ADD, count);
    text_add(&why, "improvement ");
    text_real(&why, 100 * trend.gain, 3);
    text_add(&why, "%, at most ");
    text_real(&why, 100 * trend.upper, 3);
    text_add(&why, "% over ");
    text_u64(&why, intervals);
    text_add(&why, " intervals");
}

static void decide(const struct policy_view *view,
                   const struct policy_spec *spec,
                   uint32_t index,
                   struct plasticity_state *all,
                   struct plan *plan)
{
    struct policy_state *state = &all->policies[ROLE_GROW][index];
    uint32_t window = (uint32_t)spec->value[PLATEAU_WINDOW];
    uint64_t least = examples_least(view);
    struct trend trend;

    CHECK(window >= 3);
    CHECK(window <= POLICY_WINDOW_MAX);
    remember(view, state, window, least);
    if (state->window_count < window || examples_of(state) < least) {
        if (state->window_count == POLICY_WINDOW_MAX) {
            plan_idle(plan, state, POLICY_PLATEAU, 0, 4,
                      "intervals are too short: all that are remembered have "
                      "too few examples for a window");
        }
        return;
    }
    if (view->applies < state->since[0]) {
        plan_idle(plan, state, POLICY_PLATEAU, 0, 2, "cooldown");
        return;
    }
    trend = fit(state->window, state->window_count);
    if (!(trend.upper < spec->value[PLATEAU_MIN_GAIN])) {
        plan_idle(plan, state, POLICY_PLATEAU, 0, 3, "the loss still falls");
        return;
    }
    grow(view, spec, state, all, trend, plan);
}

const struct policy_kind policy_plateau = {.id = POLICY_PLATEAU,
                                           .decide = decide};
