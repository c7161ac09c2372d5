/* coord_mail.c - what workers say. */
#include "coordinator/core/coord_inside.h"

#include "base/check.h"
#include "coordinator/core/job_cuts.h"

#include <string.h>

static void refuse(uint32_t peer,
                   enum status status,
                   const char *why,
                   struct actions *out)
{
    struct action *action = action_add(out, ACTION_SEND);
    struct text text;

    action->send.peer = peer;
    action->send.message.kind = WIRE_REFUSE;
    action->send.message.refuse.status = (uint32_t)status;
    text_init(&text, action->send.message.refuse.text,
              sizeof(action->send.message.refuse.text));
    text_add(&text, why);
    action = action_add(out, ACTION_FORGET_PEER);
    action->forget_peer.peer = peer;
}

static void on_hello(struct coord *c,
                     uint32_t peer,
                     const struct wire_hello *hello,
                     struct actions *out)
{
    char why[ERROR_BYTES_MAX];
    enum status status = STATUS_OK;
    uint32_t older = members_older(&c->members, hello);
    uint32_t worker;
    struct action *action;

    if (older != NO_WORKER) {
        /* The process before this one is dead: its jobs go back. */
        lose_worker(c, older, "is lost (its process was started again)", out);
    }
    worker = members_join(&c->members, peer, hello, c->now_ms, &status, why);
    if (worker == NO_WORKER) {
        refuse(peer, status, why, out);
        return;
    }
    action = action_add(out, ACTION_SEND);
    action->send.peer = peer;
    action->send.message.kind = WIRE_WELCOME;
    action->send.message.welcome.life = c->life;
    action->send.message.welcome.worker = worker;
    action->send.message.welcome.heartbeat_ms = (uint32_t)c->heartbeat_ms;
    action->send.message.welcome.timeout_ms = (uint32_t)c->timeout_ms;
    memcpy(action->send.message.welcome.chunk_endpoint, c->chunk_endpoint,
           sizeof(c->chunk_endpoint));
}

static void on_opened(struct coord *c,
                      uint32_t worker,
                      const struct wire_opened *opened,
                      void *memory,
                      struct actions *out)
{
    uint32_t slot;
    struct job *job;

    for (uint32_t p = 0; p < PROBES_MAX; p++) {
        struct probe *probe = &c->probes[p];

        if (probe->used && probe->worker == worker &&
            opened->job == ((1ull << SESSION_JOB_SHIFT) | probe->request)) {
            end_probe(c, probe, (enum status)opened->status, opened->error,
                      opened->shape, out);
            return;
        }
    }
    slot = coord_find(c, opened->job);
    if (slot == JOBS_MAX) {
        return;
    }
    job = &c->jobs[slot];
    if (job->phase != PHASE_OPENING || job->opener != worker) {
        return;
    }
    if (opened->status == STATUS_BUSY) {
        try_later(c, slot, worker, opened->error, out);
        return;
    }
    if (opened->status != STATUS_OK) {
        end_job(c, slot, JOB_FAILED, opened->error, 0, out);
        return;
    }
    CHECK(opened->shape != NULL);
    if (memory == NULL) {
        end_job(c, slot, JOB_FAILED, "the coordinator is out of memory", 0,
                out);
        return;
    }
    job->memory = memory;
    job->record.shape = *opened->shape;
    job->record.shape_known = true;
    job_begin_fresh(job);
    job_move(job, PHASE_PLACING);
    job->phase_deadline_ms = c->now_ms + PLACE_DEADLINE_MS;
    job->term = ++c->last_term;
    job_send_assign(job, c->life, &c->members, out);
}

/* What passes is tried again; what a person can mend pauses the job. */
static void not_ready(struct coord *c,
                      uint32_t slot,
                      uint32_t worker,
                      const struct wire_ready *ready,
                      struct actions *out)
{
    struct job *job = &c->jobs[slot];

    if (job->kind == KIND_EVALUATE) {
        action_reply(out, job->evaluate_request, (enum status)ready->status,
                     job->evaluate_job, ready->error);
        job_send_drop(job, &c->members, false, out);
        slot_free(c, slot, out);
        return;
    }
    if (ready->status != STATUS_BUSY && point_has_failed(c, slot, out)) {
        roll_back(c, slot, ready->error, out);
        return;
    }
    switch ((enum status)ready->status) {
    case STATUS_UNAVAILABLE: /* a peer, or the store of the life before */
    case STATUS_DEADLINE:
        roll_back(c, slot, ready->error, out);
        break;
    case STATUS_BUSY:
        try_later(c, slot, worker, ready->error, out);
        break;
    case STATUS_IO:
    case STATUS_FULL:
    case STATUS_NO_MEMORY:
        pause_job(c, slot, ready->error, 0, out);
        break;
    case STATUS_OK:
    case STATUS_INVALID:
    case STATUS_NOT_FOUND:
    case STATUS_STALE:
    case STATUS_CORRUPT:
    case STATUS_CONFLICT:
    case STATUS_UNSUPPORTED:
    case STATUS_REFUSED:
        end_job(c, slot, JOB_FAILED, ready->error, 0, out);
        break;
    }
}

static void on_ready(struct coord *c,
                     uint32_t slot,
                     uint32_t worker,
                     const struct wire_ready *ready,
                     struct actions *out)
{
    struct job *job = &c->jobs[slot];

    if (job->phase != PHASE_PLACING || ready->term != job->term) {
        return;
    }
    if (ready->status != STATUS_OK) {
        not_ready(c, slot, worker, ready, out);
        return;
    }
    worker_set_add(&job->ready, worker);
    if (!worker_set_equal(&job->ready, &job->placed)) {
        return;
    }
    job_move(job, PHASE_RUNNING);
    worker_set_clear(&job->busy);
    worker_set_clear(&job->was_on);
    job->mark_ms = c->now_ms;
    job->moved_ms = c->now_ms;
    job->phase_deadline_ms = UINT64_MAX;
    job_update_record(job, &c->members);
    move_is_done(c, slot, out);
    if (job->kind == KIND_TRAIN) {
        set_reason(job, "");
        store_state(c, slot, 0, out);
    }
    run_on(c, slot, out);
}

/* The version's own figures that still waited for a report come first and are
 * not what was asked for. */
static void tell_evaluations(struct job *job,
                             const struct report *report,
                             struct actions *out)
{
    uint32_t last = job->origin->shards_count - 1;

    for (uint32_t e = job->origin->shards[last].evaluations_count;
         e < report->evaluations_count; e++) {
        struct action *action = action_add(out, ACTION_EVALUATION);

        action->evaluation.request = job->evaluate_request;
        action->evaluation.version = job->origin->number;
        action->evaluation.evaluation = report->evaluations[e];
    }
}

static void on_report(struct coord *c,
                      uint32_t slot,
                      const struct report *report,
                      struct actions *out)
{
    struct job *job = &c->jobs[slot];
    char why[ERROR_BYTES_MAX];
    bool whole;

    if (job->phase != PHASE_RUNNING ||
        job_take_report(job, report, &whole) != STATUS_OK) {
        return; /* late, of another term, or twice: it changes nothing */
    }
    job->moved_ms = c->now_ms;
    if (job->kind == KIND_EVALUATE) {
        tell_evaluations(job, report, out);
        if (whole) {
            job->reported++;
        }
    } else if (whole && !job_close_interval(job, slot, c->now_ms, out, why,
                                            sizeof(why))) {
        struct text text = action_event(out, slot, "fault", job->record.head);

        text_add(&text, why);
        set_reason(job, why);
        job->overflowed = true;
        job_cuts_drop_after(job, report->interval);
    }
    if (whole && !job->overflowed) {
        tell_recovered(c, slot, out);
    }
    if (whole) {
        run_on(c, slot, out);
    }
}

/* A lost frame is a lost worker's doing, and passes with it. What else fails
 * again and again would for ever: the job waits for a person. */
static void on_fault(struct coord *c,
                     uint32_t slot,
                     uint32_t worker,
                     const struct wire_fault *fault,
                     struct actions *out)
{
    char line[DETAIL_BYTES_MAX];
    struct text text;

    struct job *job = &c->jobs[slot];

    if (fault->term != job->term) {
        return;
    }
    text_init(&text, line, sizeof(line));
    text_add(&text, "worker ");
    text_add(&text, c->members.items[worker].hello.name);
    text_add(&text, " says: ");
    text_add(&text, fault->text);
    job->faults += fault->kind != FAULT_FRAME;
    if (job->kind == KIND_TRAIN && job->faults >= FAULTS_MAX) {
        pause_job(c, slot, line, 0, out);
        return;
    }
    roll_back(c, slot, line, out);
}

/* Messages about a job that the worker hosts. */
static void on_job_message(struct coord *c,
                           uint32_t worker,
                           const struct wire *m,
                           uint64_t id,
                           struct actions *out)
{
    uint32_t slot = coord_find(c, id);

    if (slot == JOBS_MAX || !worker_set_has(&c->jobs[slot].placed, worker)) {
        return; /* a job that has moved on */
    }
    if (m->kind == WIRE_READY) {
        on_ready(c, slot, worker, &m->ready, out);
    } else if (m->kind == WIRE_REPORT) {
        on_report(c, slot, m->report.report, out);
    } else if (m->kind == WIRE_FAULT) {
        on_fault(c, slot, worker, &m->fault, out);
    } else if (m->kind == WIRE_SHARD_CUT) {
        const struct wire_shard_cut *cut = &m->shard_cut;

        if (cut->term == c->jobs[slot].term &&
            job_take_shard_cut(&c->jobs[slot], cut->version, cut->record->layer,
                               cut->record->shard) == STATUS_OK) {
            c->jobs[slot].moved_ms = c->now_ms;
            run_on(c, slot, out);
        }
    }
}

static void on_heartbeat(struct coord *c,
                         uint32_t worker,
                         const struct wire_heartbeat *beat)
{
    struct member *m = &c->members.items[worker];
    bool moved = m->shard_steps != beat->shard_steps || m->turns != beat->turns;

    m->shard_steps = beat->shard_steps;
    m->bytes_sent = beat->bytes_sent;
    m->kept_bytes = beat->kept_bytes;
    m->buddy_bytes = beat->buddy_bytes;
    m->turns = beat->turns;
    for (uint32_t s = 0; moved && s < JOBS_MAX; s++) {
        if (worker_set_has(&c->jobs[s].placed, worker)) {
            c->jobs[s].moved_ms = c->now_ms;
        }
    }
}

void take_message(struct coord *c,
                  const struct coord_event *ev,
                  struct actions *out)
{
    const struct wire *m = ev->message.message;
    uint32_t worker;

    if (m->kind == WIRE_HELLO) {
        on_hello(c, ev->message.peer, &m->hello, out);
        return;
    }
    worker = members_of_peer(&c->members, ev->message.peer);
    if (worker == NO_WORKER) {
        refuse(ev->message.peer, STATUS_STALE,
               "this coordinator does not know you (any more): say hello", out);
        return;
    }
    members_hear(&c->members, worker, c->now_ms);
    switch (m->kind) {
    case WIRE_HEARTBEAT:
        on_heartbeat(c, worker, &m->heartbeat);
        break;
    case WIRE_OPENED:
        on_opened(c, worker, &m->opened, ev->message.memory, out);
        break;
    case WIRE_READY:
        on_job_message(c, worker, m, m->ready.job, out);
        break;
    case WIRE_REPORT:
        on_job_message(c, worker, m, m->report.job, out);
        break;
    case WIRE_SHARD_CUT:
        on_job_message(c, worker, m, m->shard_cut.job, out);
        break;
    case WIRE_FAULT:
        on_job_message(c, worker, m, m->fault.job, out);
        break;
    case WIRE_LEAVE:
        take_leave(c, worker);
        break;
    case WIRE_GOODBYE:
        c->members.items[worker].left = true;
        lose_worker(c, worker, "said goodbye", out);
        break;
    case WIRE_KEPT:
        take_kept(c, worker, &m->kept, out);
        break;
    case WIRE_HELLO:
    case WIRE_WELCOME:
    case WIRE_REFUSE:
    case WIRE_OPEN:
    case WIRE_ASSIGN:
    case WIRE_GRANT:
    case WIRE_RELEASE:
    case WIRE_DROP:
    case WIRE_QUIT:
    case WIRE_ROSTER:
        break; /* not a worker's to say: ignored */
    }
}
