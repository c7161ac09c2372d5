/* placement.c - which worker hosts which shard.
 *
 * Placement changes no bit, only speed. Workers get aligned runs of a layer's
 * shards; a layer with fewer shards than workers goes round them, so that
 * every worker has work. */
#include "coordinator/core/job.h"

#include "base/check.h"
#include "coordinator/core/action.h"

#include <string.h>

static bool may_host(const struct job *job, const struct member *m)
{
    if (!m->present || m->sessions >= SESSIONS_MAX) {
        return false;
    }
    return job->kind == KIND_EVALUATE || !m->training;
}

/* Workers that will host the job; fewer than wanted: not now. */
static uint32_t choose(const struct job *job,
                       const struct members *members,
                       uint32_t wanted,
                       uint32_t *chosen)
{
    uint32_t count = 0;

    for (uint32_t w = 0; w < WORKERS_MAX && count < wanted; w++) {
        if (may_host(job, &members->items[w])) {
            chosen[count++] = w;
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

bool job_place(struct job *job, struct members *members)
{
    const struct model_spec *model = &job->record.spec.model;
    uint32_t wanted =
        job->kind == KIND_EVALUATE ? 1 : job->record.workers_wanted;
    uint32_t chosen[WORKERS_MAX];
    uint32_t count = choose(job, members, wanted, chosen);

    if (count < wanted || count == 0) {
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
    job->placed = 0;
    job->ready = 0;
    job->peers_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct member *m = &members->items[chosen[i]];

        job->placed |= 1ull << chosen[i];
        job->peers[i].worker = chosen[i];
        memcpy(job->peers[i].endpoint, m->hello.endpoint,
               sizeof(job->peers[i].endpoint));
        job->base_steps[chosen[i]] = m->shard_steps;
        job->base_bytes[chosen[i]] = m->bytes_sent;
        m->sessions++;
        m->training = m->training || job->kind == KIND_TRAIN;
    }
    job->opener = chosen[0];
    return true;
}

void job_unplace(struct job *job, struct members *members)
{
    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        struct member *m = &members->items[w];

        if ((job->placed & (1ull << w)) == 0 || !m->present) {
            continue;
        }
        if (m->sessions > 0) {
            m->sessions--;
        }
        if (job->kind == KIND_TRAIN) {
            m->training = false;
        }
    }
    job->placed = 0;
    job->ready = 0;
}

void job_send_drop(const struct job *job,
                   const struct members *members,
                   struct actions *out)
{
    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        if ((job->placed & (1ull << w)) != 0 && members->items[w].present) {
            struct action *action = action_add(out, ACTION_SEND);

            action->send.peer = members->items[w].peer;
            action->send.message.kind = WIRE_DROP;
            action->send.message.drop =
                (struct wire_drop){.job = job->record.job, .term = job->term};
        }
    }
}

void job_send_assign(struct job *job,
                     uint64_t life,
                     const struct members *members,
                     struct actions *out)
{
    const struct version *origin = job->origin;

    for (uint32_t i = 0; i < job->peers_count; i++) {
        struct action *action = action_add(out, ACTION_SEND);
        struct wire_assign *assign = &action->send.message.assign;

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
    }
}
