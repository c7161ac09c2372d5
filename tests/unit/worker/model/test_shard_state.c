#include "tests/unit/worker/model/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 20, OUTPUTS = 5, SHARDS = 2 };

static struct job_spec spec_of(enum optimizer_kind kind, double momentum)
{
    struct job_spec spec = net_spec();

    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){17, ACTIVATION_GELU};
    spec.model.hidden[1] = (struct layer_spec){13, ACTIVATION_RELU};
    spec.model.shards = SHARDS;
    spec.train.optimizer.kind = kind;
    spec.train.optimizer.momentum = momentum;
    spec.train.optimizer.weight_decay = 1e-3;
    return spec;
}

/* A unit born late (Adam counts it from there) and one that is lesioned. */
static void live_a_little(struct net *net)
{
    struct edit add = {.kind = EDIT_ADD, .layer = 0, .units_count = 1};
    struct edit lesion = {.kind = EDIT_LESION, .layer = 1, .units_count = 1};
    struct edit_unit born = {.id = {.birth = 1000}, .shard = 1};
    struct edit_unit hurt = {.id = net->arch.layers[1].units[4].id,
                             .mean = 0.125f};

    net_train(net, 1, 20, 0.01);
    net_edit(net, &add, &born);
    net_train(net, 1, 10, 0.01);
    net_edit(net, &lesion, &hurt);
    net_train(net, 1, 7, 0.01); /* amid an interval */
}

static void restore_and_train(enum optimizer_kind kind, double momentum)
{
    struct job_spec spec = spec_of(kind, momentum);
    struct report before[SHARDS];
    struct report after[SHARDS];
    struct net net;
    struct net restored;

    memset(before, 0, sizeof(before));
    memset(after, 0, sizeof(after));
    net_open(&net, &spec, INPUTS, OUTPUTS);
    live_a_little(&net);
    net_copy(&restored, &net);
    assert_true(net_same_bits(&net, &restored));

    net_train(&net, 1, 50, 0.01);
    net_train(&restored, 1, 50, 0.01);

    assert_true(net_same_bits(&net, &restored));
    net_report(&net, 1, 87, before);
    net_report(&restored, 1, 87, after);
    assert_memory_equal(before, after, sizeof(before));
    net_close(&restored);
    net_close(&net);
}

static void test_shard_state__restored_is_as_never_left(void **state)
{
    (void)state;
    restore_and_train(OPTIMIZER_SGD, 0);
    restore_and_train(OPTIMIZER_SGD, 0.9);
    restore_and_train(OPTIMIZER_ADAM, 0);
    restore_and_train(OPTIMIZER_ADAMW, 0);
}

static void test_shard_state__names_its_tensors(void **state)
{
    struct job_spec spec = spec_of(OPTIMIZER_ADAM, 0);
    struct tensor tensors[SHARD_TENSORS_MAX];
    struct net net;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);

    assert_int_equal(shard_tensors(net.shards[0][0], tensors), 9);
    assert_string_equal(tensors[0].name, "weight");
    assert_int_equal(tensors[0].rows, 9);
    assert_int_equal(tensors[0].columns, INPUTS);
    assert_int_equal(tensors[0].element_bytes, 4);
    assert_int_equal(tensors[0].bytes, 9 * INPUTS * 4);
    assert_string_equal(tensors[1].name, "bias");
    assert_string_equal(tensors[4].name, "weight.v");
    assert_string_equal(tensors[6].name, "figures");
    assert_string_equal(tensors[8].name, "evaluations");
    assert_int_equal(tensors[8].bytes, 0);
    net_close(&net);

    spec = spec_of(OPTIMIZER_SGD, 0);
    net_open(&net, &spec, INPUTS, OUTPUTS);
    assert_int_equal(shard_tensors(net.shards[0][0], tensors), 5);
    net_close(&net);
}

static void test_shard_state__keeps_evaluations(void **state)
{
    struct job_spec spec = spec_of(OPTIMIZER_SGD, 0);
    struct evaluation e = {EVALUATION_GUARD_AFTER, 3, 256, 200, 1.25};
    struct report report = {0};
    struct net net;
    struct net restored;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    shard_keep_evaluation(net.shards[2][0], &e);
    e.task = 4;
    shard_keep_evaluation(net.shards[2][0], &e);
    net_copy(&restored, &net);

    net_report(&restored, 2, 0, &report);

    assert_int_equal(report.evaluations_count, 2);
    assert_int_equal(report.evaluations[0].set, EVALUATION_GUARD_AFTER);
    assert_int_equal(report.evaluations[0].task, 3);
    assert_int_equal(report.evaluations[1].task, 4);
    assert_int_equal(report.evaluations[1].correct, 200);
    assert_true(report.evaluations[1].loss_sum == 1.25);
    net_report(&restored, 2, 0, &report);
    assert_int_equal(report.evaluations_count, 0);
    net_close(&restored);
    net_close(&net);
}

static void test_shard_state__refuses_other_sizes(void **state)
{
    struct job_spec spec = spec_of(OPTIMIZER_SGD, 0);
    static unsigned char bytes[1 << 16];
    struct tensor tensors[SHARD_TENSORS_MAX];
    struct net net;
    uint32_t count;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    count = shard_tensors(net.shards[0][0], tensors);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = tensors[i].bytes;

        assert_int_equal(shard_load(net.shards[0][0], i, bytes, size + 1),
                         STATUS_CORRUPT);
        assert_int_equal(shard_load(net.shards[0][0], i, bytes, size),
                         STATUS_OK);
        if (size > 0) {
            assert_int_equal(shard_load(net.shards[0][0], i, bytes, size - 1),
                             STATUS_CORRUPT);
        }
    }
    assert_int_equal(shard_load(net.shards[0][0], count, bytes, 0),
                     STATUS_CORRUPT);
    shard_expect_evaluations(net.shards[0][0], UINT32_MAX);
    assert_int_equal(shard_load(net.shards[0][0], count - 1, bytes, 40),
                     STATUS_CORRUPT);
    net_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard_state__restored_is_as_never_left),
        cmocka_unit_test(test_shard_state__names_its_tensors),
        cmocka_unit_test(test_shard_state__keeps_evaluations),
        cmocka_unit_test(test_shard_state__refuses_other_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
