#include "tests/unit/worker/core/schedworld.h"

#include "base/check.h"
#include "worker/core/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *grab(size_t size)
{
    void *memory = calloc(1, size);

    assert_non_null(memory);
    return memory;
}

static void consume(uint64_t *places, uint32_t count, uint64_t *hash)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_true(places[i] != 0);
        *hash = mix(*hash, places[i]);
        places[i] = 0;
    }
}

static void forward(struct schedworld *w, struct actor *a)
{
    const struct sched_run *run = &a->run;
    uint64_t hash = mix(a->weights, run->first * 100 + run->rows);

    if (run->layer > 0) {
        consume(a->forward[run->pass % 2][run->microbatch],
                w->scenario->shards_count[run->layer - 1], &hash);
    } else {
        hash = mix(hash, run->task * 1000000 + run->example);
    }
    hash = mix(hash, run->step * 1000 + run->pass_rows);
    a->outputs[0] = hash;
    if (run->training) {
        a->forwards = mix(a->forwards, hash);
    } else {
        a->kept = mix(a->kept, mix(hash, (uint64_t)run->set + run->last));
    }
}

static void backward(struct schedworld *w, struct actor *a)
{
    const struct sched_run *run = &a->run;
    uint64_t hash = mix(a->weights, run->microbatch);

    if (run->layer + 1 < w->scenario->layers_count) {
        consume(a->gradient[run->pass % 2][run->microbatch],
                w->scenario->shards_count[run->layer + 1], &hash);
    }
    for (uint32_t s = 0; run->layer > 0 && s < SHARDS; s++) {
        a->outputs[s] = run->training ? mix(hash, s) : 1;
    }
    if (run->training) {
        a->backwards = mix(a->backwards, hash);
    }
}

static void update(struct site *site, struct schedworld *w, struct actor *a)
{
    const struct sched_run *run = &a->run;
    uint32_t local = run->local;

    a->weights = mix(a->weights, mix(a->forwards, a->backwards));
    a->weights = mix(a->weights, run->task_step * 1000 + run->task_steps);
    for (uint32_t l = 0;
         site->sched.locals[local].walk.clip && l < w->scenario->layers_count;
         l++) {
        for (uint32_t s = 0; s < w->scenario->shards_count[l]; s++) {
            a->weights = mix(a->weights, site->norms[l][s]);
        }
    }
    a->forwards = 0;
    a->backwards = 0;
}

static void report(struct schedworld *w, struct actor *a)
{
    const struct sched_run *run = &a->run;

    a->reports = mix(a->reports, mix(a->weights, a->kept));
    a->reports = mix(a->reports, run->interval * 100 + run->step);
    a->kept = 0;
    if (run->steps > 0 && run->layer + 1 < w->scenario->layers_count) {
        consume(a->columns[run->pass % 2],
                w->scenario->shards_count[run->layer + 1], &a->reports);
    }
    assert_int_equal(run->interval, a->reported);
    a->reported++;
}

static void compute(struct schedworld *w, struct site *site, struct actor *a)
{
    switch (a->run.op) {
    case SCHED_FORWARD:
        forward(w, a);
        break;
    case SCHED_BACKWARD:
        backward(w, a);
        break;
    case SCHED_NORM:
        a->outputs[0] = mix(a->weights, a->backwards);
        break;
    case SCHED_UPDATE:
        update(site, w, a);
        break;
    case SCHED_EDIT:
        a->weights = mix(a->weights, 7 + a->run.interval);
        break;
    case SCHED_CUT:
        a->cuts = mix(a->cuts, mix(a->weights, a->run.step));
        break;
    case SCHED_COLUMNS:
        for (uint32_t s = 0; s < SHARDS; s++) {
            a->outputs[s] = mix(a->weights, 1000 + s);
        }
        break;
    case SCHED_REPORT:
        report(w, a);
        break;
    }
}

static void put(uint64_t *place, uint64_t value)
{
    assert_true(value != 0);
    assert_true(*place == 0); /* a frame is never overwritten */
    *place = value;
}

static void take(struct site *site,
                 const struct sched_deliver *d,
                 uint64_t frame)
{
    uint64_t value =
        d->from == SCHED_ALL ? frame : site->actors[d->from].outputs[d->output];

    if (d->kind == FRAME_NORM) {
        assert_int_equal(d->to, SCHED_ALL);
        site->norms[d->from_layer][d->sender] = value;
    } else if (d->kind == FRAME_FORWARD) {
        put(&site->actors[d->to].forward[d->cell][d->microbatch][d->sender],
            value);
    } else if (d->kind == FRAME_GRADIENT) {
        put(&site->actors[d->to].gradient[d->cell][d->microbatch][d->sender],
            value);
    } else {
        put(&site->actors[d->to].columns[d->cell][d->sender], value);
    }
}

static void post(struct schedworld *w,
                 uint32_t from,
                 const struct sched_send *send)
{
    struct link_queue *link = &w->links[from][send->peer];
    uint32_t at = (link->first + link->count) % QUEUE;

    assert_true(send->peer != from);
    assert_true(link->count < QUEUE);
    link->packets[at].header = send->header;
    link->packets[at].value =
        w->sites[from].actors[send->from].outputs[send->output];
    link->count++;
    w->deepest = link->count > w->deepest ? link->count : w->deepest;
}

static void step(struct schedworld *w,
                 uint32_t at,
                 const struct sched_event *event,
                 uint64_t value)
{
    struct site *site = &w->sites[at];

    sched_step(&site->sched, event, &w->actions);
    for (uint32_t i = 0; i < w->actions.count; i++) {
        const struct sched_action *action = &w->actions.items[i];

        switch (action->type) {
        case SCHED_ACT_RUN:
            assert_false(site->actors[action->run.local].running);
            site->actors[action->run.local].run = action->run;
            site->actors[action->run.local].running = true;
            break;
        case SCHED_ACT_DELIVER:
            take(site, &action->deliver, value);
            break;
        case SCHED_ACT_SEND:
            post(w, at, &action->send);
            break;
        case SCHED_ACT_REPORT:
            w->reports[action->report.interval]++;
            break;
        case SCHED_ACT_CUT:
            site->actors[action->cut.local].copies += action->cut.version != 0;
            break;
        case SCHED_ACT_REFUSED:
            print_error("refused: %s\n", action->refused.reason);
            fail();
            break;
        case SCHED_ACT_FAULT:
            print_error("fault: %s\n", action->fault.reason);
            fail();
            break;
        }
    }
}

void open_world(struct schedworld *w,
                const struct scenario *s,
                uint32_t workers,
                uint64_t seed)
{
    struct sched_config config = {.job = 1,
                                  .term = 1,
                                  .batch = s->batch,
                                  .microbatches = s->microbatches,
                                  .clip = s->clip,
                                  .slots = 1 + draw(seed, 0, 1, 3),
                                  .tasks_count = TASKS,
                                  .evaluate_rows = s->evaluate_rows,
                                  .guard_rows = s->guard_rows,
                                  .layers_count = s->layers_count,
                                  .peers_count = workers};

    memset(w, 0, sizeof(*w));
    w->scenario = s;
    w->sites_count = workers;
    w->draws_seed = seed;
    for (uint32_t l = 0; l < s->layers_count; l++) {
        config.shards_count[l] = s->shards_count[l];
        w->shards_total += s->shards_count[l];
        for (uint32_t i = 0; i < s->shards_count[l]; i++) {
            config.owners[l][i] = (uint8_t)draw(seed, 1 + l, i, workers);
        }
    }
    for (uint32_t i = 0; i < workers; i++) {
        config.peers[i] = 10 + 3 * i; /* an id is not an index */
    }
    for (uint32_t i = 0; i < workers; i++) {
        config.self = i;
        sched_init(&w->sites[i].sched, &config);
    }
}

static void deliver_frame(struct schedworld *w, uint32_t from, uint32_t to)
{
    struct link_queue *link = &w->links[from][to];
    struct packet packet = link->packets[link->first];
    struct sched_event event = {.type = SCHED_FRAME, .frame = &packet.header};

    link->first = (link->first + 1) % QUEUE;
    link->count--;
    step(w, to, &event, packet.value);
}

static void finish(struct schedworld *w, uint32_t at, uint32_t local)
{
    struct actor *a = &w->sites[at].actors[local];
    struct sched_event event = {.type = SCHED_DONE, .done = {.local = local}};

    compute(w, &w->sites[at], a);
    a->running = false;
    step(w, at, &event, 0);
}

void stored(struct schedworld *w, uint32_t at, uint32_t local)
{
    struct sched_event event = {.type = SCHED_STORED, .stored = {local}};

    w->sites[at].actors[local].copies--;
    step(w, at, &event, 0);
}

/* The coordinator: two grants at once, the next when an interval's reports
 * are all in. */
static bool may_grant(const struct schedworld *w, uint32_t at)
{
    uint32_t n = w->sites[at].granted;

    return n < w->scenario->intervals_count &&
           (n < 2 || w->reports[n - 2] == w->shards_total);
}

void give_grant(struct schedworld *w, uint32_t at)
{
    struct sched_event event = {.type = SCHED_GRANT};

    event.grant = &w->scenario->grants[w->sites[at].granted++];
    step(w, at, &event, 0);
}

static void give_release(struct schedworld *w, uint32_t at)
{
    struct sched_event event = {.type = SCHED_RELEASE, .release = {.term = 1}};

    event.release.interval = w->sites[at].released++;
    step(w, at, &event, 0);
}

static bool is_it(uint32_t *n, uint32_t chosen)
{
    return (*n)++ == chosen;
}

/* Counts what can happen; where `chosen` is below that count, lets it happen
 * and returns at once. */
static uint32_t happen_at(struct schedworld *w,
                          uint32_t i,
                          uint32_t n,
                          uint32_t chosen)
{
    struct site *site = &w->sites[i];

    if (may_grant(w, i) && is_it(&n, chosen)) {
        give_grant(w, i);
        return n;
    }
    if (site->released < site->granted && is_it(&n, chosen)) {
        give_release(w, i);
        return n;
    }
    for (uint32_t k = 0; k < site->sched.locals_count; k++) {
        struct actor *a = &site->actors[k];

        if (a->running && is_it(&n, chosen)) {
            finish(w, i, k);
            return n;
        }
        if (a->copies > 0 && is_it(&n, chosen)) {
            stored(w, i, k);
            return n;
        }
    }
    for (uint32_t j = 0; j < w->sites_count; j++) {
        if (w->links[i][j].count > 0 && is_it(&n, chosen)) {
            deliver_frame(w, i, j);
            return n;
        }
    }
    return n;
}

static uint32_t happen(struct schedworld *w, uint32_t chosen)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->sites_count && n <= chosen; i++) {
        n = happen_at(w, i, n, chosen);
    }
    return n;
}

void run_world(struct schedworld *w)
{
    for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
        uint32_t count = happen(w, UINT32_MAX);

        if (count == 0) {
            break;
        }
        happen(w, draw(w->draws_seed, 1000, w->draws++, count));
    }
    for (uint32_t i = 0; i < w->sites_count; i++) {
        assert_true(sched_ended(&w->sites[i].sched));
        assert_int_equal(w->sites[i].sched.running, 0);
    }
}

/* All that a shard has taken in: one hash per shard of the model. */
static void read_world(const struct schedworld *w, uint64_t out[LAYERS][SHARDS])
{
    memset(out, 0, sizeof(uint64_t) * LAYERS * SHARDS);
    for (uint32_t i = 0; i < w->sites_count; i++) {
        const struct sched *sched = &w->sites[i].sched;

        for (uint32_t k = 0; k < sched->locals_count; k++) {
            const struct actor *a = &w->sites[i].actors[k];
            uint64_t hash = mix(a->weights, a->reports);

            out[sched->locals[k].layer][sched->locals[k].shard] =
                mix(hash, a->cuts);
        }
    }
}

void compare_worlds(uint64_t seed, uint32_t worlds)
{
    struct scenario *s = grab(sizeof(*s));
    struct schedworld *w = grab(sizeof(*w));
    uint64_t alone[LAYERS][SHARDS];
    uint64_t found[LAYERS][SHARDS];

    make_scenario(s, seed);
    open_world(w, s, 1, mix(seed, 0));
    run_world(w);
    read_world(w, alone);
    for (uint32_t i = 1; i <= worlds; i++) {
        uint32_t workers = 1 + draw(seed, 50, i, PEERS);

        open_world(w, s, workers, mix(seed, i));
        run_world(w);
        read_world(w, found);
        if (memcmp(alone, found, sizeof(alone)) != 0) {
            print_error("seed %lu world %u: %u workers\n", (unsigned long)seed,
                        i, workers);
            fail();
        }
    }
    free(w);
    free(s);
}
