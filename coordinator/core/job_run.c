/* job_run.c - the heart beat of a running job: reports in, grants out. */
#include "coordinator/core/job.h"

#include "base/check.h"
#include "coordinator/core/action.h"
#include "coordinator/core/job_cuts.h"
#include "coordinator/core/job_points.h"
#include "proto/jobcheck.h"

#include <string.h>

static struct grant *grant_of(struct job *job, uint64_t interval)
{
    return &job->grants[interval % GRANTS_MAX];
}

static struct report *report_of(struct job *job,
                                const struct collected *c,
                                uint32_t layer,
                                uint32_t shard)
{
    return &c->reports[layer * job->record.spec.model.shards + shard];
}

bool job_can_decide(const struct job *job)
{
    if (job->phase != PHASE_RUNNING || job->closing_decided ||
        job->overflowed) {
        return false;
    }
    /* Nothing is decided before there is a version: a replay from nothing has
     * no journal to go by. Nor behind a setting that is not yet durable. */
    if (job->record.head == 0 || job->gated[(job->decided - 1) % GRANTS_MAX]) {
        return false;
    }
    /* Grants 0 and 1 of a run are there from its beginning. */
    return job->decided >= 2 && job->reported + 1 >= job->decided &&
           job_cut_room(job);
}

bool job_waits_for_workers(const struct job *job)
{
    if (job->phase != PHASE_RUNNING || job->reported == job->sent) {
        return false;
    }
    if (job->reported + 1 < job->sent ||
        !job->grants[job->reported % GRANTS_MAX].hold) {
        return true;
    }
    /* A boundary that stops the job: once it is cut, or its copies are made,
     * the store is waited for. */
    if (job->making.used && job->making.interval == job->reported) {
        return !job_point_held(job, &job->making, 1);
    }
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        const struct cut *cut = &job->cuts[c];

        if (cut->used && cut->interval == job->reported) {
            return cut->shards_missing > 0;
        }
    }
    return false;
}

/* Settings asked for by people, and journaled ones that a replay repeats. What
 * was decided before is decided the same, so people's wait until the replay is
 * over. */
static void apply_settings(struct job *job,
                           uint64_t interval,
                           struct grant_setting *settings,
                           uint32_t *count)
{
    uint64_t *waiting = job->gate_requests[interval % GRANTS_MAX];

    *count = 0;
    memset(waiting, 0, sizeof(job->gate_requests[0]));
    for (uint32_t i = 0; i < job->inputs_count; i++) {
        if (job->inputs[i].interval == interval &&
            *count < GRANT_SETTINGS_MAX) {
            settings[(*count)++] = job->inputs[i].setting;
        }
    }
    if (interval >= job->journaled) {
        for (uint32_t i = 0; i < job->settings_count; i++) {
            CHECK(job->inputs_count < INPUTS_MAX);
            job->inputs[job->inputs_count++] = (struct input_setting){
                .interval = interval, .setting = job->settings[i]};
            waiting[*count] = job->setting_requests[i];
            settings[(*count)++] = job->settings[i];
        }
        job->settings_count = 0;
    }
    for (uint32_t i = 0; i < *count; i++) {
        /* Checked when it was asked for. */
        enum status status = job_apply_setting(
            &job->record.spec, settings[i].setting, settings[i].value);

        CHECK(status == STATUS_OK);
    }
}

static bool has_waiting(const struct job *job, uint64_t interval)
{
    for (uint32_t i = 0; i < GRANT_SETTINGS_MAX; i++) {
        if (job->gate_requests[interval % GRANTS_MAX][i] != 0) {
            return true;
        }
    }
    return false;
}

static void tell_decisions(const struct job *job,
                           uint32_t slot,
                           struct actions *out)
{
    static const char *const kinds[] = {
        [0] = "decision",       [EDIT_ADD] = "grow",
        [EDIT_RENEW] = "renew", [EDIT_LESION] = "lesion",
        [EDIT_HEAL] = "heal",   [EDIT_REMOVE] = "prune"};

    for (uint32_t i = 0; i < job->plan.decisions_count; i++) {
        const struct decision *d = &job->plan.decisions[i];
        struct text text = action_event(out, slot, kinds[d->kind], 0);
        const struct policy_entry *entry = policy_find(d->policy);
        char name[NAME_BYTES_MAX];

        arch_layer_name(&job->arch, d->layer, name);
        text_add(&text, name);
        if (d->units_count > 0) {
            text_add(&text, d->kind == EDIT_ADD ? " +" : " ");
            text_u64(&text, d->units_count);
        }
        text_add(&text, " (");
        text_add(&text, entry != NULL ? entry->name : "by hand");
        text_add(&text, "): ");
        text_add(&text, d->reason);
    }
}

static void remember_decisions(struct job *job)
{
    struct job_record *record = &job->record;

    for (uint32_t i = 0; i < job->plan.decisions_count; i++) {
        if (job->plan.decisions[i].kind != 0) {
            record->decisions++;
            memcpy(record->last_decision, job->plan.decisions[i].reason,
                   sizeof(record->last_decision));
        }
    }
}

/* Of all reports of an interval, by layer, then shard. */
static uint64_t hash_reports(struct job *job, uint64_t interval)
{
    const struct collected *c = &job->collected[interval % GRANTS_MAX];
    uint64_t hash = 0;

    CHECK(c->interval == interval);
    for (uint32_t r = 0; r < job_shards_total(job); r++) {
        hash = report_hash_join(hash, report_hash(&c->reports[r]));
    }
    return hash;
}

static void journal(struct job *job,
                    uint32_t slot,
                    struct grant *grant,
                    struct actions *out)
{
    bool gated = has_waiting(job, grant->interval);
    struct action *action;
    bool again;

    job->gated[grant->interval % GRANTS_MAX] = gated;
    /* Decided again by a replay: the bits must be the same. */
    again = grant->interval < job->journaled;
    action =
        action_add(out, again ? ACTION_CHECK_JOURNAL : ACTION_STORE_JOURNAL);
    action->slot = slot;
    action->journal.grant = grant;
    action->journal.reports_hash = hash_reports(job, grant->interval - 2);
    action->journal.decisions = job->plan.decisions;
    action->journal.decisions_count = job->plan.decisions_count;
    if (again) {
        return;
    }
    job->journaled = grant->interval + 1;
    remember_decisions(job);
    /* The coordinator gives a token where somebody waits for it. */
    action->token = gated ? grant->interval + 1 : 0;
    tell_decisions(job, slot, out);
}

/* A point that is in the making already comes first. A boundary that stops the
 * job for a person is theirs. */
static bool may_move(const struct job *job, const struct grant *grant)
{
    return job->move_wanted && !grant->closing && !grant->hold &&
           !job->making.used;
}

static void decide(struct job *job, uint32_t slot, struct actions *out)
{
    uint64_t interval = job->decided;
    struct collected *c = &job->collected[(interval - 2) % GRANTS_MAX];
    struct interval_reports reports;
    const struct report *pointers[LAYERS_MAX * SHARDS_MAX];
    struct deciding d = job_deciding(job);
    struct grant *grant = grant_of(job, interval);
    struct grant_setting settings[GRANT_SETTINGS_MAX];
    uint32_t settings_count;
    uint32_t at = 0;
    uint32_t cause;
    bool keeps;

    CHECK(c->interval == interval - 2);
    CHECK(c->missing == 0);
    for (uint32_t l = 0; l < job->arch.layers_count; l++) {
        reports.layers[l] = &pointers[at];
        for (uint32_t s = 0; s < job->arch.layers[l].shards_count; s++) {
            pointers[at++] = report_of(job, c, l, s);
        }
    }
    apply_settings(job, interval, settings, &settings_count);
    decide_next(&d, grant_of(job, interval - 2), grant_of(job, interval - 1),
                &reports, &job->plan, grant);
    grant->settings_count = settings_count;
    memcpy(grant->settings, settings, sizeof(grant->settings));
    job_complete_cut(job, grant);
    cause = decide_cause(&job->record.spec, grant, grant_of(job, interval - 1));
    if (job->want != WANT_NONE && !grant->closing) {
        grant->hold = true;
        cause = cause != 0 && cause < CAUSE_MANUAL ? cause : CAUSE_MANUAL;
    }
    if (cause != 0) {
        job_open_cut(job, grant, cause);
    }
    /* First, since it gives up a point that does not come and would stop every
     * move. */
    keeps = !grant->closing && !grant->hold && job_point_wanted(job);
    if (may_move(job, grant)) {
        grant->hold = true;
        job->moving = true;
        job->move_interval = grant->interval;
        job->moved_from = job->placed;
        job_open_point(job, grant);
    } else if (keeps) {
        job_open_point(job, grant);
    }
    job->decided++;
    job->closing_decided = grant->closing;
    job_expect_reports(job, interval);
    journal(job, slot, grant, out);
}

static void send_grants(struct job *job,
                        const struct members *members,
                        struct actions *out)
{
    while (job->sent < job->decided && !job->overflowed) {
        struct grant *grant = grant_of(job, job->sent);

        if (job->gated[job->sent % GRANTS_MAX]) {
            return;
        }
        if (job->sent > job->first && grant_of(job, job->sent - 1)->hold) {
            return; /* nothing is run beyond a boundary that stops the job */
        }
        grant->term = job->term;
        grant->kept = job->point.used ? job->point.interval + 1 : 0;
        for (uint32_t i = 0; i < job->peers_count; i++) {
            struct action *action = action_add(out, ACTION_SEND);

            action->send.peer = members->items[job->peers[i].worker].peer;
            action->send.message.kind = WIRE_GRANT;
            action->send.message.grant.job = job->record.job;
            action->send.message.grant.grant = grant;
        }
        job->sent++;
    }
}

void job_advance(struct job *job,
                 uint32_t slot,
                 const struct members *members,
                 struct actions *out)
{
    uint32_t ready;

    if (job->phase != PHASE_RUNNING) {
        return;
    }
    if (job_can_decide(job)) {
        decide(job, slot, out);
    }
    send_grants(job, members, out);
    ready = job_cut_ready(job);
    if (ready != CUTS_MAX) {
        struct action *action = action_add(out, ACTION_COMMIT);

        job->cuts[ready].committing = true;
        action->slot = slot;
        action->commit.cut = ready;
        action->commit.version = job->cuts[ready].version;
    }
    if (job_point_ready(job)) {
        struct action *action = action_add(out, ACTION_STORE_POINT);

        job->making.storing = true;
        action->slot = slot;
        action->point.interval = job->making.interval;
    }
}

void job_take_stored_grant(struct job *job,
                           uint32_t slot,
                           uint64_t interval,
                           struct actions *out)
{
    uint64_t *waiting = job->gate_requests[interval % GRANTS_MAX];
    const struct grant *grant = grant_of(job, interval);
    char key[JOB_PATH_BYTES_MAX];

    if (grant->interval != interval || !job->gated[interval % GRANTS_MAX]) {
        return; /* the job has been rolled back meanwhile */
    }
    job->gated[interval % GRANTS_MAX] = false;
    for (uint32_t i = 0; i < GRANT_SETTINGS_MAX; i++) {
        char line[DETAIL_BYTES_MAX];
        struct text text;

        if (waiting[i] == 0) {
            continue;
        }
        text_init(&text, line, sizeof(line));
        text_add(&text, "takes effect at step ");
        text_u64(&text, grant->first_step);
        action_reply(out, waiting[i], STATUS_OK, job->record.job, line);
        waiting[i] = 0;
        struct text event = action_event(out, slot, "set", 0);
        job_setting_path(&job->record.spec, grant->settings[i].setting, key);
        text_add(&event, key);
        text_add(&event, "=");
        text_real(&event, grant->settings[i].value, 6);
        text_add(&event, " ");
        text_add(&event, line);
    }
}

enum status job_take_report(struct job *job,
                            const struct report *report,
                            bool *out_whole)
{
    struct collected *c = &job->collected[report->interval % GRANTS_MAX];
    uint64_t bit;

    *out_whole = false;
    if (report->term != job->term || report->interval < job->reported ||
        report->interval >= job->sent) {
        return STATUS_STALE;
    }
    if (report->layer >= job->arch.layers_count ||
        report->shard >= job->arch.layers[report->layer].shards_count) {
        return STATUS_INVALID;
    }
    bit = 1ull << report->shard;
    CHECK(c->interval == report->interval);
    if ((c->seen[report->layer] & bit) != 0) {
        return STATUS_STALE;
    }
    c->seen[report->layer] |= bit;
    report_copy(report_of(job, c, report->layer, report->shard), report);
    CHECK(c->missing > 0);
    c->missing--;
    *out_whole = c->missing == 0 && report->interval == job->reported;
    return STATUS_OK;
}

/* The shard where a number stopped being finite first: earliest step, then
 * the layer nearest the input. */
static const struct report *find_overflow(struct job *job,
                                          const struct collected *c)
{
    const struct report *found = NULL;

    for (uint32_t l = 0; l < job->arch.layers_count; l++) {
        for (uint32_t s = 0; s < job->arch.layers[l].shards_count; s++) {
            const struct report *r = report_of(job, c, l, s);

            if (r->not_finite &&
                (found == NULL ||
                 r->not_finite_step < found->not_finite_step)) {
                found = r;
            }
        }
    }
    return found;
}

static void count_examples(struct job *job,
                           const struct report *loss,
                           const struct grant *grant,
                           uint64_t now_ms)
{
    struct job_record *record = &job->record;

    if (grant->steps > 0) {
        record->examples += loss->examples;
        record->run_ms += now_ms - job->mark_ms;
        record->loss = loss->loss_sum / (double)loss->examples;
        record->accuracy = (double)loss->correct / (double)loss->examples;
    }
    job->mark_ms = now_ms;
    record->interval = grant->interval;
    record->step = grant->first_step + grant->steps;
    record->task = grant->task;
}

bool job_close_interval(struct job *job,
                        uint32_t slot,
                        uint64_t now_ms,
                        struct actions *out,
                        char *why,
                        size_t why_size)
{
    struct collected *c = &job->collected[job->reported % GRANTS_MAX];
    const struct grant *grant = grant_of(job, job->reported);
    uint32_t output = job->arch.layers_count - 1;
    const struct report *loss = report_of(job, c, output, 0);
    const struct report *overflow = find_overflow(job, c);
    struct action *action;

    if (overflow != NULL) {
        struct text text;
        char name[NAME_BYTES_MAX];

        arch_layer_name(&job->arch, overflow->layer, name);
        text_init(&text, why, why_size);
        text_add(&text, "a number in ");
        text_add(&text, name);
        text_add(&text, " stopped being finite at step ");
        text_u64(&text, overflow->not_finite_step);
        return false;
    }
    count_examples(job, loss, grant, now_ms);
    action = action_add(out, ACTION_STORE_STAT);
    action->slot = slot;
    action->stat =
        (struct interval_stat){.line = job->record.line,
                               .interval = grant->interval,
                               .step = job->record.step,
                               .task = grant->task,
                               .examples = loss->examples,
                               .correct = loss->correct,
                               .loss_sum = loss->loss_sum,
                               .evaluations_count = loss->evaluations_count,
                               .evaluations = loss->evaluations};
    for (uint32_t l = 0; l < output; l++) {
        for (uint32_t s = 0; s < job->arch.layers[l].shards_count; s++) {
            const struct layer_sums *sums = &report_of(job, c, l, s)->sums;

            action->stat.live += sums->live;
            action->stat.dormant += sums->dormant;
        }
    }
    job->reported++;
    return true;
}

bool job_is_done(const struct job *job)
{
    return job->closing_decided && job->reported == job->decided &&
           job_cuts_empty(job);
}

/* A worker's counters begin anew with its process. */
static uint64_t since(uint64_t now, uint64_t base)
{
    return now >= base ? now - base : now;
}

void job_update_record(struct job *job, const struct members *members)
{
    struct job_record *r = &job->record;

    r->state = job_visible_state(job);
    if (job->phase != PHASE_RUNNING && job->phase != PHASE_PLACING) {
        return;
    }
    r->grows = job->state.grows;
    r->renews = job->state.renews;
    r->prunes = job->state.prunes;
    r->parameters = arch_parameters(&job->arch);
    r->layers_count = job->arch.layers_count;
    for (uint32_t l = 0; l < job->arch.layers_count; l++) {
        r->widths[l] = job->arch.layers[l].units_count;
    }
    r->shares_count = job->peers_count;
    for (uint32_t i = 0; i < job->peers_count; i++) {
        uint32_t w = job->peers[i].worker;
        const struct member *m = &members->items[w];

        r->shares[i].worker = w;
        r->shares[i].shards = 0;
        for (uint32_t o = 0; o < job->owners_count; o++) {
            r->shares[i].shards += job->owners[o] == w;
        }
        r->shares[i].shard_steps = since(m->shard_steps, job->base_steps[i]);
        r->shares[i].bytes_sent = since(m->bytes_sent, job->base_bytes[i]);
    }
}
