#include "tests/unit/base/loopworld.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { SOURCES_MAX = 256, TIMERS_MAX = 256, POSTS_MAX = 4096 };

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void on_link_1(void *owner)
{
    (void)owner;
    trace('1');
    receive_one(1);
}

static void on_link_2(void *owner)
{
    (void)owner;
    trace('2');
    receive_one(2);
}

static void test_loop__calls_a_link_until_nothing_is_left(void **state)
{
    (void)state;
    open_pair(0);
    assert_int_equal(loop_add_link(world.loop, world.ins[0], on_link_0, NULL),
                     STATUS_OK);
    send_one(0);
    send_one(0);
    send_one(0);

    turn(0);
    assert_string_equal(world.trace, "0"); /* one per turn, as it reads */
    turn(0);
    turn(0);
    turn(0);
    turn(1);

    assert_string_equal(world.trace, "000");
}

static void test_loop__gives_each_ready_link_its_turn(void **state)
{
    static loop_fn *const fns[PAIRS] = {on_link_0, on_link_1, on_link_2};

    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        open_pair(i);
        assert_int_equal(loop_add_link(world.loop, world.ins[i], fns[i], NULL),
                         STATUS_OK);
        send_one(i);
        send_one(i);
    }

    turn(0);
    turn(0);

    assert_string_equal(world.trace, "012012");
}

static void remove_and_close_0(void *owner)
{
    (void)owner;
    trace('x');
    loop_remove_link(world.loop, world.ins[0]);
    link_close(world.ins[0]);
    world.ins[0] = NULL;
}

static void test_loop__lets_a_link_remove_and_close_itself(void **state)
{
    (void)state;
    open_pair(0);
    assert_int_equal(
        loop_add_link(world.loop, world.ins[0], remove_and_close_0, NULL),
        STATUS_OK);
    send_one(0);
    send_one(0);

    turn(0);
    turn(0);
    turn(0);

    assert_string_equal(world.trace, "x");
}

/* 0 removes 1, which is ready too, and puts 2 into the slot of 1. What poll
 * found for 1 must reach neither of them. */
static void replace_1_by_2(void *owner)
{
    (void)owner;
    trace('r');
    receive_one(0);
    loop_remove_link(world.loop, world.ins[1]);
    assert_int_equal(loop_add_link(world.loop, world.ins[2], on_link_2, NULL),
                     STATUS_OK);
}

static void test_loop__never_calls_a_removed_link_nor_its_successor(
    void **state)
{
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        open_pair(i);
    }
    assert_int_equal(
        loop_add_link(world.loop, world.ins[0], replace_1_by_2, NULL),
        STATUS_OK);
    assert_int_equal(loop_add_link(world.loop, world.ins[1], on_link_1, NULL),
                     STATUS_OK);
    send_one(0);
    send_one(1);

    turn(0);
    turn(0);
    assert_string_equal(world.trace, "r");
    send_one(2);
    turn(0);

    assert_string_equal(world.trace, "r2");
}

static void read_byte(void *owner)
{
    char byte = 0;
    ssize_t count = read(world.ends[0], &byte, 1);

    (void)owner;
    trace(count == 1 ? byte : '.');
    if (count == 0) {
        loop_remove_fd(world.loop, world.ends[0]);
    }
}

static void test_loop__calls_a_descriptor_until_it_is_read(void **state)
{
    (void)state;
    assert_int_equal(loop_add_fd(world.loop, world.ends[0], read_byte, NULL),
                     STATUS_OK);
    assert_int_equal(write(world.ends[1], "xyz", 3), 3);

    turn(0);
    turn(0);
    turn(0);
    turn(0);

    assert_string_equal(world.trace, "xyz");
}

static void test_loop__tells_that_a_descriptor_has_ended(void **state)
{
    (void)state;
    assert_int_equal(loop_add_fd(world.loop, world.ends[0], read_byte, NULL),
                     STATUS_OK);
    close(world.ends[1]);

    turn(0);
    turn(0);

    assert_string_equal(world.trace, ".");
    world.ends[1] = dup(world.ends[0]); /* something to close */
}

static void stop(void *owner)
{
    (void)owner;
    trace('.');
    loop_stop(world.loop);
}

static void test_loop__runs_until_it_is_stopped(void **state)
{
    (void)state;
    assert_int_equal(loop_post(world.loop, trace_a, NULL), STATUS_OK);
    assert_int_equal(loop_add_timer(world.loop, clock_now_ms() + 2, stop, NULL,
                                    &world.timers[0]),
                     STATUS_OK);

    assert_int_equal(loop_run(world.loop), STATUS_OK);
    assert_string_equal(world.trace, "a.");

    loop_set_timer(world.loop, world.timers[0], 0);
    assert_int_equal(loop_run(world.loop), STATUS_OK);
    assert_string_equal(world.trace, "a..");
}

static void test_loop__keeps_a_stop_that_comes_before_the_run(void **state)
{
    (void)state;
    loop_stop(world.loop);

    assert_int_equal(loop_run(world.loop), STATUS_OK);

    assert_int_equal(world.trace_size, 0);
}

static void on_signal(void *owner, int signal_number)
{
    (void)owner;
    trace('s');
    world.signal_number = signal_number;
}

static void test_loop__hands_out_signals(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

    (void)state;
    assert_int_equal(loop_add_signals(world.loop, on_signal, NULL), STATUS_OK);

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(kill(getpid(), numbers[i]), 0);
        turn_until(i + 1);
        assert_int_equal(world.signal_number, numbers[i]);
    }
    expect_assert_failure((void)!loop_add_signals(world.loop, on_signal, NULL));
}

static void test_loop__ignores_sigpipe_once_it_has_signals(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(loop_add_signals(world.loop, on_signal, NULL), STATUS_OK);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);

    assert_int_equal(write(ends[1], "x", 1), -1);

    assert_int_equal(errno, EPIPE);
    close(ends[1]);
}

static void test_loop__says_busy_at_its_limits(void **state)
{
    uint32_t timer = 0;

    (void)state;

    for (int i = 0; i < SOURCES_MAX; i++) {
        assert_int_equal(loop_add_fd(world.loop, 1000 + i, trace_a, NULL),
                         STATUS_OK);
    }
    assert_int_equal(loop_add_fd(world.loop, 999, trace_a, NULL), STATUS_BUSY);
    loop_remove_fd(world.loop, 1100);
    assert_int_equal(loop_add_fd(world.loop, 999, trace_a, NULL), STATUS_OK);

    for (int i = 0; i < TIMERS_MAX; i++) {
        assert_int_equal(
            loop_add_timer(world.loop, UINT64_MAX, trace_a, NULL, &timer),
            STATUS_OK);
    }
    assert_int_equal(loop_add_timer(world.loop, 0, trace_a, NULL, &timer),
                     STATUS_BUSY);
    loop_remove_timer(world.loop, 7);
    assert_int_equal(loop_add_timer(world.loop, 0, trace_a, NULL, &timer),
                     STATUS_OK);
    assert_int_equal(timer, 7);

    for (int i = 0; i < POSTS_MAX; i++) {
        assert_int_equal(loop_post(world.loop, trace_a, NULL), STATUS_OK);
    }
    assert_int_equal(loop_post(world.loop, trace_a, NULL), STATUS_BUSY);
}

static void test_loop__checks_that_a_source_is_added_once(void **state)
{
    (void)state;
    assert_int_equal(loop_add_fd(world.loop, world.ends[0], trace_a, NULL),
                     STATUS_OK);

    expect_assert_failure(
        (void)!loop_add_fd(world.loop, world.ends[0], trace_a, NULL));
}

static void test_loop__removes_nothing_where_nothing_is(void **state)
{
    (void)state;
    open_pair(0);

    loop_remove_link(world.loop, world.ins[0]);
    loop_remove_link(world.loop, NULL);
    loop_remove_fd(world.loop, 5);
    loop_remove_fd(world.loop, -1);
    loop_close(NULL);

    turn(0);
}

static void test_loop__survives_the_failure_of_any_allocation(void **state)
{
    const uint64_t before = mem_live();
    struct loop *loop = NULL;
    uint64_t n = 1;

    (void)state;

    for (;; n++) {
        enum status status = STATUS_OK;

        mem_fail_at(n);
        status = loop_open(&loop);
        if (status == STATUS_OK) {
            break;
        }
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_null(loop);
        assert_int_equal(mem_live(), before);
    }
    mem_fail_at(0);
    assert_int_equal(n, 2);
    loop_close(loop);
    assert_int_equal(mem_live(), before);
}

int main(void)
{
#define TEST(f)                                                                \
    cmocka_unit_test_setup_teardown(f, loopworld_open, loopworld_close)
    const struct CMUnitTest tests[] = {
        TEST(test_loop__calls_a_link_until_nothing_is_left),
        TEST(test_loop__gives_each_ready_link_its_turn),
        TEST(test_loop__lets_a_link_remove_and_close_itself),
        TEST(test_loop__never_calls_a_removed_link_nor_its_successor),
        TEST(test_loop__calls_a_descriptor_until_it_is_read),
        TEST(test_loop__tells_that_a_descriptor_has_ended),
        TEST(test_loop__runs_until_it_is_stopped),
        TEST(test_loop__keeps_a_stop_that_comes_before_the_run),
        TEST(test_loop__hands_out_signals),
        TEST(test_loop__ignores_sigpipe_once_it_has_signals),
        TEST(test_loop__says_busy_at_its_limits),
        TEST(test_loop__checks_that_a_source_is_added_once),
        TEST(test_loop__removes_nothing_where_nothing_is),
        TEST(test_loop__survives_the_failure_of_any_allocation),
    };
#undef TEST

    check_hook = check_to_cmocka;
    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
