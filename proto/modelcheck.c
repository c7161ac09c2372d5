#include "proto/modelcheck.h"

#include "base/check.h"
#include <math.h>
#include <string.h>

/* Above every number of job_find_setting: 1000 + role, policy and key. */
enum { SETTINGS_END = 2000 };

static bool counted(uint64_t value)
{
    return value <= MODELCHECK_COUNT_MAX;
}

bool modelcheck_unit_id(struct unit_id id)
{
    return counted(id.birth);
}

static bool unit_valid(const struct unit *unit, uint64_t next_birth)
{
    return unit->id.birth < next_birth && counted(unit->born_step) &&
           unit->fan_in <= UNITS_MAX && unit->state <= UNIT_LESIONED &&
           isfinite(unit->mean);
}

/* A layer may have lost all its units, but not its shards. */
static bool layer_valid(const struct arch_layer *layer, uint64_t next_birth)
{
    uint64_t units = 0;

    if (layer->activation < ACTIVATION_RELU ||
        layer->activation > ACTIVATION_LINEAR) {
        return false;
    }
    if (layer->shards_count < 1 || layer->shards_count > SHARDS_MAX) {
        return false;
    }
    for (uint32_t s = 0; s < layer->shards_count; s++) {
        units += layer->shard_units[s];
    }
    if (units != layer->units_count || units > UNITS_MAX) {
        return false;
    }
    CHECK(units == 0 || layer->units != NULL);
    for (uint32_t i = 0; i < layer->units_count; i++) {
        if (!unit_valid(&layer->units[i], next_birth)) {
            return false;
        }
    }
    return true;
}

bool modelcheck_arch(const struct arch *arch)
{
    if (arch->inputs < 1 || arch->inputs > UNITS_MAX) {
        return false;
    }
    if (!counted(arch->next_birth) || arch->next_birth < arch->inputs) {
        return false;
    }
    if (arch->layers_count < 1 || arch->layers_count > LAYERS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < arch->layers_count; i++) {
        if (!layer_valid(&arch->layers[i], arch->next_birth)) {
            return false;
        }
    }
    return true;
}

uint32_t modelcheck_shards(const struct arch *arch)
{
    uint32_t shards = 0;

    CHECK(arch->layers_count <= LAYERS_MAX);
    for (uint32_t i = 0; i < arch->layers_count; i++) {
        shards += arch->layers[i].shards_count;
    }
    return shards;
}

static bool edit_valid(const struct edit *edit, uint32_t units_count)
{
    return edit->kind >= EDIT_ADD && edit->kind <= EDIT_REMOVE &&
           edit->layer < LAYERS_MAX && edit->policy <= POLICY_CONTRIBUTION &&
           edit->units_count <= units_count &&
           edit->units_first <= units_count - edit->units_count;
}

static bool edit_unit_valid(const struct edit_unit *unit)
{
    return modelcheck_unit_id(unit->id) && modelcheck_unit_id(unit->renewed) &&
           unit->shard < SHARDS_MAX && isfinite(unit->mean);
}

static bool setting_valid(const struct grant_setting *setting)
{
    return setting->setting >= 1 && setting->setting < SETTINGS_END &&
           isfinite(setting->value);
}

static bool boundary_valid(const struct grant *grant)
{
    if (grant->settings_count > GRANT_SETTINGS_MAX ||
        grant->edits_count > GRANT_EDITS_MAX ||
        grant->units_count > GRANT_UNITS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < grant->settings_count; i++) {
        if (!setting_valid(&grant->settings[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < grant->edits_count; i++) {
        if (!edit_valid(&grant->edits[i], grant->units_count)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < grant->units_count; i++) {
        if (!edit_unit_valid(&grant->units[i])) {
            return false;
        }
    }
    return true;
}

bool modelcheck_grant(const struct grant *grant)
{
    /* Only the last grant of a job trains nothing. */
    if (grant->closing != (grant->steps == 0)) {
        return false;
    }
    if (!counted(grant->interval) || !counted(grant->first_step) ||
        !counted(grant->first_step + grant->steps)) {
        return false;
    }
    if (grant->task >= TASKS_MAX || grant->task_examples < 1 ||
        !counted(grant->task_examples) ||
        grant->position > grant->task_examples) {
        return false;
    }
    if (grant->evaluate_count > EVALUATED_TASKS_MAX ||
        grant->evaluate_first > TASKS_MAX - grant->evaluate_count) {
        return false;
    }
    return counted(grant->version) && counted(grant->kept) &&
           boundary_valid(grant);
}

/* Chunks of a tensor of this size: all but the last are CHUNK_BYTES_MAX. */
static uint64_t chunks_of(uint32_t rows,
                          uint32_t columns,
                          uint32_t element_bytes)
{
    uint64_t bytes = (uint64_t)rows * columns;

    if (rows > UNITS_MAX || columns > UNITS_MAX ||
        element_bytes > ELEMENT_BYTES_MAX) {
        return UINT64_MAX; /* the product might overflow */
    }
    bytes *= element_bytes;
    return (bytes + CHUNK_BYTES_MAX - 1) / CHUNK_BYTES_MAX;
}

static bool tensor_valid(const struct tensor_record *tensor)
{
    const char *end = memchr(tensor->name, '\0', sizeof(tensor->name));

    if (end == NULL || end == tensor->name) {
        return false;
    }
    if (tensor->element_bytes < 1 || tensor->chunks_count > TENSOR_CHUNKS_MAX) {
        return false;
    }
    CHECK(tensor->chunks_count == 0 || tensor->chunks != NULL);
    return tensor->chunks_count ==
           chunks_of(tensor->rows, tensor->columns, tensor->element_bytes);
}

bool modelcheck_record(const struct shard_record *record)
{
    if (record->layer >= LAYERS_MAX || record->shard >= SHARDS_MAX) {
        return false;
    }
    if (record->tensors_count > SHARD_TENSORS_MAX ||
        record->evaluations_count > REPORT_EVALUATIONS_MAX / 2) {
        return false;
    }
    for (uint32_t i = 0; i < record->tensors_count; i++) {
        if (!tensor_valid(&record->tensors[i])) {
            return false;
        }
    }
    return true;
}

bool modelcheck_records(const struct arch *arch,
                        const struct shard_record *records,
                        uint32_t count)
{
    uint32_t at = 0;

    if (count == 0) {
        return true;
    }
    if (count != modelcheck_shards(arch)) {
        return false;
    }
    for (uint32_t i = 0; i < arch->layers_count; i++) {
        for (uint32_t s = 0; s < arch->layers[i].shards_count; s++, at++) {
            if (records[at].layer != i || records[at].shard != s ||
                !modelcheck_record(&records[at])) {
                return false;
            }
        }
    }
    return true;
}

static bool history_valid(const struct version *version)
{
    if (version->job < 1 || version->number < 1) {
        return false;
    }
    if (version->parents_count > VERSION_PARENTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < version->parents_count; i++) {
        if (version->parents[i] < 1) {
            return false;
        }
    }
    return version->cause >= CAUSE_START && version->cause <= CAUSE_END;
}

static bool place_valid(const struct version *version)
{
    return counted(version->interval) && counted(version->step) &&
           version->task <= TASKS_MAX && counted(version->position);
}

static bool grants_valid(const struct version *version)
{
    const struct grant *begun = version->begun;
    const struct grant *pending = version->pending;

    if (begun != NULL &&
        (begun->interval != version->interval || !modelcheck_grant(begun))) {
        return false;
    }
    return pending == NULL || (pending->interval == version->interval + 1 &&
                               modelcheck_grant(pending));
}

bool modelcheck_version(const struct version *version)
{
    CHECK(version->spec != NULL);
    CHECK(version->arch != NULL);
    CHECK(version->policy_bytes == 0 || version->policy != NULL);
    CHECK(version->shards_count == 0 || version->shards != NULL);

    if (!history_valid(version) || !place_valid(version) ||
        !grants_valid(version)) {
        return false;
    }
    if (version->policy_bytes > POLICY_STATE_BYTES_MAX ||
        !modelcheck_arch(version->arch)) {
        return false;
    }
    if (version->arch->layers_count != version->spec->model.hidden_count + 1) {
        return false;
    }
    return modelcheck_records(version->arch, version->shards,
                              version->shards_count);
}
