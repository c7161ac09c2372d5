#include "tests/sim/crowd_inside.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

/* --- What the core sends --- */

static struct crowd_item *say(struct crowd *c,
                              uint32_t worker,
                              enum crowd_kind kind)
{
    struct crowd_item *item = crowd_post(&c->soon, kind);

    item->worker = worker;
    item->incarnation = c->workers[worker].incarnation;
    return item;
}

/* All workers of a job are told the same: the first one's is taken. */
static void take_assign(struct crowd *c,
                        uint32_t worker,
                        const struct wire_assign *a)
{
    struct crowd_job *job = &c->jobs[coord_find(c->core, a->job)];
    struct crowd_item *item = say(c, worker, CROWD_READY);

    item->job = a->job;
    item->term = a->term;
    if (job->term == a->term) {
        return;
    }
    if (job->job == a->job && a->term < job->term) {
        crowd_fail(c, "a term is lower than the one before", a->term);
    }
    job->job = a->job;
    job->term = a->term;
    job->next = 0;
    job->peers_count = a->peers_count;
    for (uint32_t p = 0; p < a->peers_count; p++) {
        job->peers[p] = a->peers[p].worker;
    }
    memcpy(job->owners, a->owners, a->owners_count * sizeof(job->owners[0]));
    mem_free(job->arch);
    job->arch = mem_new(sizeof(*job->arch) + arch_memory_bytes(a->spec, 10));
    CHECK(job->arch != NULL);
    arch_lay_out(job->arch, a->spec, 10, job->arch + 1);
    arch_copy(job->arch, a->arch);
}

/* Keeps the least, ascending. */
static void rank(struct crowd_figures_of_shard *out,
                 const struct candidate *candidate)
{
    uint32_t at = out->candidates_count;

    if (at == CROWD_CANDIDATES) {
        at--;
        if (out->candidates[at].utility <= candidate->utility) {
            return;
        }
    } else {
        out->candidates_count++;
    }
    for (; at > 0 && out->candidates[at - 1].utility > candidate->utility;
         at--) {
        out->candidates[at] = out->candidates[at - 1];
    }
    out->candidates[at] = *candidate;
}

/* Figures that depend on the units and the interval alone, so that a replay
 * reports the same. */
static void fill(const struct arch_layer *layer,
                 const struct grant *grant,
                 uint32_t shard,
                 struct crowd_figures_of_shard *out)
{
    uint32_t first = arch_first_of_shard(layer, shard);

    for (uint32_t u = first; u < first + layer->shard_units[shard]; u++) {
        const struct unit *unit = &layer->units[u];
        struct candidate candidate = {
            .id = unit->id,
            .age = grant->first_step + grant->steps - unit->born_step,
            .utility = (double)rng_unit(
                rng_draw(1, RNG_TEST, unit->id.birth, grant->interval, 0).v[0]),
            .mean = 0.5};

        out->live++;
        out->utility += candidate.utility;
        if (candidate.age <= CROWD_STEPS) {
            continue;
        }
        out->eligible++;
        rank(out, &candidate);
    }
}

static void post_report(struct crowd *c,
                        const struct crowd_job *job,
                        const struct grant *grant,
                        struct crowd_item from)
{
    const struct arch_layer *layer = &job->arch->layers[from.layer];
    struct crowd_item *item = crowd_post(&c->later, CROWD_REPORT);

    from.kind = CROWD_REPORT;
    from.due_ms = c->now_ms + CROWD_INTERVAL_MS;
    fill(layer, grant, from.shard, &from.figures);
    if (from.layer + 1 == job->arch->layers_count) {
        from.figures.examples = (uint64_t)grant->steps * CROWD_BATCH;
        from.figures.evaluate_first = grant->evaluate_first;
        from.figures.evaluate_count = grant->evaluate_count;
    }
    *item = from;
}

/* What the owner of a shard, and its buddy, say of a grant. */
static void carry_out(struct crowd *c,
                      const struct crowd_job *job,
                      const struct grant *grant,
                      const struct crowd_item *from,
                      uint32_t buddy)
{
    struct crowd_item *item;

    if (grant->version != 0 && !grant->resumed) {
        item = say(c, from->worker, CROWD_CUT);
        *item = *from;
        item->kind = CROWD_CUT;
    }
    if (grant->keep && !grant->resumed) {
        item = say(c, from->worker, CROWD_KEPT);
        *item = *from;
        item->kind = CROWD_KEPT;
        item = say(c, buddy, CROWD_KEPT);
        *item = *from;
        item->kind = CROWD_KEPT;
        item->worker = buddy;
        item->incarnation = c->workers[buddy].incarnation;
    }
    if (!grant->hold) {
        post_report(c, job, grant, *from);
    }
}

static uint32_t buddy_of(const struct crowd_job *job, uint32_t worker)
{
    uint32_t p = 0;

    while (p < job->peers_count && job->peers[p] != worker) {
        p++;
    }
    CHECK(p < job->peers_count);
    return job->peers[(p + 1) % job->peers_count];
}

static void take_grant(struct crowd *c,
                       uint32_t worker,
                       uint64_t id,
                       const struct grant *grant)
{
    struct crowd_job *job = &c->jobs[coord_find(c->core, id)];
    uint32_t at = 0;

    (void)buddy_of(job, worker); /* it is one of the job's */
    if (grant->term != job->term) {
        crowd_fail(c, "a grant is of another term", grant->term);
        return;
    }
    if (grant->interval + 1 == job->next) {
        return; /* told to another one already, and done for all */
    }
    if (job->next != 0 && grant->interval != job->next) {
        crowd_fail(c, "grants are not in order", grant->interval);
        return;
    }
    job->next = grant->interval + 1;
    for (uint32_t e = 0; e < grant->edits_count && !grant->resumed; e++) {
        enum status status = arch_apply(job->arch, &grant->edits[e],
                                        grant->units, grant->first_step);

        CHECK(status == STATUS_OK);
    }
    for (uint32_t l = 0; l < job->arch->layers_count; l++) {
        for (uint32_t s = 0; s < job->arch->layers[l].shards_count; s++) {
            uint32_t owner = job->owners[at++];
            const struct crowd_item from = {.worker = owner,
                                            .incarnation =
                                                c->workers[owner].incarnation,
                                            .job = id,
                                            .term = grant->term,
                                            .line = grant->line,
                                            .interval = grant->interval,
                                            .version = grant->version,
                                            .layer = l,
                                            .shard = s};

            carry_out(c, job, grant, &from, buddy_of(job, owner));
        }
    }
}

void crowd_receive(struct crowd *c, uint32_t peer, const struct wire *message)
{
    uint32_t worker = c->worker_of_peer[peer];
    struct crowd_item *item;

    if (!c->workers[worker].alive || c->workers[worker].peer != peer) {
        return;
    }
    if (message->kind == WIRE_WELCOME && message->welcome.worker != worker) {
        crowd_fail(c, "a worker has another number than its name says", worker);
    } else if (message->kind == WIRE_REFUSE) {
        crowd_fail(c, message->refuse.text, worker);
    } else if (message->kind == WIRE_OPEN) {
        item = say(c, worker, CROWD_OPENED);
        item->job = message->open.job;
    } else if (message->kind == WIRE_ASSIGN) {
        take_assign(c, worker, &message->assign);
    } else if (message->kind == WIRE_GRANT) {
        take_grant(c, worker, message->grant.job, message->grant.grant);
    }
}

/* --- What workers say --- */

static void say_hello(struct crowd *c,
                      const struct crowd_item *item,
                      struct wire *m)
{
    m->kind = WIRE_HELLO;
    (void)snprintf(m->hello.name, sizeof(m->hello.name), "w%u",
                   (unsigned)item->worker);
    m->hello.incarnation = c->workers[item->worker].incarnation;
    m->hello.protocol = WIRE_PROTOCOL;
    m->hello.threads = 1;
}

static void say_report(struct crowd *c,
                       const struct crowd_item *item,
                       struct wire *m)
{
    const struct crowd_figures_of_shard *figures = &item->figures;
    struct report *r = &c->report;

    memset(r, 0, sizeof(*r));
    r->term = item->term;
    r->interval = item->interval;
    r->layer = item->layer;
    r->shard = item->shard;
    r->sums.units = figures->live;
    r->sums.live = figures->live;
    r->sums.eligible = figures->eligible;
    r->sums.utility = figures->utility;
    r->candidates_count = figures->candidates_count;
    memcpy(r->candidates, figures->candidates, sizeof(figures->candidates));
    r->examples = figures->examples;
    r->correct = figures->examples / 2;
    r->loss_sum = 0.5 * (double)figures->examples;
    for (uint32_t t = 0; t < figures->evaluate_count; t++) {
        r->evaluations[r->evaluations_count++] = (struct evaluation){
            EVALUATION_HELD_OUT, figures->evaluate_first + t, 50, 25, 30.0};
    }
    m->kind = WIRE_REPORT;
    m->report.job = item->job;
    m->report.report = r;
}

static void say_of_state(struct crowd *c,
                         const struct crowd_item *item,
                         struct wire *m)
{
    if (item->kind == CROWD_CUT) {
        c->record.layer = item->layer;
        c->record.shard = item->shard;
        m->kind = WIRE_SHARD_CUT;
        m->shard_cut = (struct wire_shard_cut){.job = item->job,
                                               .term = item->term,
                                               .version = item->version,
                                               .record = &c->record};
        return;
    }
    m->kind = WIRE_KEPT;
    m->kept = (struct wire_kept){.job = item->job,
                                 .line = item->line,
                                 .interval = item->interval,
                                 .layer = item->layer,
                                 .shard = item->shard,
                                 .cost_us = 100,
                                 .term = item->term};
}

static void deliver_message(struct crowd *c, const struct crowd_item *item)
{
    const struct crowd_worker *worker = &c->workers[item->worker];
    struct wire message = {.kind = WIRE_READY};
    struct coord_event event = {
        .type = COORD_MESSAGE,
        .message = {.peer = worker->peer, .message = &message}};

    if (!worker->alive || worker->incarnation != item->incarnation) {
        return;
    }
    if (item->kind == CROWD_HELLO) {
        say_hello(c, item, &message);
    } else if (item->kind == CROWD_OPENED) {
        uint32_t slot = coord_find(c->core, item->job);

        message.kind = WIRE_OPENED;
        message.opened.job = item->job;
        message.opened.shape = &c->shape;
        event.message.memory = shelf_lend(
            c->shelf, slot, &c->core->jobs[slot].record.spec, &c->shape);
    } else if (item->kind == CROWD_READY) {
        message.ready.job = item->job;
        message.ready.term = item->term;
    } else if (item->kind == CROWD_REPORT) {
        say_report(c, item, &message);
        c->out->reports++;
    } else {
        say_of_state(c, item, &message);
    }
    crowd_step(c, &event);
}

void crowd_deliver(struct crowd *c, const struct crowd_item *item)
{
    struct coord_event event = {.type = COORD_PEER_LOST};

    if (item->kind == CROWD_LOST) {
        event.peer_lost.peer = (uint32_t)item->token;
        crowd_step(c, &event);
    } else if (item->kind == CROWD_STORED) {
        event.type = COORD_STORED;
        event.stored.token = item->token;
        event.stored.status = item->status;
        crowd_step(c, &event);
    } else if (item->kind == CROWD_LOADED) {
        shelf_load(c->shelf, &c->loads[item->slot], &c->shape, &event);
        crowd_step(c, &event);
    } else {
        deliver_message(c, item);
    }
}

void crowd_beat(struct crowd *c, uint32_t worker)
{
    struct crowd_worker *w = &c->workers[worker];
    struct wire message = {.kind = WIRE_HEARTBEAT};
    struct coord_event event = {
        .type = COORD_MESSAGE,
        .message = {.peer = w->peer, .message = &message}};

    if (w->alive) {
        message.heartbeat.turns = ++w->turns;
        crowd_step(c, &event);
    }
}
