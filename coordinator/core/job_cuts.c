#include "coordinator/core/job_cuts.h"

#include "base/check.h"
#include "base/text.h"
#include "coordinator/core/job_points.h"

#include <string.h>

static void tell_edits(const struct job *job,
                       const struct grant *grant,
                       enum edit_kind kind,
                       const char *sign,
                       struct text *text)
{
    for (uint32_t e = 0; e < grant->edits_count; e++) {
        const struct edit *edit = &grant->edits[e];
        char name[NAME_BYTES_MAX];

        if (edit->kind != kind) {
            continue;
        }
        arch_layer_name(&job->arch, edit->layer, name);
        text_add(text, text->used > 0 ? ", " : "");
        text_add(text, name);
        text_add(text, sign);
        text_u64(text, edit->units_count);
    }
}

static void tell_cause(const struct job *job,
                       const struct grant *grant,
                       uint32_t cause,
                       struct text *text)
{
    switch ((enum cause)cause) {
    case CAUSE_GROW:
        tell_edits(job, grant, EDIT_ADD, " +", text);
        break;
    case CAUSE_PRUNE:
        tell_edits(job, grant, EDIT_REMOVE, " -", text);
        break;
    case CAUSE_RENEW:
        tell_edits(job, grant, EDIT_RENEW, " ~", text);
        break;
    case CAUSE_TASK:
        text_add(text, "task ");
        /* A closing grant at the end of the last task stays in it. */
        text_u64(text, grant->task - (grant->position == 0));
        text_add(text, " ended");
        break;
    case CAUSE_START:
    case CAUSE_RESTORE:
    case CAUSE_MANUAL:
    case CAUSE_PERIODIC:
    case CAUSE_END:
        break;
    }
}

void job_fill_cut(const struct job *job,
                  const struct grant *grant,
                  struct cut *cut)
{
    struct arch arch = cut->arch; /* keeps its lent memory */

    memset(cut, 0, sizeof(*cut));
    cut->arch = arch;
    arch_copy(&cut->arch, &job->arch);
    cut->used = true;
    cut->interval = grant->interval;
    cut->step = grant->first_step;
    cut->task = grant->task;
    cut->position = grant->position;
    cut->shards_missing = job_shards_total(job);
    cut->spec = job->record.spec;
    cut->state = job->state;
    cut->next_decided = grant->closing;
    cut->begun = *grant;
}

void job_open_cut(struct job *job, struct grant *grant, uint32_t cause)
{
    struct cut *cut = NULL;
    struct text text;

    for (uint32_t c = 0; c < CUTS_MAX && cut == NULL; c++) {
        if (!job->cuts[c].used) {
            cut = &job->cuts[c];
        }
    }
    CHECK(cut != NULL);
    grant->version = job->next_version++;
    job_fill_cut(job, grant, cut);
    cut->hold = grant->hold;
    cut->version = grant->version;
    cut->cause = cause;
    text_init(&text, cut->reason, sizeof(cut->reason));
    tell_cause(job, grant, cause, &text);
}

static void complete(const struct job *job,
                     const struct grant *pending,
                     struct cut *cut)
{
    if (cut->used && cut->interval + 1 == pending->interval) {
        CHECK(!cut->next_decided);
        cut->has_pending = true;
        cut->pending = *pending;
        cut->state = job->state;
        cut->next_decided = true;
    }
}

void job_complete_cut(struct job *job, const struct grant *pending)
{
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        complete(job, pending, &job->cuts[c]);
    }
    complete(job, pending, &job->making_cut);
}

bool job_cut_room(const struct job *job)
{
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        if (!job->cuts[c].used) {
            return true;
        }
    }
    return false;
}

void job_cuts_drop_after(struct job *job, uint64_t interval)
{
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        struct cut *cut = &job->cuts[c];

        /* One that lacks its next decision will not get it any more. */
        if (cut->interval > interval || !cut->next_decided) {
            cut->used = false;
        }
    }
    job_drop_making(job);
}

bool job_cuts_empty(const struct job *job)
{
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        if (job->cuts[c].used) {
            return false;
        }
    }
    return true;
}

uint32_t job_cut_committing(const struct job *job, uint64_t version)
{
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        const struct cut *cut = &job->cuts[c];

        if (cut->used && cut->committing && cut->version == version) {
            return c;
        }
    }
    return CUTS_MAX;
}

uint32_t job_cut_ready(const struct job *job)
{
    uint32_t first = CUTS_MAX;

    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        const struct cut *cut = &job->cuts[c];

        if (cut->used &&
            (first == CUTS_MAX || cut->version < job->cuts[first].version)) {
            first = c;
        }
    }
    if (first == CUTS_MAX) {
        return CUTS_MAX;
    }

    const struct cut *cut = &job->cuts[first];

    if (cut->committing || !cut->next_decided || cut->shards_missing > 0) {
        return CUTS_MAX;
    }
    if (cut->has_pending && job->gated[cut->pending.interval % GRANTS_MAX]) {
        return CUTS_MAX; /* its setting may yet be refused */
    }
    return first;
}

enum status job_take_shard_cut(struct job *job,
                               uint64_t version,
                               uint32_t layer,
                               uint32_t shard)
{
    if (layer >= job->arch.layers_count ||
        shard >= job->arch.layers[layer].shards_count) {
        return STATUS_INVALID;
    }
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        struct cut *cut = &job->cuts[c];
        uint64_t bit = 1ull << shard;

        if (!cut->used || cut->version != version) {
            continue;
        }
        if ((cut->shards_seen[layer] & bit) != 0) {
            return STATUS_STALE;
        }
        cut->shards_seen[layer] |= bit;
        CHECK(cut->shards_missing > 0);
        cut->shards_missing--;
        return STATUS_OK;
    }
    return STATUS_STALE;
}

void job_take_commit(struct job *job, uint32_t index)
{
    struct cut *cut = &job->cuts[index];
    uint32_t kept = 0;

    CHECK(cut->used);
    CHECK(cut->committing);
    job_supersede_points(job, cut->interval);
    job->head_step = cut->step;
    job->record.head = cut->version;
    job->record.last_version = cut->version;
    for (uint32_t i = 0; i < job->inputs_count; i++) {
        /* The version has those up to its pending grant. */
        if (job->inputs[i].interval > cut->interval + 1) {
            job->inputs[kept++] = job->inputs[i];
        }
    }
    job->inputs_count = kept;
    cut->used = false;
}
