/* Edits: how a shard's rows and columns change shape between two steps.
 *
 * The shards of an edit's layer change rows, those of the layer after it
 * columns and biases. Each checks all it can see before it changes anything.
 * Everyone else's weights, slots and figures move without a bit changed. */
#include "worker/model/shard.h"

#include "base/check.h"
#include "worker/model/init.h"
#include "worker/model/inside.h"
#include "worker/model/statistics.h"
#include <string.h>

/* A mark that units bear only inside a removal. */
enum { UNIT_GOING = 2 };

/* An edit as this shard sees it. */
struct plan {
    enum edit_kind kind;
    const struct edit_unit *units;
    uint32_t units_count;
    uint64_t step;
};

/* Room for the runs of the largest edit: a removal cuts a run in two per
 * unit, an addition makes one run per producer. */
struct runs {
    struct run list[GRANT_UNITS_MAX + SHARDS_MAX + 1];
    uint32_t count;
};

static uint32_t find_unit(const struct unit *units,
                          uint32_t count,
                          struct unit_id id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (unit_id_equal(units[i].id, id)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static bool finite(float value)
{
    return value - value == 0;
}

/* Whether a unit that is there may be changed so. */
static bool allows(enum edit_kind kind,
                   const struct unit *unit,
                   const struct edit_unit *named)
{
    switch (kind) {
    case EDIT_RENEW:
    case EDIT_LESION:
        return unit->state == UNIT_LIVE && finite(named->mean);
    case EDIT_HEAL:
    case EDIT_REMOVE:
        return unit->state == UNIT_LESIONED;
    case EDIT_ADD:
        break;
    }
    return false; /* an addition names nobody who is there */
}

/* Checks the plan against units; those of an own layer may be in another
 * shard, so that only `all` demands that each is here. */
static bool fits(const struct plan *plan,
                 const struct unit *units,
                 uint32_t count,
                 bool all)
{
    bool add = plan->kind == EDIT_ADD;

    for (uint32_t i = 0; i < plan->units_count; i++) {
        uint32_t at = find_unit(units, count, plan->units[i].id);

        if (at == UINT32_MAX) {
            if (all && !add) {
                return false;
            }
        } else if (!allows(plan->kind, &units[at], &plan->units[i])) {
            return false;
        }
    }
    return true;
}

/* The runs of units that stay, in order. */
static struct order keep_runs(const struct unit *units,
                              uint32_t count,
                              struct runs *runs)
{
    uint32_t to = 0;

    runs->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (units[i].state == UNIT_GOING) {
            continue;
        }
        if (i == 0 || units[i - 1].state == UNIT_GOING) {
            runs->list[runs->count++] = (struct run){.from = i, .to = to};
        }
        runs->list[runs->count - 1].count++;
        to++;
    }
    return (struct order){runs->list, runs->count, to, false};
}

static struct order same_order(uint32_t count, struct run *run)
{
    *run = (struct run){0, 0, count};
    return (struct order){run, 1, count, false};
}

static void become_still(struct unit *unit, uint32_t *lesioned, float mean)
{
    unit->state = UNIT_LESIONED;
    unit->mean = mean;
    (*lesioned)++;
}

static void become_live(struct unit *unit, uint32_t *lesioned)
{
    unit->state = UNIT_LIVE;
    unit->mean = 0;
    (*lesioned)--;
}

/* --- The shard's own units: rows --- */

static void reorder_units(struct shard *shard, const struct order *order)
{
    uint32_t old = shard->units_count;
    struct run one;
    struct run all;
    struct order row = same_order(1, &one);
    struct order columns = same_order(shard->inputs_count, &all);

    slab_reorder(&shard->weights, order, &columns);
    slab_reorder(&shard->biases, &row, order);
    array_reorder(shard->units, sizeof(*shard->units), old, order);
    for (int f = 0; f < FIGURES_COUNT; f++) {
        array_reorder(figure(shard, (enum unit_figure)f), sizeof(double), old,
                      order);
    }
    shard->units_count = order->count;
}

static void draw_row(struct shard *shard, uint32_t u)
{
    struct init_source source = {.seed = shard->spec.seed,
                                 .activation = shard->activation,
                                 .inputs = shard->inputs,
                                 .inputs_count = shard->inputs_count};

    init_row(&source, &shard->units[u],
             slab_row(&shard->weights, TENSOR_WEIGHT, u));
}

static struct unit newborn(const struct shard *shard,
                           struct unit_id id,
                           uint64_t step)
{
    return (struct unit){
        .id = id, .born_step = step, .fan_in = shard->inputs_count};
}

static enum status add_own(struct shard *shard, const struct plan *plan)
{
    uint32_t first = shard->units_count;
    uint32_t count = first;
    struct run old;
    struct order order;

    for (uint32_t i = 0; i < plan->units_count; i++) {
        count += plan->units[i].shard == shard->index;
    }
    if (shard_reserve(shard, count, shard->inputs_count) != STATUS_OK ||
        shard_reserve_still(shard, shard->lesioned_units,
                            shard->lesioned_inputs) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    order = same_order(first, &old);
    order.count = count;
    order.grows = true;
    reorder_units(shard, &order);
    for (uint32_t i = 0, u = first; i < plan->units_count; i++) {
        if (plan->units[i].shard == shard->index) {
            shard->units[u] = newborn(shard, plan->units[i].id, plan->step);
            draw_row(shard, u++);
        }
    }
    return STATUS_OK;
}

static void remove_own(struct shard *shard, const struct plan *plan)
{
    struct runs runs;
    struct order order;

    for (uint32_t i = 0; i < plan->units_count; i++) {
        uint32_t u =
            find_unit(shard->units, shard->units_count, plan->units[i].id);

        if (u != UINT32_MAX) {
            shard->units[u].state = UNIT_GOING;
            shard->lesioned_units--;
        }
    }
    order = keep_runs(shard->units, shard->units_count, &runs);
    reorder_units(shard, &order);
}

static void renew_own(struct shard *shard, uint32_t u, const struct unit *unit)
{
    for (uint32_t t = 0; t < shard->weights.tensors_count; t++) {
        memset(slab_row(&shard->weights, t, u), 0,
               shard->inputs_count * sizeof(float));
        slab_row(&shard->biases, t, 0)[u] = 0;
    }
    statistics_forget(shard, u);
    shard->units[u] = *unit;
    draw_row(shard, u);
}

static enum status edit_own(struct shard *shard, const struct plan *plan)
{
    enum status status =
        shard_reserve_still(shard, shard->lesioned_units + plan->units_count,
                            shard->lesioned_inputs);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < plan->units_count; i++) {
        const struct edit_unit *named = &plan->units[i];
        uint32_t u = find_unit(shard->units, shard->units_count, named->id);

        if (u == UINT32_MAX) {
            continue; /* in another shard */
        }
        if (plan->kind == EDIT_RENEW) {
            struct unit unit = newborn(shard, named->renewed, plan->step);

            renew_own(shard, u, &unit);
        } else if (plan->kind == EDIT_LESION) {
            become_still(&shard->units[u], &shard->lesioned_units, named->mean);
        } else {
            become_live(&shard->units[u], &shard->lesioned_units);
        }
    }
    return STATUS_OK;
}

/* --- The units of the layer before: columns --- */

/* The order of columns after new ones have come at the end of each producer's
 * block; starts[p] is where those of producer p begin. */
static struct order widen(const struct shard *shard,
                          const struct plan *plan,
                          struct runs *runs,
                          uint32_t starts[SHARDS_MAX])
{
    uint32_t from = 0;
    uint32_t to = 0;

    runs->count = 0;
    for (uint32_t p = 0; p < shard->producers_count; p++) {
        uint32_t units = shard->producer_units[p];

        if (units > 0) {
            runs->list[runs->count++] = (struct run){from, to, units};
        }
        from += units;
        to += units;
        starts[p] = to;
        for (uint32_t i = 0; i < plan->units_count; i++) {
            to += plan->units[i].shard == p;
        }
    }
    return (struct order){runs->list, runs->count, to, true};
}

static void reorder_inputs(struct shard *shard, const struct order *order)
{
    struct run all;
    struct order rows = same_order(shard->units_count, &all);

    slab_reorder(&shard->weights, &rows, order);
    array_reorder(shard->inputs, sizeof(*shard->inputs), shard->inputs_count,
                  order);
    shard->inputs_count = order->count;
}

static enum status add_inputs(struct shard *shard, const struct plan *plan)
{
    uint32_t count = shard->inputs_count + plan->units_count;
    uint32_t starts[SHARDS_MAX];
    struct runs runs;
    struct order order;

    for (uint32_t i = 0; i < plan->units_count; i++) {
        if (plan->units[i].shard >= shard->producers_count) {
            return STATUS_INVALID;
        }
    }
    if (shard_reserve(shard, shard->units_count, count) != STATUS_OK ||
        shard_reserve_still(shard, shard->lesioned_units,
                            shard->lesioned_inputs) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    order = widen(shard, plan, &runs, starts);
    reorder_inputs(shard, &order);
    for (uint32_t i = 0; i < plan->units_count; i++) {
        uint32_t p = plan->units[i].shard;

        shard->inputs[starts[p]++] =
            (struct unit){.id = plan->units[i].id, .born_step = plan->step};
        shard->producer_units[p]++;
    }
    return STATUS_OK;
}

/* What a unit gave on average, its consumers' biases give from now on. Also
 * those of lesioned consumers, which may heal. */
static void fold_into_bias(struct shard *shard, uint32_t k, float mean)
{
    float *bias = slab_row(&shard->biases, TENSOR_WEIGHT, 0);

    for (uint32_t u = 0; u < shard->units_count; u++) {
        bias[u] += slab_row(&shard->weights, TENSOR_WEIGHT, u)[k] * mean;
    }
}

static uint32_t producer_of(const struct shard *shard, uint32_t k)
{
    uint32_t end = 0;

    for (uint32_t p = 0; p < shard->producers_count; p++) {
        end += shard->producer_units[p];
        if (k < end) {
            return p;
        }
    }
    CHECK(k < end);
    return UINT32_MAX;
}

/* The mean is the one that the unit has been giving: so the removal agrees
 * with the lesion, whatever the plan carries. */
static void remove_inputs(struct shard *shard, const struct plan *plan)
{
    uint32_t gone[SHARDS_MAX] = {0};
    struct runs runs;
    struct order order;

    for (uint32_t i = 0; i < plan->units_count; i++) {
        uint32_t k =
            find_unit(shard->inputs, shard->inputs_count, plan->units[i].id);

        fold_into_bias(shard, k, shard->inputs[k].mean);
        shard->inputs[k].state = UNIT_GOING;
        shard->lesioned_inputs--;
        gone[producer_of(shard, k)]++;
    }
    for (uint32_t p = 0; p < shard->producers_count; p++) {
        shard->producer_units[p] -= gone[p];
    }
    order = keep_runs(shard->inputs, shard->inputs_count, &runs);
    reorder_inputs(shard, &order);
}

static void renew_input(struct shard *shard,
                        uint32_t k,
                        const struct plan *plan,
                        uint32_t i)
{
    fold_into_bias(shard, k, plan->units[i].mean);
    for (uint32_t t = 0; t < shard->weights.tensors_count; t++) {
        for (uint32_t u = 0; u < shard->units_count; u++) {
            slab_row(&shard->weights, t, u)[k] = 0;
        }
    }
    shard->inputs[k] =
        (struct unit){.id = plan->units[i].renewed, .born_step = plan->step};
}

static enum status edit_inputs(struct shard *shard, const struct plan *plan)
{
    enum status status =
        shard_reserve_still(shard, shard->lesioned_units,
                            shard->lesioned_inputs + plan->units_count);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < plan->units_count; i++) {
        uint32_t k =
            find_unit(shard->inputs, shard->inputs_count, plan->units[i].id);
        struct unit *input = &shard->inputs[k];

        if (plan->kind == EDIT_RENEW) {
            renew_input(shard, k, plan, i);
        } else if (plan->kind == EDIT_LESION) {
            become_still(input, &shard->lesioned_inputs, plan->units[i].mean);
        } else {
            become_live(input, &shard->lesioned_inputs);
        }
    }
    return STATUS_OK;
}

/* --- The way in --- */

static bool named_twice(const struct plan *plan)
{
    for (uint32_t i = 1; i < plan->units_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (unit_id_equal(plan->units[i].id, plan->units[j].id)) {
                return true;
            }
        }
    }
    return false;
}

static enum status change_rows(struct shard *shard, const struct plan *plan)
{
    if (shard->last) {
        return STATUS_INVALID; /* its units are the classes */
    }
    if (!fits(plan, shard->units, shard->units_count, false)) {
        return STATUS_INVALID;
    }
    if (plan->kind == EDIT_ADD) {
        return add_own(shard, plan);
    }
    if (plan->kind == EDIT_REMOVE) {
        remove_own(shard, plan);
        return STATUS_OK;
    }
    return edit_own(shard, plan);
}

static enum status change_columns(struct shard *shard, const struct plan *plan)
{
    if (!fits(plan, shard->inputs, shard->inputs_count, true)) {
        return STATUS_INVALID;
    }
    if (plan->kind == EDIT_ADD) {
        return add_inputs(shard, plan);
    }
    if (plan->kind == EDIT_REMOVE) {
        remove_inputs(shard, plan);
        return STATUS_OK;
    }
    return edit_inputs(shard, plan);
}

enum status shard_edit(struct shard *shard,
                       const struct edit *edit,
                       const struct edit_unit *units,
                       uint64_t step)
{
    struct plan plan = {.kind = edit->kind,
                        .units = units + edit->units_first,
                        .units_count = edit->units_count,
                        .step = step};

    if (plan.units_count > GRANT_UNITS_MAX || named_twice(&plan)) {
        return STATUS_INVALID;
    }
    blas_enter();
    if (edit->layer == shard->layer) {
        return change_rows(shard, &plan);
    }
    if (edit->layer + 1 == shard->layer) {
        return change_columns(shard, &plan);
    }
    return STATUS_OK;
}
