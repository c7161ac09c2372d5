#include "coordinator/core/coord.h"

#include "base/check.h"
#include "coordinator/core/coord_inside.h"

#include <string.h>

void coord_init(struct coord *c)
{
    memset(c, 0, sizeof(*c));
    members_init(&c->members);
    (void)members_census(&c->members);
}

uint32_t coord_find(const struct coord *c, uint64_t job)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        if (c->jobs[s].phase != PHASE_FREE && c->jobs[s].record.job == job) {
            return s;
        }
    }
    return JOBS_MAX;
}

static void on_start(struct coord *c, const struct coord_event *ev)
{
    CHECK(c->life == 0);
    c->life = ev->start.life;
    c->wall_offset_ms = ev->start.wall_ms - ev->now_ms;
    c->heartbeat_ms = ev->start.heartbeat_ms;
    c->points_off = ev->start.points_off;
    c->timeout_ms = ev->start.timeout_ms;
    c->last_job = ev->start.last_job;
    /* Terms of a later life are higher, whatever the earlier one gave out. */
    c->last_term = ev->start.life << 24;
    memcpy(c->chunk_endpoint, ev->start.chunk_endpoint,
           sizeof(c->chunk_endpoint));
}

static void on_record(struct coord *c,
                      const struct coord_event *ev,
                      struct actions *out)
{
    uint32_t slot = slot_new(c, out);
    struct job *job;

    if (slot == JOBS_MAX) {
        return; /* it stays in the store; a request will bring it in */
    }
    job = &c->jobs[slot];
    job->kind = KIND_TRAIN;
    job->record = *ev->record.record;
    job->next_version = job->record.last_version + 1;
    if (!ev->record.resume) {
        job_move(job, PHASE_PAUSED);
        return;
    }
    if (ev->record.has_point) {
        const struct point point = {.used = true,
                                    .line = ev->record.line,
                                    .term = ev->record.term,
                                    .interval = ev->record.interval,
                                    .step = ev->record.step};

        begin_gathering(c, slot, &point);
    }
    job->taken_over = true;
    note_stop(c, job, true);
    load_back(c, slot, true, out);
}

static void on_phase_deadline(struct coord *c,
                              uint32_t slot,
                              struct actions *out)
{
    struct job *job = &c->jobs[slot];

    job->phase_deadline_ms = UINT64_MAX;
    if (job->kind == KIND_EVALUATE) {
        job_send_drop(job, &c->members, false, out);
        action_reply(out, job->evaluate_request, STATUS_UNAVAILABLE,
                     job->evaluate_job,
                     "no worker was there in time to evaluate: start one "
                     "with `cajal up`");
        slot_free(c, slot, out);
    } else if (job->phase == PHASE_LOADING) {
        load_back(c, slot, job->resume_wanted, out); /* gathered enough */
    } else if (job->phase == PHASE_OPENING || job->phase == PHASE_PLACING) {
        (void)point_has_failed(c, slot, out);
        roll_back(c, slot, "workers did not get ready in time", out);
    }
}

/* A frame that is lost and has none behind it shows as no gap: all wait, and
 * all are alive. A false alarm (one step that takes so long) doubles the
 * patience, so that the replay gets through. UINT64_MAX: nobody is waited for.
 */
static uint64_t stall_deadline(const struct job *job)
{
    if (job->kind != KIND_TRAIN || !job_waits_for_workers(job)) {
        return UINT64_MAX;
    }
    return job->moved_ms + ((uint64_t)STALL_MS << job->stalls);
}

static void on_stall(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    job->stalls += job->stalls < STALLS_MAX ? 1 : 0;
    roll_back(c, slot, "no worker got on with its work for too long", out);
}

static void lose_silent(struct coord *c, uint32_t worker, struct actions *out)
{
    char why[ERROR_BYTES_MAX];
    struct text text;

    text_init(&text, why, sizeof(why));
    text_add(&text, "is lost (silent for ");
    text_real(&text, (double)c->timeout_ms / 1000, 3);
    text_add(&text, " s)");
    lose_worker(c, worker, why, out);
}

/* Where the timer rings late, this process stood still (SIGSTOP, a suspended
 * host), and what workers said meanwhile is still to be read: that they are
 * silent, or stall, cannot be known yet. */
static void take_pause_of_ours(struct coord *c)
{
    uint64_t deadline = members_deadline(&c->members, c->timeout_ms);

    if (c->now_ms < LATE_MS || deadline > c->now_ms - LATE_MS ||
        !members_spare(&c->members, c->now_ms)) {
        return;
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        c->jobs[s].moved_ms = c->now_ms;
    }
}

static void on_timeout(struct coord *c, struct actions *out)
{
    uint32_t worker;

    take_pause_of_ours(c);
    while ((worker = members_silent(&c->members, c->now_ms, c->timeout_ms)) !=
           NO_WORKER) {
        lose_silent(c, worker, out);
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        struct job *job = &c->jobs[s];

        if (job->phase != PHASE_FREE && c->now_ms >= job->store_again_ms) {
            job->store_again_ms = UINT64_MAX;
            store_state(c, s, 0, out);
        }
        if (job->phase != PHASE_FREE && c->now_ms >= stall_deadline(job)) {
            on_stall(c, s, out);
        }
        if (job->phase != PHASE_FREE && c->now_ms >= job->phase_deadline_ms) {
            on_phase_deadline(c, s, out);
        }
    }
    for (uint32_t p = 0; p < PROBES_MAX; p++) {
        struct probe *probe = &c->probes[p];

        if (probe->used && c->now_ms >= probe->deadline_ms) {
            end_probe(c, probe, STATUS_UNAVAILABLE,
                      "no worker was there in time to open the data", NULL,
                      out);
        }
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        if (c->jobs[s].phase == PHASE_RUNNING) {
            run_on(c, s, out);
        }
    }
}

void coord_step(struct coord *c,
                const struct coord_event *ev,
                struct actions *out)
{
    CHECK(ev->now_ms >= c->now_ms);
    c->now_ms = ev->now_ms;
    out->count = 0;

    switch (ev->type) {
    case COORD_TIMEOUT:
        on_timeout(c, out);
        break;
    case COORD_START:
        on_start(c, ev);
        break;
    case COORD_RECORD:
        on_record(c, ev, out);
        break;
    case COORD_MESSAGE:
        take_message(c, ev, out);
        break;
    case COORD_PEER_LOST: {
        uint32_t worker = members_of_peer(&c->members, ev->peer_lost.peer);

        if (worker != NO_WORKER) {
            const char *why = ev->peer_lost.why;

            lose_worker(c, worker,
                        why != NULL ? why
                                    : "is lost (its process ended, or its "
                                      "link broke)",
                        out);
        }
        break;
    }
    case COORD_STORED:
        take_stored(c, ev, out);
        break;
    case COORD_UNJOURNALED:
        take_unjournaled(c, ev, out);
        break;
    case COORD_LOADED:
        take_loaded(c, ev, out);
        break;
    case COORD_REQUEST:
        take_request(c, &ev->request, out);
        break;
    }
    /* Once, and last: actions borrow the placement, so a job that is placed
     * must not lose it in the same step. */
    plan_moves(c);
    start_waiting(c, out);
    settle_workers(c, out);
    quit_if_quiet(c, out);
    give_tokens(c, out);
    (void)members_census(&c->members); /* as coord_deadline_ms needs it */
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t coord_deadline_ms(const struct coord *c)
{
    uint64_t deadline = members_deadline(&c->members, c->timeout_ms);

    deadline = sooner(deadline, workers_deadline(c));
    deadline = sooner(deadline, moves_deadline(c));
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];

        if (job->phase == PHASE_FREE) {
            continue;
        }
        if (job_can_decide(job)) {
            return c->now_ms;
        }
        deadline = sooner(deadline, job->phase_deadline_ms);
        deadline = sooner(deadline, job->store_again_ms);
        if (job->phase == PHASE_WAITING && c->now_ms < job->place_again_ms) {
            deadline = sooner(deadline, job->place_again_ms);
        }
        deadline = sooner(deadline, stall_deadline(job));
    }
    for (uint32_t p = 0; p < PROBES_MAX; p++) {
        if (c->probes[p].used) {
            deadline = sooner(deadline, c->probes[p].deadline_ms);
        }
    }
    return deadline;
}
