#include "tests/unit/worker/model/net.h"

#include "base/mem.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 20, OUTPUTS = 5, ROWS = 8, STEPS = 20 };

/* Splitting a layer, or a batch, changes only the order of float sums; 20
 * steps at these sizes carry a few ulps of weights below 1. */
static const float ROUNDING = 1e-5f;

static struct job_spec wide_spec(uint32_t shards, uint32_t microbatches)
{
    struct job_spec spec = net_spec();

    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){18, ACTIVATION_RELU};
    spec.model.hidden[1] = (struct layer_spec){13, ACTIVATION_TANH};
    spec.model.shards = shards;
    spec.train.microbatches = microbatches;
    return spec;
}

static void compare(const struct net *a, const struct net *b, const char *name)
{
    for (uint32_t l = 0; l < a->arch.layers_count; l++) {
        size_t units = a->arch.layers[l].units_count;
        size_t columns =
            strncmp(name, "bias", 4) == 0 ? 1 : arch_layer_inputs(&a->arch, l);
        float *left = net_tensor(a, l, name);
        float *right = net_tensor(b, l, name);

        assert_true(net_distance(left, right, units * columns) <= ROUNDING);
        free(right);
        free(left);
    }
}

static void compare_after_training(const struct job_spec *one,
                                   const struct job_spec *other)
{
    struct net a;
    struct net b;

    net_open(&a, one, INPUTS, OUTPUTS);
    net_open(&b, other, INPUTS, OUTPUTS);
    net_train(&a, 1, STEPS, 0.05);
    net_train(&b, 1, STEPS, 0.05);

    compare(&a, &b, "weight");
    compare(&a, &b, "bias");
    net_close(&b);
    net_close(&a);
}

static void test_shard__shards_give_what_one_shard_gives(void **state)
{
    const struct job_spec one = wide_spec(1, 1);

    (void)state;
    for (uint32_t shards = 2; shards <= 4; shards++) {
        const struct job_spec spec = wide_spec(shards, 1);

        compare_after_training(&one, &spec);
    }
}

/* 20 shards of 18 and 13 units: some hold nothing and still take part. */
static void test_shard__empty_shards_take_part(void **state)
{
    const struct job_spec one = wide_spec(1, 1);
    const struct job_spec many = wide_spec(20, 2);

    (void)state;
    compare_after_training(&one, &many);
}

static void test_shard__microbatches_change_rounding_alone(void **state)
{
    const struct job_spec one = wide_spec(2, 1);

    (void)state;
    for (uint32_t parts = 2; parts <= 4; parts++) {
        const struct job_spec spec = wide_spec(2, parts);

        compare_after_training(&one, &spec);
    }
}

static void test_shard__same_spec_gives_the_same_bits(void **state)
{
    const struct job_spec spec = wide_spec(3, 2);
    struct net a;
    struct net b;

    (void)state;
    net_open(&a, &spec, INPUTS, OUTPUTS);
    net_open(&b, &spec, INPUTS, OUTPUTS);
    net_train(&a, 1, STEPS, 0.05);
    net_train(&b, 1, STEPS, 0.05);

    assert_true(net_same_bits(&a, &b));
    net_close(&b);
    net_close(&a);
}

static void lesion(struct net *net, uint32_t layer, uint32_t unit, float mean)
{
    struct edit edit = {.kind = EDIT_LESION, .layer = layer, .units_count = 1};
    struct edit_unit named = {.id = net->arch.layers[layer].units[unit].id,
                              .mean = mean};

    net_edit(net, &edit, &named);
}

/* Row, bias, column and all their slots, against gradient, momentum and decay;
 * while the units beside them move. */
static void check_stands_still(const struct net *net,
                               const struct net *before,
                               const char *suffix,
                               uint32_t unit)
{
    uint32_t units = net->arch.layers[0].units_count;
    uint32_t next = net->arch.layers[1].units_count;
    char weight[TENSOR_NAME_BYTES_MAX];
    char bias[TENSOR_NAME_BYTES_MAX];
    float *now[3];
    float *then[3];

    memcpy(weight, "weight\0\0", 9);
    memcpy(bias, "bias\0\0", 7);
    memcpy(weight + 6, suffix, strlen(suffix) + 1);
    memcpy(bias + 4, suffix, strlen(suffix) + 1);
    now[0] = net_tensor(net, 0, weight);
    then[0] = net_tensor(before, 0, weight);
    now[1] = net_tensor(net, 0, bias);
    then[1] = net_tensor(before, 0, bias);
    now[2] = net_tensor(net, 1, weight);
    then[2] = net_tensor(before, 1, weight);

    assert_memory_equal(now[0] + unit * INPUTS, then[0] + unit * INPUTS,
                        INPUTS * sizeof(float));
    assert_memory_equal(now[1] + unit, then[1] + unit, sizeof(float));
    assert_memory_not_equal(now[0] + (unit + 1) * INPUTS,
                            then[0] + (unit + 1) * INPUTS, INPUTS);
    for (uint32_t u = 0; u < next; u++) {
        assert_memory_equal(now[2] + u * units + unit,
                            then[2] + u * units + unit, sizeof(float));
        assert_memory_not_equal(now[2] + u * units + unit + 1,
                                then[2] + u * units + unit + 1, sizeof(float));
    }
    for (int i = 0; i < 3; i++) {
        free(now[i]);
        free(then[i]);
    }
}

static void run_lesion(enum optimizer_kind kind, double momentum)
{
    struct job_spec spec = wide_spec(2, 1);
    struct net net;
    struct net before;

    spec.train.optimizer.kind = kind;
    spec.train.optimizer.momentum = momentum;
    spec.train.optimizer.weight_decay = 0.01;
    spec.train.clip = 0.5;
    spec.model.hidden[0].activation = ACTIVATION_TANH;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    net_train(&net, 1, STEPS, 0.01);
    lesion(&net, 0, 3, 0.25f);
    lesion(&net, 0, 12, -0.5f);
    net_copy(&before, &net);

    net_train(&net, 1, STEPS, 0.01);

    check_stands_still(&net, &before, "", 3);
    check_stands_still(&net, &before, "", 12);
    if (kind != OPTIMIZER_SGD || momentum != 0) {
        check_stands_still(&net, &before, ".m", 3);
    }
    if (kind != OPTIMIZER_SGD) {
        check_stands_still(&net, &before, ".v", 12);
    }
    net_close(&before);
    net_close(&net);
}

static void test_shard__lesioned_units_stand_still(void **state)
{
    (void)state;
    run_lesion(OPTIMIZER_SGD, 0);
    run_lesion(OPTIMIZER_SGD, 0.9);
    run_lesion(OPTIMIZER_ADAM, 0);
    run_lesion(OPTIMIZER_ADAMW, 0);
}

static void test_shard__lesioned_unit_outputs_its_mean(void **state)
{
    struct job_spec spec = wide_spec(1, 1);
    struct net net;
    float x[INPUTS];
    float h[18];

    (void)state;
    net_draw(1, x, INPUTS);
    net_open(&net, &spec, INPUTS, OUTPUTS);
    lesion(&net, 0, 3, 0.25f);
    shard_begin(net.shards[0][0], PASS_EVALUATE, 0, 1);
    shard_input(net.shards[0][0], 0, 1, 0, x);

    shard_forward(net.shards[0][0], 0, 1, h);

    assert_true(h[3] == 0.25f);
    net_close(&net);
}

static void test_shard__open_survives_every_failed_allocation(void **state)
{
    struct job_spec spec = wide_spec(2, 1);
    struct arch arch;
    void *memory = calloc(1, arch_memory_bytes(&spec, OUTPUTS));
    struct shard_place place = {&spec, &arch, 1, 0};
    uint64_t live = mem_live();
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    (void)state;
    spec.train.optimizer.kind = OPTIMIZER_ADAM;
    arch_begin(&arch, &spec, INPUTS, OUTPUTS, memory);
    while (status == STATUS_NO_MEMORY) {
        struct shard *shard = NULL;

        mem_fail_at(++n);
        status = shard_open(&place, &shard);
        mem_fail_at(0);
        shard_close(shard);
        assert_int_equal(mem_live(), live);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 10);
    free(memory);
}

static void test_shard__sees_where_the_loss_overflows(void **state)
{
    struct job_spec spec = wide_spec(1, 1);
    struct net net;
    struct report report = {0};
    float *w;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    net_train(&net, 1, 3, 0.05);
    w = net_tensor(&net, 2, "weight");
    w[0] = INFINITY;
    net_set_tensor(&net, 2, "weight", w);
    net_train(&net, 1, 3, 0.05);

    net_report(&net, 2, 6, &report);

    assert_true(report.not_finite);
    assert_int_equal(report.not_finite_step, 3);
    net_report(&net, 0, 6, &report);
    assert_true(report.not_finite);
    free(w);
    net_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard__shards_give_what_one_shard_gives),
        cmocka_unit_test(test_shard__empty_shards_take_part),
        cmocka_unit_test(test_shard__microbatches_change_rounding_alone),
        cmocka_unit_test(test_shard__same_spec_gives_the_same_bits),
        cmocka_unit_test(test_shard__lesioned_units_stand_still),
        cmocka_unit_test(test_shard__lesioned_unit_outputs_its_mean),
        cmocka_unit_test(test_shard__open_survives_every_failed_allocation),
        cmocka_unit_test(test_shard__sees_where_the_loss_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
