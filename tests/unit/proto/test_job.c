#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/job.h"
#include "proto/jobcheck.h"
#include <string.h>

static struct job_spec good(void)
{
    struct job_spec spec;

    job_defaults(&spec);
    memcpy(spec.data.dir, "/d", 3);
    spec.model.hidden_count = 2;
    spec.model.hidden[0].units = 8;
    spec.model.hidden[0].activation = ACTIVATION_RELU;
    spec.model.hidden[1].units = 9;
    spec.model.hidden[1].activation = ACTIVATION_TANH;
    spec.roles[ROLE_RENEW].count = 1;
    spec.roles[ROLE_RENEW].policies[0].policy = POLICY_CONTINUAL_BACKPROP;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_RATE] = 1e-4;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_MATURITY] = 100;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_DECAY] = 0.99;
    spec.roles[ROLE_GROW].count = 1;
    spec.roles[ROLE_GROW].policies[0].policy = POLICY_SCHEDULE;
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_EVERY] = 5;
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_ADD] = 4;
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_MAX_UNITS] = 64;
    return spec;
}

static void assert_why(const struct job_spec *spec, const char *expected)
{
    char why[REASON_BYTES_MAX] = "";

    assert_int_equal(job_check(spec, why, sizeof(why)),
                     expected == NULL ? STATUS_OK : STATUS_INVALID);
    assert_string_equal(why, expected == NULL ? "" : expected);
}

static void test_job__defaults_need_only_a_model_and_a_directory(void **state)
{
    struct job_spec spec;

    (void)state;
    job_defaults(&spec);
    assert_why(&spec, "data.dir: must be the path of a directory: 1 to 511 "
                      "bytes of UTF-8");
    memcpy(spec.data.dir, "/d", 3);
    assert_why(&spec, "model.hidden: must be 1 to 15 layers");
    spec.model.hidden_count = 1;
    spec.model.hidden[0].units = 1;
    spec.model.hidden[0].activation = ACTIVATION_RELU;
    assert_why(&spec, NULL);
}

static void test_job__names_the_key_that_is_wrong(void **state)
{
    struct job_spec spec = good();

    (void)state;
    assert_why(&spec, NULL);
    spec.model.hidden[1].units = 0;
    assert_why(&spec, "model.hidden[1].units: must be 1 to 65536, got 0");

    spec = good();
    spec.train.rate.peak = 0.0 / 0.0;
    assert_why(&spec, "train.lr.peak: must be above 0");

    spec = good();
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_EVERY] = 2.5;
    assert_why(&spec, "plasticity.grow.every: must be a whole number");

    spec = good();
    spec.roles[ROLE_GROW].policies[0].policy = POLICY_CONTRIBUTION;
    assert_why(&spec, "plasticity.grow.policy: is no policy of this role");

    spec = good();
    spec.keep.on = 1;
    assert_why(&spec, "keep.on: is none of the causes that there are");

    spec = good();
    spec.loss = (enum loss_kind)7;
    assert_why(&spec, "loss: is none of the kinds that there are");
}

static void test_job__checks_texts_that_do_not_end(void **state)
{
    struct job_spec spec = good();

    (void)state;
    memset(spec.data.dir, 'd', sizeof(spec.data.dir));
    assert_why(&spec, "data.dir: must be the path of a directory: 1 to 511 "
                      "bytes of UTF-8");

    spec = good();
    memset(spec.name, 'n', sizeof(spec.name));
    memset(&spec.data, 0xFF, sizeof(spec.data));
    memset(&spec.train, 0xFF, sizeof(spec.train));
    memset(&spec.roles, 0xFF, sizeof(spec.roles));
    assert_why(&spec,
               "name: must be 1 to 63 of a-z A-Z 0-9 . _ -, begin with a "
               "letter or digit, and not read as a number of a job (j7) or a "
               "version (v7)");
}

static void test_job__refuses_a_width_that_may_not_grow_to_itself(void **state)
{
    struct job_spec spec = good();
    struct job_faults faults;

    (void)state;
    spec.model.hidden[1].units = 65;

    job_faults(&spec, &faults);

    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].path, "plasticity.grow.max_units");
    assert_string_equal(faults.items[0].message,
                        "64 is below the starting width 65");
    assert_string_equal(faults.items[0].other, "model.hidden[1].units");
}

static void test_job__lists_a_bounded_number_of_faults(void **state)
{
    struct job_spec spec;
    struct job_faults faults;

    (void)state;
    memset(&spec, 0, sizeof(spec));
    spec.data.task_specs_count = TASK_SPECS_MAX;

    job_faults(&spec, &faults);

    assert_int_equal(faults.count, JOB_FAULTS_MAX);
}

static void test_job__counts_the_tasks_of_all_mappings(void **state)
{
    struct job_spec spec = good();

    (void)state;
    spec.data.task_specs_count = 2;
    spec.data.task_specs[0].count = 3;
    spec.data.task_specs[1].count = 2;

    assert_int_equal(job_tasks_count(&spec), 5);
}

static void test_job__names_each_cause(void **state)
{
    static const char *const names[] = {
        "?",     "start", "restore",  "manual", "grow", "prune",
        "renew", "task",  "periodic", "end",    "?"};

    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_string_equal(cause_name((enum cause)i), names[i]);
    }
}

static void test_job__sets_what_a_running_job_may_change(void **state)
{
    static const struct {
        const char *key;
        uint32_t setting;
        double value;
    } settings[] = {
        {"train.lr", SETTING_RATE, 0.5},
        {"train.lr.peak", SETTING_RATE, 0.25},
        {"train.optimizer.weight_decay", SETTING_WEIGHT_DECAY, 0.1},
        {"train.clip", SETTING_CLIP, 2},
        {"plasticity.renew.rate", 1000, 1e-3},
        {"plasticity.renew.maturity", 1001, 7},
        {"plasticity.grow.every", 1100, 9},
        {"plasticity.grow.add", 1101, 3},
    };
    struct job_spec spec = good();

    (void)state;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        char path[JOB_PATH_BYTES_MAX];
        uint32_t setting = 0;

        assert_int_equal(job_find_setting(&spec, settings[i].key, &setting),
                         STATUS_OK);
        assert_int_equal(setting, settings[i].setting);
        job_setting_path(&spec, setting, path);
        assert_string_equal(path, setting == SETTING_RATE ? "train.lr"
                                                          : settings[i].key);
        assert_int_equal(job_apply_setting(&spec, setting, settings[i].value),
                         STATUS_OK);
    }
    assert_true(spec.train.rate.peak == 0.25);
    assert_true(spec.train.optimizer.weight_decay == 0.1);
    assert_true(spec.train.clip == 2);
    assert_true(spec.roles[ROLE_RENEW].policies[0].value[CBP_RATE] == 1e-3);
    assert_true(spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_ADD] == 3);
}

static void test_job__sets_policies_of_a_list_by_index(void **state)
{
    struct job_spec spec = good();
    uint32_t setting = 0;

    (void)state;
    spec.roles[ROLE_GROW].count = 2;
    spec.roles[ROLE_GROW].policies[1] = spec.roles[ROLE_GROW].policies[0];
    spec.roles[ROLE_GROW].policies[1].policy = POLICY_PLATEAU;

    assert_int_equal(
        job_find_setting(&spec, "plasticity.grow[1].window", &setting),
        STATUS_OK);
    assert_int_equal(setting, 1110);
    assert_int_equal(job_find_setting(&spec, "plasticity.grow.add", &setting),
                     STATUS_NOT_FOUND);
}

static void test_job__does_not_set_data_shape_or_nonsense(void **state)
{
    static const char *const keys[] = {
        "",
        "train",
        "model.shards",
        "seed",
        "data.dir",
        "plasticity.grow.max_units",
        "run.workers",
        "plasticity.renew.decay",
        "plasticity.prune.below",
        "train.lr.",
    };
    struct job_spec spec = good();
    uint32_t setting = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(job_find_setting(&spec, keys[i], &setting),
                         STATUS_NOT_FOUND);
    }
    assert_int_equal(setting, 77);
}

static void test_job__leaves_the_job_where_a_setting_is_out_of_range(
    void **state)
{
    static const struct {
        uint32_t setting;
        double value;
    } wrong[] = {
        {SETTING_RATE, 0},
        {SETTING_RATE, -1},
        {SETTING_RATE, 0.0 / 0.0},
        {SETTING_CLIP, -1},
        {0, 1},
        {4, 1},
        {1003, 1},
        {1010, 1},
        {1100, 0},
        {1100, 1.5},
        {1102, 80},
        {1200, 1},
        {1300, 1},
        {UINT32_MAX, 1},
        {1002, 0.5},
    };
    const struct job_spec before = good();
    struct job_spec spec = before;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            job_apply_setting(&spec, wrong[i].setting, wrong[i].value),
            STATUS_INVALID);
        assert_memory_equal(&spec, &before, sizeof(spec));
    }
}

static void test_job__tells_a_name_from_a_number(void **state)
{
    static const char *const good_names[] = {"a", "j",       "j1a",
                                             "7", "A.b_c-d", "version1"};
    static const char *const bad_names[] = {
        "", "-a", ".a", "a b", "j1", "v22", "a@b", "a/b", "\xc3\xa9"};

    (void)state;
    for (size_t i = 0; i < sizeof(good_names) / sizeof(good_names[0]); i++) {
        assert_true(job_name_valid(good_names[i], strlen(good_names[i])));
    }
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        assert_false(job_name_valid(bad_names[i], strlen(bad_names[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job__defaults_need_only_a_model_and_a_directory),
        cmocka_unit_test(test_job__names_the_key_that_is_wrong),
        cmocka_unit_test(test_job__checks_texts_that_do_not_end),
        cmocka_unit_test(test_job__refuses_a_width_that_may_not_grow_to_itself),
        cmocka_unit_test(test_job__lists_a_bounded_number_of_faults),
        cmocka_unit_test(test_job__counts_the_tasks_of_all_mappings),
        cmocka_unit_test(test_job__names_each_cause),
        cmocka_unit_test(test_job__sets_what_a_running_job_may_change),
        cmocka_unit_test(test_job__sets_policies_of_a_list_by_index),
        cmocka_unit_test(test_job__does_not_set_data_shape_or_nonsense),
        cmocka_unit_test(
            test_job__leaves_the_job_where_a_setting_is_out_of_range),
        cmocka_unit_test(test_job__tells_a_name_from_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
