#include "proto/version.h"

#include "proto/codec.h"
#include "proto/modelcheck.h"
#include "proto/modelcode.h"
#include "proto/cajal/v1/model.pb-c.h"
#include "base/mem.h"
#include <string.h>

/* Strict: a state with a part that we do not understand cannot be restored
 * exactly, so it is not restored at all. */
static const struct codec_schema schema = {.descriptor =
                                               &cajal__v1__version__descriptor,
                                           .bytes_max = VERSION_BYTES_MAX,
                                           .strict = true};

void version_free(struct version *version)
{
    if (version == NULL) {
        return;
    }
    mem_free(version->spec);
    mem_free(version->arch);
    mem_free(version->begun);
    mem_free(version->pending);
    mem_free(version->policy);
    modelcode_free_records(version->shards, version->shards_count);
    mem_free(version);
}

static enum status get_history(const Cajal__V1__Version *from,
                               struct version *to)
{
    to->job = from->job;
    to->number = from->number;
    to->line = from->line;
    to->interval = from->interval;
    to->step = from->step;
    to->task = from->task;
    to->position = from->position;
    to->cause = from->cause;
    to->wall_ms = from->wall_ms;
    to->parameters = from->parameters;
    to->bytes = from->bytes;
    if (!from->whole || from->n_parents > VERSION_PARENTS_MAX) {
        return STATUS_INVALID;
    }
    to->parents_count = (uint32_t)from->n_parents;
    for (uint32_t i = 0; i < to->parents_count; i++) {
        to->parents[i] = from->parents[i];
    }
    return codec_get_text(from->reason, to->reason, sizeof(to->reason))
               ? STATUS_OK
               : STATUS_INVALID;
}

static enum status get_policy(const ProtobufCBinaryData *from,
                              struct version *to)
{
    if (from->len > POLICY_STATE_BYTES_MAX) {
        return STATUS_INVALID;
    }
    if (from->len == 0) {
        return STATUS_OK;
    }
    to->policy = mem_new(from->len);
    if (to->policy == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(to->policy, from->data, from->len);
    to->policy_bytes = (uint32_t)from->len;
    return STATUS_OK;
}

static enum status get_grants(const Cajal__V1__Version *from,
                              struct version *to)
{
    enum status status = STATUS_OK;

    if (from->begun != NULL) {
        status = modelcode_get_grant(from->begun, NULL, &to->begun);
    }
    if (status == STATUS_OK && from->pending != NULL) {
        status = modelcode_get_grant(from->pending, NULL, &to->pending);
    }
    return status;
}

static enum status get_shards(const Cajal__V1__Version *from,
                              struct version *to)
{
    if (from->n_shards > MODELCODE_RECORDS_MAX) {
        return STATUS_INVALID;
    }
    to->shards_count = (uint32_t)from->n_shards;
    return modelcode_get_records(from->shards, from->n_shards, NULL,
                                 &to->shards);
}

static enum status get_version(const Cajal__V1__Version *from,
                               struct version *to)
{
    enum status status = get_history(from, to);

    if (status == STATUS_OK) {
        status = modelcode_get_spec(&from->spec, NULL, &to->spec);
    }
    if (status == STATUS_OK) {
        status = modelcode_get_arch(from->arch, NULL, &to->arch);
    }
    if (status == STATUS_OK) {
        status = get_grants(from, to);
    }
    if (status == STATUS_OK) {
        status = get_policy(&from->policy, to);
    }
    if (status == STATUS_OK) {
        status = get_shards(from, to);
    }
    if (status == STATUS_OK && !modelcheck_version(to)) {
        status = STATUS_INVALID;
    }
    return status;
}

enum status version_decode(const void *bytes, size_t size, struct version **out)
{
    struct region region;
    struct ProtobufCMessage *message = NULL;
    struct version *version = NULL;
    enum status status = STATUS_OK;

    region_init(&region, CODEC_BUDGET_BYTES);
    status = codec_unpack(&schema, bytes, size, &region, &message);
    if (status != STATUS_OK) {
        goto out;
    }
    version = mem_new(sizeof(*version));
    if (version == NULL) {
        status = STATUS_NO_MEMORY;
        goto out;
    }
    status = get_version((const Cajal__V1__Version *)message, version);
    if (status == STATUS_OK) {
        *out = version;
        version = NULL;
    }
out:
    version_free(version);
    region_fini(&region);
    /* A peer's message that breaks the rules is invalid, but these bytes were
     * ours once: they were damaged since. */
    return status == STATUS_INVALID ? STATUS_CORRUPT : status;
}

static void put_history(const struct version *from, Cajal__V1__Version *to)
{
    to->job = from->job;
    to->number = from->number;
    to->line = from->line;
    to->interval = from->interval;
    to->step = from->step;
    to->task = from->task;
    to->position = from->position;
    to->cause = from->cause;
    to->wall_ms = from->wall_ms;
    to->parameters = from->parameters;
    to->bytes = from->bytes;
    to->n_parents = from->parents_count;
    to->whole = true;
    if (from->policy_bytes > 0) {
        to->policy = (ProtobufCBinaryData){.data = from->policy,
                                           .len = from->policy_bytes};
    }
}

/* Everything that needs memory. */
static bool put_parts(const struct version *from,
                      Cajal__V1__Version *to,
                      struct region *region)
{
    to->parents =
        region_array(region, from->parents_count, sizeof(*to->parents));
    to->reason = codec_put_text(region, from->reason, sizeof(from->reason));
    to->arch = modelcode_put_arch(from->arch, region);
    to->n_shards = from->shards_count;
    to->shards =
        modelcode_put_records(from->shards, from->shards_count, region);
    if (to->parents == NULL || to->reason == NULL || to->arch == NULL ||
        to->shards == NULL ||
        !modelcode_put_spec(from->spec, region, &to->spec)) {
        return false;
    }
    for (uint32_t i = 0; i < from->parents_count; i++) {
        to->parents[i] = from->parents[i];
    }
    if (from->begun != NULL) {
        to->begun = modelcode_put_grant(from->begun, region);
    }
    if (from->pending != NULL) {
        to->pending = modelcode_put_grant(from->pending, region);
    }
    return (from->begun == NULL || to->begun != NULL) &&
           (from->pending == NULL || to->pending != NULL);
}

enum status version_encode(const struct version *version,
                           unsigned char **out,
                           size_t *out_size)
{
    Cajal__V1__Version to = CAJAL__V1__VERSION__INIT;
    struct region region;
    enum status status = STATUS_OK;

    if (!modelcheck_version(version)) {
        return STATUS_INVALID;
    }
    region_init(&region, CODEC_BUDGET_BYTES);
    put_history(version, &to);
    if (put_parts(version, &to, &region)) {
        status = codec_pack(&to.base, schema.bytes_max, out, out_size);
    } else {
        status = region_status(&region);
    }
    region_fini(&region);
    return status;
}
