#include "tests/unit/coordinator/core/fakeinside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct fake_event *fake_queue(struct fakeworld *w)
{
    struct fake_event *e = mem_new(sizeof(*e));

    assert_non_null(e);
    assert_true(w->queue_count < QUEUE_MAX);
    w->queue[(w->queue_first + w->queue_count++) % QUEUE_MAX] = e;
    return e;
}

void fake_request(struct fakeworld *w, struct request request)
{
    struct fake_event *e = fake_queue(w);

    e->event.type = COORD_REQUEST;
    e->event.request = request;
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

void fake_step(struct fakeworld *w, struct coord_event *event)
{
    event->now_ms = w->now_ms;
    coord_step(w->coord, event, w->actions);
    for (uint32_t a = 0; a < w->actions->count; a++) {
        fake_do(w, &w->actions->items[a]);
    }
}

static struct fake_event *take(struct fakeworld *w)
{
    struct fake_event *e = w->queue[w->queue_first];

    w->queue_first = (w->queue_first + 1) % QUEUE_MAX;
    w->queue_count--;
    return e;
}

static void free_event(struct fake_event *e)
{
    mem_free(e->report);
    mem_free(e->record);
    mem_free(e);
}

void fake_drop_queue(struct fakeworld *w)
{
    while (w->queue_count > 0) {
        free_event(take(w));
    }
}

static void fake_deliver(struct fakeworld *w)
{
    struct fake_event *e = take(w);

    if (e->event.type == COORD_MESSAGE && e->message.kind == WIRE_OPENED) {
        mem_free(w->memory[0]);
        w->memory[0] = e->event.message.memory;
    }
    fake_step(w, &e->event);
    free_event(e);
}

/* Runs until nothing is left to do, or `events` events have passed. */
void fake_run(struct fakeworld *w, uint32_t events)
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

void fake_open_at(struct fakeworld *w, uint32_t first, uint32_t workers)
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

void fake_open(struct fakeworld *w, uint32_t workers)
{
    fake_open_at(w, 0, workers);
}

void fake_close(struct fakeworld *w)
{
    fake_drop_queue(w);
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

/* 2 tasks of 4,000 examples in batches of 10: 800 steps in intervals of 50. */
struct job_spec fake_spec(void)
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

struct job_spec plastic_spec(void)
{
    struct job_spec spec = fake_spec();
    struct role_spec *renew = &spec.roles[ROLE_RENEW];
    struct role_spec *grow = &spec.roles[ROLE_GROW];
    struct role_spec *prune = &spec.roles[ROLE_PRUNE];

    renew->count = 1;
    renew->policies[0].policy = POLICY_CONTINUAL_BACKPROP;
    renew->policies[0].value[CBP_RATE] = 1e-3;
    renew->policies[0].value[CBP_MATURITY] = 100;
    renew->policies[0].value[CBP_DECAY] = 0.99;
    grow->count = 1;
    grow->policies[0].policy = POLICY_SCHEDULE;
    grow->policies[0].value[SCHEDULE_EVERY] = 4;
    grow->policies[0].value[SCHEDULE_ADD] = 3;
    grow->policies[0].value[SCHEDULE_MAX_UNITS] = 28;
    prune->count = 1;
    prune->policies[0].policy = POLICY_CONTRIBUTION;
    prune->policies[0].value[CONTRIBUTION_BELOW] = 0.2;
    prune->policies[0].value[CONTRIBUTION_PROBATION] = 2;
    prune->policies[0].value[CONTRIBUTION_MATURITY] = 100;
    prune->policies[0].value[CONTRIBUTION_MIN_UNITS] = 8;
    prune->policies[0].value[CONTRIBUTION_COOLDOWN] = 1;
    return spec;
}

void fake_launch(struct fakeworld *w, const struct job_spec *spec)
{
    fake_request(
        w, (struct request){.id = 1, .kind = REQUEST_LAUNCH, .spec = spec});
}

void fake_ask(struct fakeworld *w, uint64_t id, enum request_kind kind)
{
    fake_request(w, (struct request){.id = id, .kind = kind, .job = 1});
}

void fake_restore_to(struct fakeworld *w, uint64_t id, uint64_t version)
{
    fake_request(w, (struct request){.id = id,
                                     .kind = REQUEST_RESTORE,
                                     .job = 1,
                                     .version = version});
}

void fake_set_rate(struct fakeworld *w, uint64_t id, double rate)
{
    fake_request(w, (struct request){.id = id,
                                     .kind = REQUEST_SET,
                                     .job = 1,
                                     .setting = SETTING_RATE,
                                     .value = rate});
}

/* --- What a test reads of it --- */

bool said(const struct fakeworld *w, const char *what)
{
    return strstr(w->log, what) != NULL;
}

struct job *job_of(struct fakeworld *w)
{
    return &w->coord->jobs[0];
}

void run_until(struct fakeworld *w, enum job_phase phase)
{
    for (uint32_t i = 0; i < 100000 && job_of(w)->phase != phase; i++) {
        fake_run(w, 1);
    }
    assert_int_equal(job_of(w)->phase, phase);
}

void answer_tokens(struct fakeworld *w, enum token_kind kind)
{
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        const struct token *token = &w->coord->tokens[t];

        if (token->id != 0 && token->kind == kind) {
            (void)fake_stored(w, token->id);
        }
    }
}

void run_apart(struct fakeworld *w,
               uint32_t workers,
               const struct job_spec *spec)
{
    fake_open(w, workers);
    fake_launch(w, spec);
    fake_run(w, 1000000);
}

int two_workers(void **state)
{
    struct fakeworld *w = mem_new(sizeof(*w));

    assert_non_null(w);
    fake_open(w, 2);
    *state = w;
    return 0;
}

int end_of_world(void **state)
{
    fake_close(*state);
    mem_free(*state);
    return 0;
}
