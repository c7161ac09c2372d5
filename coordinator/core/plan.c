#include "coordinator/core/policies.h"

#include "base/check.h"

#include <string.h>

static bool grant_names(const struct grant *grant, struct unit_id id)
{
    for (uint32_t u = 0; u < grant->units_count; u++) {
        const struct edit_unit *unit = &grant->units[u];

        if (unit_id_equal(unit->id, id)) {
            return true;
        }
    }
    return false;
}

/* True where an edit that takes effect after the reported interval (in the
 * grant between, or in the plan) names the unit. */
static bool is_pending(const struct policy_view *view,
                       const struct plan *plan,
                       struct unit_id id)
{
    if (grant_names(plan->grant, id)) {
        return true;
    }
    return view->between != NULL && grant_names(view->between, id);
}

bool plan_edit(struct plan *plan,
               const struct policy_view *view,
               enum edit_kind kind,
               uint32_t layer,
               enum policy_id policy,
               const struct edit_unit *units,
               uint32_t units_count)
{
    struct grant *grant = plan->grant;
    struct edit edit = {.kind = kind,
                        .layer = layer,
                        .policy = policy,
                        .units_first = grant->units_count,
                        .units_count = units_count};

    CHECK(units_count > 0);
    if (grant->edits_count == GRANT_EDITS_MAX) {
        return false;
    }
    if (units_count > GRANT_UNITS_MAX - grant->units_count) {
        return false;
    }
    memcpy(&grant->units[edit.units_first], units,
           units_count * sizeof(units[0]));
    if (arch_apply(plan->arch, &edit, grant->units, view->applies_step) !=
        STATUS_OK) {
        return false;
    }
    grant->units_count += units_count;
    grant->edits[grant->edits_count++] = edit;
    return true;
}

bool plan_grow(struct plan *plan,
               const struct policy_view *view,
               uint32_t layer,
               enum policy_id policy,
               uint32_t count)
{
    struct edit_unit units[GRANT_UNITS_MAX];
    struct arch_layer grown = plan->arch->layers[layer]; /* counts alone */

    if (count > GRANT_UNITS_MAX) {
        count = GRANT_UNITS_MAX;
    }
    memset(units, 0, count * sizeof(units[0]));
    for (uint32_t u = 0; u < count; u++) {
        uint32_t shard = arch_smallest_shard(&grown);

        grown.shard_units[shard]++;
        units[u].shard = shard;
        units[u].id.line = plan->arch->line;
        units[u].id.birth = plan->arch->next_birth + u;
    }
    return plan_edit(plan, view, EDIT_ADD, layer, policy, units, count);
}

static struct decision *record(struct plan *plan)
{
    uint32_t at = plan->decisions_count;

    if (at == DECISIONS_MAX) {
        at = DECISIONS_MAX - 1; /* the last one is overwritten */
    } else {
        plan->decisions_count++;
    }
    memset(&plan->decisions[at], 0, sizeof(plan->decisions[at]));
    return &plan->decisions[at];
}

struct text plan_record(struct plan *plan,
                        enum policy_id policy,
                        uint32_t layer,
                        enum edit_kind kind,
                        uint32_t units_count)
{
    struct decision *decision = record(plan);
    struct text text;

    decision->policy = policy;
    decision->layer = layer;
    decision->kind = (uint32_t)kind;
    decision->units_count = units_count;
    text_init(&text, decision->reason, sizeof(decision->reason));
    return text;
}

void plan_idle(struct plan *plan,
               struct policy_state *state,
               enum policy_id policy,
               uint32_t layer,
               uint32_t why,
               const char *reason)
{
    uint32_t said = why * LAYERS_MAX + layer + 1;
    struct decision *decision;
    struct text text;

    if (state->silence == said) {
        return;
    }
    state->silence = said;
    decision = record(plan);
    decision->policy = policy;
    decision->layer = layer;
    text_init(&text, decision->reason, sizeof(decision->reason));
    text_add(&text, reason);
}

static bool before(const struct candidate *a, const struct candidate *b)
{
    if (a->utility < b->utility) {
        return true;
    }
    if (a->utility > b->utility) {
        return false;
    }
    return a->id.birth < b->id.birth;
}

bool candidates_next(const struct policy_view *view,
                     uint32_t layer,
                     const struct plan *plan,
                     struct candidate_walk *walk,
                     struct candidate *out)
{
    const struct layer_view *lv = &view->layers[layer];

    for (;;) {
        const struct candidate *best = NULL;
        uint32_t from = 0;

        for (uint32_t s = 0; s < lv->shards_count; s++) {
            const struct report *report = lv->reports[s];

            if (walk->at[s] < report->candidates_count) {
                const struct candidate *c = &report->candidates[walk->at[s]];

                if (best == NULL || before(c, best)) {
                    best = c;
                    from = s;
                }
            }
        }
        if (best == NULL) {
            return false;
        }
        walk->at[from]++;
        if (!is_pending(view, plan, best->id)) {
            *out = *best;
            return true;
        }
    }
}
