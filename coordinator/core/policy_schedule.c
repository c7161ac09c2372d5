/* policy_schedule.c - add units to every hidden layer at fixed intervals.
 *
 * The plainest trigger, as in GradMax's experiments (Evci et al., ICLR 2022:
 * growth at fixed steps). It does not look at idle units. */
#include "coordinator/core/policies.h"

static void grow_layer(const struct policy_view *view,
                       const struct policy_spec *spec,
                       struct policy_state *state,
                       struct plasticity_state *all,
                       uint32_t layer,
                       struct plan *plan)
{
    uint32_t units = plan->arch->layers[layer].units_count;
    uint32_t most = (uint32_t)spec->value[SCHEDULE_MAX_UNITS];
    uint32_t count = (uint32_t)spec->value[SCHEDULE_ADD];

    if (units >= most) {
        plan_idle(plan, state, POLICY_SCHEDULE, layer, 1, "max_units reached");
        return;
    }
    if (!view->layers[layer].open) {
        plan_idle(plan, state, POLICY_SCHEDULE, layer, 2,
                  "an edit of the layer is not yet reported");
        return;
    }
    if (count > most - units) {
        count = most - units;
    }
    if (!plan_grow(plan, view, layer, POLICY_SCHEDULE, count)) {
        plan_idle(plan, state, POLICY_SCHEDULE, layer, 3,
                  "no room in this grant");
        return;
    }
    state->silence = 0;
    all->grows += count;

    struct text why =
        plan_record(plan, POLICY_SCHEDULE, layer, EDIT_ADD, count);
    text_add(&why, "every ");
    text_u64(&why, (uint64_t)spec->value[SCHEDULE_EVERY]);
    text_add(&why, " intervals; ");
    text_u64(&why, units);
    text_add(&why, " units before");
}

static void decide(const struct policy_view *view,
                   const struct policy_spec *spec,
                   uint32_t index,
                   struct plasticity_state *all,
                   struct plan *plan)
{
    uint64_t every = (uint64_t)spec->value[SCHEDULE_EVERY];

    if (view->applies % every != 0) {
        return;
    }
    for (uint32_t layer = 0; layer < view->hidden_count; layer++) {
        grow_layer(view, spec, &all->policies[ROLE_GROW][index], all, layer,
                   plan);
    }
}

const struct policy_kind policy_schedule = {.id = POLICY_SCHEDULE,
                                            .decide = decide};
