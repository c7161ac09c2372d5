/* A network of schedulers in one process, with hashes instead of mathematics.
 *
 * The world holds workers, the frames between them and the operations that
 * run, and lets one thing happen at a time, drawn from Philox: so frames of
 * different links overtake each other and operations end in any order. What
 * every shard has taken in, in which order, must not depend on that. */
#include "worker/core/sched.h"

#include "base/check.h"
#include "base/rng.h"
#include "worker/core/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    PEERS = 8,
    LAYERS = 4,
    SHARDS = 5,
    INTERVALS = 8,
    TASKS = 3,
    QUEUE = 1024, /* frames on one link: far more than the protocol allows */
    TURNS_MAX = 2000000
};

struct scenario {
    uint64_t seed;
    uint32_t layers_count;
    uint32_t shards_count[LAYERS_MAX];
    uint32_t batch;
    uint32_t microbatches;
    bool clip;
    uint64_t evaluate_rows[TASKS];
    uint64_t guard_rows[TASKS];
    uint32_t intervals_count;
    struct grant grants[INTERVALS];
};

struct packet {
    struct frame_header header;
    uint64_t value;
};

struct link_queue {
    uint32_t first;
    uint32_t count;
    struct packet packets[QUEUE];
};

/* A shard as the shell sees it; a value of 0 is a place without a frame. */
struct actor {
    uint64_t weights;
    uint64_t forwards; /* running hash of the present pass */
    uint64_t backwards;
    uint64_t kept; /* evaluations */
    uint64_t cuts;
    uint64_t reports;
    uint64_t reported; /* intervals */
    uint64_t forward[2][MICROBATCHES_MAX][SHARDS];
    uint64_t gradient[2][MICROBATCHES_MAX][SHARDS];
    uint64_t columns[2][SHARDS];
    uint64_t outputs[SHARDS];
    struct sched_run run;
    bool running;
    uint32_t copies; /* cuts not yet stored */
};

struct site {
    struct sched sched;
    struct actor actors[LAYERS * SHARDS];
    uint64_t norms[LAYERS][SHARDS];
    uint32_t granted;  /* grants delivered */
    uint32_t released; /* releases delivered */
};

struct world {
    const struct scenario *scenario;
    uint32_t sites_count;
    struct site sites[PEERS];
    struct link_queue links[PEERS][PEERS];
    uint32_t reports[INTERVALS];
    uint32_t shards_total;
    uint64_t draws_seed;
    uint64_t draws;
    uint32_t deepest; /* frames on one link */
    struct sched_actions actions;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    struct rng_block block =
        rng_draw(a, RNG_TEST, b & 0xffffffffffff, b >> 48, 0);

    return ((uint64_t)block.v[0] << 32 | block.v[1]) | 1;
}

static uint32_t draw(uint64_t seed, uint64_t a, uint64_t b, uint32_t bound)
{
    return rng_below(rng_draw(seed, RNG_TEST, a, b, 1), bound);
}

/* Scenarios */

static void make_boundary(struct scenario *s, struct grant *grant, uint32_t n)
{
    if (draw(s->seed, 100 + n, 0, 2) == 0) {
        grant->evaluate_first = draw(s->seed, 100 + n, 1, TASKS);
        grant->evaluate_count =
            draw(s->seed, 100 + n, 2, TASKS + 1 - grant->evaluate_first);
    }
    grant->guard = draw(s->seed, 100 + n, 3, 3) == 0;
    grant->edits_count = draw(s->seed, 100 + n, 4, 3);
    if (draw(s->seed, 100 + n, 5, 3) == 0) {
        grant->settings_count = 1;
        grant->settings[0] = (struct grant_setting){
            .setting = SETTING_CLIP,
            .value = draw(s->seed, 100 + n, 6, 2) == 0 ? 0 : 1.5};
        grant->keep = draw(s->seed, 100 + n, 9, 3) == 0;
    }
    grant->version = draw(s->seed, 100 + n, 7, 2) == 0 ? n + 1 : 0;
    grant->hold = draw(s->seed, 100 + n, 8, 4) == 0;
}

static void make_grants(struct scenario *s)
{
    uint64_t step = 0;
    uint64_t position = 0;
    uint32_t task = 0;
    uint64_t examples = 1 + draw(s->seed, 10, 0, 60);

    for (uint32_t n = 0; n < s->intervals_count; n++) {
        struct grant *grant = &s->grants[n];
        uint64_t left = (examples - position + s->batch - 1) / s->batch;
        uint64_t steps = 1 + draw(s->seed, 20, n, 5);

        *grant = (struct grant){.term = 1,
                                .interval = n,
                                .first_step = step,
                                .task = task,
                                .position = position,
                                .task_examples = examples};
        grant->closing = n + 1 == s->intervals_count;
        grant->steps = (uint32_t)(steps < left ? steps : left);
        grant->steps = grant->closing ? 0 : grant->steps;
        grant->resumed = n == 0 && draw(s->seed, 30, 0, 3) == 0;
        make_boundary(s, grant, n);
        step += grant->steps;
        position += (uint64_t)grant->steps * s->batch;
        if (position >= examples && task + 1 < TASKS) {
            task++;
            position = 0;
            examples = 1 + draw(s->seed, 10, task, 60);
        } else if (position >= examples && !grant->closing) {
            position = examples;
            s->intervals_count = n + 2; /* the next one closes */
        }
    }
}

static void make_scenario(struct scenario *s, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->layers_count = 1 + draw(seed, 0, 0, LAYERS);
    for (uint32_t l = 0; l < s->layers_count; l++) {
        s->shards_count[l] =
            l + 1 < s->layers_count ? 1 + draw(seed, 1, l, SHARDS) : 1;
    }
    s->batch = 1 + draw(seed, 2, 0, 9);
    s->microbatches = 1 + draw(seed, 3, 0, 4);
    s->clip = draw(seed, 4, 0, 2) == 0;
    for (uint32_t t = 0; t < TASKS; t++) {
        s->evaluate_rows[t] =
            draw(seed, 5, t, 4) == 0 ? 0 : 1 + draw(seed, 6, t, 1600);
        s->guard_rows[t] = draw(seed, 7, t, 700);
    }
    s->intervals_count = 3 + draw(seed, 8, 0, INTERVALS - 2);
    make_grants(s);
}

/* A worker's shell */

static void *grab(size_t size)
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

static void forward(struct world *w, struct actor *a)
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

static void backward(struct world *w, struct actor *a)
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

static void update(struct site *site, struct world *w, struct actor *a)
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

static void report(struct world *w, struct actor *a)
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

static void compute(struct world *w, struct site *site, struct actor *a)
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

static void post(struct world *w, uint32_t from, const struct sched_send *send)
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

static void step(struct world *w,
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

/* The world */

static void open_world(struct world *w,
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

static void deliver_frame(struct world *w, uint32_t from, uint32_t to)
{
    struct link_queue *link = &w->links[from][to];
    struct packet packet = link->packets[link->first];
    struct sched_event event = {.type = SCHED_FRAME, .frame = &packet.header};

    link->first = (link->first + 1) % QUEUE;
    link->count--;
    step(w, to, &event, packet.value);
}

static void finish(struct world *w, uint32_t at, uint32_t local)
{
    struct actor *a = &w->sites[at].actors[local];
    struct sched_event event = {.type = SCHED_DONE, .done = {.local = local}};

    compute(w, &w->sites[at], a);
    a->running = false;
    step(w, at, &event, 0);
}

static void stored(struct world *w, uint32_t at, uint32_t local)
{
    struct sched_event event = {.type = SCHED_STORED, .stored = {local}};

    w->sites[at].actors[local].copies--;
    step(w, at, &event, 0);
}

/* The coordinator: two grants at once, the next when an interval's reports
 * are all in. */
static bool may_grant(const struct world *w, uint32_t at)
{
    uint32_t n = w->sites[at].granted;

    return n < w->scenario->intervals_count &&
           (n < 2 || w->reports[n - 2] == w->shards_total);
}

static void give_grant(struct world *w, uint32_t at)
{
    struct sched_event event = {.type = SCHED_GRANT};

    event.grant = &w->scenario->grants[w->sites[at].granted++];
    step(w, at, &event, 0);
}

static void give_release(struct world *w, uint32_t at)
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
static uint32_t happen_at(struct world *w,
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

static uint32_t happen(struct world *w, uint32_t chosen)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->sites_count && n <= chosen; i++) {
        n = happen_at(w, i, n, chosen);
    }
    return n;
}

static void run_world(struct world *w)
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
static void read_world(const struct world *w, uint64_t out[LAYERS][SHARDS])
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

static void compare_worlds(uint64_t seed, uint32_t worlds)
{
    struct scenario *s = grab(sizeof(*s));
    struct world *w = grab(sizeof(*w));
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

static void test_sched__takes_the_same_inputs_on_any_placement(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        compare_worlds(seed, 4);
    }
}

/* Neighbours are at most one pass apart, so a link holds at most what two
 * passes send: that bounds the memory of every queue between workers. */
static void test_sched__bounds_what_is_on_a_link(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct world *w = grab(sizeof(*w));
    uint32_t bound = 0;

    (void)state;
    for (uint64_t seed = 200; seed < 220; seed++) {
        make_scenario(s, seed);
        open_world(w, s, 2, seed);
        run_world(w);
        bound = 0;
        for (uint32_t l = 0; l + 1 < s->layers_count; l++) {
            uint32_t a = s->shards_count[l];
            uint32_t b = s->shards_count[l + 1];

            bound += 2 * (EVALUATE_WINDOW * (a + a * b) + a * b);
        }
        assert_true(w->deepest <= bound + 2 * w->shards_total);
    }
    free(w);
    free(s);
}

static void test_sched__counts_the_updates_of_its_shards(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct world *w = grab(sizeof(*w));
    uint64_t expected = 0;
    uint64_t found = 0;

    (void)state;
    make_scenario(s, 3);
    for (uint32_t n = 0; n < s->intervals_count; n++) {
        expected += s->grants[n].steps;
    }
    open_world(w, s, 3, 3);
    run_world(w);
    for (uint32_t i = 0; i < w->sites_count; i++) {
        found += w->sites[i].sched.steps;
    }

    assert_int_equal(found, expected * w->shards_total);
    free(w);
    free(s);
}

static void test_sched__tells_which_point_a_copy_is_of(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct world *w = grab(sizeof(*w));
    const struct sched_action *action = NULL;
    struct sched_event done = {.type = SCHED_DONE};

    (void)state;
    make_scenario(s, 5);
    s->layers_count = 1; /* one shard, which only cuts and trains */
    s->shards_count[0] = 1;
    s->grants[0].evaluate_count = 0;
    s->grants[0].guard = false;
    s->grants[0].edits_count = 0;
    s->grants[0].settings_count = 0;
    s->grants[0].version = 0;
    s->grants[0].line = 4;
    s->grants[0].keep = true;
    s->grants[0].kept = 0;
    open_world(w, s, 1, 5);
    give_grant(w, 0);
    assert_int_equal(w->sites[0].actors[0].run.op, SCHED_CUT);
    assert_false(w->sites[0].actors[0].run.store);

    sched_step(&w->sites[0].sched, &done, &w->actions);

    action = &w->actions.items[0];
    assert_int_equal(action->type, SCHED_ACT_CUT);
    assert_int_equal(action->cut.version, 0);
    assert_true(action->cut.keep);
    assert_int_equal(action->cut.line, 4);
    assert_int_equal(action->cut.interval, 0);
    free(w);
    free(s);
}

/* Two copies that are being stored hold up a third; one that is only kept in
 * memory neither waits nor makes others wait. */
static void test_sched__only_versions_wait_for_the_store(void **state)
{
    struct sched *sched = grab(sizeof(*sched));
    struct sched_shard *shard = &sched->locals[0];
    struct grant *grant = grab(sizeof(*grant));

    (void)state;
    sched->program.begun = true;
    sched->program.next_interval = 1;
    shard->walk.phase = WALK_CUT;
    grant->keep = true;
    shard->cuts = SCHED_CUTS_MAX;
    sched->program.grants[0] = *grant;
    assert_int_equal(ready_op(sched, shard), SCHED_CUT);

    grant->version = 3;
    sched->program.grants[0] = *grant;
    assert_int_equal(ready_op(sched, shard), READY_NONE);
    shard->cuts--;
    assert_int_equal(ready_op(sched, shard), SCHED_CUT);
    free(grant);
    free(sched);
}

/* A job that has nothing for a worker still lets it follow. */
static void test_sched__ends_without_local_shards(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct world *w = grab(sizeof(*w));

    (void)state;
    make_scenario(s, 5);
    s->layers_count = 1; /* one shard, several workers */
    s->shards_count[0] = 1;
    open_world(w, s, 4, 5);
    run_world(w);

    assert_int_equal(w->shards_total, 1);
    free(w);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sched__takes_the_same_inputs_on_any_placement),
        cmocka_unit_test(test_sched__bounds_what_is_on_a_link),
        cmocka_unit_test(test_sched__counts_the_updates_of_its_shards),
        cmocka_unit_test(test_sched__tells_which_point_a_copy_is_of),
        cmocka_unit_test(test_sched__only_versions_wait_for_the_store),
        cmocka_unit_test(test_sched__ends_without_local_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
