/* coord_asks.c - what clients ask for. */
#include "coordinator/core/coord_inside.h"

#include "base/check.h"

#include <string.h>

/* The slot of the request's job: held, or brought in from its record. */
static uint32_t slot_of(struct coord *c,
                        const struct request *request,
                        struct actions *out)
{
    uint32_t slot = coord_find(c, request->job);

    if (slot != JOBS_MAX) {
        return slot;
    }
    if (request->record == NULL) {
        action_reply(out, request->id, STATUS_NOT_FOUND, request->job,
                     "there is no such job");
        return JOBS_MAX;
    }
    slot = slot_new(c, out);
    if (slot == JOBS_MAX) {
        action_reply(out, request->id, STATUS_BUSY, request->job,
                     "this coordinator has its most jobs: wait for one to end");
        return JOBS_MAX;
    }

    struct job *job = &c->jobs[slot];

    job->record = *request->record;
    job->next_version = job->record.last_version + 1;
    job_move(job,
             job->record.state >= JOB_FINISHED ? PHASE_ENDED : PHASE_PAUSED);
    return slot;
}

static void refuse_state(const struct job *job,
                         const struct request *request,
                         const char *what,
                         struct actions *out)
{
    char line[DETAIL_BYTES_MAX];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_add(&text, "j");
    text_u64(&text, job->record.job);
    text_add(&text, " is ");
    text_add(&text, job_state_name(job_visible_state(job)));
    text_add(&text, ": ");
    text_add(&text, what);
    action_reply(out, request->id, STATUS_CONFLICT, job->record.job, line);
}

/* What the request says of workers rules, else what the spec says. */
static void take_numbers(struct job_record *record,
                         const struct request *request)
{
    const struct run_spec *run = &request->spec->run;

    if (request->workers == 0) {
        record->workers_wanted = run->workers;
        record->workers_min = run->workers_min;
        return;
    }
    record->workers_wanted = request->workers;
    record->workers_min = request->workers_min;
}

static void ask_launch(struct coord *c,
                       const struct request *request,
                       struct actions *out)
{
    uint32_t slot;
    struct job *job;
    struct action *action;

    if (c->quitting) {
        action_reply(out, request->id, STATUS_UNAVAILABLE, 0,
                     "this coordinator is shutting down");
        return;
    }
    slot = slot_new(c, out);
    if (slot == JOBS_MAX) {
        action_reply(out, request->id, STATUS_BUSY, 0,
                     "this coordinator has its most jobs: wait for one to end");
        return;
    }
    job = &c->jobs[slot];
    job->record.job = ++c->last_job;
    job->record.spec = *request->spec;
    take_numbers(&job->record, request);
    job->record.created_ms = c->now_ms + c->wall_offset_ms;
    job->record.lines_count = 1;
    job->next_version = 1;
    job->resume_wanted = true;
    job_move(job, PHASE_STORING);
    job->record.state = JOB_QUEUED;
    action = action_add(out, ACTION_STORE_JOB);
    action->slot = slot;
    action->token = token_new(c, TOKEN_LAUNCH, slot, 0, request->id);
}

static bool is_active(const struct job *job)
{
    return job->phase == PHASE_LOADING || job->phase == PHASE_WAITING ||
           job->phase == PHASE_OPENING || job->phase == PHASE_PLACING ||
           job->phase == PHASE_RUNNING;
}

/* What is on its way to the disk must be answered first. */
static bool refuse_busy(struct coord *c,
                        uint32_t slot,
                        const struct request *request,
                        struct actions *out)
{
    const struct job *job = &c->jobs[slot];

    if (job->phase == PHASE_PAUSED && commit_is_on_its_way(c, slot)) {
        refuse_state(job, request,
                     "a version is just being stored, try again in a moment",
                     out);
        return true;
    }
    if (slot_is_full(c, slot)) {
        action_reply(out, request->id, STATUS_BUSY, job->record.job,
                     "the store is behind: try again in a moment");
        return true;
    }
    return false;
}

/* pause, cancel, restore of a running job: at the next boundary that can be
 * cut. In the other active phases nothing runs, so it is done at once. */
static void ask_stop(struct coord *c,
                     const struct request *request,
                     enum job_want want,
                     struct actions *out)
{
    uint32_t slot = slot_of(c, request, out);
    struct job *job = &c->jobs[slot];

    if (slot == JOBS_MAX) {
        return;
    }
    if (job->want != WANT_NONE && job->want != WANT_PARK) {
        refuse_state(job, request, "it is being stopped already", out);
        return;
    }
    if (refuse_busy(c, slot, request, out)) {
        return;
    }
    if (want == WANT_RESTORE && job->record.lines_count == LINES_MAX) {
        action_reply(out, request->id, STATUS_BUSY, job->record.job,
                     "the job has its most lines: fork it instead");
        return;
    }
    if (want == WANT_RESTORE &&
        (job->phase == PHASE_PAUSED || job->phase == PHASE_ENDED)) {
        job->resume_wanted = false;
        begin_restore(c, slot, request->version, request->id, out);
        return;
    }
    if (want == WANT_CANCEL && job->phase == PHASE_PAUSED) {
        end_job(c, slot, JOB_CANCELLED, "cancelled by request", request->id,
                out);
        return;
    }
    if (!is_active(job)) {
        refuse_state(job, request, "there is nothing to stop", out);
        return;
    }
    job->want = want;
    job->want_request = request->id;
    job->want_version = request->version;
    if (job->phase == PHASE_RUNNING) {
        run_on(c, slot, out);
    } else if (job->phase != PHASE_LOADING && !job->moving) {
        carry_out_want(c, slot, out);
    } /* One that moves runs again in a moment, and stops at a version. */
}

/* Who resumes a job means the cluster that is there: it may be a smaller one
 * than at the launch, or a larger, and the bits are the same. */
static void take_who_is_idle(struct coord *c, struct job *job)
{
    uint32_t idle = members_census(&c->members)->idle;
    uint32_t shards = job_shards_total(job);
    struct job_record *record = &job->record;

    if (idle == 0) {
        return;
    }
    if (job_workers_least(job) == record->workers_wanted) {
        record->workers_wanted = idle < shards ? idle : shards;
        record->workers_min = record->workers_wanted;
    } else if (idle < record->workers_min) {
        record->workers_min = idle; /* a range goes on as one */
    }
}

static void ask_resume(struct coord *c,
                       const struct request *request,
                       struct actions *out)
{
    uint32_t slot = slot_of(c, request, out);
    struct job *job = &c->jobs[slot];

    if (slot == JOBS_MAX) {
        return;
    }
    if (job->phase != PHASE_PAUSED) {
        refuse_state(job, request, "only a paused job can be resumed", out);
        return;
    }
    if (refuse_busy(c, slot, request, out)) {
        return;
    }
    set_reason(job, "");
    job->faults = 0;
    take_who_is_idle(c, job);
    load_back(c, slot, true, out);
    /* Answered when the store says so too: else a crash would undo it. */
    store_state(c, slot, request->id, out);
}

static void ask_set(struct coord *c,
                    const struct request *request,
                    struct actions *out)
{
    uint32_t slot = slot_of(c, request, out);
    struct job *job = &c->jobs[slot];
    struct job_spec scratch;

    if (slot == JOBS_MAX) {
        return;
    }
    /* One that moves takes it with it, to the first boundary behind the move.
     */
    if ((job->phase != PHASE_RUNNING && !job->moving) || job->closing_decided) {
        refuse_state(job, request, "only a running job can be set", out);
        return;
    }
    scratch = job->record.spec;
    if (job_apply_setting(&scratch, request->setting, request->value) !=
        STATUS_OK) {
        action_reply(out, request->id, STATUS_INVALID, job->record.job,
                     "the value is out of range");
        return;
    }
    if (job->settings_count == GRANT_SETTINGS_MAX) {
        action_reply(out, request->id, STATUS_BUSY, job->record.job,
                     "too many settings at once: try again in a moment");
        return;
    }
    if (job->inputs_count + job->settings_count >= INPUTS_MAX) {
        action_reply(out, request->id, STATUS_BUSY, job->record.job,
                     "too many settings since the last version: pause and "
                     "resume the job, which keeps one");
        return;
    }
    job->settings[job->settings_count] = (struct grant_setting){
        .setting = request->setting, .value = request->value};
    job->setting_requests[job->settings_count++] = request->id;
}

static void ask_evaluate(struct coord *c,
                         const struct request *request,
                         struct actions *out)
{
    uint32_t held = coord_find(c, request->job);
    const struct job_record *record =
        held != JOBS_MAX ? &c->jobs[held].record : request->record;
    struct job_record copy;
    uint32_t slot;
    struct job *job;

    if (record == NULL) {
        action_reply(out, request->id, STATUS_NOT_FOUND, request->job,
                     "there is no such job");
        return;
    }
    copy = *record;
    slot = slot_new(c, out);
    if (slot == JOBS_MAX) {
        action_reply(out, request->id, STATUS_BUSY, request->job,
                     "this coordinator has its most jobs: wait for one to end");
        return;
    }
    job = &c->jobs[slot];
    job->kind = KIND_EVALUATE;
    job->record = copy;
    job->record.job = (1ull << SESSION_JOB_SHIFT) | request->id;
    job->record.head = request->version;
    job->evaluate_job = request->job;
    job->evaluate_request = request->id;
    load_back(c, slot, true, out);
    job->phase_deadline_ms = c->now_ms + SESSION_DEADLINE_MS;
}

/* --- Probes --- */

void ask_probes(struct coord *c, struct actions *out)
{
    for (uint32_t p = 0; p < PROBES_MAX; p++) {
        struct probe *probe = &c->probes[p];

        for (uint32_t w = 0;
             w < c->members.count && probe->used && probe->worker == NO_WORKER;
             w++) {
            struct action *action;

            if (!c->members.items[w].present) {
                continue;
            }
            probe->worker = w;
            action = action_add(out, ACTION_SEND);
            action->send.peer = c->members.items[w].peer;
            action->send.message.kind = WIRE_OPEN;
            action->send.message.open = (struct wire_open){
                .job = (1ull << SESSION_JOB_SHIFT) | probe->request,
                .spec = &probe->spec};
        }
    }
}

void end_probe(struct coord *c,
               struct probe *probe,
               enum status status,
               const char *text,
               const struct data_shape *shape,
               struct actions *out)
{
    if (probe->worker != NO_WORKER && c->members.items[probe->worker].present) {
        struct action *drop = action_add(out, ACTION_SEND);

        drop->send.peer = c->members.items[probe->worker].peer;
        drop->send.message.kind = WIRE_DROP;
        drop->send.message.drop = (struct wire_drop){
            .job = (1ull << SESSION_JOB_SHIFT) | probe->request,
            .term = UINT64_MAX};
    }
    action_reply(out, probe->request, status, 0, text);
    out->items[out->count - 1].reply.shape = shape;
    probe->used = false;
}

static void ask_probe(struct coord *c,
                      const struct request *request,
                      struct actions *out)
{
    for (uint32_t p = 0; p < PROBES_MAX; p++) {
        struct probe *probe = &c->probes[p];

        if (!probe->used) {
            *probe =
                (struct probe){.used = true,
                               .request = request->id,
                               .deadline_ms = c->now_ms + SESSION_DEADLINE_MS,
                               .worker = NO_WORKER,
                               .spec = *request->spec};
            ask_probes(c, out);
            return;
        }
    }
    action_reply(out, request->id, STATUS_BUSY, 0,
                 "too many checks at once: try again in a moment");
}

/* --- Shutting down --- */

static void ask_shutdown(struct coord *c,
                         const struct request *request,
                         struct actions *out)
{
    if (c->quitting) {
        action_reply(out, request->id, STATUS_CONFLICT, 0,
                     "this coordinator is shutting down already");
        return;
    }
    c->quitting = true;
    c->quit_request = request->id;
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        struct job *job = &c->jobs[s];

        if (job->phase == PHASE_RUNNING && job->kind == KIND_TRAIN &&
            (job->want == WANT_NONE || job->want == WANT_PARK)) {
            job->want = WANT_SHUTDOWN;
            run_on(c, s, out);
        } else if (job->phase == PHASE_FREE) {
            continue;
        } else if (job->kind == KIND_EVALUATE) {
            job_send_drop(job, &c->members, false, out);
            action_reply(out, job->evaluate_request, STATUS_UNAVAILABLE,
                         job->evaluate_job,
                         "this coordinator is shutting down");
            slot_free(c, s, out);
        }
    }
}

static bool is_quiet(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    if (job->phase == PHASE_LOADING || job->phase == PHASE_WAITING ||
        job->phase == PHASE_OPENING || job->phase == PHASE_PLACING) {
        /* Its record says that it runs: the next coordinator takes it up. */
        job_send_drop(job, &c->members, false, out);
        slot_free(c, slot, out);
    }
    return job->phase == PHASE_FREE || job->phase == PHASE_PAUSED ||
           job->phase == PHASE_ENDED;
}

void quit_if_quiet(struct coord *c, struct actions *out)
{
    bool quiet = true;

    if (!c->quitting || c->quit_said) {
        return;
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        quiet = is_quiet(c, s, out) && quiet;
    }
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        quiet = quiet && c->tokens[t].id == 0;
    }
    if (!quiet) {
        return;
    }
    for (uint32_t w = 0; w < c->members.count; w++) {
        if (c->members.items[w].present) {
            struct action *action = action_add(out, ACTION_SEND);

            action->send.peer = c->members.items[w].peer;
            action->send.message.kind = WIRE_QUIT;
        }
    }
    if (c->quit_request != 0) {
        action_reply(out, c->quit_request, STATUS_OK, 0, "shut down");
    }
    (void)action_add(out, ACTION_QUIT);
    c->quit_said = true;
}

void take_request(struct coord *c,
                  const struct request *request,
                  struct actions *out)
{
    switch (request->kind) {
    case REQUEST_LAUNCH:
        ask_launch(c, request, out);
        break;
    case REQUEST_PAUSE:
        ask_stop(c, request, WANT_PAUSE, out);
        break;
    case REQUEST_RESUME:
        ask_resume(c, request, out);
        break;
    case REQUEST_CANCEL:
        ask_stop(c, request, WANT_CANCEL, out);
        break;
    case REQUEST_SET:
        ask_set(c, request, out);
        break;
    case REQUEST_RESTORE:
        ask_stop(c, request, WANT_RESTORE, out);
        break;
    case REQUEST_EVALUATE:
        ask_evaluate(c, request, out);
        break;
    case REQUEST_PROBE:
        ask_probe(c, request, out);
        break;
    case REQUEST_SHUTDOWN:
        ask_shutdown(c, request, out);
        break;
    case REQUEST_CORDON:
    case REQUEST_UNCORDON:
    case REQUEST_DRAIN:
        take_worker_request(c, request, out);
        break;
    }
}
