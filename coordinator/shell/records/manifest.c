#include "coordinator/shell/records/manifest.h"

#include "base/mem.h"
#include "base/text.h"
#include "coordinator/core/state.h"
#include "coordinator/shell/records/summarycode.h"

#include <string.h>

void manifest_fini(struct manifest *manifest)
{
    mem_free(manifest->bytes);
    mem_free(manifest->chunks);
    mem_free(manifest->summary);
    *manifest = (struct manifest){.bytes = NULL};
}

enum status manifest_encode(const struct version *version, struct manifest *out)
{
    struct manifest manifest = {.bytes = NULL};
    struct summary summary;
    enum status status =
        version_encode(version, &manifest.bytes, &manifest.size);

    if (status != STATUS_OK) {
        goto fail;
    }
    status =
        summarycode_chunks(version, &manifest.chunks, &manifest.chunks_count);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = summarycode_make(version, &summary);
    if (status != STATUS_OK) {
        goto fail;
    }
    manifest.summary = mem_new(RECORD_BYTES_MAX);
    if (manifest.summary == NULL) {
        status = STATUS_NO_MEMORY;
        goto fail;
    }
    manifest.summary_size = summarycode_encode(&summary, manifest.summary);
    *out = manifest;
    return STATUS_OK;

fail:
    manifest_fini(&manifest);
    return status;
}

static uint64_t bytes_of(const struct shard_record *records, uint32_t count)
{
    uint64_t bytes = 0;

    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t t = 0; t < records[r].tensors_count; t++) {
            const struct tensor_record *tensor = &records[r].tensors[t];

            bytes += (uint64_t)tensor->rows * tensor->columns *
                     tensor->element_bytes;
        }
    }
    return bytes;
}

static struct grant *copy_grant(const struct grant *from)
{
    struct grant *to = mem_new(sizeof(*to));

    if (to != NULL) {
        *to = *from;
        to->term = 0;
        to->hold = false;
        to->version = 0;
        to->keep = false;
        to->kept = 0;
    }
    return to;
}

/* Memory that a version in the making borrows. */
struct parts {
    struct grant *begun;
    struct grant *pending;
    unsigned char *policy;
};

static void free_parts(struct parts *parts)
{
    mem_free(parts->begun);
    mem_free(parts->pending);
    mem_free(parts->policy);
}

/* NULL members of from stay NULL. */
static enum status copy_grants(const struct grant *begun,
                               const struct grant *pending,
                               struct parts *parts)
{
    if (begun != NULL) {
        parts->begun = copy_grant(begun);
        if (parts->begun == NULL) {
            return STATUS_NO_MEMORY;
        }
        parts->begun->resumed = true;
    }
    if (pending != NULL) {
        parts->pending = copy_grant(pending);
        if (parts->pending == NULL) {
            return STATUS_NO_MEMORY;
        }
    }
    return STATUS_OK;
}

static enum status encode_policy(const struct plasticity_state *state,
                                 struct parts *parts,
                                 uint32_t *out_size)
{
    struct writer writer;

    parts->policy = mem_new(POLICY_STATE_BYTES_MAX);
    if (parts->policy == NULL) {
        return STATUS_NO_MEMORY;
    }
    writer_init(&writer, parts->policy, POLICY_STATE_BYTES_MAX);
    state_encode(state, &writer);
    if (writer.failed) {
        return STATUS_INVALID;
    }
    *out_size = (uint32_t)writer.at;
    return STATUS_OK;
}

static void describe(const struct job *job,
                     const struct cut *cut,
                     struct version *version)
{
    version->job = job->record.job;
    version->number = cut->version;
    version->line = cut->arch.line;
    version->interval = cut->interval;
    version->step = cut->step;
    version->task = cut->task;
    version->position = cut->position;
    version->cause = cut->cause;
    if (job->record.head != 0) {
        version->parents[version->parents_count++] = job->record.head;
    }
    memcpy(version->reason, cut->reason, sizeof(version->reason));
    version->parameters = arch_parameters(&cut->arch);
}

/* What lies in no shard: the grants and the policies' state, lent by parts. */
static enum status close_state(const struct cut *cut,
                               struct parts *parts,
                               struct version *version)
{
    enum status status = copy_grants(
        &cut->begun, cut->has_pending ? &cut->pending : NULL, parts);

    if (status != STATUS_OK) {
        return status;
    }
    status = encode_policy(&cut->state, parts, &version->policy_bytes);
    version->begun = parts->begun;
    version->pending = parts->pending;
    version->policy = parts->policy;
    return status;
}

enum status manifest_of_cut(const struct job *job,
                            const struct cut *cut,
                            struct shard_record *records,
                            uint32_t records_count,
                            uint64_t wall_ms,
                            struct manifest *out)
{
    struct job_spec spec = cut->spec;
    struct arch arch = cut->arch; /* its units are borrowed */
    struct version version = {.wall_ms = wall_ms,
                              .spec = &spec,
                              .arch = &arch,
                              .shards_count = records_count,
                              .shards = records};
    struct parts parts = {.begun = NULL};
    enum status status = STATUS_OK;

    describe(job, cut, &version);
    version.bytes = bytes_of(records, records_count);
    status = close_state(cut, &parts, &version);
    if (status == STATUS_OK) {
        status = manifest_encode(&version, out);
    }
    free_parts(&parts);
    return status;
}

enum status manifest_of_point(const struct job *job,
                              const struct cut *cut,
                              uint64_t wall_ms,
                              unsigned char **out,
                              size_t *out_size)
{
    struct job_spec spec = cut->spec;
    struct arch arch = cut->arch; /* its units are borrowed */
    struct version version = {.wall_ms = wall_ms, .spec = &spec, .arch = &arch};
    struct parts parts = {.begun = NULL};
    enum status status = STATUS_OK;

    describe(job, cut, &version);
    version.number = job->record.head;
    status = close_state(cut, &parts, &version);
    if (status == STATUS_OK) {
        /* Unlike a version's: copies are known by it. */
        parts.begun->term = cut->begun.term;
        status = version_encode(&version, out, out_size);
    }
    free_parts(&parts);
    return status;
}

static void tell_restore(uint64_t from, struct version *version)
{
    struct text text;

    text_init(&text, version->reason, sizeof(version->reason));
    text_add(&text, "restore v");
    text_u64(&text, from);
}

enum status manifest_of_restore(const struct version *from,
                                const struct manifest_restore *restore,
                                struct manifest *out)
{
    struct version version = *from;
    struct arch arch = *from->arch;
    struct parts parts = {.begun = NULL};
    enum status status = copy_grants(from->begun, from->pending, &parts);

    if (status != STATUS_OK) {
        goto out;
    }
    arch.line = restore->line;
    version.arch = &arch;
    version.number = restore->number;
    version.line = restore->line;
    version.cause = CAUSE_RESTORE;
    version.wall_ms = restore->wall_ms;
    version.parents_count = 0;
    if (restore->head != 0) {
        version.parents[version.parents_count++] = restore->head;
    }
    if (restore->head != from->number) {
        version.parents[version.parents_count++] = from->number;
    }
    tell_restore(from->number, &version);
    version.begun = parts.begun;
    version.pending = parts.pending;
    if (version.begun != NULL) {
        version.begun->line = restore->line;
    }
    if (version.pending != NULL) {
        version.pending->line = restore->line;
    }
    status = manifest_encode(&version, out);

out:
    free_parts(&parts);
    return status;
}
