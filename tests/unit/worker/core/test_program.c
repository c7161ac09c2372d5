#include "worker/core/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t no_rows[2];

static struct program *open_program(void)
{
    struct program *p = calloc(1, sizeof(*p));
    struct program_options options = {.term = 2,
                                      .first_step = 10,
                                      .batch = 8,
                                      .microbatches = 3,
                                      .tasks_count = 2,
                                      .evaluate_rows = no_rows,
                                      .guard_rows = no_rows};

    assert_non_null(p);
    program_init(p, &options);
    return p;
}

static struct grant good(uint64_t interval, uint64_t first_step)
{
    return (struct grant){.term = 2,
                          .interval = interval,
                          .first_step = first_step,
                          .steps = 2,
                          .task = 0,
                          .position = first_step * 8,
                          .task_examples = 1000};
}

struct grant_case {
    const char *reason;
    enum status status;
    struct grant grant;
};

static void test_program__refuses_grants_with_a_reason(void **state)
{
    struct grant_case cases[] = {
        {"grant of another term", STATUS_STALE, good(4, 12)},
        {"interval is granted already", STATUS_STALE, good(3, 10)},
        {"grant does not continue the last one", STATUS_CONFLICT, good(5, 12)},
        {"grant does not continue the last one", STATUS_CONFLICT, good(4, 13)},
        {"grant names a task that the job has not", STATUS_INVALID,
         good(4, 12)},
        {"grant evaluates tasks that the job has not", STATUS_INVALID,
         good(4, 12)},
        {"grant has no steps and does not close the job", STATUS_INVALID,
         good(4, 12)},
        {"closing grant has steps", STATUS_INVALID, good(4, 12)},
        {"grant goes on after its task", STATUS_INVALID, good(4, 12)},
        {"grant begins after its task", STATUS_INVALID, good(4, 12)},
    };
    struct program *p = open_program();
    struct grant first = good(3, 10);
    const char *reason = NULL;

    (void)state;
    cases[0].grant.term = 1;
    cases[4].grant.task = 2;
    cases[5].grant.evaluate_first = 1;
    cases[5].grant.evaluate_count = 2;
    cases[6].grant.steps = 0;
    cases[7].grant.closing = true;
    cases[8].grant.task_examples = 104; /* one batch is left */
    cases[9].grant.task_examples = 95;
    assert_int_equal(program_grant(p, &first, 0, &reason), STATUS_OK);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(program_grant(p, &cases[i].grant, 3, &reason),
                         cases[i].status);
        assert_string_equal(reason, cases[i].reason);
        assert_null(program_at(p, 4));
    }
    free(p);
}

static void test_program__keeps_grants_until_they_are_done(void **state)
{
    struct program *p = open_program();
    const char *reason = NULL;
    struct grant grant;

    (void)state;
    for (uint64_t n = 0; n < GRANTS_MAX; n++) {
        grant = good(n, 10 + 2 * n);
        assert_int_equal(program_grant(p, &grant, 0, &reason), STATUS_OK);
    }
    grant = good(GRANTS_MAX, 10 + 2 * GRANTS_MAX);

    assert_int_equal(program_grant(p, &grant, 0, &reason), STATUS_BUSY);
    assert_int_equal(program_at(p, 0)->first_step, 10);
    assert_int_equal(program_grant(p, &grant, 1, &reason), STATUS_OK);
    assert_int_equal(program_at(p, GRANTS_MAX)->first_step, grant.first_step);
    free(p);
}

static void test_program__takes_nothing_after_the_closing_grant(void **state)
{
    struct program *p = open_program();
    const char *reason = NULL;
    struct grant grant = good(0, 10);

    (void)state;
    grant.steps = 0;
    grant.closing = true;
    assert_int_equal(program_grant(p, &grant, 0, &reason), STATUS_OK);
    grant = good(1, 10);

    assert_int_equal(program_grant(p, &grant, 0, &reason), STATUS_CONFLICT);
    assert_string_equal(reason, "job is closed");
    free(p);
}

static void test_program__releases_what_is_granted(void **state)
{
    struct program *p = open_program();
    const char *reason = NULL;
    struct grant grant = good(6, 10);

    (void)state;
    assert_int_equal(program_release(p, 6), STATUS_NOT_FOUND);
    assert_int_equal(program_grant(p, &grant, 6, &reason), STATUS_OK);
    assert_false(program_released(p, 6));

    assert_int_equal(program_release(p, 6), STATUS_OK);
    assert_int_equal(program_release(p, 7), STATUS_NOT_FOUND);

    assert_true(program_released(p, 6));
    free(p);
}

/* A batch ends short at a task's end; microbatches cover it without a gap. */
static void test_program__splits_rows_evenly(void **state)
{
    static const uint32_t expected[][4] = {
        /* rows, then rows of microbatch 0, 1, 2 (0: left out) */
        {8, 3, 3, 2},
        {7, 3, 2, 2},
        {3, 1, 1, 1},
        {2, 1, 1, 0},
        {1, 1, 0, 0}};
    struct program *p = open_program();

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        uint32_t rows = expected[i][0];
        uint32_t parts = program_train_parts(p, rows);
        uint32_t first = 0;

        for (uint32_t m = 0; m < parts; m++) {
            struct program_rows part = program_train_part(p, rows, m);

            assert_int_equal(part.first, first);
            assert_int_equal(part.count, expected[i][m + 1]);
            first += part.count;
        }
        assert_int_equal(first, rows);
    }
    free(p);
}

static void test_program__ends_a_batch_at_the_tasks_end(void **state)
{
    struct program *p = open_program();
    struct grant grant = good(0, 10);

    (void)state;
    grant.task_examples = 93; /* 13 left from position 80 on */

    assert_int_equal(program_step_rows(p, &grant, 0), 8);
    assert_int_equal(program_step_rows(p, &grant, 1), 5);
    free(p);
}

static void test_program__evaluates_in_parts_of_bounded_rows(void **state)
{
    struct program_rows last = program_evaluate_part(2 * EVALUATE_ROWS + 1, 2);

    (void)state;
    assert_int_equal(program_evaluate_parts(1), 1);
    assert_int_equal(program_evaluate_parts(EVALUATE_ROWS), 1);
    assert_int_equal(program_evaluate_parts(2 * EVALUATE_ROWS + 1), 3);
    assert_int_equal(last.first, 2 * EVALUATE_ROWS);
    assert_int_equal(last.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program__refuses_grants_with_a_reason),
        cmocka_unit_test(test_program__keeps_grants_until_they_are_done),
        cmocka_unit_test(test_program__takes_nothing_after_the_closing_grant),
        cmocka_unit_test(test_program__releases_what_is_granted),
        cmocka_unit_test(test_program__splits_rows_evenly),
        cmocka_unit_test(test_program__ends_a_batch_at_the_tasks_end),
        cmocka_unit_test(test_program__evaluates_in_parts_of_bounded_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
