/* fakeparts.h - what fakeworld.h is made of: the fake workers, the queue of
 * events, and what a shard reports. For fakeworld.h alone. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_FAKEPARTS_H
#define TESTS_UNIT_COORDINATOR_CORE_FAKEPARTS_H

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

enum {
    FAKE_WORKERS_MAX = 4,
    FAKE_VERSIONS_MAX = 256,
    FAKE_POINTS_MAX = 256,
    FAKE_INTERVALS_MAX = 4096,
    QUEUE_MAX = 1024
};

/* What a fake worker knows of the one job that it may host. */
struct fake_worker {
    bool alive;
    uint32_t number;
    uint64_t incarnation;
    uint64_t job;
    uint64_t term;
    uint64_t owned[LAYERS_MAX]; /* masks of shards */
    uint32_t layers_count;
    uint32_t buddy; /* NO_WORKER: it hosts the job alone */
    bool from_point;
    uint64_t kept; /* of the newest grant */
    uint32_t forgets;
    uint32_t quits;    /* it was told to end, and has */
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
    uint32_t first; /* number of the first of these, as its name says */
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
    bool keeps;      /* workers make copies, and say so */
    bool no_buddies; /* but no second ones */
    bool hold_points;
    bool fail_points;
    bool no_point;                           /* the store has lost it */
    struct version *points[FAKE_POINTS_MAX]; /* the last is the stored one */
    uint32_t points_count;
    uint32_t points_dropped;
    uint64_t hashes[FAKE_INTERVALS_MAX]; /* of the reports, as journaled */
    uint32_t checks;
    bool odd_bits;   /* the next report is not what it was */
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
                   (unsigned)(w->first + worker));
    e->message.hello.incarnation = w->workers[worker].incarnation;
    e->message.hello.protocol = WIRE_PROTOCOL;
    e->message.hello.threads = 1;
    e->message.hello.key.b[0] = (unsigned char)(worker + 1);
    e->message.hello.curve = true;
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

#endif /* TESTS_UNIT_COORDINATOR_CORE_FAKEPARTS_H */
