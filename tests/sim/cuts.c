#include "tests/sim/cuts.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include "coordinator/core/state.h"

#include <string.h>

void cuts_keep(struct center *c, const struct wire_shard_cut *cut)
{
    const struct shard_record *r = cut->record;
    struct center_cut *place = NULL;

    for (uint32_t i = 0; i < CENTER_CUTS_MAX; i++) {
        struct center_cut *at = &c->cuts[i];

        if (at->job != cut->job) {
            continue;
        }
        if (at->term > cut->term) {
            return; /* one of a newer term is there */
        }
        if (at->term < cut->term) {
            *at = (struct center_cut){.term = 0};
        }
        if (at->term == cut->term && at->version == cut->version) {
            place = at;
        }
    }
    for (uint32_t i = 0; i < CENTER_CUTS_MAX && place == NULL; i++) {
        place = c->cuts[i].term == 0 ? &c->cuts[i] : NULL;
    }
    CHECK(place != NULL);
    place->job = cut->job;
    place->term = cut->term;
    place->version = cut->version;
    memcpy(&place->names[r->layer][r->shard], r->tensors[0].chunks[0].b,
           sizeof(uint64_t));
    place->evaluations[r->layer][r->shard] = r->evaluations_count;
}

static const struct center_cut *find_cut(const struct center *c,
                                         uint64_t job,
                                         uint64_t version)
{
    for (uint32_t i = 0; i < CENTER_CUTS_MAX; i++) {
        if (c->cuts[i].term != 0 && c->cuts[i].job == job &&
            c->cuts[i].version == version) {
            return &c->cuts[i];
        }
    }
    return NULL;
}

static void fill_shards(struct world *w,
                        const struct cut *cut,
                        struct version *v)
{
    const struct center_cut *kept = find_cut(w->center, v->job, cut->version);
    uint32_t at = 0;

    if (kept == NULL) {
        world_fail(w, "v%llu is committed without a cut",
                   (unsigned long long)cut->version);
        return;
    }
    for (uint32_t l = 0; l < cut->arch.layers_count; l++) {
        for (uint32_t s = 0; s < cut->arch.layers[l].shards_count; s++) {
            struct shard_record *r = &v->shards[at++];

            if (kept->names[l][s] == 0) {
                world_fail(w, "v%llu is committed without all its shards",
                           (unsigned long long)cut->version);
            }
            r->layer = l;
            r->shard = s;
            r->tensors_count = 1;
            r->evaluations_count = kept->evaluations[l][s];
            r->tensors[0] = (struct tensor_record){.name = "state",
                                                   .rows = 1,
                                                   .columns = 1,
                                                   .element_bytes = 8,
                                                   .chunks_count = 1};
            r->tensors[0].chunks = world_memory(sizeof(struct hash));
            memcpy(r->tensors[0].chunks[0].b, &kept->names[l][s],
                   sizeof(uint64_t));
        }
    }
}

struct version *cuts_version(struct world *w,
                             const struct job *job,
                             const struct cut *cut)
{
    struct job_spec spec = cut->spec;
    struct arch arch = cut->arch;
    struct grant begun = cut->begun;
    struct grant pending = cut->pending;
    unsigned char *policy = world_memory(POLICY_STATE_BYTES_MAX);
    bool is_point = cut->version == 0;
    uint32_t count = is_point ? 0 : job_shards_total(job);
    struct shard_record *shards = world_memory((count + 1) * sizeof(*shards));
    struct version lent = {.job = job->record.job,
                           .number = is_point ? job->record.head : cut->version,
                           .line = cut->arch.line,
                           .interval = cut->interval,
                           .step = cut->step,
                           .task = cut->task,
                           .position = cut->position,
                           .cause = cut->cause,
                           .spec = &spec,
                           .arch = &arch,
                           .begun = &begun,
                           .pending = cut->has_pending ? &pending : NULL,
                           .policy = policy,
                           .shards_count = count,
                           .shards = shards};
    struct version *v = NULL;
    struct writer writer;

    begun.resumed = true;
    writer_init(&writer, policy, POLICY_STATE_BYTES_MAX);
    state_encode(&cut->state, &writer);
    CHECK(!writer.failed);
    lent.policy_bytes = (uint32_t)writer.at;
    begun.keep = false;
    begun.kept = 0;
    if (!is_point) {
        fill_shards(w, cut, &lent);
    }
    if (!w->failed) {
        v = version_copy(&lent);
    }
    for (uint32_t i = 0; i < lent.shards_count; i++) {
        mem_free(shards[i].tensors[0].chunks);
    }
    mem_free(shards);
    mem_free(policy);
    return v;
}

void cuts_drop(struct center *c, uint64_t job, uint64_t version)
{
    for (uint32_t i = 0; i < CENTER_CUTS_MAX; i++) {
        if (c->cuts[i].job == job && c->cuts[i].version <= version) {
            c->cuts[i].term = 0;
        }
    }
}
