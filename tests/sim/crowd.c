#include "tests/sim/crowd.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/sim/crowd_inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    QUEUE_START = 1024,
    CLOCK_READS = 10000,
    SLICE_NS = 50000, /* what is shorter was not interrupted for long */
    BACK_MS = 3000,   /* a lost worker's process is started again */
    /* Virtual time that the run may take beside its intervals: the two waves,
     * each noticed after the timeout, and as much again. */
    SPARE_MS = 60000,
    DRAIN_REQUESTS = 1000, /* their ids are above */
    CHECK_EVERY = 997      /* events: all jobs against all members is work */
};

void crowd_fail(struct crowd *c, const char *what, uint64_t figure)
{
    struct text text;

    if (c->out->failure[0] == '\0') {
        text_init(&text, c->out->failure, sizeof(c->out->failure));
        text_add(&text, what);
        text_add(&text, ": ");
        text_u64(&text, figure);
    }
}

/* --- Queues --- */

static void grow(struct crowd_queue *queue)
{
    uint32_t size = queue->size > 0 ? queue->size * 2 : QUEUE_START;
    struct crowd_item *items = mem_array(size, sizeof(*items));

    CHECK(items != NULL);
    for (uint32_t i = 0; i < queue->count; i++) {
        items[i] = queue->items[(queue->first + i) % queue->size];
    }
    mem_free(queue->items);
    *queue = (struct crowd_queue){
        .items = items, .count = queue->count, .size = size};
}

struct crowd_item *crowd_post(struct crowd_queue *queue, enum crowd_kind kind)
{
    struct crowd_item *item;

    if (queue->count == queue->size) {
        grow(queue);
    }
    item = &queue->items[(queue->first + queue->count++) % queue->size];
    memset(item, 0, sizeof(*item));
    item->kind = kind;
    return item;
}

static struct crowd_item take(struct crowd_queue *queue)
{
    struct crowd_item item = queue->items[queue->first];

    queue->first = (queue->first + 1) % queue->size;
    queue->count--;
    return item;
}

/* --- The core --- */

static uint64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* How often others were given the processor. */
static long preemptions(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

static void measure_clock(struct crowd *c)
{
    uint64_t begin = clock_ns();

    for (uint32_t i = 0; i < CLOCK_READS; i++) {
        (void)clock_ns();
    }
    c->clock_ns = (clock_ns() - begin) / CLOCK_READS;
}

/* The processor's own clock is too slow to be read twice an event. Where it was
 * given to others meanwhile, the event is left out. */
static void step_timed(struct crowd *c, struct coord_event *event)
{
    struct crowd_figures *out = c->out;
    long before = preemptions();
    uint64_t begin = clock_ns();
    uint64_t used;

    coord_step(c->core, event, c->actions);
    (void)coord_deadline_ms(c->core); /* a shell asks after each step */
    used = clock_ns() - begin;
    used -= used > c->clock_ns ? c->clock_ns : used;
    if (used > SLICE_NS && preemptions() != before) {
        return;
    }
    out->core_ns += used;
    if (event->type == COORD_MESSAGE &&
        event->message.message->kind == WIRE_REPORT) {
        out->core_reports_ns += used;
    }
}

static void count_event(struct crowd *c, const struct action *action)
{
    if (strcmp(action->event.kind, "grow") == 0 ||
        strcmp(action->event.kind, "renew") == 0) {
        c->out->decisions++;
    }
    if (strncmp(action->event.text, "goes on at step", 15) == 0) {
        c->out->moves++;
    }
}

static void carry_out(struct crowd *c, const struct action *action)
{
    struct crowd_item *item;
    struct coord_event stored;

    if (action->type == ACTION_SEND) {
        crowd_receive(c, action->send.peer, &action->send.message);
    } else if (action->type == ACTION_LOAD) {
        c->loads[action->slot] = *action;
        item = crowd_post(&c->soon, CROWD_LOADED);
        item->slot = action->slot;
    } else if (action->type == ACTION_EVENT) {
        count_event(c, action);
    } else if (action->type == ACTION_REPLY) {
        c->out->drained += action->reply.request > DRAIN_REQUESTS;
        if (action->reply.status != STATUS_OK) {
            crowd_fail(c, action->reply.text, action->reply.request);
        }
    } else if (action->type == ACTION_STORE_STAT) {
        c->out->intervals++;
    } else if (action->type != ACTION_FORGET_PEER &&
               shelf_store(c->shelf, c->core, action, &stored)) {
        item = crowd_post(&c->soon, CROWD_STORED);
        item->token = stored.stored.token;
        item->status = stored.stored.status;
    }
}

void crowd_step(struct crowd *c, struct coord_event *event)
{
    struct crowd_figures *out = c->out;

    event->now_ms = c->now_ms;
    if (c->options.timed) {
        step_timed(c, event);
    } else {
        coord_step(c->core, event, c->actions);
        (void)coord_deadline_ms(c->core);
    }
    out->events++;
    if (out->actions_most < c->actions->count) {
        out->actions_most = c->actions->count;
    }
    for (uint32_t a = 0; a < c->actions->count; a++) {
        carry_out(c, &c->actions->items[a]);
    }
}

/* --- What must be so --- */

static void check_job(struct crowd *c, uint32_t slot, uint32_t *trains)
{
    const struct job *job = &c->core->jobs[slot];
    const struct worker_set *placed = &job->placed;
    uint32_t count = 0;

    for (uint32_t w = worker_set_next(placed, 0); w != NO_WORKER;
         w = worker_set_next(placed, w + 1)) {
        if (!c->core->members.items[w].present) {
            crowd_fail(c, "a job is placed on a worker that is gone", w);
        }
        if (trains[w]++ > 0) {
            crowd_fail(c, "a worker trains two jobs", w);
        }
        count++;
    }
    if (count > 0 && count != job->peers_count) {
        crowd_fail(c, "a job has other workers than it is placed on", count);
    }
    for (uint32_t o = 0; count > 0 && o < job->owners_count; o++) {
        if (!worker_set_has(placed, job->owners[o])) {
            crowd_fail(c, "a shard's owner is not one of its job's", o);
        }
    }
}

static void check(struct crowd *c)
{
    uint32_t trains[MEMBERS_MAX] = {0};
    uint32_t hosting = 0;

    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        check_job(c, s, trains);
    }
    for (uint32_t w = 0; w < MEMBERS_MAX; w++) {
        const struct member *m = &c->core->members.items[w];

        if (m->present &&
            (m->training != (trains[w] > 0) || m->sessions != trains[w])) {
            crowd_fail(c, "a worker's sessions are not counted right", w);
        }
        hosting += trains[w];
    }
    if (c->out->workers_hosting < hosting) {
        c->out->workers_hosting = hosting;
    }
}

static bool is_over(struct crowd *c)
{
    for (uint32_t s = 0; s < c->out->jobs; s++) {
        const struct job *job = &c->core->jobs[s];

        if (job->phase == PHASE_PAUSED ||
            (job->phase == PHASE_ENDED && job->record.state != JOB_FINISHED)) {
            crowd_fail(c, job->record.reason, job->record.job);
        }
        if (job->phase != PHASE_ENDED) {
            return c->out->failure[0] != '\0';
        }
    }
    return true;
}

static void check_end(struct crowd *c)
{
    uint64_t steps = (uint64_t)c->options.intervals * CROWD_STEPS;

    for (uint32_t s = 0; s < c->out->jobs; s++) {
        if (c->core->jobs[s].record.step != steps) {
            crowd_fail(c, "a job has other steps than its file says",
                       c->core->jobs[s].record.step);
        }
    }
}

/* --- The run --- */

void crowd_start(struct crowd *c, uint32_t worker)
{
    struct crowd_worker *w = &c->workers[worker];
    struct crowd_item *item = crowd_post(&c->soon, CROWD_HELLO);

    CHECK(c->last_peer + 1 < CROWD_PEERS_MAX);
    w->alive = true;
    w->incarnation++;
    w->back_ms = 0;
    w->peer = ++c->last_peer;
    c->worker_of_peer[w->peer] = worker;
    item->worker = worker;
    item->incarnation = w->incarnation;
}

/* Every second one hangs: nobody tells the core. */
static void lose(struct crowd *c, uint32_t worker, bool hangs)
{
    struct crowd_worker *w = &c->workers[worker];

    w->alive = false;
    w->back_ms = c->now_ms + BACK_MS + (hangs ? 2 * CROWD_TIMEOUT_MS : 0);
    c->out->losses++;
    if (!hangs) {
        crowd_post(&c->soon, CROWD_LOST)->token = w->peer;
    }
}

/* Two waves, spread over all workers, at a third and at two thirds. */
static void strike(struct crowd *c)
{
    uint32_t half = (c->options.losses + 1) / 2;
    uint64_t all = (uint64_t)c->options.intervals * c->out->jobs;
    uint64_t wave = c->out->losses / (half > 0 ? half : 1) + 1;

    if (half == 0 || wave > 2 || c->out->intervals * 3 < all * wave) {
        return;
    }
    for (uint32_t i = 0; i < half; i++) {
        uint32_t at = (uint32_t)wave + i * (c->options.workers / half);

        lose(c, at % c->options.workers, i % 2 == 1);
    }
}

/* One after the other, each when the one before is done: more at once might be
 * more than a job can go on without. */
static void drain_next(struct crowd *c)
{
    uint64_t all = (uint64_t)c->options.intervals * c->out->jobs;
    uint32_t worker = (uint32_t)(7 + 13 * c->drains) % c->options.workers;
    struct coord_event event = {.type = COORD_REQUEST};

    if (c->drains == c->options.drains || c->out->drained < c->drains ||
        c->out->intervals * 2 < all || !c->workers[worker].alive) {
        return;
    }
    event.request.id = DRAIN_REQUESTS + ++c->drains;
    event.request.kind = REQUEST_DRAIN;
    event.request.worker = worker;
    event.request.wait_ms = SPARE_MS;
    crowd_step(c, &event);
}

static void bring_back(struct crowd *c)
{
    for (uint32_t w = 0; w < c->options.workers; w++) {
        uint64_t back_ms = c->workers[w].back_ms;

        if (back_ms != 0 && back_ms <= c->now_ms) {
            crowd_start(c, w);
        }
    }
}

static uint64_t beat_ms(const struct crowd *c)
{
    return (c->beats + 1) * CROWD_HEARTBEAT_MS / c->options.workers;
}

/* Nothing is to be done at once: time passes until something is. */
static void wait(struct crowd *c)
{
    uint64_t next = beat_ms(c);
    uint64_t deadline = coord_deadline_ms(c->core);
    struct crowd_queue *later = &c->later;

    if (later->count > 0 && later->items[later->first].due_ms < next) {
        next = later->items[later->first].due_ms;
    }
    next = deadline < next ? deadline : next;
    c->now_ms = next > c->now_ms ? next : c->now_ms;
}

static void turn(struct crowd *c)
{
    struct crowd_queue *later = &c->later;
    struct crowd_item item;

    if (c->soon.count > 0) {
        item = take(&c->soon);
        crowd_deliver(c, &item);
    } else if (coord_deadline_ms(c->core) <= c->now_ms) {
        struct coord_event event = {.type = COORD_TIMEOUT};

        crowd_step(c, &event);
    } else if (later->count > 0 &&
               later->items[later->first].due_ms <= c->now_ms) {
        item = take(later);
        crowd_deliver(c, &item);
    } else if (beat_ms(c) <= c->now_ms) {
        crowd_beat(c, (uint32_t)(c->beats++ % c->options.workers));
        strike(c);
        drain_next(c);
        if (c->beats % c->options.workers == 0) {
            bring_back(c);
        }
    } else {
        wait(c);
    }
}

/* --- Its beginning and its end --- */

/* Jobs of at most WORKERS_MAX workers and of at most so many shards. A fiftieth
 * of the workers is left over, to take the place of lost ones. */
static void plan(struct crowd *c)
{
    const struct crowd_options *o = &c->options;
    struct job_spec *spec = &c->spec;
    struct role_spec *renew = &spec->roles[ROLE_RENEW];
    struct role_spec *extend = &spec->roles[ROLE_GROW];
    uint32_t hosts = o->workers - (o->workers + 49) / 50;
    uint32_t most = CROWD_LAYERS * SHARDS_MAX;
    uint32_t jobs = (hosts + WORKERS_MAX - 1) / WORKERS_MAX;
    uint32_t examples = o->intervals * CROWD_STEPS * CROWD_BATCH;

    jobs = jobs * most < o->shards ? (o->shards + most - 1) / most : jobs;
    CHECK(hosts >= jobs);
    CHECK(jobs <= JOBS_MAX);
    job_defaults(spec);
    spec->data.task_specs[0] = (struct task_spec){TASK_NONE, 1, examples, 1};
    spec->model.hidden_count = CROWD_LAYERS;
    spec->model.shards = (o->shards / jobs + CROWD_LAYERS - 1) / CROWD_LAYERS;
    for (uint32_t l = 0; l < CROWD_LAYERS; l++) {
        spec->model.hidden[l] =
            (struct layer_spec){2 * spec->model.shards, ACTIVATION_RELU};
    }
    spec->train.batch = CROWD_BATCH;
    spec->report_every_steps = CROWD_STEPS;
    spec->run.workers = hosts / jobs;
    spec->run.workers_min = (spec->run.workers + 1) / 2;
    spec->keep.every_steps = 16 * CROWD_STEPS;
    renew->count = 1;
    renew->policies[0].policy = POLICY_CONTINUAL_BACKPROP;
    renew->policies[0].value[CBP_RATE] = 1e-3;
    renew->policies[0].value[CBP_MATURITY] = CROWD_STEPS;
    extend->count = 1;
    extend->policies[0].policy = POLICY_SCHEDULE;
    extend->policies[0].value[SCHEDULE_EVERY] = 8 * CROWD_STEPS;
    extend->policies[0].value[SCHEDULE_ADD] = 1;
    extend->policies[0].value[SCHEDULE_MAX_UNITS] = 4 * spec->model.shards;
    c->shape.inputs = 20;
    c->shape.classes = 10;
    c->shape.train_examples = examples;
    c->shape.tasks_count = 1;
    c->shape.task_examples[0] = examples;
    c->out->jobs = jobs;
    c->out->shards = jobs * (CROWD_LAYERS * spec->model.shards + 1);
}

static void open(struct crowd *c)
{
    struct coord_event start = {.type = COORD_START};

    c->core = mem_new(sizeof(*c->core));
    c->actions = mem_new(sizeof(*c->actions));
    c->shelf = mem_new(sizeof(*c->shelf));
    CHECK(c->core != NULL);
    CHECK(c->actions != NULL);
    CHECK(c->shelf != NULL);
    coord_init(c->core);
    shelf_init(c->shelf);
    start.start.life = 1;
    start.start.heartbeat_ms = CROWD_HEARTBEAT_MS;
    start.start.timeout_ms = CROWD_TIMEOUT_MS;
    crowd_step(c, &start);
    for (uint32_t w = 0; w < c->options.workers; w++) {
        crowd_start(c, w);
    }
    while (c->soon.count > 0) {
        turn(c);
    }
    for (uint32_t j = 0; j < c->out->jobs; j++) {
        struct coord_event launch = {.type = COORD_REQUEST};

        launch.request.id = j + 1;
        launch.request.kind = REQUEST_LAUNCH;
        launch.request.spec = &c->spec;
        crowd_step(c, &launch);
    }
}

static void close(struct crowd *c)
{
    shelf_fini(c->shelf);
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        mem_free(c->jobs[s].arch);
    }
    mem_free(c->soon.items);
    mem_free(c->later.items);
    mem_free(c->shelf);
    mem_free(c->actions);
    mem_free(c->core);
    mem_free(c);
}

static void fill_figures(struct crowd *c)
{
    struct crowd_figures *out = c->out;

    out->commits = c->shelf->commits;
    out->points = c->shelf->points;
    out->recoveries = c->shelf->checks;
    out->virtual_ms = c->now_ms;
    out->core_bytes = sizeof(*c->core);
    out->lent_bytes = c->shelf->lent_bytes;
}

bool crowd_run(const struct crowd_options *options, struct crowd_figures *out)
{
    struct crowd *c = mem_new(sizeof(*c));
    uint64_t end_ms =
        (uint64_t)options->intervals * 4 * CROWD_INTERVAL_MS + SPARE_MS;

    CHECK(c != NULL);
    CHECK(options->workers >= 2);
    CHECK(options->workers <= MEMBERS_MAX);
    memset(out, 0, sizeof(*out));
    c->options = *options;
    c->out = out;
    measure_clock(c);
    plan(c);
    open(c);
    for (uint64_t turns = 0; !is_over(c); turns++) {
        turn(c);
        if (turns % CHECK_EVERY == 0) {
            check(c);
        }
        if (c->now_ms > end_ms) {
            crowd_fail(c, "the jobs do not end; virtual ms", c->now_ms);
        }
    }
    if (out->failure[0] == '\0') {
        check_end(c);
    }
    fill_figures(c);
    close(c);
    return out->failure[0] == '\0';
}
