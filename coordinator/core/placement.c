/* placement.c - which worker hosts which shard.
 *
 * Placement changes no bit, only speed. Workers get aligned runs of a layer's
 * shards; a layer with fewer shards than workers goes round them, so that
 * every worker has work. */
#include "coordinator/core/job.h"

#include "base/check.h"
#include "coordinator/core/action.h"
#include "coordinator/core/job_points.h"

#include <string.h>

/* A cordoned worker keeps the shards that it has, also where others move. */
static bool may_host(const struct job *job,
                     const struct member *m,
                     uint32_t worker)
{
    if (job->kind == KIND_EVALUATE) {
        return member_is_open(m) && m->sessions < SESSIONS_MAX;
    }
    if (job->moving && worker_set_has(&job->moved_from, worker)) {
        return m->present && !m->draining && !m->leaving && !m->training &&
               m->sessions < SESSIONS_MAX;
    }
    return member_is_idle(m);
}

uint32_t job_workers_least(const struct job *job)
{
    const struct job_record *record = &job->record;

    if (job->kind == KIND_EVALUATE) {
        return 1;
    }
    return record->workers_min != 0 ? record->workers_min
                                    : record->workers_wanted;
}

/* A range does not take workers that would have no shard. */
uint32_t job_workers_most(const struct job *job)
{
    uint32_t least = job_workers_least(job);
    uint32_t most = job->record.workers_wanted;
    uint32_t shards = job_shards_total(job);

    if (job->kind == KIND_EVALUATE) {
        return 1;
    }
    if (most > shards) {
        most = shards > least ? shards : least;
    }
    return most;
}

/* Workers that will host the job; fewer than the least: not now. Those that had
 * no room for it just now are taken last. */
static uint32_t choose(const struct job *job,
                       const struct members *members,
                       uint32_t *chosen)
{
    uint32_t most = job_workers_most(job);
    uint32_t count = 0;

    for (uint32_t busy = 0; busy < 2; busy++) {
        for (uint32_t w = 0; w < members->count && count < most; w++) {
            if (worker_set_has(&job->busy, w) == (busy != 0) &&
                may_host(job, &members->items[w], w)) {
                chosen[count++] = w;
            }
        }
    }
    return count;
}

static uint32_t owner_of(uint32_t layer,
                         uint32_t shard,
                         uint32_t shards,
                         uint32_t workers)
{
    if (shards >= workers) {
        return shard * workers / shards;
    }
    return (layer * shards + shard) % workers;
}

bool job_can_be_placed(const struct job *job, const struct members *members)
{
    uint32_t chosen[WORKERS_MAX];
    uint32_t count = choose(job, members, chosen);

    return count > 0 && count >= job_workers_least(job);
}

bool job_place(struct job *job, struct members *members)
{
    const struct model_spec *model = &job->record.spec.model;
    uint32_t chosen[WORKERS_MAX];
    uint32_t count = choose(job, members, chosen);

    if (count < job_workers_least(job) || count == 0) {
        return false;
    }
    job->owners_count = 0;
    for (uint32_t l = 0; l <= model->hidden_count; l++) {
        uint32_t shards = l < model->hidden_count ? model->shards : 1;

        for (uint32_t s = 0; s < shards; s++) {
            job->owners[job->owners_count++] =
                chosen[owner_of(l, s, shards, count)];
        }
    }
    worker_set_clear(&job->placed);
    worker_set_clear(&job->ready);
    job->peers_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct member *m = &members->items[chosen[i]];

        worker_set_add(&job->placed, chosen[i]);
        job->peers[i].worker = chosen[i];
        job->peers[i].key = m->hello.key;
        job->peers[i].curve = m->hello.curve;
        memcpy(job->peers[i].endpoint, m->hello.endpoint,
               sizeof(job->peers[i].endpoint));
        memcpy(job->peers[i].vault_endpoint, m->hello.vault_endpoint,
               sizeof(job->peers[i].vault_endpoint));
        job->base_steps[i] = m->shard_steps;
        job->base_bytes[i] = m->bytes_sent;
        m->sessions++;
        m->training = m->training || job->kind == KIND_TRAIN;
    }
    job->opener = chosen[0];
    members_changed(members);
    return true;
}

void job_unplace(struct job *job, struct members *members)
{
    const struct worker_set *placed = &job->placed;

    for (uint32_t w = worker_set_next(placed, 0); w != NO_WORKER;
         w = worker_set_next(placed, w + 1)) {
        struct member *m = &members->items[w];

        if (!m->present) {
            continue;
        }
        if (m->sessions > 0) {
            m->sessions--;
        }
        if (job->kind == KIND_TRAIN) {
            m->training = false;
        }
    }
    worker_set_clear(&job->placed);
    worker_set_clear(&job->ready);
    members_changed(members);
}

void job_send_drop(struct job *job,
                   const struct members *members,
                   bool forget,
                   struct actions *out)
{
    struct worker_set to = job->placed;

    if (forget) {
        worker_set_join(&to, &job->told);
        worker_set_clear(&job->told);
    }
    for (uint32_t w = worker_set_next(&to, 0); w != NO_WORKER;
         w = worker_set_next(&to, w + 1)) {
        if (members->items[w].present) {
            struct action *action = action_add(out, ACTION_SEND);

            action->send.peer = members->items[w].peer;
            action->send.message.kind = WIRE_DROP;
            action->send.message.drop = (struct wire_drop){
                .job = job->record.job, .term = job->term, .forget = forget};
        }
    }
}

/* The state that workers have among themselves. */
static void put_point(struct job *job, struct wire_assign *assign)
{
    assign->from_point = true;
    assign->point_line = job->point.line;
    assign->point_interval = job->point.interval;
    assign->point_term = job->point.term;
    assign->holders_count = job->holders_count;
    assign->holders = job->holders;
    assign->sources_count = job->owners_count;
    assign->sources = job->sources;
}

void job_send_assign(struct job *job,
                     uint64_t life,
                     const struct members *members,
                     struct actions *out)
{
    const struct version *origin = job->origin;

    if (job->from_point) {
        job_choose_sources(job, members);
        job->point.tries++;
    }
    for (uint32_t i = 0; i < job->peers_count; i++) {
        struct action *action = action_add(out, ACTION_SEND);
        struct wire_assign *assign = &action->send.message.assign;

        worker_set_add(&job->told, job->peers[i].worker);
        action->send.peer = members->items[job->peers[i].worker].peer;
        action->send.message.kind = WIRE_ASSIGN;
        assign->life = life;
        assign->job = job->record.job;
        assign->term = job->term;
        assign->total_steps = job->record.total_steps;
        assign->shape = &job->record.shape;
        assign->peers_count = job->peers_count;
        assign->peers = job->peers;
        assign->owners_count = job->owners_count;
        assign->owners = job->owners;
        assign->spec = origin != NULL ? origin->spec : &job->record.spec;
        assign->arch = origin != NULL ? origin->arch : &job->arch;
        assign->step = origin != NULL ? origin->step : 0;
        assign->records_count = origin != NULL ? origin->shards_count : 0;
        assign->records = origin != NULL ? origin->shards : NULL;
        if (job->from_point) {
            put_point(job, assign);
        }
    }
}

uint32_t job_shards_on(const struct job *job, uint32_t worker)
{
    uint32_t shards = 0;

    for (uint32_t o = 0; o < job->owners_count; o++) {
        shards += job->owners[o] == worker;
    }
    return shards;
}

/* Workers whose shards have all reported the interval. */
static struct worker_set who_has_reported(const struct job *job,
                                          uint64_t interval)
{
    const struct collected *c = &job->collected[interval % GRANTS_MAX];
    struct worker_set done = job->placed;
    uint32_t o = 0;

    for (uint32_t l = 0; l < job->arch.layers_count; l++) {
        for (uint32_t s = 0; s < job->arch.layers[l].shards_count; s++) {
            if ((c->seen[l] >> s & 1) == 0) {
                worker_set_drop(&done, job->owners[o]);
            }
            o++;
        }
    }
    return done;
}

uint64_t job_lag(const struct job *job, uint32_t worker)
{
    uint64_t lag = 0;

    if (job->phase != PHASE_RUNNING) {
        return 0;
    }
    for (uint64_t i = job->reported; i < job->sent; i++) {
        struct worker_set done = who_has_reported(job, i);

        if (!worker_set_is_empty(&done) && !worker_set_has(&done, worker)) {
            lag += job->grants[i % GRANTS_MAX].steps;
        }
    }
    return lag;
}
