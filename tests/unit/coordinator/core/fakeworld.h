/* fakeworld.h - the coordinator's core with obedient workers and a store that
 * lives in memory: every action is answered by the event that a correct shell
 * would give. Static, since a unit test is one object. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H
#define TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "coordinator/core/coord.h"
#include "coordinator/core/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FAKE_WORKERS_MAX = 4, FAKE_VERSIONS_MAX = 256, QUEUE_MAX = 1024 };

/* What a fake worker knows of the one job that it may host. */
struct fake_worker {
    bool alive;
    uint32_t number;
    uint64_t incarnation;
    uint64_t job;
    uint64_t term;
    uint64_t owned[LAYERS_MAX]; /* masks of shards */
    uint32_t layers_count;
    struct arch *arch; /* moved on by the grants, like real shards */
};

struct fake_event {
    struct coord_event event;
    struct wire message;
    struct report *report;       /* owned */
    struct shard_record *record; /* owned */
};

struct fakeworld {
    struct coord *coord;
    struct actions *actions;
    uint64_t now_ms;
    struct data_shape *shape;
    struct fake_worker workers[FAKE_WORKERS_MAX];
    struct version *versions[FAKE_VERSIONS_MAX]; /* by number */
    uint32_t versions_count;
    void *memory[JOBS_MAX];
    struct job_record records[JOBS_MAX];
    struct fake_event *queue[QUEUE_MAX];
    uint32_t queue_first;
    uint32_t queue_count;
    uint64_t journaled; /* intervals below it, on this line */
    bool hold_commits;  /* the store is slow: commits are not answered */
    bool hold_states;   /* nor are records of jobs */
    bool fail_restores;
    char *log; /* one line per decision, version, reply and state */
    size_t log_size;
    struct text text;
    char *journal; /* what was decided, without terms */
    struct text journal_text;
    bool not_finite; /* the next report says so */
    double damage;   /* of a lesion, as the guard measures it */
};

static struct fake_event *fake_queue(struct fakeworld *w)
{
    struct fake_event *e = mem_new(sizeof(*e));

    assert_non_null(e);
    assert_true(w->queue_count < QUEUE_MAX);
    w->queue[(w->queue_first + w->queue_count++) % QUEUE_MAX] = e;
    return e;
}

static struct fake_event *fake_message(struct fakeworld *w, uint32_t worker)
{
    struct fake_event *e = fake_queue(w);

    e->event.type = COORD_MESSAGE;
    e->event.message.peer = worker + 100;
    e->event.message.message = &e->message;
    return e;
}

static void fake_hello(struct fakeworld *w, uint32_t worker)
{
    struct fake_event *e = fake_message(w, worker);

    w->workers[worker].alive = true;
    w->workers[worker].incarnation++;
    e->message.kind = WIRE_HELLO;
    (void)snprintf(e->message.hello.name, NAME_BYTES_MAX, "w%u",
                   (unsigned)worker);
    e->message.hello.incarnation = w->workers[worker].incarnation;
    e->message.hello.protocol = WIRE_PROTOCOL;
    e->message.hello.threads = 1;
}

static void fake_lose(struct fakeworld *w, uint32_t worker)
{
    struct fake_event *e = fake_queue(w);

    w->workers[worker].alive = false;
    w->workers[worker].term = 0;
    e->event.type = COORD_PEER_LOST;
    e->event.peer_lost.peer = worker + 100;
}

static void fake_request(struct fakeworld *w, struct request request)
{
    struct fake_event *e = fake_queue(w);

    e->event.type = COORD_REQUEST;
    e->event.request = request;
}

/* A number in [0, 1) that depends on nothing but its arguments. */
static double fake_number(uint64_t a, uint64_t b)
{
    return (double)rng_unit(rng_draw(1, RNG_TEST, a, b, 0).v[0]);
}

/* Figures that depend on the units and the interval alone, so that a replay
 * reports the same. */
static void fake_fill(struct fakeworld *w,
                      const struct fake_worker *worker,
                      const struct grant *grant,
                      struct report *r)
{
    const struct arch_layer *layer = &worker->arch->layers[r->layer];
    uint32_t first = arch_first_of_shard(layer, r->shard);
    bool output = r->layer + 1 == worker->layers_count;
    uint64_t end = grant->first_step + grant->steps;

    r->sums.units = layer->shard_units[r->shard];
    for (uint32_t u = first; u < first + layer->shard_units[r->shard]; u++) {
        const struct unit *unit = &layer->units[u];
        struct candidate c = {
            .id = unit->id, .age = end - unit->born_step, .mean = 0.5};
        uint32_t at = r->candidates_count;

        if (unit->state != UNIT_LIVE) {
            continue;
        }
        r->sums.live++;
        c.utility = fake_number(unit->id.birth, grant->interval);
        r->sums.utility += c.utility;
        if (c.age <= 100) {
            continue;
        }
        r->sums.eligible++;
        if (at == REPORT_CANDIDATES_MAX) {
            continue;
        }
        while (at > 0 && r->candidates[at - 1].utility > c.utility) {
            r->candidates[at] = r->candidates[at - 1];
            at--;
        }
        r->candidates[at] = c;
        r->candidates_count++;
    }
    if (output) {
        r->examples = (uint64_t)grant->steps * 10;
        r->correct = r->examples / 2;
        r->loss_sum = 0.5 * (double)r->examples;
        r->not_finite = w->not_finite && grant->steps > 0;
        r->not_finite_step = grant->first_step;
        if (grant->guard) { /* of a resumed grant too: part of the cut */
            r->evaluations_count = 2;
            r->evaluations[0] = (struct evaluation){
                EVALUATION_GUARD_BEFORE, grant->task, 256, 200, 100.0};
            r->evaluations[1] =
                (struct evaluation){EVALUATION_GUARD_AFTER, grant->task, 256,
                                    199, 100.0 * (1 + w->damage)};
        }
        for (uint32_t t = 0; t < grant->evaluate_count; t++) {
            r->evaluations[r->evaluations_count++] = (struct evaluation){
                EVALUATION_HELD_OUT, grant->evaluate_first + t, 50, 25, 30.0};
        }
    }
}

static void fake_assign(struct fakeworld *w,
                        uint32_t number,
                        const struct wire_assign *a)
{
    struct fake_worker *worker = &w->workers[number];
    struct fake_event *e;
    uint32_t at = 0;

    worker->job = a->job;
    worker->term = a->term;
    worker->layers_count = a->arch->layers_count;
    memset(worker->owned, 0, sizeof(worker->owned));
    for (uint32_t l = 0; l < a->arch->layers_count; l++) {
        for (uint32_t s = 0; s < a->arch->layers[l].shards_count; s++) {
            if (a->owners[at++] == worker->number) {
                worker->owned[l] |= 1ull << s;
            }
        }
    }
    mem_free(worker->arch);
    worker->arch =
        mem_new(sizeof(struct arch) + arch_memory_bytes(a->spec, 10));
    assert_non_null(worker->arch);
    arch_lay_out(worker->arch, a->spec, 10, worker->arch + 1);
    arch_copy(worker->arch, a->arch);
    e = fake_message(w, number);
    e->message.kind = WIRE_READY;
    e->message.ready.job = a->job;
    e->message.ready.term = a->term;
}

static void fake_cut(struct fakeworld *w,
                     uint32_t number,
                     const struct grant *grant,
                     uint32_t layer,
                     uint32_t shard)
{
    struct fake_event *e = fake_message(w, number);

    e->record = mem_new(sizeof(*e->record));
    assert_non_null(e->record);
    e->record->layer = layer;
    e->record->shard = shard;
    e->message.kind = WIRE_SHARD_CUT;
    e->message.shard_cut =
        (struct wire_shard_cut){.job = w->workers[number].job,
                                .term = grant->term,
                                .version = grant->version,
                                .record = e->record};
}

static void fake_grant(struct fakeworld *w,
                       uint32_t number,
                       const struct grant *grant)
{
    struct fake_worker *worker = &w->workers[number];

    if (grant->term != worker->term) {
        return;
    }
    for (uint32_t e = 0; e < grant->edits_count && !grant->resumed; e++) {
        assert_int_equal(arch_apply(worker->arch, &grant->edits[e],
                                    grant->units, grant->first_step),
                         STATUS_OK);
    }
    for (uint32_t l = 0; l < worker->layers_count; l++) {
        for (uint32_t s = 0; s < SHARDS_MAX; s++) {
            struct fake_event *e;

            if ((worker->owned[l] & (1ull << s)) == 0) {
                continue;
            }
            if (grant->version != 0 && !grant->resumed) {
                fake_cut(w, number, grant, l, s);
            }
            if (grant->hold) {
                continue;
            }
            e = fake_message(w, number);
            e->report = mem_new(sizeof(*e->report));
            assert_non_null(e->report);
            e->message.kind = WIRE_REPORT;
            e->message.report.job = worker->job;
            e->message.report.report = e->report;
            e->report->term = grant->term;
            e->report->interval = grant->interval;
            e->report->layer = l;
            e->report->shard = s;
            fake_fill(w, worker, grant, e->report);
        }
    }
}

static void fake_send(struct fakeworld *w,
                      uint32_t peer,
                      const struct wire *message)
{
    uint32_t number = peer - 100;
    struct fake_event *e;

    assert_true(number < FAKE_WORKERS_MAX);
    if (!w->workers[number].alive) {
        return;
    }
    if (message->kind == WIRE_WELCOME) {
        w->workers[number].number = message->welcome.worker;
    } else if (message->kind == WIRE_OPEN) {
        e = fake_message(w, number);
        e->message.kind = WIRE_OPENED;
        e->message.opened.job = message->open.job;
        e->message.opened.shape = w->shape;
        e->event.message.memory =
            mem_new(job_memory_bytes(message->open.spec, w->shape));
    } else if (message->kind == WIRE_ASSIGN) {
        fake_assign(w, number, &message->assign);
    } else if (message->kind == WIRE_GRANT) {
        fake_grant(w, number, message->grant.grant);
    } else if (message->kind == WIRE_DROP) {
        if (w->workers[number].job == message->drop.job) {
            w->workers[number].term = 0;
        }
    }
}

/* --- The store in memory --- */

static void *fake_copy(const void *from, size_t size)
{
    void *to = mem_new(size);

    assert_non_null(to);
    memcpy(to, from, size);
    return to;
}

static void fake_free_version(struct version *v)
{
    if (v == NULL) {
        return;
    }
    mem_free(v->spec);
    mem_free(v->arch);
    mem_free(v->begun);
    mem_free(v->pending);
    mem_free(v->policy);
    mem_free(v->shards);
    mem_free(v);
}

static struct arch *fake_copy_arch(const struct arch *from,
                                   const struct job_spec *spec)
{
    struct arch *to = mem_new(sizeof(*to) + arch_memory_bytes(spec, 10));

    assert_non_null(to);
    arch_lay_out(to, spec, 10, to + 1);
    arch_copy(to, from);
    return to;
}

static struct version *fake_version(struct fakeworld *w,
                                    const struct job *job,
                                    const struct cut *cut)
{
    struct version *v = mem_new(sizeof(*v));
    struct writer writer;

    (void)w;
    assert_non_null(v);
    v->job = job->record.job;
    v->number = cut->version;
    v->line = job->record.line;
    v->interval = cut->interval;
    v->step = cut->step;
    v->task = cut->task;
    v->position = cut->position;
    v->cause = cut->cause;
    v->spec = fake_copy(&cut->spec, sizeof(cut->spec));
    v->arch = fake_copy_arch(&cut->arch, &cut->spec);
    v->begun = fake_copy(&cut->begun, sizeof(cut->begun));
    if (cut->has_pending) {
        v->pending = fake_copy(&cut->pending, sizeof(cut->pending));
    }
    v->policy = mem_new(POLICY_STATE_BYTES_MAX);
    assert_non_null(v->policy);
    writer_init(&writer, v->policy, POLICY_STATE_BYTES_MAX);
    state_encode(&cut->state, &writer);
    assert_false(writer.failed);
    v->policy_bytes = (uint32_t)writer.at;
    v->shards_count = job_shards_total(job);
    v->shards = mem_array(v->shards_count, sizeof(v->shards[0]));
    assert_non_null(v->shards);
    return v;
}

static void fake_keep(struct fakeworld *w, struct version *v)
{
    assert_true(v->number < FAKE_VERSIONS_MAX);
    assert_null(w->versions[v->number]);
    w->versions[v->number] = v;
    w->versions_count++;
}

static struct fake_event *fake_stored(struct fakeworld *w, uint64_t token)
{
    struct fake_event *e = fake_queue(w);

    e->event.type = COORD_STORED;
    e->event.stored.token = token;
    return e;
}

static void fake_restore(struct fakeworld *w, const struct action *action)
{
    const struct version *from = w->versions[action->restore.from];
    struct version *v = NULL;
    struct fake_event *e = fake_stored(w, action->token);

    if (w->fail_restores) {
        e->event.stored.status = STATUS_FULL;
        return;
    }
    v = mem_new(sizeof(*v));
    assert_non_null(from);
    assert_non_null(v);
    *v = *from;
    v->number = action->restore.number;
    v->line = action->restore.line;
    v->spec = fake_copy(from->spec, sizeof(*from->spec));
    v->arch = fake_copy_arch(from->arch, from->spec);
    v->begun = fake_copy(from->begun, sizeof(*from->begun));
    if (from->pending != NULL) {
        v->pending = fake_copy(from->pending, sizeof(*from->pending));
    }
    v->policy = fake_copy(from->policy, POLICY_STATE_BYTES_MAX);
    v->shards =
        fake_copy(from->shards, from->shards_count * sizeof(v->shards[0]));
    fake_keep(w, v);
    e->event.stored.restored = from;
    w->journaled = 0;
}

static void fake_load(struct fakeworld *w, const struct action *action)
{
    struct fake_event *e = fake_queue(w);
    const struct version *v = w->versions[action->load.version];

    e->event.type = COORD_LOADED;
    e->event.loaded.token = action->token;
    e->event.loaded.status = v == NULL ? STATUS_NOT_FOUND : STATUS_OK;
    e->event.loaded.version = v;
    e->event.loaded.journaled = w->journaled;
    if (v != NULL) {
        mem_free(w->memory[action->slot]);
        w->memory[action->slot] = mem_new(job_memory_bytes(v->spec, w->shape));
        e->event.loaded.memory = w->memory[action->slot];
    }
}

static void fake_journal(struct fakeworld *w, const struct action *action)
{
    const struct grant *g = action->journal.grant;

    w->journaled = g->interval + 1;
    for (uint32_t i = 0; i < action->journal.decisions_count; i++) {
        const struct decision *d = &action->journal.decisions[i];

        text_u64(&w->journal_text, g->interval);
        text_add(&w->journal_text, " layer ");
        text_u64(&w->journal_text, d->layer);
        text_add(&w->journal_text, " kind ");
        text_u64(&w->journal_text, d->kind);
        text_add(&w->journal_text, ": ");
        text_add(&w->journal_text, d->reason);
        text_add(&w->journal_text, "\n");
    }
    for (uint32_t u = 0; u < g->units_count; u++) {
        text_u64(&w->journal_text, g->units[u].id.birth);
        text_add(&w->journal_text, ">");
        text_u64(&w->journal_text, g->units[u].renewed.birth);
        text_add(&w->journal_text, u + 1 == g->units_count ? "\n" : " ");
    }
    if (action->token != 0) {
        fake_stored(w, action->token);
    }
}

static void fake_say(struct fakeworld *w, const char *what, const char *more)
{
    text_add(&w->text, "[");
    text_u64(&w->text, w->now_ms);
    text_add(&w->text, "] ");
    text_add(&w->text, what);
    text_add(&w->text, " ");
    text_add(&w->text, more);
    text_add(&w->text, "\n");
}

static void fake_do(struct fakeworld *w, const struct action *action)
{
    const struct job *job = &w->coord->jobs[action->slot];

    switch (action->type) {
    case ACTION_SEND:
        fake_send(w, action->send.peer, &action->send.message);
        break;
    case ACTION_STORE_JOB:
        w->records[action->slot] = job->record;
        if (action->token != 0 && !w->hold_states) {
            fake_stored(w, action->token);
        }
        break;
    case ACTION_STORE_JOURNAL:
        fake_journal(w, action);
        break;
    case ACTION_COMMIT:
        fake_keep(w, fake_version(w, job, job_cut(job, action->commit.cut)));
        if (!w->hold_commits) {
            fake_stored(w, action->token);
        }
        break;
    case ACTION_STORE_RESTORE:
        fake_restore(w, action);
        break;
    case ACTION_LOAD:
        fake_load(w, action);
        break;
    case ACTION_EVENT:
        if (strcmp(action->event.kind, "progress") != 0 &&
            strcmp(action->event.kind, "decision") != 0 &&
            strcmp(action->event.kind, "renew") != 0) {
            char line[32 + DETAIL_BYTES_MAX];

            if (action->event.version != 0) {
                (void)snprintf(line, sizeof(line), "v%llu %s",
                               (unsigned long long)action->event.version,
                               action->event.text);
            } else {
                (void)snprintf(line, sizeof(line), "%s", action->event.text);
            }
            fake_say(w, action->event.kind, line);
        }
        break;
    case ACTION_REPLY:
        fake_say(w,
                 action->reply.status == STATUS_OK
                     ? "reply"
                     : status_text(action->reply.status),
                 action->reply.text);
        break;
    case ACTION_EVALUATION:
        fake_say(w, "evaluation", "");
        break;
    case ACTION_QUIT:
        fake_say(w, "quit", "");
        break;
    case ACTION_STORE_STAT:
    case ACTION_FORGET_PEER:
    case ACTION_FORGET:
        break;
    }
}

static void fake_step(struct fakeworld *w, struct coord_event *event)
{
    event->now_ms = w->now_ms;
    coord_step(w->coord, event, w->actions);
    for (uint32_t a = 0; a < w->actions->count; a++) {
        fake_do(w, &w->actions->items[a]);
    }
}

static void fake_deliver(struct fakeworld *w)
{
    struct fake_event *e = w->queue[w->queue_first];

    w->queue_first = (w->queue_first + 1) % QUEUE_MAX;
    w->queue_count--;
    if (e->event.type == COORD_MESSAGE && e->message.kind == WIRE_OPENED) {
        mem_free(w->memory[0]);
        w->memory[0] = e->event.message.memory;
    }
    fake_step(w, &e->event);
    mem_free(e->report);
    mem_free(e->record);
    mem_free(e);
}

/* Runs until nothing is left to do, or `events` events have passed. */
static void fake_run(struct fakeworld *w, uint32_t events)
{
    for (uint32_t i = 0; i < events; i++) {
        if (w->queue_count > 0) {
            fake_deliver(w);
        } else if (coord_deadline_ms(w->coord) <= w->now_ms) {
            struct coord_event event = {.type = COORD_TIMEOUT};

            fake_step(w, &event);
        } else {
            return;
        }
    }
}

static void fake_open(struct fakeworld *w, uint32_t workers)
{
    struct coord_event start = {.type = COORD_START};

    memset(w, 0, sizeof(*w));
    w->coord = mem_new(sizeof(*w->coord));
    w->actions = mem_new(sizeof(*w->actions));
    w->shape = mem_new(sizeof(*w->shape));
    w->log_size = 1 << 20;
    w->log = mem_new(w->log_size);
    w->journal = mem_new(w->log_size);
    assert_non_null(w->coord);
    assert_non_null(w->actions);
    assert_non_null(w->shape);
    assert_non_null(w->log);
    assert_non_null(w->journal);
    text_init(&w->text, w->log, w->log_size);
    text_init(&w->journal_text, w->journal, w->log_size);
    w->shape->inputs = 20;
    w->shape->classes = 10;
    w->shape->train_examples = 1000;
    w->shape->tasks_count = 2;
    w->shape->task_examples[0] = 4000;
    w->shape->task_examples[1] = 4000;
    coord_init(w->coord);
    start.start.life = 1;
    start.start.heartbeat_ms = 500;
    start.start.timeout_ms = 5000;
    fake_step(w, &start);
    for (uint32_t i = 0; i < workers; i++) {
        fake_hello(w, i);
    }
    fake_run(w, 100);
}

static void fake_close(struct fakeworld *w)
{
    while (w->queue_count > 0) {
        struct fake_event *e = w->queue[w->queue_first];

        w->queue_first = (w->queue_first + 1) % QUEUE_MAX;
        w->queue_count--;
        mem_free(e->report);
        mem_free(e->record);
        mem_free(e);
    }
    for (uint32_t v = 0; v < FAKE_VERSIONS_MAX; v++) {
        fake_free_version(w->versions[v]);
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        mem_free(w->memory[s]);
    }
    for (uint32_t i = 0; i < FAKE_WORKERS_MAX; i++) {
        mem_free(w->workers[i].arch);
    }
    mem_free(w->coord);
    mem_free(w->actions);
    mem_free(w->shape);
    mem_free(w->log);
    mem_free(w->journal);
}

/* 2 tasks of 4,000 examples in batches of 10: 800 steps in intervals of 50. */
static struct job_spec fake_spec(void)
{
    struct job_spec spec;

    job_defaults(&spec);
    memcpy(spec.name, "fake", 5);
    spec.seed = 7;
    memcpy(spec.data.dir, "/data", 6);
    spec.data.task_specs_count = 1;
    spec.data.task_specs[0] = (struct task_spec){TASK_NONE, 2, 4000, 1};
    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){20, ACTIVATION_RELU};
    spec.model.hidden[1] = (struct layer_spec){16, ACTIVATION_RELU};
    spec.model.shards = 3;
    spec.train.batch = 10;
    spec.report_every_steps = 50;
    spec.run.workers = 2;
    spec.keep.on =
        (1u << CAUSE_GROW) | (1u << CAUSE_PRUNE) | (1u << CAUSE_TASK);
    return spec;
}

static void fake_launch(struct fakeworld *w, const struct job_spec *spec)
{
    fake_request(
        w, (struct request){.id = 1, .kind = REQUEST_LAUNCH, .spec = spec});
}

#endif /* TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H */
