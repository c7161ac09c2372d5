#include "coordinator/core/decide.h"

#include "base/check.h"

#include <string.h>

static void begin_grant(struct deciding *d, bool stop, struct grant *out)
{
    memset(out, 0, sizeof(*out));
    out->line = d->arch->line;
    if (stop) {
        struct cursor end = *d->cursor;

        /* An early end: the closing grant stands where the job is. */
        timeline_next(d->spec, d->shape, &end, out);
        d->cursor->interval++;
        out->steps = 0;
        out->closing = true;
        return;
    }
    timeline_next(d->spec, d->shape, d->cursor, out);
}

/* Held-out evaluation when a task has ended before this grant. */
static void ask_evaluation(const struct job_spec *spec,
                           const struct grant *before,
                           struct grant *out)
{
    bool ended = out->closing || out->task != before->task;
    uint32_t last = out->closing ? out->task : before->task;

    if (!spec->evaluate.at_task_end || !ended) {
        return;
    }
    if (spec->evaluate.on == EVALUATE_CURRENT) {
        out->evaluate_first = last;
        out->evaluate_count = 1;
        return;
    }
    out->evaluate_count = last + 1;
    /* jobcheck refuses a job with more; the shape comes from a worker. */
    if (out->evaluate_count > EVALUATED_TASKS_MAX) {
        out->evaluate_count = EVALUATED_TASKS_MAX;
    }
    out->evaluate_first = last + 1 - out->evaluate_count;
}

void decide_first(struct deciding *d,
                  const struct grant *before,
                  struct grant *out)
{
    begin_grant(d, false, out);
    if (before != NULL) {
        ask_evaluation(d->spec, before, out);
    }
}

static const struct evaluation *find_evaluation(const struct report *output,
                                                enum evaluation_set set)
{
    for (uint32_t e = 0; e < output->evaluations_count; e++) {
        if (output->evaluations[e].set == set) {
            return &output->evaluations[e];
        }
    }
    return NULL;
}

/* True where grant `between` holds a structural edit of layer: the report at
 * hand does not cover it. Renewal is excepted: it keeps the layer's shape. */
static bool is_closed(const struct grant *between, uint32_t layer)
{
    for (uint32_t e = 0; e < between->edits_count; e++) {
        const struct edit *edit = &between->edits[e];

        if (edit->layer == layer && edit->kind != EDIT_RENEW) {
            return true;
        }
    }
    return false;
}

static void look(struct deciding *d,
                 const struct grant *reported,
                 const struct grant *between,
                 const struct interval_reports *reports,
                 const struct grant *out,
                 struct policy_view *view)
{
    uint32_t output = d->arch->layers_count - 1;
    const struct report *loss = reports->layers[output][0];

    *view = (struct policy_view){
        .spec = d->spec,
        .arch = d->arch,
        .interval = reported->interval,
        .steps = reported->steps,
        .task = reported->task,
        .task_begins = reported->position == 0,
        .applies = out->interval,
        .applies_step = out->first_step,
        .examples = loss->examples,
        .correct = loss->correct,
        .loss_sum = loss->loss_sum,
        .guard_before = find_evaluation(loss, EVALUATION_GUARD_BEFORE),
        .guard_after = find_evaluation(loss, EVALUATION_GUARD_AFTER),
        .between = between,
        .hidden_count = output};
    for (uint32_t l = 0; l <= output; l++) {
        struct layer_view *lv = &view->layers[l];

        lv->reports = reports->layers[l];
        lv->shards_count = d->arch->layers[l].shards_count;
        lv->open = !is_closed(between, l);
        report_merge_layer(lv->reports, lv->shards_count, &lv->sums);
    }
}

/* A lesion is measured by the guard's paired evaluation, so prune speaks
 * first: where it lesions, what else would move the output waits. Otherwise
 * the order of remedies: renew, then grow, then prune. */
static void ask_policies(struct deciding *d,
                         const struct policy_view *view,
                         struct plan *plan)
{
    static const enum role order[] = {ROLE_PRUNE, ROLE_RENEW, ROLE_GROW};

    for (uint32_t r = 0; r < ROLES_COUNT; r++) {
        const struct role_spec *role = &d->spec->roles[order[r]];

        for (uint32_t p = 0; p < role->count; p++) {
            const struct policy_kind *kind =
                policy_kind_find(role->policies[p].policy);

            CHECK(kind != NULL);
            kind->decide(view, &role->policies[p], p, d->state, plan);
        }
    }
}

/* Whether a stopping rule has fired. */
static bool ask_stop(struct deciding *d, const struct report *loss)
{
    const struct evaluation *held = find_evaluation(loss, EVALUATION_HELD_OUT);
    bool stop = false;

    if (held != NULL && held->examples > 0) {
        double mean = held->loss_sum / (double)held->examples;

        if (d->state->best_loss < 0 || mean < d->state->best_loss) {
            d->state->best_loss = mean;
            d->state->no_gain = 0;
        } else {
            d->state->no_gain++;
        }
    }
    for (uint32_t r = 0; r < d->spec->stop_rules_count; r++) {
        const struct stop_rule *rule = &d->spec->stop_rules[r];

        if (rule->kind == STOP_LOSS && loss->examples > 0 &&
            loss->loss_sum / (double)loss->examples < rule->value) {
            stop = true;
        }
        if (rule->kind == STOP_NO_GAIN && held != NULL &&
            d->state->no_gain >= (uint32_t)rule->value) {
            stop = true;
        }
    }
    return stop;
}

void decide_next(struct deciding *d,
                 const struct grant *reported,
                 const struct grant *between,
                 const struct interval_reports *reports,
                 struct plan *plan,
                 struct grant *out)
{
    uint32_t output = d->arch->layers_count - 1;
    bool stop = ask_stop(d, reports->layers[output][0]);
    struct policy_view view;

    CHECK(between->interval == reported->interval + 1);
    CHECK(!between->closing);
    begin_grant(d, stop, out);
    plan->grant = out;
    plan->arch = d->arch;
    plan->guarded = false;
    plan->decisions_count = 0;
    look(d, reported, between, reports, out, &view);
    ask_evaluation(d->spec, between, out);
    if (!out->closing) {
        ask_policies(d, &view, plan);
    }
}

static bool crosses(uint64_t every, uint64_t from, uint64_t to)
{
    return every > 0 && from / every != to / every;
}

/* The closing grant stays in the last task, at its end. */
static bool ends_task(const struct grant *grant, const struct grant *before)
{
    return grant->task != before->task ||
           (grant->closing && grant->position == grant->task_examples);
}

uint32_t decide_cause(const struct job_spec *spec,
                      const struct grant *grant,
                      const struct grant *before)
{
    uint32_t found = 0; /* bits (1 << cause) */

    if (before == NULL) {
        return CAUSE_START;
    }
    for (uint32_t e = 0; e < grant->edits_count; e++) {
        switch (grant->edits[e].kind) {
        case EDIT_ADD:
            found |= 1u << CAUSE_GROW;
            break;
        case EDIT_REMOVE:
            found |= 1u << CAUSE_PRUNE;
            break;
        case EDIT_RENEW:
            found |= 1u << CAUSE_RENEW;
            break;
        case EDIT_LESION:
        case EDIT_HEAL:
            break; /* the shape stays */
        }
    }
    if (ends_task(grant, before)) {
        found |= 1u << CAUSE_TASK;
    }
    found &= spec->keep.on;
    if (crosses(spec->keep.every_steps, before->first_step,
                grant->first_step)) {
        found |= 1u << CAUSE_PERIODIC;
    }
    if (grant->closing) {
        found |= 1u << CAUSE_END;
    }
    for (uint32_t cause = CAUSE_START; cause <= CAUSE_END; cause++) {
        if ((found & (1u << cause)) != 0) {
            return cause;
        }
    }
    return 0;
}
