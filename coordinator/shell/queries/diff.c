/* diff.c - what lies between two versions, layer by layer.
 *
 * Units are compared by id, so a unit that changed places is the same unit.
 * `moved` is the Frobenius norm of the difference over the weights whose both
 * ends are in both versions, divided by the norm of the `from` side. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/queries/tensor.h"
#include "coordinator/shell/records/views.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_PER_MESSAGE = 4096 };

static const uint32_t NOWHERE = UINT32_MAX;

struct side {
    struct version_name name;
    struct lease lease;
    struct version *version;
    struct tensor_reader *reader;
};

struct diff {
    struct side from;
    struct side to;
    uint32_t next; /* layer of the comparison */
};

static enum status read_side(struct query *query, struct side *side)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = store_get_version(query_store(query), side->name.job,
                                           side->name.number, &bytes, &size);

    if (status != STATUS_OK) {
        return status;
    }
    status = version_decode(bytes, size, &side->version);
    mem_free(bytes);
    if (status == STATUS_OK) {
        status = tensor_open(query_store(query), &side->reader);
    }
    return status;
}

/* --- Units by id --- */

struct place {
    struct unit_id id;
    uint32_t index;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;

    if (a->id.line != b->id.line) {
        return a->id.line < b->id.line ? -1 : 1;
    }
    if (a->id.birth != b->id.birth) {
        return a->id.birth < b->id.birth ? -1 : 1;
    }
    return 0;
}

/* For each unit of `units` its index in `others`, or NOWHERE (mem_free). */
static enum status match_units(const struct arch_layer *units,
                               const struct arch_layer *others,
                               uint32_t **out)
{
    struct place *places = mem_array(others->units_count, sizeof(*places));
    uint32_t *map = mem_array(units->units_count, sizeof(*map));

    if (places == NULL || map == NULL) {
        mem_free(places);
        mem_free(map);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t u = 0; u < others->units_count; u++) {
        places[u] = (struct place){others->units[u].id, u};
    }
    qsort(places, others->units_count, sizeof(*places), compare_places);
    for (uint32_t u = 0; u < units->units_count; u++) {
        struct place wanted = {units->units[u].id, 0};
        const struct place *found =
            bsearch(&wanted, places, others->units_count, sizeof(*places),
                    compare_places);

        map[u] = found != NULL ? found->index : NOWHERE;
    }
    mem_free(places);
    *out = map;
    return STATUS_OK;
}

/* --- Layers --- */

/* Hidden layers are matched by their number, the output layers with each
 * other. */
struct pair {
    uint32_t from; /* layer, or NOWHERE */
    uint32_t to;
    char name[NAME_BYTES_MAX];
};

static uint32_t pairs_count(const struct diff *diff)
{
    uint32_t a = diff->from.version->arch->layers_count;
    uint32_t b = diff->to.version->arch->layers_count;

    return a > b ? a : b;
}

static uint32_t layer_at(const struct arch *arch, uint32_t index, bool last)
{
    if (last) {
        return arch->layers_count - 1;
    }
    return index + 1 < arch->layers_count ? index : NOWHERE;
}

static struct pair pair_at(const struct diff *diff, uint32_t index)
{
    uint32_t count = pairs_count(diff);
    struct pair pair;

    pair.from = layer_at(diff->from.version->arch, index, index + 1 == count);
    pair.to = layer_at(diff->to.version->arch, index, index + 1 == count);
    views_layer_name(index, count, pair.name);
    return pair;
}

static const struct arch_layer *layer_of(const struct side *side,
                                         uint32_t layer)
{
    static const struct arch_layer none = {.units_count = 0};

    return layer == NOWHERE ? &none : &side->version->arch->layers[layer];
}

static uint32_t inputs_of(const struct side *side, uint32_t layer)
{
    return layer == NOWHERE ? 0 : arch_layer_inputs(side->version->arch, layer);
}

/* For each input of the `to` layer its column in the `from` layer. */
static enum status match_inputs(const struct diff *diff,
                                const struct pair *pair,
                                uint32_t **out)
{
    uint32_t inputs = inputs_of(&diff->to, pair->to);
    uint32_t limit = inputs_of(&diff->from, pair->from);
    uint32_t *map = NULL;

    if (pair->to > 0 && pair->from > 0) {
        return match_units(layer_of(&diff->to, pair->to - 1),
                           layer_of(&diff->from, pair->from - 1), out);
    }
    map = mem_array(inputs, sizeof(*map));
    if (map == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < inputs; k++) {
        bool same = pair->to == 0 && pair->from == 0 && k < limit;

        map[k] = same ? k : NOWHERE;
    }
    *out = map;
    return STATUS_OK;
}

struct sums {
    double difference; /* squares */
    double from;
};

static void add_row(const float *from,
                    const float *to,
                    const uint32_t *inputs,
                    uint32_t inputs_count,
                    struct sums *sums)
{
    for (uint32_t k = 0; k < inputs_count; k++) {
        double before = 0;
        double change = 0;

        if (inputs[k] == NOWHERE) {
            continue;
        }
        before = (double)from[inputs[k]];
        change = (double)to[k] - before;
        sums->from += before * before;
        sums->difference += change * change;
    }
}

static enum status add_rows(struct diff *diff,
                            const struct pair *pair,
                            const uint32_t *units,
                            const uint32_t *inputs,
                            struct sums *sums)
{
    const struct arch_layer *layer = layer_of(&diff->to, pair->to);
    uint32_t inputs_count = inputs_of(&diff->to, pair->to);
    float *from = mem_array(inputs_of(&diff->from, pair->from), sizeof(*from));
    float *to = mem_array(inputs_count, sizeof(*to));
    enum status status = STATUS_NO_MEMORY;

    if (from != NULL && to != NULL) {
        status = STATUS_OK;
    }
    for (uint32_t u = 0; u < layer->units_count && status == STATUS_OK; u++) {
        if (units[u] == NOWHERE) {
            continue;
        }
        status = tensor_weights(diff->from.reader, diff->from.version,
                                pair->from, units[u], from);
        if (status == STATUS_OK) {
            status = tensor_weights(diff->to.reader, diff->to.version, pair->to,
                                    u, to);
        }
        if (status == STATUS_OK) {
            add_row(from, to, inputs, inputs_count, sums);
        }
    }
    mem_free(from);
    mem_free(to);
    return status;
}

static enum status measure(struct diff *diff,
                           const struct pair *pair,
                           double *out_moved)
{
    struct sums sums = {0};
    uint32_t *units = NULL;
    uint32_t *inputs = NULL;
    enum status status = STATUS_OK;

    *out_moved = 0;
    if (pair->from == NOWHERE || pair->to == NOWHERE) {
        return STATUS_OK;
    }
    status = match_units(layer_of(&diff->to, pair->to),
                         layer_of(&diff->from, pair->from), &units);
    if (status == STATUS_OK) {
        status = match_inputs(diff, pair, &inputs);
    }
    if (status == STATUS_OK) {
        status = add_rows(diff, pair, units, inputs, &sums);
    }
    if (status == STATUS_OK && sums.from > 0) {
        *out_moved = sqrt(sums.difference / sums.from);
    }
    mem_free(units);
    mem_free(inputs);
    return status;
}

/* --- Telling --- */

struct ids {
    uint32_t count;
    char (*texts)[UNIT_BYTES_MAX];
    char **pointers;
};

static void ids_fini(struct ids *ids)
{
    mem_free(ids->texts);
    mem_free(ids->pointers);
}

/* The units of one layer that the other does not have. */
static enum status missing_units(const struct arch_layer *units,
                                 const struct arch_layer *others,
                                 struct ids *out)
{
    uint32_t *map = NULL;
    enum status status = match_units(units, others, &map);

    if (status != STATUS_OK) {
        return status;
    }
    out->texts = mem_array(units->units_count, sizeof(*out->texts));
    out->pointers = mem_array(units->units_count, sizeof(*out->pointers));
    if (out->texts == NULL || out->pointers == NULL) {
        mem_free(map);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t u = 0; u < units->units_count; u++) {
        if (map[u] == NOWHERE) {
            (void)names_unit(units->units[u].id, out->texts[out->count]);
            out->pointers[out->count] = out->texts[out->count];
            out->count++;
        }
    }
    mem_free(map);
    return STATUS_OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void describe(const struct diff *diff,
                     const struct pair *pair,
                     Cajal__V1__LayerDiff *m)
{
    m->units_from = layer_of(&diff->from, pair->from)->units_count;
    m->units_to = layer_of(&diff->to, pair->to)->units_count;
    m->inputs_from = inputs_of(&diff->from, pair->from);
    m->inputs_to = inputs_of(&diff->to, pair->to);
    m->parameters_from = (uint64_t)m->units_from * (m->inputs_from + 1);
    m->parameters_to = (uint64_t)m->units_to * (m->inputs_to + 1);
}

static enum status emit_layer(struct query *query,
                              const struct diff *diff,
                              struct pair *pair,
                              double moved,
                              const struct ids *added,
                              const struct ids *removed)
{
    Cajal__V1__LayerDiff m = CAJAL__V1__LAYER_DIFF__INIT;
    char from[NUMBER_BYTES_MAX];
    char to[NUMBER_BYTES_MAX];
    uint32_t at_added = 0;
    uint32_t at_removed = 0;
    enum status status = STATUS_OK;

    m.from = (char *)(uintptr_t)names_version(diff->from.name.number, from);
    m.to = (char *)(uintptr_t)names_version(diff->to.name.number, to);
    m.name = pair->name;
    m.moved = moved;
    describe(diff, pair, &m);
    do {
        m.n_added = least(added->count - at_added, IDS_PER_MESSAGE);
        m.added = added->pointers + at_added;
        at_added += (uint32_t)m.n_added;
        m.n_removed = least(removed->count - at_removed, IDS_PER_MESSAGE);
        m.removed = removed->pointers + at_removed;
        at_removed += (uint32_t)m.n_removed;
        m.more = at_added < added->count || at_removed < removed->count;
        status = query_emit(query, &m.base);
    } while (status == STATUS_OK && m.more);
    return status;
}

static enum status tell_layer(struct query *query, struct diff *diff)
{
    struct pair pair = pair_at(diff, diff->next);
    const struct arch_layer *from = layer_of(&diff->from, pair.from);
    const struct arch_layer *to = layer_of(&diff->to, pair.to);
    struct ids added = {.count = 0};
    struct ids removed = {.count = 0};
    double moved = 0;
    enum status status = measure(diff, &pair, &moved);

    if (status == STATUS_OK) {
        status = missing_units(to, from, &added);
    }
    if (status == STATUS_OK) {
        status = missing_units(from, to, &removed);
    }
    if (status == STATUS_OK) {
        status = emit_layer(query, diff, &pair, moved, &added, &removed);
    }
    ids_fini(&added);
    ids_fini(&removed);
    return status;
}

/* One layer a step, so that another query gets its turn. */
static enum status step_diff(struct query *query, void *state)
{
    struct diff *diff = state;
    enum status status = STATUS_OK;

    if (diff->from.version == NULL) {
        status = read_side(query, &diff->from);
    }
    if (status == STATUS_OK && diff->to.version == NULL) {
        status = read_side(query, &diff->to);
    }
    if (status == STATUS_OK) {
        status = tell_layer(query, diff);
        diff->next++;
    }
    if (status == STATUS_OK && diff->next == pairs_count(diff)) {
        query_end(query);
    }
    return status;
}

static void fini_diff(void *state)
{
    struct diff *diff = state;

    lease_drop(&diff->from.lease);
    lease_drop(&diff->to.lease);
    version_free(diff->from.version);
    version_free(diff->to.version);
    tensor_close(diff->from.reader);
    tensor_close(diff->to.reader);
}

void answer_diff(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__DiffRequest *request)
{
    static const struct query_kind kind = {.step = step_diff,
                                           .fini = fini_diff,
                                           .state_bytes = sizeof(struct diff)};
    struct query *query = NULL;
    struct diff *diff = NULL;
    struct version_name from;
    struct version_name to;

    if (!shell_find_version(shell, call, request->job, request->from, &from) ||
        !shell_find_version(shell, call, request->job, request->to, &to)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    diff = query_state(query);
    diff->from.name = from;
    diff->to.name = to;
    leases_take(&shell->leases, &diff->from.lease, from.job, from.number,
                from.number);
    leases_take(&shell->leases, &diff->to.lease, to.job, to.number, to.number);
    query_start(query);
}
