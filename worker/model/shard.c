#include "worker/model/shard.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/model/activation.h"
#include "worker/model/init.h"
#include "worker/model/inside.h"
#include "worker/model/optimizer.h"
#include <string.h>

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* --- Memory --- */

/* Everything that shard_reserve replaces at once. */
struct room {
    struct unit *units;
    struct unit *inputs;
    double *figures;
    double *bias_sums;
    float *bias_gradient;
    float *corrections;
    float *x;
    float *h;
    float *z;
    float *dz;
    float *scratch;
};

static void room_free(struct room *room)
{
    mem_free(room->scratch);
    mem_free(room->dz);
    mem_free(room->z);
    mem_free(room->h);
    mem_free(room->x);
    mem_free(room->corrections);
    mem_free(room->bias_gradient);
    mem_free(room->bias_sums);
    mem_free(room->figures);
    mem_free(room->inputs);
    mem_free(room->units);
}

static float *floats(size_t rows, size_t columns)
{
    return mem_slab(rows * columns * sizeof(float));
}

static enum status room_open(const struct shard *shard,
                             uint32_t units,
                             uint32_t inputs,
                             struct room *out)
{
    size_t stride = slab_stride(inputs);
    size_t h_rows = shard->last ? shard->rows_max : shard->rows_trained;
    struct room room = {0};
    bool z = activation_keeps_z(shard->activation);

    room.units = mem_array(units, sizeof(*room.units));
    room.inputs = mem_array(inputs, sizeof(*room.inputs));
    room.figures = mem_slab(FIGURES_COUNT * (size_t)units * sizeof(double));
    room.bias_sums = mem_slab(units * sizeof(double));
    room.bias_gradient = floats(1, units);
    room.corrections = floats(2, (size_t)units + inputs);
    room.x = floats(shard->rows_max, stride);
    room.h = floats(h_rows, units);
    room.z = floats(z ? shard->rows_trained : 0, units);
    room.dz = floats(shard->rows_trained, units);
    room.scratch = floats(GRADIENT_UNITS, stride);
    if (room.units == NULL || room.inputs == NULL || room.figures == NULL ||
        room.bias_sums == NULL || room.bias_gradient == NULL ||
        room.corrections == NULL || room.x == NULL || room.h == NULL ||
        room.z == NULL || room.dz == NULL || room.scratch == NULL) {
        room_free(&room);
        return STATUS_NO_MEMORY;
    }
    *out = room;
    return STATUS_OK;
}

static struct room room_of(const struct shard *shard)
{
    return (struct room){.units = shard->units,
                         .inputs = shard->inputs,
                         .figures = shard->figures,
                         .bias_sums = shard->bias_sums,
                         .bias_gradient = shard->bias_gradient,
                         .corrections = shard->corrections,
                         .x = shard->x,
                         .h = shard->h,
                         .z = shard->z,
                         .dz = shard->dz,
                         .scratch = shard->scratch};
}

static void room_use(struct shard *shard, const struct room *room)
{
    shard->units = room->units;
    shard->inputs = room->inputs;
    shard->figures = room->figures;
    shard->bias_sums = room->bias_sums;
    shard->bias_gradient = room->bias_gradient;
    shard->corrections = room->corrections;
    shard->x = room->x;
    shard->h = room->h;
    shard->z = room->z;
    shard->dz = room->dz;
    shard->scratch = room->scratch;
}

/* Between two steps the batch is of no use any more: only what names and
 * measures the units moves over. */
static void room_copy(const struct shard *shard,
                      struct room *to,
                      uint32_t units_room)
{
    uint32_t units = shard->units_count;

    memcpy(to->units, shard->units, units * sizeof(*to->units));
    memcpy(to->inputs, shard->inputs,
           shard->inputs_count * sizeof(*to->inputs));
    for (size_t f = 0; f < FIGURES_COUNT; f++) {
        memcpy(to->figures + f * units_room, figure(shard, (enum unit_figure)f),
               units * sizeof(double));
    }
}

static uint32_t with_room(uint32_t count)
{
    return slab_stride(count + count / 2);
}

enum status shard_reserve(struct shard *shard, uint32_t units, uint32_t inputs)
{
    uint32_t units_room = shard->units_room;
    uint32_t inputs_room = shard->inputs_room;
    struct room old = room_of(shard);
    struct room room = {0};

    if (slab_reserve(&shard->weights, units, inputs) != STATUS_OK ||
        slab_reserve(&shard->biases, 1, units) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    if (units <= units_room && inputs <= inputs_room) {
        return STATUS_OK;
    }
    units_room = units > units_room ? with_room(units) : units_room;
    inputs_room = inputs > inputs_room ? with_room(inputs) : inputs_room;
    if (room_open(shard, units_room, inputs_room, &room) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    room_copy(shard, &room, units_room);
    room_free(&old);
    room_use(shard, &room);
    shard->units_room = units_room;
    shard->inputs_room = inputs_room;
    return STATUS_OK;
}

enum status shard_reserve_still(struct shard *shard,
                                uint32_t lesioned_units,
                                uint32_t lesioned_inputs)
{
    size_t stride = slab_stride(shard->inputs_room);
    size_t rows = (size_t)lesioned_units * (stride + 1);
    size_t columns = (size_t)lesioned_inputs * shard->units_room;
    size_t needed = shard->weights.tensors_count * (rows + columns);
    float *still;

    if (needed <= shard->still_capacity) {
        return STATUS_OK;
    }
    still = floats(1, needed);
    if (still == NULL) {
        return STATUS_NO_MEMORY;
    }
    mem_free(shard->still);
    shard->still = still;
    shard->still_capacity = needed;
    return STATUS_OK;
}

/* --- Life --- */

static void copy_place(struct shard *shard, const struct shard_place *place)
{
    const struct arch *arch = place->arch;
    const struct arch_layer *layer = &arch->layers[place->layer];

    shard->spec = *place->spec;
    shard->kind = &layer_dense;
    shard->layer = place->layer;
    shard->index = place->shard;
    shard->last = place->layer + 1 == arch->layers_count;
    shard->activation = layer->activation;
    shard->units_count = layer->shard_units[place->shard];
    shard->inputs_count = arch_layer_inputs(arch, place->layer);
    shard->rows_trained = place->spec->train.batch;
    shard->rows_max =
        larger(shard->rows_trained, EVALUATE_ROWS * EVALUATE_WINDOW);
    if (place->layer == 0) {
        shard->producers_count = 1;
        shard->producer_units[0] = arch->inputs;
    } else {
        const struct arch_layer *before = &arch->layers[place->layer - 1];

        shard->producers_count = before->shards_count;
        memcpy(shard->producer_units, before->shard_units,
               sizeof(shard->producer_units));
    }
}

static void copy_units(struct shard *shard, const struct shard_place *place)
{
    const struct arch *arch = place->arch;
    const struct arch_layer *layer = &arch->layers[place->layer];
    uint32_t first = arch_first_of_shard(layer, place->shard);

    for (uint32_t u = 0; u < shard->units_count; u++) {
        shard->units[u] = layer->units[first + u];
        shard->lesioned_units += shard->units[u].state == UNIT_LESIONED;
    }
    for (uint32_t k = 0; k < shard->inputs_count; k++) {
        /* An input of the model is a unit that was there at step 0. */
        struct unit input = {.id = {.line = 0, .birth = k}};

        if (place->layer > 0) {
            input = arch->layers[place->layer - 1].units[k];
        }
        shard->inputs[k] = input;
        shard->lesioned_inputs += input.state == UNIT_LESIONED;
    }
}

static void draw_weights(struct shard *shard)
{
    struct init_source source = {.seed = shard->spec.seed,
                                 .activation = shard->activation,
                                 .inputs = shard->inputs,
                                 .inputs_count = shard->inputs_count};

    for (uint32_t u = 0; u < shard->units_count; u++) {
        init_row(&source, &shard->units[u],
                 slab_row(&shard->weights, TENSOR_WEIGHT, u));
    }
}

/* A job that may grow has room from the start: a growth that must first find
 * memory costs a page fault per 4 KB, which is many times the move itself. */
static void choose_room(struct shard *shard)
{
    bool grows = shard->spec.roles[ROLE_GROW].count > 0;
    uint32_t units = shard->units_count;
    uint32_t inputs = shard->inputs_count;

    shard->units_room =
        grows && !shard->last ? with_room(units) : slab_stride(units);
    shard->inputs_room =
        grows && shard->layer > 0 ? with_room(inputs) : slab_stride(inputs);
}

static enum status open_slabs(struct shard *shard)
{
    struct slab_shape weights = {
        .tensors_count = 1 + optimizer_slots(&shard->spec.train.optimizer),
        .rows = shard->units_count,
        .columns = shard->inputs_count,
        .rows_room = shard->units_room,
        .columns_room = shard->inputs_room};
    struct slab_shape biases = {.tensors_count = weights.tensors_count,
                                .rows = 1,
                                .columns = shard->units_count,
                                .rows_room = 1,
                                .columns_room = shard->units_room};
    enum status status = slab_init(&shard->weights, &weights);

    return status == STATUS_OK ? slab_init(&shard->biases, &biases) : status;
}

enum status shard_open(const struct shard_place *place, struct shard **out)
{
    struct shard *shard = mem_new(sizeof(*shard));
    enum status status = STATUS_NO_MEMORY;
    struct room room = {0};

    CHECK(place->layer < place->arch->layers_count);
    CHECK(place->shard < place->arch->layers[place->layer].shards_count);
    if (shard == NULL) {
        goto fail;
    }
    blas_init();
    copy_place(shard, place);
    choose_room(shard);
    status = room_open(shard, shard->units_room, shard->inputs_room, &room);
    if (status != STATUS_OK) {
        goto fail;
    }
    room_use(shard, &room);
    copy_units(shard, place);
    status = open_slabs(shard);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = shard_reserve_still(shard, shard->lesioned_units,
                                 shard->lesioned_inputs);
    if (status != STATUS_OK) {
        goto fail;
    }
    draw_weights(shard);
    *out = shard;
    return STATUS_OK;

fail:
    shard_close(shard);
    return status;
}

void shard_close(struct shard *shard)
{
    struct room room;

    if (shard == NULL) {
        return;
    }
    room = room_of(shard);
    mem_free(shard->still);
    slab_fini(&shard->biases);
    slab_fini(&shard->weights);
    room_free(&room);
    mem_free(shard);
}

void shard_set_spec(struct shard *shard, const struct job_spec *spec)
{
    CHECK(optimizer_slots(&spec->train.optimizer) + 1 ==
          shard->weights.tensors_count);
    CHECK(spec->train.batch == shard->spec.train.batch);
    shard->spec = *spec;
}

/* --- Shape --- */

uint32_t shard_units(const struct shard *shard)
{
    return shard->units_count;
}

uint32_t shard_inputs(const struct shard *shard)
{
    return shard->inputs_count;
}

uint32_t shard_producers(const struct shard *shard)
{
    return shard->producers_count;
}

uint32_t shard_producer_units(const struct shard *shard, uint32_t producer)
{
    CHECK(producer < shard->producers_count);
    return shard->producer_units[producer];
}

struct matrix shard_x(const struct shard *shard, uint32_t first, uint32_t rows)
{
    size_t stride = shard->weights.stride;

    return (struct matrix){shard->x + first * stride, rows, shard->inputs_count,
                           stride};
}

struct matrix shard_dz(const struct shard *shard, uint32_t first, uint32_t rows)
{
    size_t units = shard->units_count;

    return (struct matrix){shard->dz + first * units, rows, shard->units_count,
                           units};
}
