#include "worker/shell/session.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "worker/shell/actor.h"
#include "worker/shell/batches.h"
#include "worker/shell/norms.h"

#include <stdio.h>
#include <string.h>

struct session {
    struct sched sched;
    struct sched_actions actions;
    uint64_t total_steps;
    struct session_hooks hooks;
    struct jobs *jobs;
    uint64_t *evaluate_rows; /* [tasks], lent to sched */
    uint64_t *guard_rows;    /* [tasks], lent to sched */
    struct batches *batches;
    struct actor *actors; /* as sched.locals */
    struct norms norms;
    uint32_t running;                /* operations on compute threads */
    uint32_t queue[SCHED_SLOTS_MAX]; /* locals; for session_work */
    uint32_t queue_count;
    bool stopped;
    bool failed;
};

static void handle(struct session *session,
                   const struct sched_event *event,
                   struct part *payload);

/* Opening */

static enum status refuse(enum status status,
                          const char *text,
                          char *why,
                          size_t why_size)
{
    (void)snprintf(why, why_size, "%s", text);
    return status;
}

static uint32_t index_of(const struct session_options *o, uint32_t worker)
{
    uint32_t i = 0;

    while (i < o->workers_count && o->workers[i] != worker) {
        i++;
    }
    return i;
}

/* Placement and architecture, as the scheduler wants them. */
static enum status place_shards(const struct session_options *o,
                                struct sched_config *config,
                                char *why,
                                size_t why_size)
{
    const struct arch *arch = o->arch;
    uint32_t at = 0;

    for (uint32_t l = 0; l < arch->layers_count; l++) {
        config->shards_count[l] = arch->layers[l].shards_count;
        for (uint32_t s = 0; s < arch->layers[l].shards_count; s++) {
            uint32_t owner =
                at < o->owners_count ? index_of(o, o->owners[at]) : UINT32_MAX;

            if (owner >= o->workers_count) {
                return refuse(STATUS_INVALID,
                              "the placement does not name a worker for each "
                              "shard",
                              why, why_size);
            }
            config->owners[l][s] = (uint8_t)owner;
            at++;
        }
    }
    if (at != o->owners_count) {
        return refuse(STATUS_INVALID,
                      "the placement names more shards than the architecture",
                      why, why_size);
    }
    return STATUS_OK;
}

static enum status check_options(const struct session_options *o,
                                 char *why,
                                 size_t why_size)
{
    const struct arch *arch = o->arch;
    const struct data_shape *shape = stream_shape(o->stream);
    const char *text = NULL;

    if (o->workers_count < 1 || o->workers_count > WORKERS_MAX ||
        index_of(o, o->worker) == o->workers_count) {
        text = "the placement does not name this worker";
    } else if (arch->layers_count < 1 ||
               arch->layers[arch->layers_count - 1].shards_count != 1) {
        text = "the output layer must have one shard";
    } else if (arch->inputs != shape->inputs) {
        text = "the data have another number of inputs than the model";
    } else if (arch->layers[arch->layers_count - 1].units_count <
               shape->classes) {
        text = "the data have more classes than the model has outputs";
    }
    return text == NULL ? STATUS_OK
                        : refuse(STATUS_INVALID, text, why, why_size);
}

static enum status open_rows(struct session *session, struct stream *stream)
{
    const struct data_shape *shape = stream_shape(stream);

    session->evaluate_rows = mem_array(shape->tasks_count, sizeof(uint64_t));
    session->guard_rows = mem_array(shape->tasks_count, sizeof(uint64_t));
    if (session->evaluate_rows == NULL || session->guard_rows == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t t = 0; t < shape->tasks_count; t++) {
        session->evaluate_rows[t] = stream_evaluate_count(stream, t);
        session->guard_rows[t] = stream_guard_count(stream, t);
    }
    return STATUS_OK;
}

static enum status open_batches(struct session *session,
                                const struct session_options *o)
{
    const struct sched *sched = &session->sched;
    uint32_t last = o->arch->layers_count - 1;
    uint32_t rows = EVALUATE_ROWS * EVALUATE_WINDOW;
    struct batches_options options = {
        .stream = o->stream,
        .inputs = o->arch->inputs,
        .rows_max = o->spec->train.batch > rows ? o->spec->train.batch : rows,
        .wants_x = sched->layer_first[0] < sched->layer_first[1],
        .wants_labels =
            sched->layer_first[last] < sched->layer_first[last + 1]};

    return batches_open(&options, &session->batches);
}

static enum status open_actors(struct session *session,
                               const struct session_options *o)
{
    struct sched *sched = &session->sched;
    enum status status = STATUS_OK;

    session->actors = mem_array(sched->locals_count, sizeof(*session->actors));
    if (session->actors == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < sched->locals_count; i++) {
        struct shard_place place = {.spec = o->spec,
                                    .arch = o->arch,
                                    .layer = sched->locals[i].layer,
                                    .shard = sched->locals[i].shard};

        status = actor_open(&session->actors[i], &place);
        session->actors[i].owner = session;
    }
    return status;
}

static void fill_config(const struct session *session,
                        const struct session_options *o,
                        struct sched_config *config)
{
    config->job = o->job;
    config->term = o->term;
    config->first_step = o->step;
    config->batch = o->spec->train.batch;
    config->microbatches = o->spec->train.microbatches;
    config->clip = o->spec->train.clip > 0;
    config->slots = o->jobs != NULL ? o->slots : 1;
    config->tasks_count = stream_shape(o->stream)->tasks_count;
    config->evaluate_rows = session->evaluate_rows;
    config->guard_rows = session->guard_rows;
    config->layers_count = o->arch->layers_count;
    config->peers_count = o->workers_count;
    config->self = index_of(o, o->worker);
    memcpy(config->peers, o->workers, o->workers_count * sizeof(*o->workers));
}

static enum status start(struct session *session,
                         const struct session_options *o,
                         char *why,
                         size_t why_size)
{
    struct sched_config *config = mem_new(sizeof(*config));
    enum status status = STATUS_NO_MEMORY;

    if (config == NULL) {
        goto out;
    }
    status = open_rows(session, o->stream);
    if (status != STATUS_OK) {
        goto out;
    }
    status = place_shards(o, config, why, why_size);
    if (status != STATUS_OK) {
        goto out;
    }
    fill_config(session, o, config);
    sched_init(&session->sched, config);
    norms_init(&session->norms, config->layers_count, config->shards_count);
    status = open_batches(session, o);
    if (status == STATUS_OK) {
        status = open_actors(session, o);
    }

out:
    mem_free(config);
    return status;
}

enum status session_open(const struct session_options *options,
                         char *why,
                         size_t why_size,
                         struct session **out)
{
    enum status status = check_options(options, why, why_size);
    struct session *session = NULL;

    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(why, why_size, "%s", status_text(STATUS_NO_MEMORY));
    session = mem_new(sizeof(*session));
    if (session == NULL) {
        return STATUS_NO_MEMORY;
    }
    session->hooks = options->hooks;
    session->jobs = options->jobs;
    session->total_steps = options->total_steps;
    status = start(session, options, why, why_size);
    if (status != STATUS_OK) {
        session_close(session);
        return status;
    }
    why[0] = '\0';
    *out = session;
    return STATUS_OK;
}

void session_close(struct session *session)
{
    if (session == NULL) {
        return;
    }
    CHECK(session_idle(session));
    for (uint32_t i = 0;
         session->actors != NULL && i < session->sched.locals_count; i++) {
        actor_close(&session->actors[i]);
    }
    mem_free(session->actors);
    batches_close(session->batches);
    mem_free(session->guard_rows);
    mem_free(session->evaluate_rows);
    mem_free(session);
}

bool session_idle(const struct session *session)
{
    return session->running == 0;
}

void session_stop(struct session *session)
{
    session->stopped = true;
    session->queue_count = 0;
}

/* Operations */

static void prepare(struct session *session,
                    struct actor *actor,
                    const struct sched_run *run)
{
    const struct train_spec *train = &actor->spec.train;

    actor->run = *run;
    if (run->op == SCHED_FORWARD &&
        (run->layer == 0 || actor->consumers_count == 0)) {
        batches_get(session->batches, run, &actor->input.x,
                    &actor->input.labels);
    } else if (run->op == SCHED_UPDATE) {
        actor->input.rate =
            rate_at(&train->rate, run->step, session->total_steps,
                    run->task_step, run->task_steps);
        actor->input.scale =
            train->clip > 0 ? norms_scale(&session->norms, train->clip) : 1;
    } else if (run->op == SCHED_EDIT) {
        actor->input.grant = program_at(&session->sched.program, run->interval);
    }
}

static void run_job(void *work)
{
    actor_run(work);
}

static void finish(struct session *session, struct actor *actor)
{
    struct sched_event event = {.type = SCHED_DONE};

    event.done.local = actor->run.local;
    event.done.status = actor->status;
    if (!session->stopped) {
        handle(session, &event, NULL);
    }
}

static void job_done(void *work)
{
    struct actor *actor = work;
    struct session *session = actor->owner;

    session->running--;
    finish(session, actor);
}

static void run(struct session *session, const struct sched_run *run)
{
    struct actor *actor = &session->actors[run->local];

    prepare(session, actor, run);
    if (session->jobs == NULL) {
        CHECK(session->queue_count < SCHED_SLOTS_MAX);
        session->queue[session->queue_count++] = run->local;
        session->hooks.wake(session->hooks.owner);
        return;
    }
    /* The pool's queue has room for every slot of every session. */
    CHECK(jobs_submit(session->jobs, run_job, job_done, actor) == STATUS_OK);
    session->running++;
}

bool session_work(struct session *session, uint64_t budget_us)
{
    uint64_t end_us = clock_now_us() + budget_us;

    while (session->queue_count > 0) {
        struct actor *actor = &session->actors[session->queue[0]];

        session->queue_count--;
        memmove(session->queue, session->queue + 1,
                session->queue_count * sizeof(session->queue[0]));
        actor_run(actor);
        finish(session, actor);
        if (clock_now_us() >= end_us) {
            break;
        }
    }
    return session->queue_count > 0;
}

/* Actions */

static struct part *source_of(struct session *session,
                              uint32_t from,
                              uint32_t output,
                              struct part *payload)
{
    struct actor *actor = NULL;

    if (from == SCHED_ALL) {
        CHECK(payload != NULL);
        return payload;
    }
    actor = &session->actors[from];
    CHECK(output < actor->outputs_count);
    return &actor->outputs[output];
}

static void deliver(struct session *session,
                    const struct sched_deliver *d,
                    struct part *payload)
{
    struct part *source = source_of(session, d->from, d->output, payload);
    struct part *place = NULL;

    if (d->to == SCHED_ALL) {
        /* The codec lets a norm have no other size. */
        CHECK(part_size(source) == sizeof(double));
        norms_put(&session->norms, d->from_layer, d->sender, part_data(source));
        return;
    }
    place = actor_place(&session->actors[d->to], d);
    part_close(place);
    part_share(place, source);
}

static void send(struct session *session, const struct sched_send *send)
{
    uint32_t worker = session->sched.config.peers[send->peer];
    struct part *source = source_of(session, send->from, send->output, NULL);
    struct frame_header header = send->header;
    struct part payload;

    header.columns =
        (uint32_t)(part_size(source) / sizeof(float) / header.rows);
    part_share(&payload, source);
    session->hooks.send(session->hooks.owner, worker, &header, &payload);
}

static void report_out(struct session *session, uint32_t local, bool closing)
{
    struct report *report = session->actors[local].report;

    report->term = session->sched.config.term;
    report->layer = session->sched.locals[local].layer;
    report->shard = session->sched.locals[local].shard;
    session->hooks.report(session->hooks.owner, report, closing);
}

static void cut_out(struct session *session, const struct sched_action *action)
{
    struct actor *actor = &session->actors[action->cut.local];
    struct copy *copy = actor->copy;

    if (copy == NULL) {
        CHECK(action->cut.version == 0);
        return;
    }
    actor->copy = NULL;
    copy->cut = action->cut;
    session->hooks.cut(session->hooks.owner, copy);
}

static void fault_out(struct session *session,
                      const struct sched_action *action)
{
    char text[ERROR_BYTES_MAX];

    if (action->fault.kind == FAULT_FRAME) {
        (void)snprintf(text, sizeof(text),
                       "from w%u: %s (expected %llu, found %llu)",
                       action->fault.worker, action->fault.reason,
                       (unsigned long long)action->fault.expected,
                       (unsigned long long)action->fault.found);
    } else {
        (void)snprintf(text, sizeof(text), "%s", action->fault.reason);
    }
    session_fail(session, action->fault.kind, text);
}

static void execute(struct session *session,
                    const struct sched_action *action,
                    struct part *payload)
{
    switch (action->type) {
    case SCHED_ACT_RUN:
        run(session, &action->run);
        return;
    case SCHED_ACT_DELIVER:
        deliver(session, &action->deliver, payload);
        return;
    case SCHED_ACT_SEND:
        send(session, &action->send);
        return;
    case SCHED_ACT_REPORT:
        report_out(session, action->report.local, action->report.closing);
        return;
    case SCHED_ACT_CUT:
        cut_out(session, action);
        return;
    case SCHED_ACT_REFUSED:
        session->hooks.refused(session->hooks.owner, action->refused.status,
                               action->refused.reason);
        return;
    case SCHED_ACT_FAULT:
        fault_out(session, action);
        return;
    }
    CHECK(false);
}

/* The outputs of the operation that is done serve the actions before a RUN of
 * the same shard, which comes last; so they are dropped before that. */
static void handle(struct session *session,
                   const struct sched_event *event,
                   struct part *payload)
{
    struct sched_actions *actions = &session->actions;
    uint32_t i = 0;

    sched_step(&session->sched, event, actions);
    while (i < actions->count && actions->items[i].type != SCHED_ACT_RUN &&
           !session->stopped) {
        execute(session, &actions->items[i++], payload);
    }
    if (event->type == SCHED_DONE) {
        actor_finish(&session->actors[event->done.local]);
    }
    while (i < actions->count && !session->stopped) {
        execute(session, &actions->items[i++], payload);
    }
}

/* Events */

void session_grant(struct session *session, const struct grant *grant)
{
    struct sched_event event = {.type = SCHED_GRANT, .grant = grant};

    if (!session->stopped) {
        handle(session, &event, NULL);
    }
}

void session_release(struct session *session, uint64_t term, uint64_t interval)
{
    struct sched_event event = {.type = SCHED_RELEASE,
                                .release = {term, interval}};

    if (!session->stopped) {
        handle(session, &event, NULL);
    }
}

void session_frame(struct session *session,
                   const struct frame_header *header,
                   struct part *payload)
{
    struct sched_event event = {.type = SCHED_FRAME, .frame = header};

    if (!session->stopped) {
        handle(session, &event, payload);
    }
    part_close(payload);
}

void session_stored(struct session *session, uint32_t local)
{
    struct sched_event event = {.type = SCHED_STORED, .stored = {local}};

    if (!session->stopped) {
        handle(session, &event, NULL);
    }
}

void session_fail(struct session *session,
                  enum fault_kind kind,
                  const char *text)
{
    if (session->failed || session->stopped) {
        return;
    }
    session->failed = true;
    session_stop(session);
    session->hooks.fault(session->hooks.owner, kind, text);
}

/* Questions */

uint32_t session_shards(const struct session *session)
{
    return session->sched.locals_count;
}

struct shard *session_shard(struct session *session,
                            uint32_t local,
                            uint32_t *out_layer,
                            uint32_t *out_shard)
{
    CHECK(local < session->sched.locals_count);
    *out_layer = session->sched.locals[local].layer;
    *out_shard = session->sched.locals[local].shard;
    return session->actors[local].shard;
}

uint64_t session_job(const struct session *session)
{
    return session->sched.config.job;
}

uint64_t session_term(const struct session *session)
{
    return session->sched.config.term;
}

uint64_t session_steps(const struct session *session)
{
    return session->sched.steps;
}

uint64_t session_refused(const struct session *session)
{
    return session->sched.refused;
}
