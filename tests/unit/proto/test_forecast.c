#include "proto/forecast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* 784-100-10 on two tasks of 1000 steps, a report every 100. */
static struct job_spec make_spec(void)
{
    struct job_spec spec;

    job_defaults(&spec);
    spec.model.hidden_count = 1;
    spec.model.hidden[0].units = 100;
    spec.report_every_steps = 100;
    return spec;
}

static struct forecast make(const struct job_spec *spec)
{
    const struct forecast_of of = {
        .spec = spec, .inputs = 784, .outputs = 10, .tasks = 2, .steps = 2000};
    struct forecast forecast;

    forecast_make(&of, &forecast);
    return forecast;
}

enum { PARAMETERS = 785 * 100 + 101 * 10, UNITS = 110 };

static void test_forecast__counts_the_versions_that_are_sure(void **state)
{
    struct job_spec spec = make_spec();
    struct forecast forecast = make(&spec);

    (void)state;
    /* start, the end of the first task, end */
    assert_int_equal(forecast.versions_least, 3);
    assert_int_equal(forecast.versions_most, 3);
    assert_int_equal(forecast.kept_most, 3);
    assert_false(forecast.bounded);
    spec.keep.every_steps = 500;
    assert_int_equal(make(&spec).versions_least, 7);
}

static void test_forecast__holds_what_the_optimiser_keeps(void **state)
{
    struct job_spec spec = make_spec();
    uint64_t units = UNITS * 128;

    (void)state;
    assert_int_equal(make(&spec).version_bytes, PARAMETERS * 4 + units);
    spec.train.optimizer.momentum = 0.9;
    assert_int_equal(make(&spec).version_bytes, PARAMETERS * 8 + units);
    spec.train.optimizer.kind = OPTIMIZER_ADAM;
    assert_int_equal(make(&spec).version_bytes, PARAMETERS * 12 + units);
}

static void test_forecast__edits_make_one_version_an_interval(void **state)
{
    struct job_spec spec = make_spec();
    struct forecast forecast;

    (void)state;
    spec.roles[ROLE_RENEW].count = 1;
    assert_int_equal(make(&spec).versions_most, 3); /* renew is not in keep */
    spec.roles[ROLE_PRUNE].count = 1;
    forecast = make(&spec);
    assert_int_equal(forecast.versions_least, 3);
    assert_int_equal(forecast.versions_most, 2000 / 100 + 2 + 2);
}

static void test_forecast__is_bounded_by_keep_last(void **state)
{
    struct job_spec spec = make_spec();
    struct forecast forecast;

    (void)state;
    spec.keep.every_steps = 10;
    spec.report_every_steps = 10;
    spec.keep.last = 40;
    forecast = make(&spec);
    assert_true(forecast.bounded);
    assert_int_equal(forecast.versions_least, 203);
    assert_int_equal(forecast.kept_most, 40 + 12 + 10);
    assert_int_equal(forecast.bytes_most,
                     62 * (forecast.version_bytes +
                           forecast.version_bytes * 3 / 100 + (16 << 10) +
                           2 * (12 << 10)));
    spec.keep.last = 1000;
    assert_false(make(&spec).bounded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forecast__counts_the_versions_that_are_sure),
        cmocka_unit_test(test_forecast__holds_what_the_optimiser_keeps),
        cmocka_unit_test(test_forecast__edits_make_one_version_an_interval),
        cmocka_unit_test(test_forecast__is_bounded_by_keep_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
