/* fakeworld.h - the coordinator's core with obedient workers and a store that
 * lives in memory: every action is answered by the event that a correct shell
 * would give. Static, since a unit test is one object. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H
#define TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H

#include "tests/unit/coordinator/core/fakeparts.h"

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
    worker->from_point = a->from_point;
    worker->buddy = NO_WORKER;
    for (uint32_t p = 0; p < a->peers_count && a->peers_count > 1; p++) {
        if (a->peers[p].worker == worker->number) {
            worker->buddy = a->peers[(p + 1) % a->peers_count].worker;
        }
    }
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

static void fake_tell_kept(struct fakeworld *w,
                           uint32_t number,
                           const struct wire_kept *kept)
{
    struct fake_event *e = fake_message(w, number);

    e->message.kind = WIRE_KEPT;
    e->message.kept = *kept;
}

/* The owner's copy, then the buddy's. */
static void fake_kept(struct fakeworld *w,
                      uint32_t number,
                      const struct grant *grant,
                      uint32_t layer,
                      uint32_t shard)
{
    struct wire_kept kept = {.job = w->workers[number].job,
                             .line = grant->line,
                             .interval = grant->interval,
                             .layer = layer,
                             .shard = shard,
                             .cost_us = 100,
                             .term = grant->term};

    fake_tell_kept(w, number, &kept);
    kept.cost_us = 0;
    for (uint32_t i = 0; i < FAKE_WORKERS_MAX && !w->no_buddies; i++) {
        if (w->workers[i].alive &&
            w->workers[i].number == w->workers[number].buddy) {
            fake_tell_kept(w, i, &kept);
        }
    }
}

static void fake_grant(struct fakeworld *w,
                       uint32_t number,
                       const struct grant *grant)
{
    struct fake_worker *worker = &w->workers[number];

    if (grant->term != worker->term) {
        return;
    }
    worker->kept = grant->kept;
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
            if (grant->keep && !grant->resumed && w->keeps) {
                fake_kept(w, number, grant, l, s);
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
            if (w->odd_bits) {
                e->report->sums.taylor = 1.0;
                w->odd_bits = false;
            }
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
    } else if (message->kind == WIRE_QUIT) {
        w->workers[number].alive = false;
        w->workers[number].quits++;
    } else if (message->kind == WIRE_DROP) {
        w->workers[number].forgets += message->drop.forget;
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

static void fake_point(struct fakeworld *w, const struct action *action)
{
    const struct job *job = &w->coord->jobs[action->slot];
    struct version *v = NULL;

    if (action->point.none) {
        w->no_point = true;
        w->points_dropped++;
        return;
    }
    if (w->fail_points) {
        fake_stored(w, action->token)->event.stored.status = STATUS_FULL;
        return;
    }
    assert_true(w->points_count < FAKE_POINTS_MAX);
    v = fake_version(w, job, &job->making_cut);
    v->number = job->record.head;
    v->shards_count = 0;
    w->points[w->points_count++] = v;
    w->no_point = false;
    if (!w->hold_points) {
        fake_stored(w, action->token);
    }
}

/* As coordinator/shell/loader.c. */
static const struct version *fake_stored_point(const struct fakeworld *w,
                                               uint64_t head)
{
    if (w->no_point || w->points_count == 0 ||
        w->points[w->points_count - 1]->number != head) {
        return NULL;
    }
    return w->points[w->points_count - 1];
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

    if (action->load.point && fake_stored_point(w, action->load.version)) {
        v = fake_stored_point(w, action->load.version);
        e->event.loaded.point = true;
    }
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
    assert_true(g->interval < FAKE_INTERVALS_MAX);
    w->hashes[g->interval] = action->journal.reports_hash;
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

static void fake_check(struct fakeworld *w, const struct action *action)
{
    struct fake_event *e = fake_stored(w, action->token);

    w->checks++;
    if (w->hashes[action->journal.grant->interval] !=
        action->journal.reports_hash) {
        e->event.stored.status = STATUS_CORRUPT;
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
    case ACTION_CHECK_JOURNAL:
        fake_check(w, action);
        break;
    case ACTION_STORE_POINT:
        fake_point(w, action);
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

static void fake_open_at(struct fakeworld *w, uint32_t first, uint32_t workers)
{
    struct coord_event start = {.type = COORD_START};

    memset(w, 0, sizeof(*w));
    w->first = first;
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

static void fake_open(struct fakeworld *w, uint32_t workers)
{
    fake_open_at(w, 0, workers);
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
    for (uint32_t p = 0; p < w->points_count; p++) {
        fake_free_version(w->points[p]);
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

#endif /* TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H */
