#include "tests/unit/coordinator/core/fakeinside.h"

#include "base/mem.h"
#include "base/rng.h"
#include "coordinator/core/coord.h"

#include <stdio.h>
#include <string.h>

struct fake_event *fake_message(struct fakeworld *w, uint32_t worker)
{
    struct fake_event *e = fake_queue(w);

    e->event.type = COORD_MESSAGE;
    e->event.message.peer = worker + 100;
    e->event.message.message = &e->message;
    return e;
}

void fake_hello(struct fakeworld *w, uint32_t worker)
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

void fake_lose(struct fakeworld *w, uint32_t worker)
{
    struct fake_event *e = fake_queue(w);

    w->workers[worker].alive = false;
    w->workers[worker].term = 0;
    e->event.type = COORD_PEER_LOST;
    e->event.peer_lost.peer = worker + 100;
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

void fake_tell_kept(struct fakeworld *w,
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

static void fake_report(struct fakeworld *w,
                        uint32_t number,
                        const struct grant *grant,
                        uint32_t layer,
                        uint32_t shard)
{
    struct fake_worker *worker = &w->workers[number];
    struct fake_event *e = fake_message(w, number);

    e->report = mem_new(sizeof(*e->report));
    assert_non_null(e->report);
    e->message.kind = WIRE_REPORT;
    e->message.report.job = worker->job;
    e->message.report.report = e->report;
    e->report->term = grant->term;
    e->report->interval = grant->interval;
    e->report->layer = layer;
    e->report->shard = shard;
    fake_fill(w, worker, grant, e->report);
    if (w->odd_bits) {
        e->report->sums.taylor = 1.0;
        w->odd_bits = false;
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
            fake_report(w, number, grant, l, s);
        }
    }
}

void fake_send(struct fakeworld *w, uint32_t peer, const struct wire *message)
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
