/* Timers and posted calls: when they come, and in which order. */
#include "tests/unit/base/loopworld.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <string.h>
#include <unistd.h>

enum { TIMERS_MAX = 256 };

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void test_loop_timers__fires_timers_in_the_order_of_their_deadlines(
    void **state)
{
    static char letters[] = "cab";
    uint64_t now_ms = clock_now_ms();
    const uint64_t deadlines[] = {now_ms + 6, now_ms + 2, now_ms + 4};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(loop_add_timer(world.loop, deadlines[i], trace_owner,
                                        &letters[i], &world.timers[i]),
                         STATUS_OK);
    }

    turn_until(3);

    assert_true(clock_now_ms() >= now_ms + 6);
    assert_string_equal(world.trace, "abc");
    turn(1);
    assert_int_equal(world.trace_size, 3); /* each once */
}

static void test_loop_timers__fires_overdue_timers_in_one_turn(void **state)
{
    static char letters[] = "cab";

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(loop_add_timer(world.loop, (i + 2) % 3, trace_owner,
                                        &letters[i], &world.timers[i]),
                         STATUS_OK);
    }

    turn(0);

    assert_string_equal(world.trace, "abc");
}

static void test_loop_timers__does_not_fire_early(void **state)
{
    uint64_t deadline_ms = clock_now_ms() + 5;

    (void)state;
    assert_int_equal(loop_add_timer(world.loop, deadline_ms, trace_a, NULL,
                                    &world.timers[0]),
                     STATUS_OK);

    while (clock_now_ms() < deadline_ms) {
        assert_int_equal(world.trace_size, 0);
        turn(0);
        if (world.trace_size > 0) {
            assert_true(clock_now_ms() >= deadline_ms);
        }
    }
    turn_until(1);
}

static void set_again(void *owner)
{
    (void)owner;
    trace('s');
    loop_set_timer(world.loop, world.timers[0], 0);
}

static void test_loop_timers__fires_a_timer_once_per_turn(void **state)
{
    (void)state;
    assert_int_equal(
        loop_add_timer(world.loop, 0, set_again, NULL, &world.timers[0]),
        STATUS_OK);

    turn(-1);
    assert_string_equal(world.trace, "s");
    turn(-1);
    assert_string_equal(world.trace, "ss");
}

static void remove_both(void *owner)
{
    (void)owner;
    trace('x');
    loop_remove_timer(world.loop, world.timers[0]);
    loop_remove_timer(world.loop, world.timers[1]);
}

static void test_loop_timers__lets_a_timer_remove_itself_and_others(
    void **state)
{
    (void)state;
    assert_int_equal(
        loop_add_timer(world.loop, 1, remove_both, NULL, &world.timers[0]),
        STATUS_OK);
    assert_int_equal(
        loop_add_timer(world.loop, 2, trace_a, NULL, &world.timers[1]),
        STATUS_OK);

    turn(0);
    turn(0);

    assert_string_equal(world.trace, "x");
    expect_assert_failure(loop_remove_timer(world.loop, world.timers[0]));
    expect_assert_failure(loop_set_timer(world.loop, TIMERS_MAX, 0));
}

static void add_a(void *owner)
{
    (void)owner;
    trace('+');
    assert_int_equal(
        loop_add_timer(world.loop, 0, trace_a, NULL, &world.timers[1]),
        STATUS_OK);
}

static void test_loop_timers__fires_a_new_timer_in_the_next_turn(void **state)
{
    (void)state;
    assert_int_equal(
        loop_add_timer(world.loop, 0, add_a, NULL, &world.timers[0]),
        STATUS_OK);

    turn(0);
    assert_string_equal(world.trace, "+");
    turn(0);

    assert_string_equal(world.trace, "+a");
}

static void test_loop_timers__never_fires_a_parked_timer(void **state)
{
    (void)state;
    assert_int_equal(
        loop_add_timer(world.loop, UINT64_MAX, trace_a, NULL, &world.timers[0]),
        STATUS_OK);
    assert_int_equal(
        loop_add_timer(world.loop, 0, trace_b, NULL, &world.timers[1]),
        STATUS_OK);
    loop_set_timer(world.loop, world.timers[1], UINT64_MAX);

    turn(0);
    turn(2);

    assert_int_equal(world.trace_size, 0);
}

static void test_loop_timers__wakes_for_a_timer_before_the_wait_is_over(
    void **state)
{
    uint64_t start_ms = clock_now_ms();

    (void)state;
    assert_int_equal(loop_add_timer(world.loop, start_ms + 3, trace_a, NULL,
                                    &world.timers[0]),
                     STATUS_OK);

    for (int i = 0; i < 10 && world.trace_size == 0; i++) {
        turn(600000);
    }

    assert_string_equal(world.trace, "a");
}

static void post_itself(void *owner)
{
    (void)owner;
    trace('p');
    assert_int_equal(loop_post(world.loop, post_itself, NULL), STATUS_OK);
}

static void test_loop_timers__runs_posted_calls_in_order_one_turn_later(
    void **state)
{
    (void)state;
    assert_int_equal(loop_post(world.loop, trace_b, NULL), STATUS_OK);
    assert_int_equal(loop_post(world.loop, trace_a, NULL), STATUS_OK);
    assert_int_equal(loop_post(world.loop, post_itself, NULL), STATUS_OK);

    assert_int_equal(world.trace_size, 0);
    turn(-1);
    assert_string_equal(world.trace, "bap");
    turn(-1);
    assert_string_equal(world.trace, "bapp");
}

static void test_loop_timers__runs_posts_then_timers_then_links(void **state)
{
    (void)state;
    open_pair(0);
    assert_int_equal(loop_add_link(world.loop, world.ins[0], on_link_0, NULL),
                     STATUS_OK);
    send_one(0);
    assert_int_equal(
        loop_add_timer(world.loop, 0, trace_b, NULL, &world.timers[0]),
        STATUS_OK);
    turn(0); /* the timer and the link */
    loop_set_timer(world.loop, world.timers[0], 0);
    assert_int_equal(loop_post(world.loop, trace_a, NULL), STATUS_OK);
    send_one(0);

    turn(-1);

    assert_string_equal(world.trace, "b0ab0");
}

int main(void)
{
#define TEST(f)                                                                \
    cmocka_unit_test_setup_teardown(f, loopworld_open, loopworld_close)
    const struct CMUnitTest tests[] = {
        TEST(test_loop_timers__fires_timers_in_the_order_of_their_deadlines),
        TEST(test_loop_timers__fires_overdue_timers_in_one_turn),
        TEST(test_loop_timers__does_not_fire_early),
        TEST(test_loop_timers__fires_a_timer_once_per_turn),
        TEST(test_loop_timers__lets_a_timer_remove_itself_and_others),
        TEST(test_loop_timers__fires_a_new_timer_in_the_next_turn),
        TEST(test_loop_timers__never_fires_a_parked_timer),
        TEST(test_loop_timers__wakes_for_a_timer_before_the_wait_is_over),
        TEST(test_loop_timers__runs_posted_calls_in_order_one_turn_later),
        TEST(test_loop_timers__runs_posts_then_timers_then_links),
    };
#undef TEST

    check_hook = check_to_cmocka;
    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
