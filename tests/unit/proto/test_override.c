#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "tests/unit/proto/broken.h"
#include <stdio.h>
#include <string.h>

static const struct broken wrong[] = {
    {WHOLE,
     {"train.lr=fast"},
     "--set train.lr=fast: error: train.lr: \"fast\" is not a number\n"
     "   like this: lr: 1e-3\n"
     "1 error\n"},
    {WHOLE,
     {"train.optimiser=adam"},
     "--set train.optimiser=adam: error: train.optimiser: unknown key. Did you "
     "mean \"optimizer\"?\n"
     "1 error\n"},
    {WHOLE,
     {"train.lr"},
     "--set train.lr: error: is not of the form key=value\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {WHOLE,
     {"=3"},
     "--set =3: error: is not a key\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {WHOLE,
     {"a..b=3"},
     "--set a..b=3: error: a..b: is not a key\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {WHOLE,
     {"model.hidden[0=3"},
     "--set model.hidden[0=3: error: model.hidden[0: is not a key\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {WHOLE,
     {"model.hidden[4]=3"},
     "--set model.hidden[4]=3: error: model.hidden[4]: the list has no such "
     "element\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {"version: 1\n"
     "data: {format: idx, dir: /d}\n"
     "model: {hidden: [8, 8]}\n",
     {"model.hidden.units=3"},
     "--set model.hidden.units=3: error: model.hidden.units: goes through a "
     "list; say which element, from [0]\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {WHOLE,
     {"train.lr=[1"},
     "--set train.lr=[1: error: train.lr: not valid YAML: did not find "
     "expected ',' or ']'\n"
     "   like this: --set train.lr=3e-4\n"
     "1 error\n"},
    {WHOLE "seed: x\n",
     {"seed=y", "run.workers=0"},
     "--set seed=y: error: seed: \"y\" is not a number\n"
     "   like this: seed: 7\n"
     "--set run.workers=0: error: run.workers: must be 1 to 64, got 0\n"
     "2 errors\n"},
};

enum { WRONG_COUNT = sizeof(wrong) / sizeof(wrong[0]) };

static void test_override__tells_what_is_wrong_with_each_override(void **state)
{
    (void)state;
    for (size_t i = 0; i < WRONG_COUNT; i++) {
        check_broken(&wrong[i]);
    }
}

/* The job of a file and its overrides. */
static struct job_spec job_of(const char *text, const char *const *overrides)
{
    struct jobfile_source source = {.file_name = "good.yaml"};
    struct jobfile_errors errors;
    struct job_spec spec;

    source.bytes = text;
    source.size = strlen(text);
    source.overrides = overrides;
    while (overrides[source.overrides_count] != NULL) {
        source.overrides_count++;
    }
    assert_int_equal(jobfile_parse(&source, &spec, NULL, &errors), STATUS_OK);
    return spec;
}

static void test_override__adds_a_key_and_its_section(void **state)
{
    const char *overrides[] = {"train.batch=32", "plasticity.grow=plateau",
                               NULL};
    struct job_spec spec;

    (void)state;
    spec = job_of(WHOLE, overrides);

    assert_int_equal(spec.train.batch, 32);
    assert_int_equal(spec.roles[ROLE_GROW].count, 1);
    assert_int_equal(spec.roles[ROLE_GROW].policies[0].policy, POLICY_PLATEAU);
}

static void test_override__replaces_a_value_and_the_last_one_counts(
    void **state)
{
    const char *overrides[] = {"train.batch=32", "model.hidden=[5, 6, 7]",
                               "train.batch=64", NULL};
    struct job_spec spec;

    (void)state;
    spec = job_of(WHOLE "train: {batch: 8}\n", overrides);

    assert_int_equal(spec.train.batch, 64);
    assert_int_equal(spec.model.hidden_count, 3);
    assert_int_equal(spec.model.hidden[2].units, 7);
}

static void test_override__makes_a_short_form_long(void **state)
{
    const char *overrides[] = {"train.optimizer.momentum=0.9",
                               "train.lr.warmup=5 steps",
                               "plasticity.grow.add=32 units",
                               "model.hidden[0].activation=tanh", NULL};
    struct job_spec spec;

    (void)state;
    spec = job_of(WHOLE "train: {optimizer: sgd, lr: 0.5}\n"
                        "plasticity: {grow: plateau}\n",
                  overrides);

    assert_true(spec.train.optimizer.momentum == 0.9);
    assert_true(spec.train.rate.peak == 0.5);
    assert_int_equal(spec.train.rate.warmup_steps, 5);
    assert_true(spec.roles[ROLE_GROW].policies[0].value[PLATEAU_ADD] == 32);
    assert_int_equal(spec.model.hidden[0].units, 8);
    assert_int_equal(spec.model.hidden[0].activation, ACTIVATION_TANH);
}

static void test_override__reaches_an_element_by_its_index(void **state)
{
    const char *overrides[] = {"model.hidden[1]=16", "data.tasks[0].count=3",
                               NULL};
    struct job_spec spec;

    (void)state;
    spec = job_of("version: 1\nmodel: {hidden: [8, 9]}\n"
                  "data: {format: idx, dir: /d, tasks: {kind: rotate}}\n",
                  overrides);

    assert_int_equal(spec.model.hidden[0].units, 8);
    assert_int_equal(spec.model.hidden[1].units, 16);
    assert_int_equal(spec.data.task_specs[0].kind, TASK_ROTATE);
    assert_int_equal(spec.data.task_specs[0].count, 3);
}

static void test_override__may_mend_what_the_file_has_wrong(void **state)
{
    const char *overrides[] = {"train.lr=1e-2", NULL};
    struct job_spec spec;

    (void)state;
    spec = job_of(WHOLE "train: {lr: fast}\n", overrides);

    assert_true(spec.train.rate.peak == 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_override__tells_what_is_wrong_with_each_override),
        cmocka_unit_test(test_override__adds_a_key_and_its_section),
        cmocka_unit_test(
            test_override__replaces_a_value_and_the_last_one_counts),
        cmocka_unit_test(test_override__makes_a_short_form_long),
        cmocka_unit_test(test_override__reaches_an_element_by_its_index),
        cmocka_unit_test(test_override__may_mend_what_the_file_has_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
