#include "coordinator/shell/requests/setting.h"

#include "tests/unit/coordinator/shell/fixture.h"

#include <math.h>
#include <string.h>

static struct job_spec spec;

static int setup(void **state)
{
    (void)state;
    sample_spec(&spec);
    spec.roles[ROLE_RENEW].count = 1;
    spec.roles[ROLE_RENEW].policies[0].policy = POLICY_CONTINUAL_BACKPROP;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_RATE] = 1e-4;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_MATURITY] = 100;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_DECAY] = 0.99;
    return 0;
}

static char why[ERROR_BYTES_MAX];

static enum status parse(const char *key, const char *value, double *out)
{
    struct grant_setting setting = {.value = -1};
    enum status status = STATUS_OK;

    why[0] = '\0';
    status = setting_parse(&spec, key, value, &setting, why);

    *out = setting.value;
    if (status != STATUS_OK) {
        assert_true(strlen(why) > 10);
    }
    return status;
}

static void test_setting__takes_what_a_job_file_takes(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(parse("train.lr", "3e-4", &value), STATUS_OK);
    assert_true(fabs(value - 3e-4) < 1e-12);
    assert_int_equal(parse("plasticity.renew.maturity", "200 steps", &value),
                     STATUS_OK);
    assert_true(value == 200);
}

static void test_setting__refuses_the_wrong_unit(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(parse("plasticity.renew.maturity", "200", &value),
                     STATUS_INVALID);
    assert_int_equal(parse("plasticity.renew.maturity", "200 units", &value),
                     STATUS_INVALID);
    assert_int_equal(parse("train.lr", "1 step", &value), STATUS_INVALID);
    assert_int_equal(parse("train.lr", "fast", &value), STATUS_INVALID);
    assert_int_equal(parse("train.lr", "", &value), STATUS_INVALID);
}

static void test_setting__refuses_a_value_out_of_range(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(parse("train.lr", "-1", &value), STATUS_INVALID);
}

static void test_setting__refuses_keys_that_stay(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(parse("model.hidden", "3", &value), STATUS_INVALID);
    assert_int_equal(parse("seed", "3", &value), STATUS_INVALID);
    assert_int_equal(parse("plasticity.grow.add", "3 units", &value),
                     STATUS_INVALID);
    assert_int_equal(parse("unknown.key", "3", &value), STATUS_INVALID);
    assert_string_equal(why, "unknown.key cannot be set while a job runs. Try "
                             "train.lr, or a key of one of the job's policies, "
                             "like plasticity.renew.rate");
    assert_int_equal(parse("a\nb", "3", &value), STATUS_INVALID);
    assert_non_null(strstr(why, "this key cannot be set"));
}

static void test_setting__says_which_key_was_meant(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(parse("train.rl", "3", &value), STATUS_INVALID);
    assert_string_equal(why, "train.rl cannot be set while a job runs. Did you "
                             "mean train.lr?");
    assert_int_equal(parse("plasticity.renew.maturty", "3", &value),
                     STATUS_INVALID);
    assert_string_equal(why, "plasticity.renew.maturty cannot be set while a "
                             "job runs. Did you mean "
                             "plasticity.renew.maturity?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_setting__takes_what_a_job_file_takes,
                               setup),
        cmocka_unit_test_setup(test_setting__refuses_the_wrong_unit, setup),
        cmocka_unit_test_setup(test_setting__refuses_a_value_out_of_range,
                               setup),
        cmocka_unit_test_setup(test_setting__refuses_keys_that_stay, setup),
        cmocka_unit_test_setup(test_setting__says_which_key_was_meant, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
