/* policy_continual_backprop.c - renew the units of least utility, at a rate.
 *
 * Dohare et al., "Loss of plasticity in deep continual learning", Nature 632
 * (2024), Algorithm 1, at interval granularity: an interval of n steps earns
 * rate * eligible * n renewals; what is left over is carried to the next one.
 * Eligible units are older than `maturity` steps; the workers' reports count
 * them and rank them by utility corrected for age. A renewed unit starts with
 * fresh incoming and zero outgoing weights; its mean activation times its old
 * outgoing weights goes into the next layer's bias. */
#include "coordinator/core/policies.h"

static void renew_layer(const struct policy_view *view,
                        const struct policy_spec *spec,
                        struct policy_state *state,
                        struct plasticity_state *all,
                        uint32_t layer,
                        struct plan *plan)
{
    const struct layer_sums *sums = &view->layers[layer].sums;
    struct edit_unit units[GRANT_UNITS_MAX];
    struct candidate_walk walk = {{0}};
    struct candidate candidate;
    double greatest = 0;
    uint32_t count = 0;
    uint32_t room = GRANT_UNITS_MAX - plan->grant->units_count;

    state->credit[layer] +=
        spec->value[CBP_RATE] * (double)sums->eligible * (double)view->steps;
    if (plan->guarded) {
        return; /* the credit is kept for the next grant */
    }
    while (state->credit[layer] > 1.0 && count < room &&
           candidates_next(view, layer, plan, &walk, &candidate)) {
        if ((double)candidate.age <= spec->value[CBP_MATURITY]) {
            continue; /* listed for another policy's sake */
        }
        units[count] = (struct edit_unit){
            .id = candidate.id,
            .renewed = {plan->arch->line, plan->arch->next_birth + count},
            .mean = (float)candidate.mean};
        greatest = candidate.utility;
        state->credit[layer] -= 1.0;
        count++;
    }
    if (count == 0) {
        return;
    }
    if (!plan_edit(plan, view, EDIT_RENEW, layer, POLICY_CONTINUAL_BACKPROP,
                   units, count)) {
        state->credit[layer] += (double)count;
        return;
    }
    all->renews += count;

    struct text why =
        plan_record(plan, POLICY_CONTINUAL_BACKPROP, layer, EDIT_RENEW, count);
    text_u64(&why, count);
    text_add(&why, " of ");
    text_u64(&why, sums->eligible);
    text_add(&why, " mature units, utility at most ");
    text_real(&why, greatest, 4);
    text_add(&why, ", layer mean ");
    text_real(&why, sums->utility / (sums->live > 0 ? sums->live : 1), 4);
}

static void decide(const struct policy_view *view,
                   const struct policy_spec *spec,
                   uint32_t index,
                   struct plasticity_state *all,
                   struct plan *plan)
{
    for (uint32_t layer = 0; layer < view->hidden_count; layer++) {
        renew_layer(view, spec, &all->policies[ROLE_RENEW][index], all, layer,
                    plan);
    }
}

const struct policy_kind policy_continual_backprop = {
    .id = POLICY_CONTINUAL_BACKPROP, .decide = decide};
