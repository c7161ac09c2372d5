/* What PyTorch 1.13 computes from the same weights on the same batches, as
 * tests/reference/record.py has recorded it: plain, and with growth and a
 * pruning on the way. Read from the repository's root. */
#include "tests/unit/worker/model/net.h"

#include "base/bytes.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { POOL_MAX = 64, INPUTS_MAX = 20, GROWN_MAX = 4, PRUNED_MAX = 2 };
enum { FILE_BYTES_MAX = 1 << 16, LAYERS = 3 };

/* Float sums in another order, carried through 200 steps. Losses are near 1;
 * tensors are compared by the norm of the difference over the norm. */
static const double TOLERANCE = 1e-4;

struct golden {
    struct job_spec spec;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t pool;
    uint32_t steps;
    uint32_t grow_step;
    uint32_t grow_units;
    uint32_t prune_step;
    uint32_t pruned_count;
    float x[POOL_MAX * INPUTS_MAX];
    uint32_t labels[POOL_MAX];
    float initial[LAYERS][2][512];
    float new_rows[GROWN_MAX * INPUTS_MAX];
    uint32_t pruned[PRUNED_MAX];
    float means[PRUNED_MAX];
    struct reader rest; /* losses and snapshots, run by run */
    unsigned char bytes[FILE_BYTES_MAX];
};

static void read_floats(struct reader *in, float *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = read_f32(in);
    }
}

static void read_numbers(struct reader *in, struct golden *g)
{
    struct job_spec *spec = &g->spec;

    *spec = net_spec();
    spec->train.optimizer.kind = (enum optimizer_kind)read_u32(in);
    spec->loss = (enum loss_kind)read_u32(in);
    spec->model.hidden_count = 2;
    spec->model.hidden[0].activation = (enum activation)read_u32(in);
    spec->model.hidden[1].activation = (enum activation)read_u32(in);
    g->inputs = read_u32(in);
    spec->model.hidden[0].units = read_u32(in);
    spec->model.hidden[1].units = read_u32(in);
    g->outputs = read_u32(in);
    g->pool = read_u32(in);
    spec->train.batch = read_u32(in);
    g->steps = read_u32(in);
    g->grow_step = read_u32(in);
    g->grow_units = read_u32(in);
    g->prune_step = read_u32(in);
    g->pruned_count = read_u32(in);
    spec->train.optimizer.momentum = read_f64(in);
    spec->train.optimizer.beta1 = read_f64(in);
    spec->train.optimizer.beta2 = read_f64(in);
    spec->train.optimizer.epsilon = read_f64(in);
    spec->train.optimizer.weight_decay = read_f64(in);
    spec->train.rate.peak = read_f64(in);
    spec->train.clip = read_f64(in);
}

static struct golden *golden_open(const char *path)
{
    struct golden *g = calloc(1, sizeof(*g));
    FILE *file = fopen(path, "rb");
    struct reader *in = &g->rest;
    uint32_t fan_in;

    assert_non_null(file);
    reader_init(in, g->bytes, fread(g->bytes, 1, FILE_BYTES_MAX, file));
    fclose(file);
    assert_memory_equal(read_bytes(in, 8), "CJGOLD01", 8);
    read_numbers(in, g);
    assert_true(g->pool <= POOL_MAX && g->inputs <= INPUTS_MAX);
    assert_true(g->grow_units <= GROWN_MAX && g->pruned_count <= PRUNED_MAX);
    read_floats(in, g->x, g->pool * g->inputs);
    for (uint32_t i = 0; i < g->pool; i++) {
        g->labels[i] = read_u32(in);
    }
    fan_in = g->inputs;
    for (uint32_t l = 0; l < LAYERS; l++) {
        uint32_t units = l < 2 ? g->spec.model.hidden[l].units : g->outputs;

        read_floats(in, g->initial[l][0], units * fan_in);
        read_floats(in, g->initial[l][1], units);
        fan_in = units;
    }
    read_floats(in, g->new_rows, g->grow_units * g->inputs);
    for (uint32_t i = 0; i < g->pruned_count; i++) {
        g->pruned[i] = read_u32(in);
    }
    read_floats(in, g->means, g->pruned_count);
    assert_false(in->failed);
    return g;
}

static void begin(struct golden *g, struct net *net)
{
    net_open(net, &g->spec, g->inputs, g->outputs);
    for (uint32_t l = 0; l < LAYERS; l++) {
        net_set_tensor(net, l, "weight", g->initial[l][0]);
        net_set_tensor(net, l, "bias", g->initial[l][1]);
    }
}

/* The mean loss of the step's batch, before the step. */
static double step(struct golden *g, struct net *net)
{
    enum { BATCH_ROWS = 8 };
    float x[BATCH_ROWS * INPUTS_MAX];
    uint32_t labels[BATCH_ROWS];
    struct batch batch = {BATCH_ROWS, x, labels};
    double loss;

    for (uint32_t i = 0; i < BATCH_ROWS; i++) {
        uint32_t row = (uint32_t)(net->step * BATCH_ROWS + i) % g->pool;

        memcpy(x + i * g->inputs, g->x + row * g->inputs,
               g->inputs * sizeof(float));
        labels[i] = g->labels[row];
    }
    loss = net_evaluate(net, &batch, NULL) / BATCH_ROWS;
    net_step(net, &batch, g->spec.train.rate.peak);
    return loss;
}

static void compare_tensor(struct golden *g,
                           const struct net *net,
                           uint32_t layer,
                           const char *name)
{
    uint32_t count = net->arch.layers[layer].units_count;
    float *values = net_tensor(net, layer, name);
    double difference = 0;
    double norm = 0;

    if (strncmp(name, "weight", 6) == 0) {
        count *= arch_layer_inputs(&net->arch, layer);
    }
    for (uint32_t i = 0; i < count; i++) {
        double expected = (double)read_f32(&g->rest);
        double error = (double)values[i] - expected;

        difference += error * error;
        norm += expected * expected;
    }
    free(values);
    assert_false(g->rest.failed);
    if (!(sqrt(difference) <= TOLERANCE * sqrt(norm))) {
        fail_msg("layer %u %s at step %u: off by %g of %g", layer, name,
                 (unsigned)net->step, sqrt(difference), sqrt(norm));
    }
}

static void compare_snapshot(struct golden *g,
                             const struct net *net,
                             uint32_t slots)
{
    static const char *const names[3][2] = {
        {"weight", "bias"}, {"weight.m", "bias.m"}, {"weight.v", "bias.v"}};

    for (uint32_t s = 0; s <= slots; s++) {
        for (uint32_t l = 0; l < LAYERS; l++) {
            compare_tensor(g, net, l, names[s][0]);
            compare_tensor(g, net, l, names[s][1]);
        }
    }
}

/* Grown units come last, as in the recording; their weights are its own. */
static void grow(struct golden *g, struct net *net)
{
    struct edit edit = {.kind = EDIT_ADD, .units_count = g->grow_units};
    struct edit_unit units[GROWN_MAX];
    uint32_t old = net->arch.layers[0].units_count;
    float *weights;

    for (uint32_t i = 0; i < g->grow_units; i++) {
        units[i] =
            (struct edit_unit){.id = {.birth = 1000 + i},
                               .shard = net->arch.layers[0].shards_count - 1};
    }
    net_edit(net, &edit, units);
    weights = net_tensor(net, 0, "weight");
    memcpy(weights + old * g->inputs, g->new_rows,
           g->grow_units * g->inputs * sizeof(float));
    net_set_tensor(net, 0, "weight", weights);
    free(weights);
}

static void prune(struct golden *g, struct net *net)
{
    struct edit edit = {.kind = EDIT_LESION, .units_count = g->pruned_count};
    struct edit_unit units[PRUNED_MAX];

    for (uint32_t i = 0; i < g->pruned_count; i++) {
        units[i] =
            (struct edit_unit){.id = net->arch.layers[0].units[g->pruned[i]].id,
                               .mean = g->means[i]};
    }
    net_edit(net, &edit, units);
    edit.kind = EDIT_REMOVE;
    net_edit(net, &edit, units);
}

static void run(struct golden *g, uint32_t slots, bool edits)
{
    struct reader losses = g->rest;
    struct net net;

    (void)read_bytes(&g->rest, g->steps * sizeof(double));
    begin(g, &net);
    while (net.step < g->steps) {
        if (edits && net.step == g->grow_step) {
            grow(g, &net);
        }
        if (edits && net.step == g->prune_step) {
            compare_snapshot(g, &net, 0);
            prune(g, &net);
        }
        assert_true(fabs(step(g, &net) - read_f64(&losses)) <= TOLERANCE);
    }
    compare_snapshot(g, &net, slots);
    net_close(&net);
}

static void compare(const char *path,
                    uint32_t slots,
                    uint32_t shards,
                    uint32_t parts)
{
    struct golden *g = golden_open(path);

    g->spec.model.shards = shards;
    g->spec.train.microbatches = parts;
    run(g, slots, false);
    run(g, slots, true);
    assert_int_equal(g->rest.at, g->rest.size);
    free(g);
}

static void test_golden__sgd_is_torchs(void **state)
{
    (void)state;
    compare("tests/reference/golden_sgd.bin", 0, 1, 1);
    compare("tests/reference/golden_sgd.bin", 0, 3, 2);
}

static void test_golden__momentum_is_torchs(void **state)
{
    (void)state;
    compare("tests/reference/golden_momentum.bin", 1, 1, 1);
    compare("tests/reference/golden_momentum.bin", 1, 2, 4);
}

static void test_golden__adam_is_torchs(void **state)
{
    (void)state;
    compare("tests/reference/golden_adam.bin", 2, 1, 1);
    compare("tests/reference/golden_adam.bin", 2, 4, 1);
}

static void test_golden__adamw_is_torchs(void **state)
{
    (void)state;
    compare("tests/reference/golden_adamw.bin", 2, 1, 1);
    compare("tests/reference/golden_adamw.bin", 2, 2, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden__sgd_is_torchs),
        cmocka_unit_test(test_golden__momentum_is_torchs),
        cmocka_unit_test(test_golden__adam_is_torchs),
        cmocka_unit_test(test_golden__adamw_is_torchs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
