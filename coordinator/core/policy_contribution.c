/* policy_contribution.c - remove units whose contribution is far below their
 * layer's mean; lesion first, remove after probation.
 *
 * Score: the contribution utility of Dohare et al. (Nature 2024, eq. 1),
 * mean |h| * sum |w_out|, as the workers report it. A unit is named where its
 * score is below `below` times the layer's mean. It is lesioned first: it
 * outputs its mean from then on, and the guard loss on the same held-out
 * examples is measured right before and after. More damage than the job's
 * tolerance: the lesion is taken back by a further edit and the layer's
 * cooldown doubles (up to 16 times). Otherwise the units are removed when the
 * probation is over. At most a tenth of a layer is on probation at once, and
 * one layer per grant is lesioned, so that the damage has one cause. */
#include "coordinator/core/policies.h"

#include <string.h>

enum { COOLDOWN_FACTOR_MAX = 16 };

/* Of a layer's live units at once: a lesion must stay small to be judged. */
static const double LAYER_SHARE_MOST = 0.10;

static uint64_t cooldown(const struct policy_spec *spec,
                         const struct policy_state *state,
                         uint32_t layer)
{
    uint32_t factor = state->factor[layer] > 0 ? state->factor[layer] : 1;

    return (uint64_t)spec->value[CONTRIBUTION_COOLDOWN] * factor;
}

static void measure(const struct policy_view *view, struct probation *p)
{
    if (view->interval != p->interval || view->guard_before == NULL ||
        view->guard_after == NULL) {
        return;
    }
    double before = view->guard_before->loss_sum;

    p->measured = true;
    p->damage = before > 0 ? (view->guard_after->loss_sum - before) / before
                           : view->guard_after->loss_sum;
}

static void heal(const struct policy_view *view,
                 const struct policy_spec *spec,
                 struct policy_state *state,
                 struct probation *p,
                 struct plan *plan)
{
    uint32_t l = p->layer;

    if (!plan_edit(plan, view, EDIT_HEAL, l, POLICY_CONTRIBUTION, p->units,
                   p->units_count)) {
        return;
    }
    state->factor[l] = state->factor[l] == 0 ? 2 : state->factor[l] * 2;
    if (state->factor[l] > COOLDOWN_FACTOR_MAX) {
        state->factor[l] = COOLDOWN_FACTOR_MAX;
    }
    state->since[l] = view->applies + cooldown(spec, state, l);

    struct text why =
        plan_record(plan, POLICY_CONTRIBUTION, l, EDIT_HEAL, p->units_count);
    text_add(&why, "guard loss rose ");
    text_real(&why, 100 * p->damage, 3);
    text_add(&why, "%, tolerance ");
    text_real(&why, 100 * view->spec->guard_tolerance, 3);
    text_add(&why, "%; cooldown x");
    text_u64(&why, state->factor[l]);
    memset(p, 0, sizeof(*p));
}

static void take_out(const struct policy_view *view,
                     const struct policy_spec *spec,
                     struct policy_state *state,
                     struct plasticity_state *all,
                     struct probation *p,
                     struct plan *plan)
{
    uint32_t l = p->layer;

    if (!plan_edit(plan, view, EDIT_REMOVE, l, POLICY_CONTRIBUTION, p->units,
                   p->units_count)) {
        return;
    }
    all->prunes += p->units_count;
    state->factor[l] = 1;
    state->since[l] = view->applies + cooldown(spec, state, l);

    struct text why =
        plan_record(plan, POLICY_CONTRIBUTION, l, EDIT_REMOVE, p->units_count);
    text_add(&why, "probation over, lesion changed the guard loss by ");
    text_real(&why, 100 * p->damage, 3);
    text_add(&why, "%");
    memset(p, 0, sizeof(*p));
}

/* The verdict on what this policy lesioned in a layer. */
static void judge(const struct policy_view *view,
                  const struct policy_spec *spec,
                  struct policy_state *state,
                  struct plasticity_state *all,
                  uint32_t layer,
                  struct plan *plan)
{
    struct probation *p = &all->probations[layer];

    measure(view, p);
    if (!p->measured || !view->layers[layer].open) {
        return;
    }
    /* Written so that a damage that is not a number heals. */
    if (!(p->damage <= view->spec->guard_tolerance)) {
        heal(view, spec, state, p, plan);
        return;
    }
    if (view->interval >=
        p->interval + (uint64_t)spec->value[CONTRIBUTION_PROBATION]) {
        take_out(view, spec, state, all, p, plan);
    }
}

static uint32_t name_units(const struct policy_view *view,
                           const struct policy_spec *spec,
                           const struct plan *plan,
                           uint32_t layer,
                           struct edit_unit *units)
{
    const struct layer_sums *sums = &view->layers[layer].sums;
    uint32_t live = arch_live_units(&plan->arch->layers[layer]);
    uint32_t floor_units = (uint32_t)spec->value[CONTRIBUTION_MIN_UNITS];
    uint32_t most = (uint32_t)((double)live * LAYER_SHARE_MOST);
    double threshold = spec->value[CONTRIBUTION_BELOW] * sums->utility /
                       (double)(sums->live > 0 ? sums->live : 1);
    struct candidate_walk walk = {{0}};
    struct candidate c;
    uint32_t count = 0;

    if (most < 1) {
        most = 1;
    }
    if (most > PROBATION_UNITS_MAX) {
        most = PROBATION_UNITS_MAX;
    }
    while (count < most && live - count > floor_units &&
           candidates_next(view, layer, plan, &walk, &c) &&
           c.utility < threshold) {
        if ((double)c.age < spec->value[CONTRIBUTION_MATURITY]) {
            continue;
        }
        units[count++] = (struct edit_unit){.id = c.id, .mean = (float)c.mean};
    }
    return count;
}

static bool lesion(const struct policy_view *view,
                   const struct policy_spec *spec,
                   uint32_t index,
                   struct plasticity_state *all,
                   uint32_t layer,
                   struct plan *plan)
{
    struct probation *p = &all->probations[layer];
    struct edit_unit units[PROBATION_UNITS_MAX];
    uint32_t count = name_units(view, spec, plan, layer, units);

    if (count == 0) {
        return false;
    }
    if (!plan_edit(plan, view, EDIT_LESION, layer, POLICY_CONTRIBUTION, units,
                   count)) {
        return false;
    }
    plan->guarded = true;
    plan->grant->guard = true;
    *p = (struct probation){.used = true,
                            .layer = layer,
                            .policy = index,
                            .interval = view->applies,
                            .units_count = count};
    memcpy(p->units, units, count * sizeof(units[0]));

    const struct layer_sums *sums = &view->layers[layer].sums;
    struct text why =
        plan_record(plan, POLICY_CONTRIBUTION, layer, EDIT_LESION, count);
    text_add(&why, "utility below ");
    text_real(&why, 100 * spec->value[CONTRIBUTION_BELOW], 3);
    text_add(&why, "% of the layer's mean ");
    text_real(&why, sums->utility / (double)sums->live, 4);
    return true;
}

static void decide(const struct policy_view *view,
                   const struct policy_spec *spec,
                   uint32_t index,
                   struct plasticity_state *all,
                   struct plan *plan)
{
    struct policy_state *state = &all->policies[ROLE_PRUNE][index];

    for (uint32_t l = 0; l < view->hidden_count; l++) {
        if (all->probations[l].used && all->probations[l].policy == index) {
            judge(view, spec, state, all, l, plan);
        }
    }
    /* One layer a grant; the next layer has the first turn next time. */
    for (uint32_t i = 0; i < view->hidden_count && !plan->guarded; i++) {
        uint32_t l = (state->cursor + i) % view->hidden_count;

        if (all->probations[l].used || !view->layers[l].open ||
            view->applies < state->since[l]) {
            continue;
        }
        if (lesion(view, spec, index, all, l, plan)) {
            state->cursor = (l + 1) % view->hidden_count;
        }
    }
}

const struct policy_kind policy_contribution = {.id = POLICY_CONTRIBUTION,
                                                .decide = decide};
