/* Seeds, kept seeds, and faults that are planted to see that they are found. */
#include "tests/sim/trial.h"
#include "tests/sim/unallocated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
#ifdef __SANITIZE_ADDRESS__
    SEEDS = 100, /* ten times as slow */
#else
    SEEDS = 250,
#endif
    EVENTS_MAX = 1000000,
    PLANT_SEEDS_MAX = 20 /* a planted fault is found by then */
};

static void run_seed(uint64_t seed)
{
    struct trial trial = {.seed = seed, .events_max = EVENTS_MAX};
    struct verdict verdict;

    trial_run(&trial, &verdict);
    if (verdict.failed) {
        fail_msg("make sim SEED=%llu: %s", (unsigned long long)seed,
                 verdict.failure);
    }
}

static void test_sim__keeps_its_promises_over_many_seeds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_seed(seed);
    }
}

/* Launches, grants, reports, edits, versions, points, moves, rollbacks,
 * restores: a step that takes or gives back memory would end the process. */
static void test_sim__the_cores_took_no_memory_in_all_of_that(void **state)
{
    (void)state;
    run_seed(1);

    assert_true(unallocated_steps(UNALLOCATED_COORD) > 100);
    assert_true(unallocated_steps(UNALLOCATED_AGENT) > 100);
    assert_true(unallocated_steps(UNALLOCATED_SCHED) > 1000);
}

/* README.md says what each of them found. */
static void test_sim__keeps_its_promises_in_seeds_that_failed_once(void **state)
{
    static const uint64_t kept[] = {
        4,   6,    21,   27,   38,   73,    121,   262,   378,   657,
        818, 1042, 1223, 1386, 5748, 18384, 26176, 33938, 303588};

    (void)state;
    for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++) {
        run_seed(kept[k]);
    }
}

static void test_sim__is_the_same_run_each_time(void **state)
{
    struct trial trial = {.seed = 77, .events_max = EVENTS_MAX};
    struct verdict a;
    struct verdict b;

    (void)state;
    trial_run(&trial, &a);
    trial_run(&trial, &b);

    assert_memory_equal(&a, &b, sizeof(a));
}

static void find(enum plant plant, const char *expected)
{
    struct verdict verdict = {.failed = false};

    for (uint64_t seed = 1; seed <= PLANT_SEEDS_MAX; seed++) {
        struct trial trial = {
            .seed = seed, .plant = plant, .events_max = EVENTS_MAX};

        trial_run(&trial, &verdict);
        if (verdict.failed && strstr(verdict.failure, expected) != NULL) {
            return;
        }
    }
    fail_msg("%s is not found", plant_name(plant));
}

static void test_sim__finds_a_request_acted_on_before_it_is_durable(
    void **state)
{
    (void)state;
    find(PLANT_EARLY_STORED, "before it is durable");
}

static void test_sim__finds_a_stale_term_that_is_accepted(void **state)
{
    (void)state;
    find(PLANT_STALE_TERM, "is taken in term");
}

static void test_sim__finds_a_report_merged_as_another(void **state)
{
    (void)state;
    find(PLANT_REPORT_TWICE, "in the undisturbed run");
}

static void test_sim__finds_an_edit_applied_twice(void **state)
{
    (void)state;
    find(PLANT_EDIT_TWICE, "in the undisturbed run");
}

static void test_sim__finds_an_older_copy_under_a_newer_name(void **state)
{
    (void)state;
    find(PLANT_STALE_POINT, "is not what it was at boundary");
}

static void test_sim__finds_a_copy_that_lacks_a_step(void **state)
{
    (void)state;
    find(PLANT_SHORT_COPY, "is not what it was at boundary");
}

static void test_sim__finds_a_point_told_before_it_is_durable(void **state)
{
    (void)state;
    find(PLANT_EARLY_POINT, "is no durable point");
}

static void test_sim__finds_bits_that_differ_in_a_replay(void **state)
{
    (void)state;
    find(PLANT_BITS_DIFFER, "bits differ at interval");
}

static void test_sim__finds_a_moved_shard_that_lives_on(void **state)
{
    (void)state;
    find(PLANT_LIVES_ON, "lives on in term");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim__is_the_same_run_each_time),
        cmocka_unit_test(test_sim__keeps_its_promises_over_many_seeds),
        cmocka_unit_test(
            test_sim__keeps_its_promises_in_seeds_that_failed_once),
        cmocka_unit_test(test_sim__the_cores_took_no_memory_in_all_of_that),
        cmocka_unit_test(
            test_sim__finds_a_request_acted_on_before_it_is_durable),
        cmocka_unit_test(test_sim__finds_a_stale_term_that_is_accepted),
        cmocka_unit_test(test_sim__finds_a_report_merged_as_another),
        cmocka_unit_test(test_sim__finds_an_edit_applied_twice),
        cmocka_unit_test(test_sim__finds_an_older_copy_under_a_newer_name),
        cmocka_unit_test(test_sim__finds_a_copy_that_lacks_a_step),
        cmocka_unit_test(test_sim__finds_a_point_told_before_it_is_durable),
        cmocka_unit_test(test_sim__finds_bits_that_differ_in_a_replay),
        cmocka_unit_test(test_sim__finds_a_moved_shard_that_lives_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
