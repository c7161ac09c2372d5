#include "proto/arch.h"

#include "base/check.h"
#include "base/text.h"
#include <string.h>

/* A person may grow any layer by hand, whatever the job's policies may do:
 * room for twice the start units, and for small layers this many more. At 40
 * bytes a unit this costs less than one row of weights. */
enum { HAND_UNITS = 256 };

/* A mark that no unit bears outside of remove_units. */
enum { UNIT_GOING = 2 };

static uint32_t at_most_units(double value)
{
    if (!(value >= 0)) {
        return 0; /* also NaN */
    }
    return value < UNITS_MAX ? (uint32_t)value : UNITS_MAX;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t policy_units_max(const struct policy_spec *policy)
{
    if (policy->policy == POLICY_SCHEDULE) {
        return at_most_units(policy->value[SCHEDULE_MAX_UNITS]);
    }
    if (policy->policy == POLICY_PLATEAU) {
        return at_most_units(policy->value[PLATEAU_MAX_UNITS]);
    }
    return 0;
}

uint32_t arch_units_max(const struct job_spec *spec, uint32_t layer)
{
    const struct role_spec *grow = &spec->roles[ROLE_GROW];
    uint32_t units;
    uint32_t most;

    CHECK(layer <= spec->model.hidden_count);
    if (layer == spec->model.hidden_count) {
        return spec->model.outputs;
    }
    units = spec->model.hidden[layer].units;
    most = units + larger(units, HAND_UNITS);
    for (uint32_t i = 0; i < grow->count; i++) {
        most = larger(most, policy_units_max(&grow->policies[i]));
    }
    return most < UNITS_MAX ? most : UNITS_MAX;
}

static uint32_t units_room(const struct job_spec *spec,
                           uint32_t outputs,
                           uint32_t layer)
{
    return layer < spec->model.hidden_count ? arch_units_max(spec, layer)
                                            : outputs;
}

size_t arch_memory_bytes(const struct job_spec *spec, uint32_t outputs)
{
    size_t units = 0;

    for (uint32_t i = 0; i <= spec->model.hidden_count; i++) {
        units += units_room(spec, outputs, i);
    }
    return units * sizeof(struct unit);
}

void arch_lay_out(struct arch *arch,
                  const struct job_spec *spec,
                  uint32_t outputs,
                  void *memory)
{
    struct unit *units = memory;

    CHECK(spec->model.hidden_count < LAYERS_MAX);
    CHECK(spec->model.shards >= 1);
    CHECK(spec->model.shards <= SHARDS_MAX);

    memset(arch, 0, sizeof(*arch));
    arch->layers_count = spec->model.hidden_count + 1;
    for (uint32_t i = 0; i < arch->layers_count; i++) {
        struct arch_layer *layer = &arch->layers[i];
        bool hidden = i < spec->model.hidden_count;

        layer->activation =
            hidden ? spec->model.hidden[i].activation : ACTIVATION_LINEAR;
        layer->shards_count = hidden ? spec->model.shards : 1;
        layer->units_max = units_room(spec, outputs, i);
        layer->units = units;
        units += layer->units_max;
    }
}

static void begin_layer(struct arch *arch, uint32_t index, uint32_t units)
{
    struct arch_layer *layer = &arch->layers[index];
    uint32_t each = units / layer->shards_count;
    uint32_t rest = units % layer->shards_count;

    CHECK(units <= layer->units_max);
    for (uint32_t s = 0; s < layer->shards_count; s++) {
        layer->shard_units[s] = each + (s < rest ? 1 : 0);
    }
    layer->units_count = units;
    for (uint32_t i = 0; i < units; i++) {
        layer->units[i] =
            (struct unit){.id = {.line = 0, .birth = arch->next_birth++},
                          .fan_in = arch_layer_inputs(arch, index)};
    }
}

void arch_begin(struct arch *arch,
                const struct job_spec *spec,
                uint32_t inputs,
                uint32_t outputs,
                void *memory)
{
    arch_lay_out(arch, spec, outputs, memory);
    arch->inputs = inputs;
    arch->next_birth = inputs;
    for (uint32_t i = 0; i < spec->model.hidden_count; i++) {
        begin_layer(arch, i, spec->model.hidden[i].units);
    }
    begin_layer(arch, spec->model.hidden_count, outputs);
}

void arch_copy(struct arch *to, const struct arch *from)
{
    CHECK(to->layers_count == from->layers_count);
    to->line = from->line;
    to->inputs = from->inputs;
    to->next_birth = from->next_birth;
    for (uint32_t i = 0; i < from->layers_count; i++) {
        const struct arch_layer *a = &from->layers[i];
        struct arch_layer *b = &to->layers[i];
        struct unit *units = b->units;
        uint32_t units_max = b->units_max;

        CHECK(a->units_count <= units_max);
        *b = *a;
        b->units = units;
        b->units_max = units_max;
        if (a->units_count > 0) {
            memcpy(b->units, a->units, a->units_count * sizeof(*b->units));
        }
    }
}

static bool finite(float value)
{
    return value - value == 0;
}

static bool named_twice(enum edit_kind kind,
                        const struct edit_unit *units,
                        uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (unit_id_equal(units[i].id, units[j].id)) {
                return true;
            }
            if (kind == EDIT_RENEW &&
                unit_id_equal(units[i].renewed, units[j].renewed)) {
                return true;
            }
        }
    }
    return false;
}

static bool can_add(const struct arch_layer *layer,
                    const struct edit_unit *units,
                    uint32_t count)
{
    if (count > layer->units_max - layer->units_count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (units[i].shard >= layer->shards_count) {
            return false;
        }
        if (arch_find(layer, units[i].id) != UINT32_MAX) {
            return false;
        }
    }
    return true;
}

/* Whether unit i of the layer may be changed as the edit says. */
static bool can_change(const struct arch_layer *layer,
                       enum edit_kind kind,
                       const struct edit_unit *named,
                       uint32_t i)
{
    if (i == UINT32_MAX) {
        return false;
    }
    switch (kind) {
    case EDIT_RENEW:
        return layer->units[i].state == UNIT_LIVE && finite(named->mean) &&
               arch_find(layer, named->renewed) == UINT32_MAX;
    case EDIT_LESION:
        return layer->units[i].state == UNIT_LIVE && finite(named->mean);
    case EDIT_HEAL:
    case EDIT_REMOVE:
        return layer->units[i].state == UNIT_LESIONED;
    case EDIT_ADD:
        break;
    }
    return false;
}

static bool can_apply(const struct arch *arch,
                      const struct edit *edit,
                      const struct edit_unit *units)
{
    const struct arch_layer *layer;

    /* The output layer's units are the data's classes: not ours to edit. */
    if (edit->layer + 1 >= arch->layers_count) {
        return false;
    }
    layer = &arch->layers[edit->layer];
    if (named_twice(edit->kind, units, edit->units_count)) {
        return false;
    }
    if (edit->kind == EDIT_ADD) {
        return can_add(layer, units, edit->units_count);
    }
    for (uint32_t i = 0; i < edit->units_count; i++) {
        uint32_t at = arch_find(layer, units[i].id);

        if (!can_change(layer, edit->kind, &units[i], at)) {
            return false;
        }
    }
    return true;
}

static void count_birth(struct arch *arch, struct unit_id id)
{
    if (id.birth >= arch->next_birth) {
        arch->next_birth = id.birth + 1;
    }
}

/* Makes room at the end of each shard's run, from the last run to the first
 * so that none is overwritten, then appends in list order. */
static void add_units(struct arch *arch,
                      const struct edit *edit,
                      const struct edit_unit *units,
                      uint64_t step)
{
    struct arch_layer *layer = &arch->layers[edit->layer];
    uint32_t fan_in = arch_layer_inputs(arch, edit->layer);
    uint32_t added[SHARDS_MAX] = {0};
    uint32_t shift = edit->units_count;
    uint32_t end = layer->units_count;

    for (uint32_t i = 0; i < edit->units_count; i++) {
        added[units[i].shard]++;
    }
    for (uint32_t s = layer->shards_count; s-- > 0;) {
        uint32_t first = end - layer->shard_units[s];

        shift -= added[s];
        memmove(&layer->units[first + shift], &layer->units[first],
                layer->shard_units[s] * sizeof(*layer->units));
        end = first;
    }
    layer->units_count += edit->units_count;
    for (uint32_t s = 0, at = 0; s < layer->shards_count; s++) {
        at += layer->shard_units[s];
        for (uint32_t i = 0; i < edit->units_count; i++) {
            if (units[i].shard == s) {
                layer->units[at++] = (struct unit){
                    .id = units[i].id, .born_step = step, .fan_in = fan_in};
                count_birth(arch, units[i].id);
            }
        }
        layer->shard_units[s] += added[s];
    }
}

static void remove_units(struct arch_layer *layer,
                         const struct edit *edit,
                         const struct edit_unit *units)
{
    uint32_t from = 0;
    uint32_t to = 0;

    for (uint32_t i = 0; i < edit->units_count; i++) {
        layer->units[arch_find(layer, units[i].id)].state = UNIT_GOING;
    }
    for (uint32_t s = 0; s < layer->shards_count; s++) {
        uint32_t end = from + layer->shard_units[s];
        uint32_t first = to;

        for (; from < end; from++) {
            if (layer->units[from].state != UNIT_GOING) {
                layer->units[to++] = layer->units[from];
            }
        }
        layer->shard_units[s] = to - first;
    }
    layer->units_count = to;
}

static void change_unit(struct arch *arch,
                        const struct edit *edit,
                        const struct edit_unit *named,
                        uint64_t step)
{
    struct arch_layer *layer = &arch->layers[edit->layer];
    struct unit *unit = &layer->units[arch_find(layer, named->id)];

    if (edit->kind == EDIT_RENEW) {
        *unit = (struct unit){.id = named->renewed,
                              .born_step = step,
                              .fan_in = arch_layer_inputs(arch, edit->layer)};
        count_birth(arch, named->renewed);
    } else if (edit->kind == EDIT_LESION) {
        unit->state = UNIT_LESIONED;
        unit->mean = named->mean;
    } else {
        CHECK(edit->kind == EDIT_HEAL);
        unit->state = UNIT_LIVE;
        unit->mean = 0;
    }
}

enum status arch_apply(struct arch *arch,
                       const struct edit *edit,
                       const struct edit_unit *units,
                       uint64_t step)
{
    units += edit->units_first;
    if (!can_apply(arch, edit, units)) {
        return STATUS_INVALID;
    }
    if (edit->kind == EDIT_ADD) {
        add_units(arch, edit, units, step);
    } else if (edit->kind == EDIT_REMOVE) {
        remove_units(&arch->layers[edit->layer], edit, units);
    } else {
        for (uint32_t i = 0; i < edit->units_count; i++) {
            change_unit(arch, edit, &units[i], step);
        }
    }
    arch->layers[edit->layer].generation++;
    return STATUS_OK;
}

uint32_t arch_find(const struct arch_layer *layer, struct unit_id id)
{
    for (uint32_t i = 0; i < layer->units_count; i++) {
        if (unit_id_equal(layer->units[i].id, id)) {
            return i;
        }
    }
    return UINT32_MAX;
}

uint32_t arch_shard_of(const struct arch_layer *layer, uint32_t index)
{
    uint32_t end = 0;

    CHECK(index < layer->units_count);
    for (uint32_t s = 0; s < layer->shards_count; s++) {
        end += layer->shard_units[s];
        if (index < end) {
            return s;
        }
    }
    CHECK(end == layer->units_count);
    return UINT32_MAX;
}

uint32_t arch_first_of_shard(const struct arch_layer *layer, uint32_t shard)
{
    uint32_t first = 0;

    CHECK(shard < layer->shards_count);
    for (uint32_t s = 0; s < shard; s++) {
        first += layer->shard_units[s];
    }
    return first;
}

uint32_t arch_smallest_shard(const struct arch_layer *layer)
{
    uint32_t least = 0;

    for (uint32_t s = 1; s < layer->shards_count; s++) {
        if (layer->shard_units[s] < layer->shard_units[least]) {
            least = s;
        }
    }
    return least;
}

uint32_t arch_layer_inputs(const struct arch *arch, uint32_t layer)
{
    CHECK(layer < arch->layers_count);
    return layer == 0 ? arch->inputs : arch->layers[layer - 1].units_count;
}

uint64_t arch_parameters(const struct arch *arch)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < arch->layers_count; i++) {
        uint64_t row = (uint64_t)arch_layer_inputs(arch, i) + 1;

        sum += row * arch->layers[i].units_count;
    }
    return sum;
}

uint32_t arch_live_units(const struct arch_layer *layer)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < layer->units_count; i++) {
        live += layer->units[i].state == UNIT_LIVE;
    }
    return live;
}

void arch_layer_name(const struct arch *arch, uint32_t layer, char *out)
{
    struct text text;

    CHECK(layer < arch->layers_count);
    text_init(&text, out, NAME_BYTES_MAX);
    if (layer + 1 == arch->layers_count) {
        text_add(&text, "output");
    } else {
        text_add(&text, "hidden");
        text_u64(&text, (uint64_t)layer + 1);
    }
}
