/* coord_jobs.c - the life of a job in the coordinator. */
#include "coordinator/core/coord_inside.h"

#include "base/check.h"
#include "coordinator/core/job_cuts.h"
#include "coordinator/core/job_points.h"

#include <string.h>

void set_reason(struct job *job, const char *reason)
{
    struct text text;

    text_init(&text, job->record.reason, sizeof(job->record.reason));
    text_add(&text, reason);
}

static uint32_t count_tokens(const struct coord *c, uint32_t slot)
{
    uint32_t count = 0;

    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        count += c->tokens[t].id != 0 && c->tokens[t].slot == slot;
    }
    return count;
}

bool slot_is_full(const struct coord *c, uint32_t slot)
{
    return count_tokens(c, slot) >= SLOT_TOKENS_MAX;
}

static void forget(uint32_t slot, struct actions *out)
{
    struct action *action = action_add(out, ACTION_FORGET);

    action->slot = slot;
}

void slot_free(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    job_unplace(job, &c->members);
    token_drop_slot(c, slot);
    job_move(job, PHASE_FREE);
    forget(slot, out);
}

uint32_t slot_new(struct coord *c, struct actions *out)
{
    uint32_t found = JOBS_MAX;

    for (uint32_t s = 0; s < JOBS_MAX && found == JOBS_MAX; s++) {
        if (c->jobs[s].phase == PHASE_FREE) {
            found = s;
        }
    }
    for (uint32_t s = 0; s < JOBS_MAX && found == JOBS_MAX; s++) {
        enum job_phase phase = c->jobs[s].phase;

        /* At rest, and the store knows. */
        if ((phase == PHASE_ENDED || phase == PHASE_PAUSED) &&
            c->jobs[s].store_again_ms == UINT64_MAX &&
            count_tokens(c, s) == 0) {
            forget(s, out);
            found = s;
        }
    }
    if (found != JOBS_MAX) {
        struct job *job = &c->jobs[found];

        memset(job, 0, sizeof(*job));
        job->phase_deadline_ms = UINT64_MAX;
        job->store_again_ms = UINT64_MAX;
        job->head_step = UINT64_MAX;
        job->kind = KIND_TRAIN;
    }
    return found;
}

void store_state(struct coord *c,
                 uint32_t slot,
                 uint64_t request,
                 struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct action *action;

    if (head_is_moving(c, slot) || (request == 0 && slot_is_full(c, slot))) {
        CHECK(request == 0);
        job->store_again_ms = c->now_ms + STORE_SOON_MS;
        return;
    }
    action = action_add(out, ACTION_STORE_JOB);
    job->record.state = job_visible_state(job);
    action->slot = slot;
    action->token =
        token_new(c, TOKEN_STATE, slot, (uint64_t)job->record.state, request);
}

/* --- Waiting and placing --- */

/* Requests that waited for this run and cannot be answered by it any more. */
static void refuse_waiting(struct job *job, struct actions *out)
{
    for (uint32_t i = 0; i < job->settings_count; i++) {
        action_reply(out, job->setting_requests[i], STATUS_CONFLICT,
                     job->record.job,
                     "the job stopped before the setting took effect");
    }
    job->settings_count = 0;
    for (uint32_t g = 0; g < GRANTS_MAX; g++) {
        for (uint32_t i = 0; i < GRANT_SETTINGS_MAX; i++) {
            if (job->gate_requests[g][i] != 0) {
                action_reply(out, job->gate_requests[g][i], STATUS_CONFLICT,
                             job->record.job,
                             "the job went back to its last version just "
                             "now; look at it and set again");
                job->gate_requests[g][i] = 0;
            }
        }
    }
}

static void tell_waiting(struct coord *c, struct job *job)
{
    uint32_t least = job_workers_least(job);
    const struct census *census = members_census(&c->members);
    uint32_t idle = census->idle;
    uint32_t closed = census->present - census->open;
    struct text text;

    text_init(&text, job->record.reason, sizeof(job->record.reason));
    text_add(&text, "needs ");
    text_u64(&text, least);
    text_add(&text, least == 1 ? " worker, " : " workers, ");
    text_u64(&text, idle);
    text_add(&text, " of ");
    text_u64(&text, census->present);
    text_add(&text, idle == 1 ? " here is idle" : " here are idle");
    if (closed > 0) {
        text_add(&text, ", ");
        text_u64(&text, closed);
        text_add(&text, closed == 1 ? " is cordoned" : " are cordoned");
    }
}

static void ask_open(struct coord *c, struct job *job, struct actions *out)
{
    struct action *action = action_add(out, ACTION_SEND);

    job_move(job, PHASE_OPENING);
    job->phase_deadline_ms = c->now_ms + PLACE_DEADLINE_MS;
    action->send.peer = c->members.items[job->opener].peer;
    action->send.message.kind = WIRE_OPEN;
    action->send.message.open =
        (struct wire_open){.job = job->record.job, .spec = &job->record.spec};
}

static void assign(struct coord *c, struct job *job, struct actions *out)
{
    if (job->origin == NULL) {
        job_begin_fresh(job);
    }
    job_move(job, PHASE_PLACING);
    job->phase_deadline_ms = c->now_ms + PLACE_DEADLINE_MS;
    job->term = ++c->last_term;
    worker_set_clear(&job->ready);
    job_send_assign(job, c->life, &c->members, out);
}

/* Its point cannot be placed: it waits as any other job does, and who wanted
 * it to stop has what was asked for. */
static void strand(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    job->moving = false;
    refuse_waiting(job, out);
    if (job->want != WANT_NONE) {
        carry_out_want(c, slot, out);
    } else {
        store_state(c, slot, 0, out);
    }
}

/* The oldest job that can be placed, or JOBS_MAX. One that moves comes first,
 * and what it has left is not given away while it is loaded. */
static uint32_t next_to_place(struct coord *c, struct actions *out)
{
    uint32_t oldest = JOBS_MAX;

    if (move_is_loading(c)) {
        return JOBS_MAX;
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        struct job *job = &c->jobs[s];

        if (job->phase != PHASE_WAITING || !worker_set_is_empty(&job->placed) ||
            c->quitting || c->now_ms < job->place_again_ms ||
            job->tried_at == c->members.changes) {
            continue;
        }
        if (!job_can_be_placed(job, &c->members)) {
            job->tried_at = c->members.changes;
            tell_waiting(c, job);
            if (job->moving) {
                strand(c, s, out);
            }
            continue;
        }
        if (job->moving) {
            return s;
        }
        if (oldest == JOBS_MAX ||
            job->record.job < c->jobs[oldest].record.job) {
            oldest = s;
        }
    }
    return oldest;
}

/* A later job may start where an earlier one still lacks workers. */
void start_waiting(struct coord *c, struct actions *out)
{
    ask_probes(c, out);
    for (;;) {
        uint32_t oldest = next_to_place(c, out);

        if (oldest == JOBS_MAX) {
            return;
        }

        struct job *job = &c->jobs[oldest];
        bool placed = job_place(job, &c->members);

        CHECK(placed);
        job->record.reason[0] = 0;
        if (job->origin == NULL && job->memory == NULL) {
            ask_open(c, job, out);
        } else {
            assign(c, job, out);
        }
    }
}

/* --- Losing ground --- */

/* forget: and nobody keeps anything of its state. */
static void leave_workers(struct coord *c,
                          struct job *job,
                          bool forget,
                          struct actions *out)
{
    job_send_drop(job, &c->members, forget && job->kind == KIND_TRAIN, out);
    job->moving = false;
    if (forget) {
        worker_set_clear(&job->was_on);
        forget_points(c, (uint32_t)(job - c->jobs), out);
    }
    job_update_record(job, &c->members);
    job_unplace(job, &c->members);
    refuse_waiting(job, out);
    job_reset_run(job);
    job->phase_deadline_ms = UINT64_MAX;
}

void roll_back(struct coord *c,
               uint32_t slot,
               const char *why,
               struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct text text;

    if (job->phase != PHASE_RUNNING && job->phase != PHASE_PLACING &&
        job->phase != PHASE_OPENING) {
        return;
    }
    worker_set_join(&job->was_on, &job->placed);
    leave_workers(c, job, false, out);
    if (job->kind == KIND_EVALUATE) {
        action_reply(out, job->evaluate_request, STATUS_UNAVAILABLE,
                     job->evaluate_job, why);
        slot_free(c, slot, out);
        return;
    }
    note_stop(c, job, false);
    text = action_event(out, slot, "fault", job->record.head);
    text_add(&text, why);
    tell_way_back(c, slot, &text);
    load_back(c, slot, true, out);
}

static bool all_are_busy(const struct members *members,
                         const struct worker_set *busy)
{
    for (uint32_t w = 0; w < members->count; w++) {
        if (members->items[w].present && !worker_set_has(busy, w)) {
            return false;
        }
    }
    return true;
}

void try_later(struct coord *c,
               uint32_t slot,
               uint32_t worker,
               const char *why,
               struct actions *out)
{
    struct job *job = &c->jobs[slot];
    bool told = !worker_set_is_empty(&job->busy);
    struct text text;

    worker_set_add(&job->busy, worker);
    if (all_are_busy(&c->members, &job->busy)) {
        worker_set_clear(&job->busy); /* the others get their turn again */
        worker_set_add(&job->busy, worker);
    }
    job->place_again_ms = c->now_ms + BUSY_AGAIN_MS;
    leave_workers(c, job, false, out);
    if (job->from_point) {
        job->point.tries -= job->point.tries > 0 ? 1 : 0; /* not its fault */
    }
    text_init(&text, job->record.reason, sizeof(job->record.reason));
    text_add(&text, "waits for worker ");
    text_add(&text, c->members.items[worker].hello.name);
    text_add(&text, ", which has no room at the moment");
    text_add(&text, why[0] != 0 ? ": " : "");
    text_add(&text, why);
    if (!told) { /* once, not every second */
        text = action_event(out, slot, "fault", job->record.head);
        text_add(&text, job->record.reason);
    }
    load_back(c, slot, true, out);
}

void lose_worker(struct coord *c,
                 uint32_t worker,
                 const char *why,
                 struct actions *out)
{
    uint32_t peer = c->members.items[worker].peer;
    char line[DETAIL_BYTES_MAX];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_add(&text, "worker ");
    text_add(&text, c->members.items[worker].hello.name);
    text_add(&text, " ");
    text_add(&text, why);
    lose_copies(c, worker, out);
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        struct job *job = &c->jobs[s];

        if (job->phase != PHASE_FREE && (worker_set_has(&job->placed, worker) ||
                                         job_draws_on(job, worker))) {
            roll_back(c, s, line, out);
        }
    }
    /* Only now: if it was but silent, it has been told to drop its sessions. */
    worker_is_gone(c, worker, why, out);
    members_leave(&c->members, worker);
    for (uint32_t p = 0; p < PROBES_MAX; p++) {
        if (c->probes[p].used && c->probes[p].worker == worker) {
            c->probes[p].worker = NO_WORKER; /* another one is asked */
        }
    }
    struct action *action = action_add(out, ACTION_FORGET_PEER);

    action->forget_peer.peer = peer;
}

/* --- Stopping --- */

/* Who asked it to stop is answered, since it has stopped by itself. */
static void refuse_want(struct job *job,
                        const char *reason,
                        struct actions *out)
{
    if (job->want_request != 0) {
        action_reply(out, job->want_request, STATUS_CONFLICT, job->record.job,
                     reason);
    }
    job->want = WANT_NONE;
    job->want_request = 0;
}

void end_job(struct coord *c,
             uint32_t slot,
             enum job_state state,
             const char *reason,
             uint64_t request,
             struct actions *out)
{
    struct job *job = &c->jobs[slot];

    leave_workers(c, job, true, out);
    if (state == JOB_FAILED) {
        refuse_want(job, reason, out);
    }
    job_move(job, PHASE_ENDED);
    job->record.state = state;
    job->record.ended_ms = c->now_ms + c->wall_offset_ms;
    set_reason(job, reason);
    store_state(c, slot, request, out);
}

void pause_job(struct coord *c,
               uint32_t slot,
               const char *reason,
               uint64_t request,
               struct actions *out)
{
    struct job *job = &c->jobs[slot];

    leave_workers(c, job, true, out);
    refuse_want(job, reason, out);
    job_move(job, PHASE_PAUSED);
    set_reason(job, reason);
    store_state(c, slot, request, out);
}

void begin_restore(struct coord *c,
                   uint32_t slot,
                   uint64_t version,
                   uint64_t request,
                   struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct action *action;

    CHECK(job->record.lines_count < LINES_MAX); /* ask_stop has seen to it */
    job_move(job, PHASE_RESTORING);
    action = action_add(out, ACTION_STORE_RESTORE);
    action->slot = slot;
    action->token = token_new(c, TOKEN_RESTORE, slot, version, request);
    action->restore.job = job->record.job;
    action->restore.from = version;
    action->restore.number = job->record.last_version + 1;
    action->restore.head = job->record.head;
    action->restore.line = job->record.lines_count;
}

void carry_out_want(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    enum job_want want = job->want;
    uint64_t request = job->want_request;

    job->want = WANT_NONE;
    job->want_request = 0;
    switch (want) {
    case WANT_NONE:
        break;
    case WANT_PAUSE:
        pause_job(c, slot, "paused by request", request, out);
        break;
    case WANT_CANCEL:
        end_job(c, slot, JOB_CANCELLED, "cancelled by request", request, out);
        break;
    case WANT_RESTORE:
        leave_workers(c, job, true, out);
        job->resume_wanted = true;
        begin_restore(c, slot, job->want_version, request, out);
        break;
    case WANT_PARK:
        leave_workers(c, job, true, out);
        load_back(c, slot, true, out);
        break;
    case WANT_SHUTDOWN: {
        struct action *action;

        /* The record goes on saying that the job runs: the next coordinator
         * takes it up. */
        leave_workers(c, job, true, out);
        action = action_add(out, ACTION_STORE_JOB);
        action->slot = slot;
        slot_free(c, slot, out);
        break;
    }
    }
}

/* A want that no boundary could serve since the job has ended. */
static void want_after_end(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    enum job_want want = job->want;
    uint64_t request = job->want_request;

    job->want = WANT_NONE;
    job->want_request = 0;
    if (want == WANT_PAUSE || want == WANT_CANCEL) {
        action_reply(out, request, STATUS_CONFLICT, job->record.job,
                     "the job finished before it could be stopped");
    }
    if (want == WANT_RESTORE) {
        job->resume_wanted = false;
        begin_restore(c, slot, job->want_version, request, out);
    }
}

static void finish_evaluation(struct coord *c,
                              uint32_t slot,
                              struct actions *out)
{
    struct job *job = &c->jobs[slot];

    action_reply(out, job->evaluate_request, STATUS_OK, job->evaluate_job,
                 "evaluated");
    job_send_drop(job, &c->members, false, out);
    slot_free(c, slot, out);
}

static void tell_progress(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    if (job->kind == KIND_TRAIN && c->now_ms >= job->event_ms + PROGRESS_MS) {
        job->event_ms = c->now_ms;
        job_update_record(job, &c->members);
        (void)action_event(out, slot, "progress", 0);
    }
}

void run_on(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    uint64_t sent = job->sent;

    if (job->phase != PHASE_RUNNING) {
        return;
    }
    tell_progress(c, slot, out);
    job->now_ms = c->now_ms;
    job->keepless = c->points_off;
    job_advance(job, slot, &c->members, out);
    if (job->sent > sent) {
        job->moved_ms = c->now_ms;
    }
    if (job->overflowed) {
        if (job_cuts_empty(job)) {
            char why[ERROR_BYTES_MAX];

            memcpy(why, job->record.reason, sizeof(why));
            pause_job(c, slot, why, 0, out);
        }
        return;
    }
    if (!job_is_done(job)) {
        move_on(c, slot, out);
        return;
    }
    if (job->kind == KIND_EVALUATE) {
        finish_evaluation(c, slot, out);
        return;
    }
    end_job(c, slot, JOB_FINISHED, "", 0, out);
    want_after_end(c, slot, out);
}
