#include "proto/modelcode.h"

#include "proto/jobcode.h"
#include "proto/modelcheck.h"
#include "proto/cajal/v1/model.pb-c.h"
#include "base/mem.h"
#include <string.h>

bool modelcode_get_hash(const struct ProtobufCBinaryData *from,
                        struct hash *out)
{
    if (from->len != HASH_BYTES) {
        return false;
    }
    memcpy(out->b, from->data, HASH_BYTES);
    return true;
}

/* Packing only reads, but protobuf-c's type does not say so. */
static ProtobufCBinaryData borrow(const unsigned char *bytes, size_t size)
{
    union {
        const unsigned char *from;
        uint8_t *to;
    } pointer = {.from = bytes};

    return (ProtobufCBinaryData){.data = pointer.to, .len = size};
}

struct ProtobufCBinaryData modelcode_put_hash(const struct hash *from)
{
    return borrow(from->b, HASH_BYTES);
}

/* --- Units and architectures --- */

/* The length that all columns have; UINT32_MAX: they differ, or too long. */
static uint32_t units_count(const Cajal__V1__Units *from)
{
    size_t count = 0;

    if (from == NULL) {
        return 0;
    }
    count = from->n_lines;
    if (count > UNITS_MAX || from->n_births != count ||
        from->n_born_steps != count || from->n_fan_ins != count ||
        from->n_states != count || from->n_means != count) {
        return UINT32_MAX;
    }
    return (uint32_t)count;
}

static void get_units(const Cajal__V1__Units *from,
                      struct unit *units,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        units[i] = (struct unit){.id = {from->lines[i], from->births[i]},
                                 .born_step = from->born_steps[i],
                                 .fan_in = from->fan_ins[i],
                                 .state = (uint32_t)from->states[i],
                                 .mean = from->means[i]};
    }
}

static void get_layer(const Cajal__V1__Layer *from,
                      struct unit *units,
                      struct arch_layer *out)
{
    out->activation = (enum activation)from->activation;
    out->generation = from->generation;
    out->shards_count = (uint32_t)from->n_shard_units;
    for (uint32_t s = 0; s < out->shards_count; s++) {
        out->shard_units[s] = from->shard_units[s];
    }
    out->units_count = units_count(from->units);
    out->units_max = out->units_count;
    out->units = units;
    get_units(from->units, units, out->units_count);
}

/* The units of all layers; UINT32_MAX: a count is out of bounds. */
static uint32_t arch_units(const Cajal__V1__Arch *from)
{
    uint32_t units = 0;

    if (from == NULL || from->n_layers > LAYERS_MAX) {
        return UINT32_MAX;
    }
    for (size_t i = 0; i < from->n_layers; i++) {
        uint32_t count = units_count(from->layers[i]->units);

        if (count == UINT32_MAX ||
            from->layers[i]->n_shard_units > SHARDS_MAX) {
            return UINT32_MAX;
        }
        units += count; /* at most LAYERS_MAX * UNITS_MAX */
    }
    return units;
}

enum status modelcode_get_arch(const struct Cajal__V1__Arch *from,
                               struct arena *arena,
                               struct arch **out)
{
    uint32_t count = arch_units(from);
    struct unit *units = NULL;
    struct arch *arch = NULL;

    if (count == UINT32_MAX) {
        return STATUS_INVALID;
    }
    arch = codec_new(arena, sizeof(*arch) + count * sizeof(*units));
    if (arch == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = arch;
    units = (struct unit *)(arch + 1);
    arch->line = from->line;
    arch->inputs = from->inputs;
    arch->next_birth = from->next_birth;
    arch->layers_count = (uint32_t)from->n_layers;
    for (uint32_t i = 0; i < arch->layers_count; i++) {
        get_layer(from->layers[i], units, &arch->layers[i]);
        units += arch->layers[i].units_count;
    }
    return modelcheck_arch(arch) ? STATUS_OK : STATUS_INVALID;
}

static bool new_columns(Cajal__V1__Units *units,
                        size_t count,
                        struct region *region)
{
    units->n_lines = count;
    units->n_births = count;
    units->n_born_steps = count;
    units->n_fan_ins = count;
    units->n_states = count;
    units->n_means = count;
    units->lines = region_array(region, count, sizeof(*units->lines));
    units->births = region_array(region, count, sizeof(*units->births));
    units->born_steps = region_array(region, count, sizeof(*units->born_steps));
    units->fan_ins = region_array(region, count, sizeof(*units->fan_ins));
    units->states = region_array(region, count, sizeof(*units->states));
    units->means = region_array(region, count, sizeof(*units->means));
    return units->lines != NULL && units->births != NULL &&
           units->born_steps != NULL && units->fan_ins != NULL &&
           units->states != NULL && units->means != NULL;
}

static Cajal__V1__Units *put_units(const struct arch_layer *layer,
                                   struct region *region)
{
    Cajal__V1__Units *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__units__init(to);
    if (!new_columns(to, layer->units_count, region)) {
        return NULL;
    }
    for (uint32_t i = 0; i < layer->units_count; i++) {
        const struct unit *unit = &layer->units[i];

        to->lines[i] = unit->id.line;
        to->births[i] = unit->id.birth;
        to->born_steps[i] = unit->born_step;
        to->fan_ins[i] = unit->fan_in;
        to->states[i] = (Cajal__V1__UnitState)unit->state;
        to->means[i] = unit->mean;
    }
    return to;
}

static Cajal__V1__Layer *put_layer(const struct arch_layer *from,
                                   struct region *region)
{
    Cajal__V1__Layer *to = region_new(region, sizeof(*to));
    uint32_t *shard_units =
        region_array(region, from->shards_count, sizeof(*shard_units));

    if (to == NULL || shard_units == NULL) {
        return NULL;
    }
    cajal__v1__layer__init(to);
    to->activation = (Cajal__V1__Activation)from->activation;
    to->generation = from->generation;
    memcpy(shard_units, from->shard_units,
           from->shards_count * sizeof(*shard_units));
    to->n_shard_units = from->shards_count;
    to->shard_units = shard_units;
    to->units = put_units(from, region);
    return to->units != NULL ? to : NULL;
}

struct Cajal__V1__Arch *modelcode_put_arch(const struct arch *from,
                                           struct region *region)
{
    Cajal__V1__Arch *to = region_new(region, sizeof(*to));
    Cajal__V1__Layer **layers =
        region_array(region, from->layers_count, sizeof(*layers));

    if (to == NULL || layers == NULL) {
        return NULL;
    }
    cajal__v1__arch__init(to);
    to->line = from->line;
    to->inputs = from->inputs;
    to->next_birth = from->next_birth;
    to->n_layers = from->layers_count;
    to->layers = layers;
    for (uint32_t i = 0; i < from->layers_count; i++) {
        layers[i] = put_layer(&from->layers[i], region);
        if (layers[i] == NULL) {
            return NULL;
        }
    }
    return to;
}

/* --- Grants --- */

static struct unit_id get_unit_id(const Cajal__V1__UnitId *from)
{
    if (from == NULL) {
        return (struct unit_id){0};
    }
    return (struct unit_id){from->line, from->birth};
}

static void get_boundary(const Cajal__V1__Grant *from, struct grant *out)
{
    out->settings_count = (uint32_t)from->n_settings;
    for (uint32_t i = 0; i < out->settings_count; i++) {
        out->settings[i] = (struct grant_setting){from->settings[i]->setting,
                                                  from->settings[i]->value};
    }
    out->edits_count = (uint32_t)from->n_edits;
    for (uint32_t i = 0; i < out->edits_count; i++) {
        const Cajal__V1__Edit *edit = from->edits[i];

        out->edits[i] = (struct edit){.kind = (enum edit_kind)edit->kind,
                                      .layer = edit->layer,
                                      .policy = (enum policy_id)edit->policy,
                                      .units_first = edit->units_first,
                                      .units_count = edit->units_count};
    }
    out->units_count = (uint32_t)from->n_units;
    for (uint32_t i = 0; i < out->units_count; i++) {
        const Cajal__V1__EditUnit *unit = from->units[i];

        out->units[i] =
            (struct edit_unit){.id = get_unit_id(unit->id),
                               .renewed = get_unit_id(unit->renewed),
                               .shard = unit->shard,
                               .mean = unit->mean};
    }
}

enum status modelcode_get_grant(const struct Cajal__V1__Grant *from,
                                struct arena *arena,
                                struct grant **out)
{
    struct grant *grant = NULL;

    if (from == NULL || from->n_settings > GRANT_SETTINGS_MAX ||
        from->n_edits > GRANT_EDITS_MAX || from->n_units > GRANT_UNITS_MAX) {
        return STATUS_INVALID;
    }
    grant = codec_new(arena, sizeof(*grant));
    if (grant == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = grant;
    grant->term = from->term;
    grant->line = from->line;
    grant->interval = from->interval;
    grant->first_step = from->first_step;
    grant->steps = from->steps;
    grant->task = from->task;
    grant->position = from->position;
    grant->task_examples = from->task_examples;
    grant->evaluate_first = from->evaluate_first;
    grant->evaluate_count = from->evaluate_count;
    grant->guard = from->guard != 0;
    grant->version = from->version;
    grant->hold = from->hold != 0;
    grant->closing = from->closing != 0;
    grant->resumed = from->resumed != 0;
    grant->keep = from->keep != 0;
    grant->kept = from->kept;
    get_boundary(from, grant);
    return modelcheck_grant(grant) ? STATUS_OK : STATUS_INVALID;
}

static Cajal__V1__UnitId *put_unit_id(struct unit_id from,
                                      struct region *region)
{
    Cajal__V1__UnitId *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__unit_id__init(to);
        to->line = from.line;
        to->birth = from.birth;
    }
    return to;
}

static Cajal__V1__GrantSetting *put_setting(const struct grant_setting *from,
                                            struct region *region)
{
    Cajal__V1__GrantSetting *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__grant_setting__init(to);
        to->setting = from->setting;
        to->value = from->value;
    }
    return to;
}

static Cajal__V1__Edit *put_edit(const struct edit *from, struct region *region)
{
    Cajal__V1__Edit *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__edit__init(to);
        to->kind = (Cajal__V1__EditKind)from->kind;
        to->layer = from->layer;
        to->policy = from->policy;
        to->units_first = from->units_first;
        to->units_count = from->units_count;
    }
    return to;
}

static Cajal__V1__EditUnit *put_edit_unit(const struct edit_unit *from,
                                          struct region *region)
{
    Cajal__V1__EditUnit *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__edit_unit__init(to);
    to->id = put_unit_id(from->id, region);
    to->renewed = put_unit_id(from->renewed, region);
    to->shard = from->shard;
    to->mean = from->mean;
    return to->id != NULL && to->renewed != NULL ? to : NULL;
}

static bool put_boundary(const struct grant *from,
                         Cajal__V1__Grant *to,
                         struct region *region)
{
    bool good = true;

    to->n_settings = from->settings_count;
    to->settings =
        region_array(region, from->settings_count, sizeof(*to->settings));
    to->n_edits = from->edits_count;
    to->edits = region_array(region, from->edits_count, sizeof(*to->edits));
    to->n_units = from->units_count;
    to->units = region_array(region, from->units_count, sizeof(*to->units));
    if (to->settings == NULL || to->edits == NULL || to->units == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < from->settings_count; i++) {
        to->settings[i] = put_setting(&from->settings[i], region);
        good = good && to->settings[i] != NULL;
    }
    for (uint32_t i = 0; i < from->edits_count; i++) {
        to->edits[i] = put_edit(&from->edits[i], region);
        good = good && to->edits[i] != NULL;
    }
    for (uint32_t i = 0; i < from->units_count; i++) {
        to->units[i] = put_edit_unit(&from->units[i], region);
        good = good && to->units[i] != NULL;
    }
    return good;
}

struct Cajal__V1__Grant *modelcode_put_grant(const struct grant *from,
                                             struct region *region)
{
    Cajal__V1__Grant *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__grant__init(to);
    to->term = from->term;
    to->line = from->line;
    to->interval = from->interval;
    to->first_step = from->first_step;
    to->steps = from->steps;
    to->task = from->task;
    to->position = from->position;
    to->task_examples = from->task_examples;
    to->evaluate_first = from->evaluate_first;
    to->evaluate_count = from->evaluate_count;
    to->guard = from->guard;
    to->version = from->version;
    to->hold = from->hold;
    to->closing = from->closing;
    to->resumed = from->resumed;
    to->keep = from->keep;
    to->kept = from->kept;
    return put_boundary(from, to, region) ? to : NULL;
}

/* --- Records --- */

/* Also where the tensor turns out to be invalid, what *out holds is whole:
 * chunks_count says what chunks points to. */
static enum status get_tensor(const Cajal__V1__TensorRecord *from,
                              struct arena *arena,
                              struct tensor_record *out)
{
    size_t count = from->chunks.len / HASH_BYTES;

    if (from->chunks.len % HASH_BYTES != 0 || count > TENSOR_CHUNKS_MAX) {
        return STATUS_INVALID;
    }
    if (!codec_get_text(from->name, out->name, sizeof(out->name))) {
        return STATUS_INVALID;
    }
    out->rows = from->rows;
    out->columns = from->columns;
    out->element_bytes = from->element_bytes;
    if (count == 0) {
        return STATUS_OK;
    }
    out->chunks = codec_new(arena, count * sizeof(*out->chunks));
    if (out->chunks == NULL) {
        return STATUS_NO_MEMORY;
    }
    out->chunks_count = (uint32_t)count;
    memcpy(out->chunks, from->chunks.data, from->chunks.len);
    return STATUS_OK;
}

enum status modelcode_get_record(const struct Cajal__V1__ShardRecord *from,
                                 struct arena *arena,
                                 struct shard_record *out)
{
    if (from == NULL || from->n_tensors > SHARD_TENSORS_MAX) {
        return STATUS_INVALID;
    }
    out->layer = from->layer;
    out->shard = from->shard;
    out->evaluations_count = from->evaluations_count;
    out->tensors_count = (uint32_t)from->n_tensors;
    for (uint32_t i = 0; i < out->tensors_count; i++) {
        enum status status =
            get_tensor(from->tensors[i], arena, &out->tensors[i]);

        if (status != STATUS_OK) {
            return status;
        }
    }
    return modelcheck_record(out) ? STATUS_OK : STATUS_INVALID;
}

enum status modelcode_get_records(struct Cajal__V1__ShardRecord *const *from,
                                  size_t count,
                                  struct arena *arena,
                                  struct shard_record **out)
{
    if (count > MODELCODE_RECORDS_MAX) {
        return STATUS_INVALID;
    }
    if (count == 0) {
        return STATUS_OK;
    }
    *out = codec_new(arena, count * sizeof(**out));
    if (*out == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        enum status status = modelcode_get_record(from[i], arena, &(*out)[i]);

        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static Cajal__V1__TensorRecord *put_tensor(const struct tensor_record *from,
                                           struct region *region)
{
    Cajal__V1__TensorRecord *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__tensor_record__init(to);
    to->name = codec_put_text(region, from->name, sizeof(from->name));
    to->rows = from->rows;
    to->columns = from->columns;
    to->element_bytes = from->element_bytes;
    if (from->chunks_count > 0) {
        /* A struct hash is its bytes, so an array of them is one string. */
        to->chunks =
            borrow(from->chunks[0].b, (size_t)from->chunks_count * HASH_BYTES);
    }
    return to->name != NULL ? to : NULL;
}

struct Cajal__V1__ShardRecord *modelcode_put_record(
    const struct shard_record *from, struct region *region)
{
    Cajal__V1__ShardRecord *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__shard_record__init(to);
    to->layer = from->layer;
    to->shard = from->shard;
    to->evaluations_count = from->evaluations_count;
    to->n_tensors = from->tensors_count;
    to->tensors =
        region_array(region, from->tensors_count, sizeof(*to->tensors));
    if (to->tensors == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < from->tensors_count; i++) {
        to->tensors[i] = put_tensor(&from->tensors[i], region);
        if (to->tensors[i] == NULL) {
            return NULL;
        }
    }
    return to;
}

struct Cajal__V1__ShardRecord **modelcode_put_records(
    const struct shard_record *from, uint32_t count, struct region *region)
{
    Cajal__V1__ShardRecord **to = region_array(region, count, sizeof(*to));

    for (uint32_t i = 0; to != NULL && i < count; i++) {
        to[i] = modelcode_put_record(&from[i], region);
        if (to[i] == NULL) {
            return NULL;
        }
    }
    return to;
}

void modelcode_free_records(struct shard_record *records, uint32_t count)
{
    for (uint32_t i = 0; records != NULL && i < count; i++) {
        for (uint32_t j = 0; j < records[i].tensors_count; j++) {
            mem_free(records[i].tensors[j].chunks);
        }
    }
    mem_free(records);
}

/* --- The job's spec --- */

enum status modelcode_get_spec(const struct ProtobufCBinaryData *from,
                               struct arena *arena,
                               struct job_spec **out)
{
    *out = codec_new(arena, sizeof(**out));
    if (*out == NULL) {
        return STATUS_NO_MEMORY;
    }
    /* Whatever ails it, it is a field that breaks a rule. */
    return jobcode_decode(from->data, from->len, *out) == STATUS_OK
               ? STATUS_OK
               : STATUS_INVALID;
}

bool modelcode_put_spec(const struct job_spec *from,
                        struct region *region,
                        struct ProtobufCBinaryData *out)
{
    unsigned char *bytes = region_new(region, JOBCODE_BYTES_MAX);

    if (bytes == NULL) {
        return false;
    }
    out->data = bytes;
    out->len = jobcode_encode(from, bytes);
    return true;
}
