#include "base/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    TURNS_MAX = 1000, /* of at most 10 ms each */
    PAIRS = 3,
    SOURCES_MAX = 256,
    TIMERS_MAX = 256,
    POSTS_MAX = 4096
};

/* A pair of links for each of a few owners, and what their callbacks did. */
struct world {
    struct loop *loop;
    struct link_context *context;
    struct link *ins[PAIRS];
    struct link *outs[PAIRS];
    int ends[2]; /* of a plain pipe */
    uint32_t timers[PAIRS];
    char trace[64]; /* one letter per call */
    size_t trace_size;
    int signal_number;
};

static struct world world;

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static int open_world(void **state)
{
    (void)state;
    world = (struct world){.loop = NULL};
    if (pipe(world.ends) != 0) {
        return -1;
    }
    if (link_context_open(&world.context) != STATUS_OK) {
        return -1;
    }
    return loop_open(&world.loop) == STATUS_OK ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    loop_close(world.loop);
    for (int i = 0; i < PAIRS; i++) {
        link_close(world.outs[i]);
        link_close(world.ins[i]);
    }
    link_context_close(world.context);
    close(world.ends[0]);
    close(world.ends[1]);
    return mem_live() == 0 ? 0 : -1;
}

static void trace(char letter)
{
    assert_true(world.trace_size + 1 < sizeof(world.trace));
    world.trace[world.trace_size++] = letter;
}

static void turn(int wait_ms)
{
    assert_int_equal(loop_turn(world.loop, wait_ms), STATUS_OK);
}

/* Turns until the trace is that long. */
static void turn_until(size_t size)
{
    for (int i = 0; i < TURNS_MAX && world.trace_size < size; i++) {
        turn(10);
    }
    assert_int_equal(world.trace_size, size);
}

static void open_pair(int i)
{
    static const char *const names[PAIRS] = {"inproc://0", "inproc://1",
                                             "inproc://2"};
    const struct link_options options = {.kind = LINK_PAIR,
                                         .part_bytes_max = 100};

    assert_int_equal(
        link_bind(world.context, &options, names[i], &world.ins[i]), STATUS_OK);
    assert_int_equal(
        link_connect(world.context, &options, names[i], &world.outs[i]),
        STATUS_OK);
}

static void send_one(int i)
{
    struct part part;

    part_init_empty(&part);
    assert_int_equal(link_send(world.outs[i], &part, 1), STATUS_OK);
}

static void receive_one(int i)
{
    struct part part;
    size_t count = 0;

    assert_int_equal(link_receive(world.ins[i], &part, 1, &count), STATUS_OK);
    part_close(&part);
}

static void on_link_0(void *owner)
{
    (void)owner;
    trace('0');
    receive_one(0);
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

static void trace_a(void *owner)
{
    (void)owner;
    trace('a');
}

static void trace_b(void *owner)
{
    (void)owner;
    trace('b');
}

static void trace_owner(void *owner)
{
    trace(*(const char *)owner);
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

static void test_loop__fires_timers_in_the_order_of_their_deadlines(
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

static void test_loop__fires_overdue_timers_in_one_turn(void **state)
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

static void test_loop__does_not_fire_early(void **state)
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

static void test_loop__fires_a_timer_once_per_turn(void **state)
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

static void test_loop__lets_a_timer_remove_itself_and_others(void **state)
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

static void test_loop__fires_a_new_timer_in_the_next_turn(void **state)
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

static void test_loop__never_fires_a_parked_timer(void **state)
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

static void test_loop__wakes_for_a_timer_before_the_wait_is_over(void **state)
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

static void test_loop__runs_posted_calls_in_order_one_turn_later(void **state)
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

static void test_loop__runs_posts_then_timers_then_links(void **state)
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_loop__calls_a_link_until_nothing_is_left),
        TEST(test_loop__gives_each_ready_link_its_turn),
        TEST(test_loop__lets_a_link_remove_and_close_itself),
        TEST(test_loop__never_calls_a_removed_link_nor_its_successor),
        TEST(test_loop__calls_a_descriptor_until_it_is_read),
        TEST(test_loop__tells_that_a_descriptor_has_ended),
        TEST(test_loop__fires_timers_in_the_order_of_their_deadlines),
        TEST(test_loop__fires_overdue_timers_in_one_turn),
        TEST(test_loop__does_not_fire_early),
        TEST(test_loop__fires_a_timer_once_per_turn),
        TEST(test_loop__lets_a_timer_remove_itself_and_others),
        TEST(test_loop__fires_a_new_timer_in_the_next_turn),
        TEST(test_loop__never_fires_a_parked_timer),
        TEST(test_loop__wakes_for_a_timer_before_the_wait_is_over),
        TEST(test_loop__runs_posted_calls_in_order_one_turn_later),
        TEST(test_loop__runs_posts_then_timers_then_links),
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
