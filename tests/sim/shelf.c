#include "tests/sim/shelf.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include "coordinator/core/state.h"

#include <string.h>

void shelf_init(struct shelf *shelf)
{
    memset(shelf, 0, sizeof(*shelf));
}

/* mem_new, since a scale run without memory is none. */
static void *take(size_t size)
{
    void *memory = mem_new(size);

    CHECK(memory != NULL);
    return memory;
}

static void *copy(const void *from, size_t size)
{
    return memcpy(take(size), from, size);
}

static void drop(const struct shelf_job *job, struct version *version)
{
    if (version != job->head && version != job->point && version != job->lent) {
        version_free(version);
    }
}

static void clear(struct shelf_job *job)
{
    struct version *head = job->head;
    struct version *point = job->point;
    struct version *lent = job->lent;

    job->head = NULL;
    job->point = NULL;
    job->lent = NULL;
    version_free(head);
    version_free(point);
    if (lent != head && lent != point) {
        version_free(lent);
    }
    mem_free(job->memory);
    memset(job, 0, sizeof(*job));
}

void shelf_fini(struct shelf *shelf)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        clear(&shelf->jobs[s]);
    }
}

void *shelf_lend(struct shelf *shelf,
                 uint32_t slot,
                 const struct job_spec *spec,
                 const struct data_shape *shape)
{
    struct shelf_job *job = &shelf->jobs[slot];
    size_t size = job_memory_bytes(spec, shape);

    if (job->memory == NULL) {
        shelf->lent_bytes += size;
    }
    mem_free(job->memory);
    job->memory = take(size);
    return job->memory;
}

static struct version *keep(const struct job *job,
                            const struct cut *cut,
                            bool point)
{
    static unsigned char policy[POLICY_STATE_BYTES_MAX];
    struct version *v = take(sizeof(*v));
    uint32_t outputs = cut->spec.model.outputs;
    struct writer writer;

    v->job = job->record.job;
    v->number = point ? job->record.head : cut->version;
    v->line = job->record.line;
    v->interval = cut->interval;
    v->step = cut->step;
    v->task = cut->task;
    v->position = cut->position;
    v->cause = cut->cause;
    v->spec = copy(&cut->spec, sizeof(cut->spec));
    v->arch = take(sizeof(*v->arch) + arch_memory_bytes(&cut->spec, outputs));
    arch_lay_out(v->arch, &cut->spec, outputs, v->arch + 1);
    arch_copy(v->arch, &cut->arch);
    v->begun = copy(&cut->begun, sizeof(cut->begun));
    if (cut->has_pending) {
        v->pending = copy(&cut->pending, sizeof(cut->pending));
    }
    writer_init(&writer, policy, sizeof(policy));
    state_encode(&cut->state, &writer);
    CHECK(!writer.failed);
    v->policy_bytes = (uint32_t)writer.at;
    v->policy = copy(policy, writer.at);
    v->shards_count = point ? 0 : job_shards_total(job);
    if (!point) {
        v->shards = take(v->shards_count * sizeof(v->shards[0]));
    }
    return v;
}

static void journal(struct shelf_job *job, const struct action *action)
{
    uint64_t interval = action->journal.grant->interval;

    CHECK(interval < SHELF_INTERVALS_MAX);
    job->hashes[interval] = action->journal.reports_hash;
    job->journaled = interval + 1;
}

static enum status check(struct shelf *shelf, const struct action *action)
{
    const struct shelf_job *job = &shelf->jobs[action->slot];
    uint64_t interval = action->journal.grant->interval;

    shelf->checks++;
    CHECK(interval < job->journaled);
    return job->hashes[interval] == action->journal.reports_hash
               ? STATUS_OK
               : STATUS_CORRUPT;
}

static void replace(struct shelf_job *job,
                    struct version **place,
                    struct version *version)
{
    struct version *before = *place;

    *place = version;
    drop(job, before);
}

bool shelf_store(struct shelf *shelf,
                 const struct coord *core,
                 const struct action *action,
                 struct coord_event *out_event)
{
    const struct job *job = &core->jobs[action->slot];
    struct shelf_job *to = &shelf->jobs[action->slot];
    enum status status = STATUS_OK;

    if (action->type == ACTION_STORE_JOURNAL) {
        journal(to, action);
    } else if (action->type == ACTION_CHECK_JOURNAL) {
        status = check(shelf, action);
    } else if (action->type == ACTION_COMMIT) {
        replace(to, &to->head,
                keep(job, job_cut(job, action->commit.cut), false));
        shelf->commits++;
    } else if (action->type == ACTION_STORE_POINT && action->point.none) {
        replace(to, &to->point, NULL);
    } else if (action->type == ACTION_STORE_POINT) {
        replace(to, &to->point, keep(job, &job->making_cut, true));
        shelf->points++;
    } else if (action->type == ACTION_FORGET) {
        clear(to);
    }
    *out_event = (struct coord_event){
        .type = COORD_STORED,
        .stored = {.token = action->token, .status = status}};
    return action->token != 0;
}

void shelf_load(struct shelf *shelf,
                const struct action *action,
                const struct data_shape *shape,
                struct coord_event *out_event)
{
    struct shelf_job *job = &shelf->jobs[action->slot];
    struct version *before = job->lent;
    bool point = action->load.point && job->point != NULL &&
                 job->point->number == action->load.version;

    CHECK(job->head != NULL);
    job->lent = point ? job->point : job->head;
    if (before != NULL) {
        drop(job, before);
    }
    *out_event = (struct coord_event){
        .type = COORD_LOADED,
        .loaded = {.token = action->token,
                   .status = STATUS_OK,
                   .version = job->lent,
                   .memory =
                       shelf_lend(shelf, action->slot, job->lent->spec, shape),
                   .journaled = job->journaled,
                   .point = point}};
}
