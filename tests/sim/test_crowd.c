/* The control plane with more workers than one job can have. */
#include "tests/sim/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void run(const struct crowd_options *options, struct crowd_figures *out)
{
    if (!crowd_run(options, out)) {
        fail_msg("%s", out->failure);
    }
}

static void test_crowd__ends_its_jobs_whoever_is_lost(void **state)
{
    static const struct crowd_options options = {.workers = 200,
                                                 .shards = 2000,
                                                 .intervals = 40,
                                                 .losses = 10,
                                                 .drains = 6};
    struct crowd_figures f;

    (void)state;
    run(&options, &f);

    assert_int_equal(f.jobs, 4);
    assert_true(f.shards >= 2000);
    assert_true(f.workers_hosting > 180);
    assert_int_equal(f.losses, 10);
    assert_true(f.recoveries > 0);
    assert_true(f.moves > 0);
    assert_true(f.points > 0);
    assert_true(f.decisions > 0);
    assert_true(f.intervals >= 4 * 40);
    assert_true(f.reports >= 40 * (uint64_t)f.shards);
}

static void test_crowd__is_the_same_run_each_time(void **state)
{
    static const struct crowd_options options = {.workers = 80,
                                                 .shards = 200,
                                                 .intervals = 20,
                                                 .losses = 4,
                                                 .drains = 2};
    struct crowd_figures a;
    struct crowd_figures b;

    (void)state;
    run(&options, &a);
    run(&options, &b);

    assert_memory_equal(&a, &b, sizeof(a));
}

/* As many as there may be; a shard each, so that they are what is dear. */
static void test_crowd__places_jobs_on_all_members(void **state)
{
    static const struct crowd_options options = {
        .workers = 1024, .shards = 1024, .intervals = 4};
    struct crowd_figures f;

    (void)state;
    run(&options, &f);

    assert_int_equal(f.jobs, 16);
    assert_true(f.workers_hosting > 980);
    assert_int_equal(f.intervals, 16 * 5); /* the closing one, too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crowd__ends_its_jobs_whoever_is_lost),
        cmocka_unit_test(test_crowd__is_the_same_run_each_time),
        cmocka_unit_test(test_crowd__places_jobs_on_all_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
