/* coord_workers.c - workers that come and go while jobs run.
 *
 * A cordoned worker gets no new shards; a draining one loses those that it
 * has; a leaving one too, and then its process. A job follows by a move
 * (coord_moves.c). Whoever asked for a drain is answered when it is done. */
#include "coordinator/core/coord_inside.h"

#include "base/check.h"

#include <string.h>

const char *coord_worker_state(const struct coord *c, uint32_t worker)
{
    const struct member *m = &c->members.items[worker];

    CHECK(worker < MEMBERS_MAX);
    if (!m->present) {
        return m->left ? "left" : "lost";
    }
    if (m->leaving) {
        return "leaving";
    }
    if (m->draining) {
        return "draining";
    }
    if (m->cordoned) {
        return "cordoned";
    }
    return m->sessions > 0 ? "busy" : "idle";
}

static uint32_t shards_of(const struct coord *c, uint32_t worker)
{
    uint32_t shards = 0;

    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];

        if (job->phase != PHASE_FREE && worker_set_has(&job->placed, worker)) {
            shards += job_shards_on(job, worker);
        }
    }
    return shards;
}

static void add_shards(struct text *text, uint32_t shards)
{
    text_u64(text, shards);
    text_add(text, shards == 1 ? " shard" : " shards");
}

/* "j4 has 2 shards here and goes on at ..." of the job that keeps it. */
static void add_keeping_job(const struct coord *c,
                            uint32_t worker,
                            struct text *text)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];

        if (job->phase == PHASE_FREE || job->kind != KIND_TRAIN ||
            !worker_set_has(&job->placed, worker)) {
            continue;
        }
        add_shards(text, job_shards_on(job, worker));
        text_add(text, " of j");
        text_u64(text, job->record.job);
        text_add(text, move_is_possible(c, s, NO_WORKER)
                           ? " move to other workers"
                           : " wait for another worker");
        return;
    }
    text_add(text, "its last shards are on their way");
}

void coord_worker_reason(const struct coord *c,
                         uint32_t worker,
                         char *out,
                         size_t size)
{
    const struct member *m = &c->members.items[worker];
    struct text text;

    CHECK(worker < MEMBERS_MAX);
    text_init(&text, out, size);
    if (!m->present) {
        text_add(&text, m->gone);
    } else if (m->leaving || m->draining) {
        add_keeping_job(c, worker, &text);
    } else if (m->cordoned) {
        text_add(&text, "no new shards; `cajal uncordon ");
        text_add(&text, m->hello.name);
        text_add(&text, "` takes it back");
    }
}

/* --- Requests --- */

static void begin_text(const struct member *m, char *line, struct text *text)
{
    text_init(text, line, DETAIL_BYTES_MAX);
    text_add(text, m->hello.name);
}

static void answer(uint64_t request,
                   enum status status,
                   const char *line,
                   struct actions *out)
{
    if (request != 0) {
        action_reply(out, request, status, 0, line);
    }
}

static void ask_cordon(struct coord *c,
                       const struct request *request,
                       struct actions *out)
{
    struct member *m = &c->members.items[request->worker];
    char line[DETAIL_BYTES_MAX];
    struct text text;

    begin_text(m, line, &text);
    text_add(&text, m->cordoned ? " was cordoned already" : " is cordoned");
    text_add(&text, ": it takes no new shards and keeps ");
    add_shards(&text, shards_of(c, request->worker));
    m->cordoned = true;
    members_changed(&c->members);
    answer(request->id, STATUS_OK, line, out);
}

static void end_drain(struct member *m,
                      enum status status,
                      const char *what,
                      struct actions *out)
{
    char line[DETAIL_BYTES_MAX];
    struct text text;
    uint64_t request = m->drain_request;

    m->drain_request = 0;
    m->drain_deadline_ms = UINT64_MAX;
    begin_text(m, line, &text);
    text_add(&text, what);
    answer(request, status, line, out);
}

static void ask_uncordon(struct coord *c,
                         const struct request *request,
                         struct actions *out)
{
    struct member *m = &c->members.items[request->worker];
    char line[DETAIL_BYTES_MAX];
    struct text text;

    begin_text(m, line, &text);
    if (m->leaving) {
        text_add(&text, " is leaving: its process was told to end");
        answer(request->id, STATUS_CONFLICT, line, out);
        return;
    }
    text_add(&text, m->cordoned || m->draining ? " takes shards again"
                                               : " was not cordoned");
    m->cordoned = false;
    m->draining = false;
    members_changed(&c->members);
    end_drain(m, STATUS_CONFLICT, " was uncordoned before it was drained", out);
    answer(request->id, STATUS_OK, line, out);
}

/* The sentence of a job that could not go on without the worker, on which it
 * is, or to which it is about to move. */
static bool refuse_drain(const struct coord *c,
                         const struct request *request,
                         struct actions *out)
{
    const struct member *m = &c->members.items[request->worker];
    char line[DETAIL_BYTES_MAX];
    struct text text;

    begin_text(m, line, &text);
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];
        uint32_t least = job_workers_least(job);

        if (!move_concerns(c, s, request->worker) ||
            move_is_possible(c, s, request->worker)) {
            continue;
        }
        text_add(&text, " is needed: j");
        text_u64(&text, job->record.job);
        text_add(&text, " runs on no fewer than ");
        text_u64(&text, least);
        text_add(&text, least == 1 ? " worker" : " workers");
        text_add(&text, ", and no other is free to take over. Start another "
                        "worker, or pause the job");
        answer(request->id, STATUS_CONFLICT, line, out);
        return true;
    }
    return false;
}

/* A job that was on the worker when it had to go back, and is not running
 * again. Done is the drain when it runs elsewhere. */
static const struct job *coming_from(const struct coord *c, uint32_t worker)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &c->jobs[s];
        bool comes = job->phase == PHASE_LOADING ||
                     job->phase == PHASE_WAITING ||
                     job->phase == PHASE_OPENING || job->phase == PHASE_PLACING;

        if (comes && job->kind == KIND_TRAIN &&
            worker_set_has(&job->was_on, worker)) {
            return job;
        }
    }
    return NULL;
}

static void ask_drain(struct coord *c,
                      const struct request *request,
                      struct actions *out)
{
    struct member *m = &c->members.items[request->worker];
    char line[DETAIL_BYTES_MAX];
    struct text text;

    if (m->drain_request != 0 || m->leaving) {
        begin_text(m, line, &text);
        text_add(&text, m->leaving ? " is leaving already"
                                   : " is being drained already");
        answer(request->id, STATUS_CONFLICT, line, out);
        return;
    }
    if (!m->present) { /* nobody would answer when it comes back */
        begin_text(m, line, &text);
        text_add(&text, " is not here and hosts nothing; it stays cordoned");
        m->cordoned = true;
        answer(request->id, STATUS_OK, line, out);
        return;
    }
    if (refuse_drain(c, request, out)) {
        return;
    }
    m->was_cordoned = m->cordoned;
    m->cordoned = true;
    m->draining = true;
    members_changed(&c->members);
    m->stranded_ms = 0;
    m->drain_request = request->id;
    m->drain_deadline_ms = c->now_ms + request->wait_ms;
}

void take_worker_request(struct coord *c,
                         const struct request *request,
                         struct actions *out)
{
    if (request->worker >= MEMBERS_MAX ||
        !c->members.items[request->worker].used) {
        answer(request->id, STATUS_NOT_FOUND, "there is no such worker", out);
        return;
    }
    if (request->kind == REQUEST_CORDON) {
        ask_cordon(c, request, out);
    } else if (request->kind == REQUEST_UNCORDON) {
        ask_uncordon(c, request, out);
    } else {
        ask_drain(c, request, out);
    }
}

/* --- Coming to an end --- */

/* While the coordinator shuts down all workers are told to end anyway. */
void take_leave(struct coord *c, uint32_t worker)
{
    if (!c->quitting) {
        c->members.items[worker].leaving = true;
        members_changed(&c->members);
    }
}

void worker_is_gone(struct coord *c,
                    uint32_t worker,
                    const char *why,
                    struct actions *out)
{
    struct member *m = &c->members.items[worker];
    struct text text;

    text_init(&text, m->gone, sizeof(m->gone));
    text_add(&text, why);
    if (m->drain_request != 0) {
        end_drain(
            m, STATUS_CONFLICT,
            " was lost while it was drained, and stays cordoned: its jobs "
            "went back",
            out);
    }
}

static void let_go(struct coord *c, uint32_t worker, struct actions *out)
{
    struct member *m = &c->members.items[worker];
    struct action *action = action_add(out, ACTION_SEND);

    action->send.peer = m->peer;
    action->send.message.kind = WIRE_QUIT;
    m->left = true;
    if (m->drain_request != 0) {
        end_drain(m, STATUS_OK, " hosts nothing any more and has left", out);
    }
    lose_worker(c, worker, "left when asked to end", out);
}

/* The others died while it was drained: as a drain that nobody could follow is
 * refused, this one is taken back, and the job goes on here. */
static void give_back(struct coord *c,
                      struct member *m,
                      const struct job *job,
                      struct actions *out)
{
    char line[DETAIL_BYTES_MAX];
    struct text text;

    m->draining = false;
    m->cordoned = m->was_cordoned;
    m->stranded_ms = 0;
    c->given_back = true;
    members_changed(&c->members);
    text_init(&text, line, sizeof(line));
    text_add(&text, " is not drained: j");
    text_u64(&text, job->record.job);
    text_add(&text, " has lost its other workers and finds none");
    text_add(&text, m->cordoned ? "" : "; it takes shards again");
    end_drain(m, STATUS_CONFLICT, line, out);
}

/* True: the drain of a worker that hosts nothing is not done yet. */
static bool is_stranded(struct coord *c, uint32_t worker, struct actions *out)
{
    struct member *m = &c->members.items[worker];
    const struct job *job = coming_from(c, worker);

    if (job == NULL || m->leaving || job->phase != PHASE_WAITING) {
        m->stranded_ms = 0;
        return job != NULL && !m->leaving;
    }
    if (m->stranded_ms == 0) {
        m->stranded_ms = c->now_ms;
    }
    if (c->now_ms >= m->stranded_ms + DRAIN_PATIENCE_MS ||
        c->now_ms >= m->drain_deadline_ms) {
        give_back(c, m, job, out);
    }
    return true;
}

void settle_workers(struct coord *c, struct actions *out)
{
    /* A copy: whoever is let go is not in it any more. */
    struct worker_set going = members_census(&c->members)->going;

    c->given_back = false;
    for (uint32_t w = worker_set_next(&going, 0); w != NO_WORKER;
         w = worker_set_next(&going, w + 1)) {
        struct member *m = &c->members.items[w];

        if (!m->present || !(m->draining || m->leaving)) {
            continue;
        }
        if (!is_stranded(c, w, out) && !move_needs(c, w)) {
            if (m->leaving && !c->quitting) {
                let_go(c, w, out);
            } else if (!m->leaving) {
                m->draining = false;
                members_changed(&c->members);
                end_drain(m, STATUS_OK,
                          " hosts nothing any more, and stays cordoned", out);
            }
        } else if (c->now_ms >= m->drain_deadline_ms) {
            end_drain(m, STATUS_OK,
                      " still hosts shards; the drain goes on: cajal workers",
                      out);
        }
    }
}

uint64_t workers_deadline(const struct coord *c)
{
    /* Who waits for a drain waits for one of these. */
    const struct worker_set *going = &members_counted(&c->members)->going;
    uint64_t deadline = c->given_back ? c->now_ms : UINT64_MAX;

    for (uint32_t w = worker_set_next(going, 0); w != NO_WORKER;
         w = worker_set_next(going, w + 1)) {
        const struct member *m = &c->members.items[w];

        if (!m->present) {
            continue;
        }
        if (m->drain_request != 0 && m->drain_deadline_ms < deadline) {
            deadline = m->drain_deadline_ms;
        }
        if (m->draining && m->stranded_ms != 0 &&
            m->stranded_ms + DRAIN_PATIENCE_MS < deadline) {
            deadline = m->stranded_ms + DRAIN_PATIENCE_MS;
        }
    }
    return deadline;
}
