/* coord_moves.c - a job goes on elsewhere, and nothing is computed twice.
 *
 * A move stops the job at the next boundary that can still be decided: every
 * shard keeps a copy of itself there and waits. When all have, the job is
 * placed anew from these copies, under a new term. It is no version and no
 * rollback: no bit changes, no step is repeated. A worker that dies meanwhile
 * makes an ordinary rollback of it. */
#include "coordinator/core/coord_inside.h"

#include "coordinator/core/job_cuts.h"
#include "coordinator/core/job_points.h"

static bool is_going(const struct member *m)
{
    return m->draining || m->leaving;
}

/* Present, and may go on hosting what it hosts: a cordon lets it. */
static bool may_stay(const struct member *m)
{
    return m->present && !is_going(m);
}

bool move_is_possible(const struct coord *c, uint32_t slot, uint32_t except)
{
    const struct job *job = &c->jobs[slot];
    uint32_t count = 0;

    for (uint32_t w = 0; w < c->members.count; w++) {
        const struct member *m = &c->members.items[w];
        bool here = worker_set_has(&job->placed, w);

        count += w != except && (here ? may_stay(m) : member_is_idle(m));
    }
    return count >= job_workers_least(job);
}

bool move_needs(const struct coord *c, uint32_t worker)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];
        bool loads = job->phase == PHASE_LOADING || job->phase == PHASE_PLACING;

        if (job->phase == PHASE_FREE) {
            continue;
        }
        if (worker_set_has(&job->placed, worker) ||
            (loads && job->kind == KIND_TRAIN && job->point.used &&
             job_point_has(&job->point, worker))) {
            return true;
        }
    }
    return false;
}

bool move_is_loading(const struct coord *c)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        if (c->jobs[s].phase == PHASE_LOADING && c->jobs[s].moving) {
            return true;
        }
    }
    return false;
}

/* A worker of the job is on its way out; *out_leaves: even its process. */
static bool must_move(const struct coord *c,
                      const struct job *job,
                      bool *out_leaves)
{
    const struct worker_set *placed = &job->placed;
    bool must = false;

    *out_leaves = false;
    for (uint32_t w = worker_set_next(placed, 0); w != NO_WORKER;
         w = worker_set_next(placed, w + 1)) {
        const struct member *m = &c->members.items[w];

        must |= is_going(m);
        *out_leaves |= m->leaving;
    }
    return must;
}

bool move_concerns(const struct coord *c, uint32_t slot, uint32_t worker)
{
    const struct job *job = &c->jobs[slot];
    bool leaves;

    return job->phase != PHASE_FREE && job->kind == KIND_TRAIN &&
           (worker_set_has(&job->placed, worker) || must_move(c, job, &leaves));
}

/* When the job may take the idle workers that are there; UINT64_MAX: there are
 * none, or it has enough, or another job waits for workers and comes first. */
static uint64_t growth_ms(const struct coord *c,
                          const struct job *job,
                          const struct census *census)
{
    uint64_t soonest;

    if (census->idle == 0 || job->peers_count >= job_workers_most(job)) {
        return UINT64_MAX;
    }
    soonest = census->idle_since_ms + MOVE_JOINED_MS;
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        if (c->jobs[s].phase == PHASE_WAITING) {
            return UINT64_MAX;
        }
    }
    return soonest > job->move_again_ms ? soonest : job->move_again_ms;
}

/* Something is decided yet for it, and nobody has asked for something else. */
static bool can_plan(const struct coord *c, const struct job *job)
{
    return !c->quitting && job->phase == PHASE_RUNNING &&
           job->kind == KIND_TRAIN && !job->moving && job->record.head != 0 &&
           job->want == WANT_NONE && !job->closing_decided &&
           !job->overflowed && c->now_ms >= job->move_retry_ms;
}

void plan_moves(struct coord *c)
{
    const struct census *census = members_census(&c->members);

    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        struct job *job = &c->jobs[s];
        bool leaves;

        job->move_wanted = false;
        if (!can_plan(c, job)) {
            continue;
        }
        if (!worker_set_meets(&census->going, &job->placed) ||
            !must_move(c, job, &leaves)) {
            job->move_wanted = growth_ms(c, job, census) <= c->now_ms;
        } else if (move_is_possible(c, s, NO_WORKER)) {
            job->move_wanted = true;
        } else if (leaves) {
            /* Nobody can take over: it is kept as a version, and waits. */
            job->want = WANT_PARK;
        }
    }
}

uint64_t moves_deadline(const struct coord *c)
{
    uint64_t deadline = UINT64_MAX;

    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];
        uint64_t at;

        if (!can_plan(c, job) || job->move_wanted) {
            continue;
        }
        at = growth_ms(c, job, members_counted(&c->members));
        if (at > c->now_ms && at < deadline) {
            deadline = at;
        }
    }
    return deadline;
}

static void add_names(const struct coord *c,
                      const struct job *job,
                      struct text *text)
{
    for (uint32_t i = 0; i < job->peers_count; i++) {
        text_add(text, i == 0 ? "" : ", ");
        text_add(text, c->members.items[job->peers[i].worker].hello.name);
    }
}

void move_on(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct text text;

    if (!job->moving || job->phase != PHASE_RUNNING || job->making.used) {
        return;
    }
    if (!job->point.used || job->point.interval != job->move_interval) {
        job->move_retry_ms = c->now_ms + MOVE_RETRY_MS;
        roll_back(c, slot, "the state to move could not be kept", out);
        return;
    }
    text = action_event(out, slot, "worker", 0);
    text_add(&text, "moves at step ");
    text_u64(&text, job->record.step);
    text_add(&text, ", from ");
    add_names(c, job, &text);
    job_send_drop(job, &c->members, false, out);
    job_update_record(job, &c->members);
    worker_set_join(&job->was_on, &job->placed);
    job_unplace(job, &c->members);
    job_reset_run(job);
    job->move_again_ms = c->now_ms + MOVE_AGAIN_MS;
    load_back(c, slot, true, out);
}

void move_is_done(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct text text;

    if (!job->moving) {
        return;
    }
    job->moving = false;
    text = action_event(out, slot, "worker", 0);
    text_add(&text, "goes on at step ");
    text_u64(&text, job->record.step);
    text_add(&text, ", on ");
    add_names(c, job, &text);
}
