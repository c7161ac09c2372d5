#include "client/supervise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* As waitpid writes it on Linux. */
static int exited(int code)
{
    return code << 8;
}

static int killed(int number)
{
    return number;
}

static struct child child_of(enum child_kind kind)
{
    return (struct child){.kind = kind, .first_ms = 1000, .started_ms = 1000};
}

static void test_supervise__ends_with_a_coordinator_that_ends_in_peace(
    void **state)
{
    struct child child = child_of(CHILD_COORDINATOR);

    (void)state;
    assert_int_equal(child_judge(&child, 90000, exited(0)), VERDICT_END);
}

static void test_supervise__restarts_at_once_what_was_killed(void **state)
{
    struct child child = child_of(CHILD_COORDINATOR);

    (void)state;
    assert_int_equal(child_judge(&child, 90000, killed(9)), VERDICT_RESTART);
    assert_int_equal(child.restart_ms, 90000);

    child.started_ms = 90000;
    assert_int_equal(child_judge(&child, 90000 + CHILD_SHORT_MS, killed(9)),
                     VERDICT_RESTART);
    assert_int_equal(child.restart_ms, 90000 + CHILD_SHORT_MS);
}

static void test_supervise__does_not_try_again_what_is_bad_usage(void **state)
{
    struct child child = child_of(CHILD_COORDINATOR);

    (void)state;
    assert_int_equal(child_judge(&child, 1100, exited(2)), VERDICT_GIVE_UP);
}

static void test_supervise__waits_for_a_store_that_is_being_left(void **state)
{
    struct child child = child_of(CHILD_COORDINATOR);

    (void)state;
    assert_int_equal(child_judge(&child, 1100, exited(6)), VERDICT_RESTART);
    child.started_ms = 1000 + CHILD_CONFLICT_MS;
    assert_int_equal(child_judge(&child, 1001 + CHILD_CONFLICT_MS, exited(6)),
                     VERDICT_GIVE_UP);
}

static void test_supervise__leaves_time_to_a_worker_that_left_in_peace(
    void **state)
{
    struct child child = child_of(CHILD_WORKER);

    (void)state;
    assert_int_equal(child_judge(&child, 90000, exited(0)), VERDICT_RESTART);
    assert_int_equal(child.restart_ms, 90000 + CHILD_LEFT_MS);
}

static void test_supervise__doubles_the_pause_up_to_a_limit(void **state)
{
    struct child child = child_of(CHILD_WORKER);
    uint64_t now_ms = 1000;
    uint64_t pause_ms = CHILD_PAUSE_MS;

    (void)state;
    for (int i = 0; i < CHILD_FAILURES_MAX - 1; i++) {
        now_ms += CHILD_SHORT_MS - 1; /* not long enough to be a life */
        assert_int_equal(child_judge(&child, now_ms, killed(11)),
                         VERDICT_RESTART);
        assert_int_equal(child.restart_ms, now_ms + pause_ms);
        pause_ms = 2 * pause_ms < CHILD_PAUSE_MS_MAX ? 2 * pause_ms
                                                     : CHILD_PAUSE_MS_MAX;
        now_ms = child.restart_ms;
        child.started_ms = now_ms;
    }

    now_ms += CHILD_SHORT_MS; /* it lived */
    (void)child_judge(&child, now_ms, killed(11));
    assert_int_equal(child.restart_ms, now_ms);
}

static void test_supervise__gives_up_what_cannot_be_started(void **state)
{
    struct child child = child_of(CHILD_WORKER);
    uint64_t now_ms = 1000;

    (void)state;
    for (int i = 1; i < CHILD_FAILURES_MAX; i++) {
        assert_int_equal(child_judge(&child, now_ms, exited(7)),
                         VERDICT_RESTART);
        now_ms = child.restart_ms;
        child.started_ms = now_ms;
    }

    assert_int_equal(child_judge(&child, now_ms, exited(7)), VERDICT_GIVE_UP);
}

static void test_supervise__forgets_failures_after_a_minute(void **state)
{
    struct child child = child_of(CHILD_WORKER);
    uint64_t now_ms = 1000;

    (void)state;
    for (int i = 0; i < 3 * CHILD_FAILURES_MAX; i++) {
        assert_int_equal(child_judge(&child, now_ms, exited(7)),
                         VERDICT_RESTART);
        now_ms += CHILD_WINDOW_MS / (CHILD_FAILURES_MAX - 1) + 1;
        child.started_ms = now_ms;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_supervise__ends_with_a_coordinator_that_ends_in_peace),
        cmocka_unit_test(test_supervise__restarts_at_once_what_was_killed),
        cmocka_unit_test(test_supervise__does_not_try_again_what_is_bad_usage),
        cmocka_unit_test(test_supervise__waits_for_a_store_that_is_being_left),
        cmocka_unit_test(
            test_supervise__leaves_time_to_a_worker_that_left_in_peace),
        cmocka_unit_test(test_supervise__doubles_the_pause_up_to_a_limit),
        cmocka_unit_test(test_supervise__gives_up_what_cannot_be_started),
        cmocka_unit_test(test_supervise__forgets_failures_after_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
