/* The update: gradients of the whole batch, and one optimiser step. */
#include "worker/model/shard.h"

#include "base/check.h"
#include "worker/model/inside.h"
#include "worker/model/optimizer.h"
#include "worker/model/vector.h"
#include <math.h>
#include <string.h>

/* --- What stands still --- */

/* The inputs of a lesioned unit are constant and its weights keep their place:
 * with its column of x at zero they have no gradient, also not in the norm
 * that clipping uses. Forward has used x by now. */
static void clear_lesioned_inputs(struct shard *shard)
{
    size_t stride = shard->weights.stride;

    if (shard->lesioned_inputs == 0) {
        return;
    }
    for (uint32_t k = 0; k < shard->inputs_count; k++) {
        if (shard->inputs[k].state != UNIT_LESIONED) {
            continue;
        }
        for (uint32_t r = 0; r < shard->rows; r++) {
            shard->x[r * stride + k] = 0.0f;
        }
    }
}

/* Copies n floats between a row or column of the slab and the store. */
static float *exchange(
    float *at, size_t step, uint32_t n, float *still, bool save)
{
    for (uint32_t i = 0; i < n; i++) {
        if (save) {
            still[i] = at[i * step];
        } else {
            at[i * step] = still[i];
        }
    }
    return still + n;
}

/* Saves, before an update, what must stand still, or puts it back after: rows
 * and biases of lesioned units, columns of lesioned inputs, with their slots.
 * So decay and momentum need not know of lesions. */
static void keep_still(struct shard *shard, bool save)
{
    const struct slab *w = &shard->weights;
    float *still = shard->still;

    for (uint32_t t = 0; t < w->tensors_count; t++) {
        for (uint32_t u = 0; shard->lesioned_units > 0 && u < w->rows; u++) {
            if (shard->units[u].state == UNIT_LESIONED) {
                float *bias = slab_row(&shard->biases, t, 0) + u;

                still = exchange(slab_row(w, t, u), 1, w->columns, still, save);
                still = exchange(bias, 1, 1, still, save);
            }
        }
        for (uint32_t k = 0; shard->lesioned_inputs > 0 && k < w->columns;
             k++) {
            if (shard->inputs[k].state == UNIT_LESIONED) {
                float *column = slab_row(w, t, 0) + k;

                still = exchange(column, w->stride, w->rows, still, save);
            }
        }
    }
    CHECK((size_t)(still - shard->still) <= shard->still_capacity);
}

/* --- Gradients --- */

/* Sums dz over the batch, row by row in double. */
VECTOR static void find_bias_gradient(struct shard *shard)
{
    uint32_t units = shard->units_count;
    double *restrict sums = shard->bias_sums;

    if (shard->rows == 1) {
        memcpy(shard->bias_gradient, shard->dz, units * sizeof(float));
        return;
    }
    memset(sums, 0, units * sizeof(*sums));
    for (uint32_t r = 0; r < shard->rows; r++) {
        const float *restrict row = shard->dz + (size_t)r * units;

        for (uint32_t u = 0; u < units; u++) {
            sums[u] += (double)row[u];
        }
    }
    for (uint32_t u = 0; u < units; u++) {
        shard->bias_gradient[u] = (float)sums[u];
    }
}

/* The gradient of some units' weights, into the scratch. */
static struct matrix find_gradient(struct shard *shard, uint32_t first)
{
    uint32_t left = shard->units_count - first;
    struct matrix g = {.at = shard->scratch,
                       .rows = left < GRADIENT_UNITS ? left : GRADIENT_UNITS,
                       .columns = shard->inputs_count,
                       .stride = shard->weights.stride};

    shard->kind->gradient(shard, first, 1.0f, 0.0f, &g);
    return g;
}

VECTOR static double square_sum(const float *values, uint32_t n)
{
    enum { LANES = 8 };
    double lanes[LANES] = {0};
    double sum = 0;
    uint32_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (uint32_t j = 0; j < LANES; j++) {
            lanes[j] += (double)values[i + j] * (double)values[i + j];
        }
    }
    for (; i < n; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    for (uint32_t j = 0; j < LANES; j++) {
        sum += lanes[j];
    }
    return sum;
}

double shard_gradient_norm(struct shard *shard)
{
    double sum = 0;

    CHECK(shard->pass == PASS_TRAIN);
    blas_enter();
    clear_lesioned_inputs(shard);
    for (uint32_t u = 0; u < shard->units_count; u += GRADIENT_UNITS) {
        struct matrix g = find_gradient(shard, u);

        for (uint32_t r = 0; r < g.rows; r++) {
            sum += square_sum(g.at + r * g.stride, g.columns);
        }
    }
    find_bias_gradient(shard);
    return sum + square_sum(shard->bias_gradient, shard->units_count);
}

/* --- The step --- */

/* Adam's corrections of n units into steps and roots. Most units share their
 * birth with their neighbour, so most powers need not be computed. */
static void find_corrections(const struct shard *shard,
                             double rate,
                             const struct unit *units,
                             uint32_t n,
                             float *steps)
{
    struct correction c = {0};
    float *roots = steps + n;

    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || units[i].born_step != units[i - 1].born_step) {
            CHECK(units[i].born_step <= shard->step);
            c = optimizer_correction(&shard->spec.train.optimizer, rate,
                                     shard->step - units[i].born_step + 1);
        }
        steps[i] = c.step;
        roots[i] = c.root;
    }
}

static void fill_slots(const struct slab *slab,
                       uint32_t row,
                       struct optimizer_row *out)
{
    out->n = slab->columns;
    out->w = slab_row(slab, TENSOR_WEIGHT, row);
    out->m =
        slab->tensors_count > TENSOR_M ? slab_row(slab, TENSOR_M, row) : NULL;
    out->v =
        slab->tensors_count > TENSOR_V ? slab_row(slab, TENSOR_V, row) : NULL;
}

/* Rows block by block, so that no gradient is ever stored. */
static void update_weights(struct shard *shard, struct optimizer_row *row)
{
    const struct optimizer_spec *spec = &shard->spec.train.optimizer;
    const float *unit_steps = shard->corrections + 2 * shard->inputs_count;
    const float *unit_roots = unit_steps + shard->units_count;

    row->steps = shard->corrections;
    row->roots = row->steps + shard->inputs_count;
    for (uint32_t u = 0; u < shard->units_count; u += GRADIENT_UNITS) {
        struct matrix g = find_gradient(shard, u);

        for (uint32_t r = 0; r < g.rows; r++) {
            fill_slots(&shard->weights, u + r, row);
            row->g = g.at + r * g.stride;
            row->row.step = unit_steps[u + r];
            row->row.root = unit_roots[u + r];
            optimizer_apply(spec, row);
        }
    }
}

/* A bias has no column: its unit's correction alone counts. */
static void update_biases(struct shard *shard, struct optimizer_row *row)
{
    fill_slots(&shard->biases, 0, row);
    row->g = shard->bias_gradient;
    row->steps = shard->corrections + 2 * shard->inputs_count;
    row->roots = row->steps + shard->units_count;
    row->row = (struct correction){.step = 0, .root = 1};
    optimizer_apply(&shard->spec.train.optimizer, row);
}

/* w = (1 - rate decay) w - rate scale g in the gradient's product itself. */
static void update_plain(struct shard *shard, const struct optimizer_row *row)
{
    const struct slab *w = &shard->weights;
    const struct optimizer_spec *spec = &shard->spec.train.optimizer;
    struct matrix c = {.at = slab_row(w, TENSOR_WEIGHT, 0),
                       .rows = w->rows,
                       .columns = w->columns,
                       .stride = w->stride};

    shard->kind->gradient(shard, 0, -row->rate * row->scale,
                          (float)(1 - (double)row->rate * spec->weight_decay),
                          &c);
}

void shard_update(struct shard *shard, double rate, double scale)
{
    const struct optimizer_spec *spec = &shard->spec.train.optimizer;
    struct optimizer_row row = {.rate = (float)rate, .scale = (float)scale};

    CHECK(shard->pass == PASS_TRAIN);
    blas_enter();
    if (shard->units_count > 0) {
        clear_lesioned_inputs(shard);
        keep_still(shard, true);
        find_bias_gradient(shard);
        if (spec->kind != OPTIMIZER_SGD) {
            find_corrections(shard, rate, shard->inputs, shard->inputs_count,
                             shard->corrections);
            find_corrections(shard, rate, shard->units, shard->units_count,
                             shard->corrections + 2 * shard->inputs_count);
        }
        if (optimizer_is_plain(spec)) {
            update_plain(shard, &row);
        } else {
            update_weights(shard, &row);
        }
        update_biases(shard, &row);
        keep_still(shard, false);
    }
    shard->progress.next_step = shard->step + 1;
}

VECTOR static void add_abs(uint32_t n,
                           const float *restrict w,
                           float *restrict sums)
{
    for (uint32_t k = 0; k < n; k++) {
        sums[k] += fabsf(w[k]);
    }
}

void shard_column_sums(const struct shard *shard, float *out)
{
    uint32_t n = shard->inputs_count;

    blas_enter();
    memset(out, 0, n * sizeof(*out));
    for (uint32_t u = 0; u < shard->units_count; u++) {
        if (shard->units[u].state == UNIT_LIVE) {
            add_abs(n, slab_row(&shard->weights, TENSOR_WEIGHT, u), out);
        }
    }
}
