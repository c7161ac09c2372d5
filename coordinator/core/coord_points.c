/* coord_points.c - going back: to a point that workers have in memory, or to
 * the newest version. */
#include "coordinator/core/coord_inside.h"

#include "base/check.h"
#include "coordinator/core/job_points.h"

static void store_none(uint32_t slot, struct actions *out)
{
    struct action *action = action_add(out, ACTION_STORE_POINT);

    action->slot = slot;
    action->point.none = true;
}

/* It is of no use any more, and the store's record of it would have the next
 * coordinator wait for its copies. */
static void drop_point(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    job->gather_ms = 0;
    if (job->point.used) {
        job->point.used = false;
        store_none(slot, out);
    }
}

void forget_points(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    bool storing = job->making.used && job->making.storing;

    if (storing && !job->point.used) {
        store_none(slot, out);
    }
    job_drop_making(job);
    drop_point(c, slot, out);
}

/* --- Telling --- */

/* 1,234,567 */
static void tell_count(struct text *text, uint64_t value)
{
    uint64_t unit = 1;

    while (value / unit >= 1000) {
        unit *= 1000;
    }
    text_u64(text, value / unit);
    for (unit /= 1000; unit > 0; unit /= 1000) {
        uint64_t part = value / unit % 1000;

        text_add(text, part < 10 ? ",00" : part < 100 ? ",0" : ",");
        text_u64(text, part);
    }
}

static void tell_steps(struct text *text, uint64_t count)
{
    tell_count(text, count);
    text_add(text, count == 1 ? " step again" : " steps again");
}

static void tell_again(const struct job *job, uint64_t step, struct text *text)
{
    uint64_t done = job->record.step;

    text_add(text, ", ");
    tell_steps(text, done > step ? done - step : 0);
}

static void tell_age(const struct coord *c,
                     const struct point *point,
                     struct text *text)
{
    uint64_t tenths = (c->now_ms - point->kept_ms) / 100;

    if (point->kept_ms == 0) {
        return; /* of an earlier life */
    }
    text_add(text, " (kept ");
    text_u64(text, tenths / 10);
    text_add(text, ".");
    text_u64(text, tenths % 10);
    text_add(text, " s ago)");
}

void tell_way_back(const struct coord *c, uint32_t slot, struct text *text)
{
    const struct job *job = &c->jobs[slot];
    const struct point *point = &job->point;
    bool serves = job_point_serves(job);

    if (job->making.used && job->making.storing &&
        job_point_held(job, &job->making, 1)) {
        point = &job->making;
        serves = true;
    }
    text_add(text, "; back to ");
    if (serves) {
        text_add(text, "step ");
        tell_count(text, point->step);
        tell_age(c, point, text);
        tell_again(job, point->step, text);
        return;
    }
    if (job->record.head == 0) {
        text_add(text, "the start");
        tell_again(job, 0, text);
        return;
    }
    text_add(text, "v");
    text_u64(text, job->record.head);
    if (job->head_step != UINT64_MAX) {
        text_add(text, " at step ");
        tell_count(text, job->head_step);
        tell_again(job, job->head_step, text);
    }
}

/* An orderly end has left nothing to be computed again, and says nothing. */
void tell_taken_over(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    bool first = job->taken_over;
    struct text text;

    job->taken_over = false;
    if (!first) {
        return;
    }
    job->was_at = job->record.step + job->again;
    if (job->again == 0) {
        job->stopped = false;
        return;
    }
    text = action_event(out, slot, "fault", 0);
    text_add(&text, "the coordinator was started again; on from step ");
    tell_count(&text, job->record.step);
    text_add(&text, job->from_point ? " (kept in memory), " : ", ");
    tell_steps(&text, job->again);
}

static void tell_seconds(struct text *text, uint64_t ms)
{
    uint64_t tenths = (ms + 50) / 100;

    text_u64(text, tenths / 10);
    text_add(text, ".");
    text_u64(text, tenths % 10);
    text_add(text, " s after ");
}

void note_stop(struct coord *c, struct job *job, bool started_again)
{
    if (!job->stopped || job->goes_on) {
        job->stopped_ms = c->now_ms;
        job->started_again = started_again;
    }
    if (!job->stopped || job->record.step > job->was_at) {
        job->was_at = job->record.step;
    }
    job->stopped = true;
    job->goes_on = false;
}

void tell_recovered(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    uint64_t first = job->grants[(job->reported - 1) % GRANTS_MAX].first_step;
    uint64_t again = job->was_at > first ? job->was_at - first : 0;
    bool there = job->record.step >= job->was_at;
    struct text text;

    if (!job->stopped || (job->goes_on && !there)) {
        return;
    }
    text = action_event(out, slot, "recovered", 0);
    text_add(&text, job->goes_on ? "is where it was, " : "goes on ");
    tell_seconds(&text, c->now_ms - job->stopped_ms);
    text_add(&text,
             job->started_again ? "the coordinator's start" : "it stopped");
    if (!job->goes_on) {
        text_add(&text, ", ");
        tell_count(&text, again);
        text_add(&text, again == 1 ? " step" : " steps");
        text_add(&text, " to compute again");
    }
    job->goes_on = true;
    job->stopped = !there;
}

/* --- Going back --- */

/* The coordinator has just started: who has copies has yet to say so. */
static bool must_gather(const struct coord *c, const struct job *job)
{
    return job->gather_ms > c->now_ms && job->point.used &&
           !job_point_serves(job);
}

void begin_gathering(struct coord *c, uint32_t slot, const struct point *point)
{
    struct job *job = &c->jobs[slot];

    job->point = *point;
    job->gather_ms = c->now_ms + GATHER_MS;
}

static void move_to_loading(struct job *job)
{
    if (job->phase != PHASE_LOADING) {
        job_move(job, PHASE_LOADING);
    }
}

void load_back(struct coord *c, uint32_t slot, bool resume, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct action *action;

    job->resume_wanted = resume;
    job->phase_deadline_ms = UINT64_MAX;
    if (load_must_wait(c, slot)) {
        move_to_loading(job);
        return;
    }
    if (job->kind == KIND_TRAIN && job->record.head == 0) {
        /* Nothing was committed yet: from the beginning, to the same bits. */
        job->origin = NULL;
        job->from_point = false;
        if (job->phase == PHASE_FREE) {
            job_move(job, PHASE_LOADING);
        }
        job_move(job, PHASE_WAITING);
        return;
    }
    move_to_loading(job);
    if (must_gather(c, job)) {
        job->phase_deadline_ms = job->gather_ms;
        return;
    }
    job->gather_ms = 0;
    if (!job_point_serves(job)) {
        drop_point(c, slot, out);
    }
    job->from_point = false; /* what is loaded says it anew */
    action = action_add(out, ACTION_LOAD);
    action->slot = slot;
    action->token = token_new(c, TOKEN_LOAD, slot, job->record.head, 0);
    action->load.job =
        job->kind == KIND_EVALUATE ? job->evaluate_job : job->record.job;
    action->load.version = job->record.head;
    action->load.point = job->point.used;
}

bool point_has_failed(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct text text;

    if (!job->from_point || job->kind != KIND_TRAIN) {
        return false;
    }
    text = action_event(out, slot, "fault", 0);
    text_add(&text, "the state kept in memory, of step ");
    tell_count(&text, job->origin->step);
    text_add(&text, ", is given up");
    drop_point(c, slot, out);
    return true;
}

/* The job was to go on from its point, and cannot: a move is none then. */
static void lack_point(struct coord *c,
                       uint32_t slot,
                       const char *why,
                       struct actions *out)
{
    struct job *job = &c->jobs[slot];
    struct text text = action_event(out, slot, "fault", job->record.head);

    job->moving = false;
    text_add(&text, why);
    tell_way_back(c, slot, &text);
}

static const char copy_is_lost[] =
    "a copy of the state kept in memory is lost with its worker";

bool loaded_in_vain(struct coord *c,
                    uint32_t slot,
                    const struct coord_event *ev,
                    struct actions *out)
{
    struct job *job = &c->jobs[slot];
    const struct version *version = ev->loaded.version;

    if (job->kind != KIND_TRAIN || ev->loaded.status != STATUS_OK) {
        return false;
    }
    if (!ev->loaded.point) { /* the store has no such record, or a bad one */
        bool wanted = job->point.used;

        job->point.used = false;
        if (wanted) {
            lack_point(c, slot,
                       "the record of the state kept in memory cannot be read",
                       out);
        }
        return false;
    }
    if (job_point_serves(job) && version->line == job->point.line &&
        version->interval == job->point.interval && version->begun != NULL &&
        version->begun->term == job->point.term) {
        return false;
    }
    /* A worker was lost meanwhile. */
    drop_point(c, slot, out);
    lack_point(c, slot, copy_is_lost, out);
    load_back(c, slot, job->resume_wanted, out);
    return true;
}

/* --- Copies --- */

/* A job that rests has no use for them, nor has one that is not known: its
 * worker was away when that was said. */
static void forget_copies(struct coord *c,
                          uint32_t worker,
                          uint64_t id,
                          struct actions *out)
{
    struct action *action = action_add(out, ACTION_SEND);

    action->send.peer = c->members.items[worker].peer;
    action->send.message.kind = WIRE_DROP;
    action->send.message.drop =
        (struct wire_drop){.job = id, .term = c->last_term, .forget = true};
}

void take_kept(struct coord *c,
               uint32_t worker,
               const struct wire_kept *kept,
               struct actions *out)
{
    uint32_t slot = coord_find(c, kept->job);
    struct job *job = slot != JOBS_MAX ? &c->jobs[slot] : NULL;

    if (job == NULL || job->phase == PHASE_ENDED ||
        job->phase == PHASE_PAUSED || job->phase == PHASE_RESTORING) {
        forget_copies(c, worker, kept->job, out);
        return;
    }
    job->now_ms = c->now_ms;
    worker_set_add(&job->told, worker);
    if (job_take_kept(job, worker, kept) != STATUS_OK) {
        return; /* older than what the job would go back to */
    }
    if (job->phase == PHASE_RUNNING) {
        run_on(c, slot, out);
    } else if (job->phase == PHASE_LOADING && job->gather_ms != 0 &&
               job_point_serves(job)) {
        job->gather_ms = 0;
        load_back(c, slot, job->resume_wanted, out);
    }
}

void lose_copies(struct coord *c, uint32_t worker, struct actions *out)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        struct job *job = &c->jobs[s];

        if (job->phase == PHASE_FREE) {
            continue;
        }
        job_lose_copies(job, worker);
        /* Nobody is placed yet, so nobody has to be told. */
        if (job->phase == PHASE_WAITING && job->from_point &&
            !job_point_serves(job)) {
            lack_point(c, s, copy_is_lost, out);
            load_back(c, s, true, out);
        }
    }
}
