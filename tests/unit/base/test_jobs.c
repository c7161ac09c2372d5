#include "base/jobs.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum {
    JOBS_COUNT = 400,
    QUEUE_MAX = 16,
    TURNS_MAX = 5000 /* of at most 10 ms each */
};

/* A job: run fills in the sum, on whatever thread; done looks at it. */
struct work {
    unsigned number;
    uint64_t sum;
    int ran;  /* how often */
    int told; /* how often */
};

struct world {
    struct loop *loop;
    struct link_context *context;
    struct jobs *jobs;
    pthread_t self;
    struct work works[JOBS_COUNT];
    unsigned order[JOBS_COUNT]; /* numbers as they were done */
    unsigned done_count;
    int gate[2]; /* a pipe: a gated job waits for one byte */
};

static struct world world;

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static int open_world(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.self = pthread_self();
    for (unsigned i = 0; i < JOBS_COUNT; i++) {
        world.works[i].number = i;
    }
    if (pipe(world.gate) != 0) {
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
    if (world.jobs != NULL) {
        jobs_stop(world.jobs);
        jobs_join(world.jobs);
        jobs_close(world.jobs);
    }
    loop_close(world.loop);
    link_context_close(world.context);
    close(world.gate[0]);
    close(world.gate[1]);
    return mem_live() == 0 ? 0 : -1;
}

static void open_pool(unsigned threads_count, unsigned queue_max)
{
    assert_int_equal(jobs_open(world.loop, world.context, threads_count,
                               queue_max, &world.jobs),
                     STATUS_OK);
}

static void run(void *owner)
{
    struct work *work = owner;

    work->ran++;
    for (unsigned i = 0; i <= work->number; i++) {
        work->sum += i;
    }
}

static void run_gated(void *owner)
{
    char byte = 0;

    while (read(world.gate[0], &byte, 1) != 1) {
    }
    run(owner);
}

/* On the loop's thread, so it may use the world without a lock. */
static void done(void *owner)
{
    struct work *work = owner;
    uint64_t n = work->number;

    assert_true(pthread_equal(pthread_self(), world.self) != 0);
    assert_int_equal(work->ran, 1);
    assert_true(work->sum == n * (n + 1) / 2);
    work->told++;
    world.order[world.done_count++] = work->number;
}

static void open_gate(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(write(world.gate[1], "x", 1), 1);
    }
}

static enum status submit(unsigned i)
{
    return jobs_submit(world.jobs, run, done, &world.works[i]);
}

static enum status submit_gated(unsigned i)
{
    return jobs_submit(world.jobs, run_gated, done, &world.works[i]);
}

static void turn(int wait_ms)
{
    assert_int_equal(loop_turn(world.loop, wait_ms), STATUS_OK);
}

static void turn_until_done(unsigned count)
{
    for (int i = 0; i < TURNS_MAX && world.done_count < count; i++) {
        turn(10);
    }
    assert_int_equal(world.done_count, count);
}

/* Submits all, turning the loop whenever the pool is full. */
static void submit_all(void)
{
    int turns = 0;

    for (unsigned i = 0; i < JOBS_COUNT;) {
        enum status status = submit(i);

        if (status == STATUS_OK) {
            i++;
            continue;
        }
        assert_int_equal(status, STATUS_BUSY);
        assert_true(turns++ < TURNS_MAX);
        turn(10);
    }
}

static void test_jobs__does_each_job_once_on_two_threads(void **state)
{
    (void)state;
    open_pool(2, QUEUE_MAX);

    submit_all();
    turn_until_done(JOBS_COUNT);

    for (unsigned i = 0; i < JOBS_COUNT; i++) {
        assert_int_equal(world.works[i].told, 1);
    }
    assert_int_equal(jobs_pending(world.jobs), 0);
}

static void test_jobs__keeps_the_order_on_one_thread(void **state)
{
    (void)state;
    open_pool(1, QUEUE_MAX);

    submit_all();
    turn_until_done(JOBS_COUNT);

    for (unsigned i = 0; i < JOBS_COUNT; i++) {
        assert_int_equal(world.order[i], i);
    }
}

static void test_jobs__runs_inside_submit_without_threads(void **state)
{
    (void)state;
    open_pool(0, QUEUE_MAX);

    assert_int_equal(submit(5), STATUS_OK);

    assert_int_equal(world.works[5].ran, 1);
    assert_int_equal(world.done_count, 0); /* not inside the call */
    assert_int_equal(jobs_pending(world.jobs), 1);
    turn(-1);
    assert_int_equal(world.done_count, 1);
    assert_int_equal(jobs_pending(world.jobs), 0);
}

static void test_jobs__keeps_the_order_without_threads(void **state)
{
    (void)state;
    open_pool(0, QUEUE_MAX);

    submit_all();
    turn_until_done(JOBS_COUNT);

    for (unsigned i = 0; i < JOBS_COUNT; i++) {
        assert_int_equal(world.order[i], i);
    }
}

static void test_jobs__two_threads_work_at_the_same_time(void **state)
{
    (void)state;
    open_pool(2, QUEUE_MAX);
    assert_int_equal(submit_gated(0), STATUS_OK);
    assert_int_equal(submit(1), STATUS_OK);
    assert_int_equal(submit(2), STATUS_OK);

    turn_until_done(2); /* though job 0 waits */

    assert_int_equal(world.order[0], 1);
    assert_int_equal(world.order[1], 2);
    assert_int_equal(jobs_pending(world.jobs), 1);
    open_gate(1);
    turn_until_done(3);
}

static void test_jobs__says_busy_when_the_queue_is_full(void **state)
{
    unsigned accepted = 0;

    (void)state;
    open_pool(1, 4);

    /* One may have been taken by the thread, four wait. */
    while (accepted < 10 && submit_gated(accepted) == STATUS_OK) {
        accepted++;
    }

    assert_in_range(accepted, 4, 5);
    assert_int_equal(jobs_pending(world.jobs), accepted);
    open_gate(10);
    turn_until_done(accepted);
    assert_int_equal(submit(10), STATUS_OK);
    turn_until_done(accepted + 1);
}

static void test_jobs__is_full_without_threads_until_the_next_turn(void **state)
{
    (void)state;
    open_pool(0, 2);

    assert_int_equal(submit(0), STATUS_OK);
    assert_int_equal(submit(1), STATUS_OK);
    assert_int_equal(submit(2), STATUS_BUSY);
    assert_int_equal(world.works[2].ran, 0);
    turn(0);

    assert_int_equal(world.done_count, 2);
    assert_int_equal(submit(2), STATUS_OK);
}

static void stop_and_join(void)
{
    jobs_stop(world.jobs);
    assert_int_equal(submit(JOBS_COUNT - 1), STATUS_CONFLICT);
    jobs_join(world.jobs);
}

static void test_jobs__finishes_what_waits_when_it_is_stopped(void **state)
{
    (void)state;
    open_pool(2, QUEUE_MAX);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(submit(i), STATUS_OK);
    }

    stop_and_join();

    assert_int_equal(world.done_count, 10);
    assert_int_equal(world.works[JOBS_COUNT - 1].ran, 0);
    assert_int_equal(jobs_pending(world.jobs), 0);
}

static void test_jobs__tells_what_ran_inline_when_it_is_stopped(void **state)
{
    (void)state;
    open_pool(0, QUEUE_MAX);
    assert_int_equal(submit(0), STATUS_OK);

    stop_and_join();

    assert_int_equal(world.done_count, 1);
    jobs_close(world.jobs);
    world.jobs = NULL;
    turn(0); /* nothing of the pool is left in the loop */
}

/* Each job begins the next one from its done. */
static void done_and_next(void *owner)
{
    struct work *work = owner;
    unsigned next = work->number + 1;

    done(owner);
    if (next < JOBS_COUNT) {
        assert_int_equal(
            jobs_submit(world.jobs, run, done_and_next, &world.works[next]),
            STATUS_OK);
    }
}

static void test_jobs__a_chain_of_inline_jobs_leaves_others_their_turn(
    void **state)
{
    (void)state;
    open_pool(0, 1);
    assert_int_equal(
        jobs_submit(world.jobs, run, done_and_next, &world.works[0]),
        STATUS_OK);

    for (unsigned i = 1; i <= 10; i++) {
        turn(-1);
        assert_int_equal(world.done_count, i); /* one a turn */
    }
    turn_until_done(JOBS_COUNT);
}

static void test_jobs__a_done_call_may_submit(void **state)
{
    (void)state;
    open_pool(2, 1);
    assert_int_equal(
        jobs_submit(world.jobs, run, done_and_next, &world.works[0]),
        STATUS_OK);

    turn_until_done(JOBS_COUNT);
}

static void test_jobs__checks_the_three_steps_of_its_end(void **state)
{
    (void)state;
    open_pool(1, 1);

    expect_assert_failure(jobs_join(world.jobs));
    expect_assert_failure(jobs_close(world.jobs));
    jobs_stop(world.jobs);
    expect_assert_failure(jobs_close(world.jobs)); /* its thread may live */
    jobs_stop(world.jobs);                         /* twice does no harm */
    jobs_close(NULL);
}

static void test_jobs__pools_of_one_loop_do_not_meet(void **state)
{
    struct jobs *second = NULL;

    (void)state;
    open_pool(1, QUEUE_MAX);
    assert_int_equal(
        jobs_open(world.loop, world.context, 1, QUEUE_MAX, &second), STATUS_OK);
    assert_int_equal(submit_gated(0), STATUS_OK);
    assert_int_equal(jobs_submit(second, run, done, &world.works[1]),
                     STATUS_OK);

    turn_until_done(1);

    assert_int_equal(world.order[0], 1);
    assert_int_equal(jobs_pending(second), 0);
    assert_int_equal(jobs_pending(world.jobs), 1);
    open_gate(1);
    turn_until_done(2);
    jobs_stop(second);
    jobs_join(second);
    jobs_close(second);
}

static void survive_failures(unsigned threads_count, uint64_t least)
{
    const uint64_t before = mem_live();
    struct jobs *jobs = NULL;
    uint64_t n = 1;

    for (;; n++) {
        enum status status = STATUS_OK;

        mem_fail_at(n);
        status = jobs_open(world.loop, world.context, threads_count, 4, &jobs);
        if (status == STATUS_OK) {
            break;
        }
        mem_fail_at(0);
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_null(jobs);
        assert_int_equal(mem_live(), before);
        turn(0); /* nothing half-open is left in the loop */
    }
    mem_fail_at(0);
    assert_true(n > least);
    jobs_stop(jobs);
    jobs_join(jobs);
    jobs_close(jobs);
    assert_int_equal(mem_live(), before);
}

static void test_jobs__survives_the_failure_of_any_allocation(void **state)
{
    (void)state;

    survive_failures(0, 3); /* itself and two rings */
    survive_failures(2, 8); /* and two links, the table, two threads */
}

static void add_one(void *owner)
{
    int *number = owner;

    (*number)++;
}

static void test_jobs__joins_a_thread_of_its_own(void **state)
{
    struct thread *thread = NULL;
    int number = 41;

    (void)state;

    assert_int_equal(thread_open(add_one, &number, &thread), STATUS_OK);
    thread_join(thread);

    assert_int_equal(number, 42);
    thread_join(NULL);
    mem_fail_at(1);
    assert_int_equal(thread_open(add_one, &number, &thread), STATUS_NO_MEMORY);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_jobs__does_each_job_once_on_two_threads),
        TEST(test_jobs__keeps_the_order_on_one_thread),
        TEST(test_jobs__runs_inside_submit_without_threads),
        TEST(test_jobs__keeps_the_order_without_threads),
        TEST(test_jobs__two_threads_work_at_the_same_time),
        TEST(test_jobs__says_busy_when_the_queue_is_full),
        TEST(test_jobs__is_full_without_threads_until_the_next_turn),
        TEST(test_jobs__finishes_what_waits_when_it_is_stopped),
        TEST(test_jobs__tells_what_ran_inline_when_it_is_stopped),
        TEST(test_jobs__a_chain_of_inline_jobs_leaves_others_their_turn),
        TEST(test_jobs__a_done_call_may_submit),
        TEST(test_jobs__checks_the_three_steps_of_its_end),
        TEST(test_jobs__pools_of_one_loop_do_not_meet),
        TEST(test_jobs__survives_the_failure_of_any_allocation),
        TEST(test_jobs__joins_a_thread_of_its_own),
    };
#undef TEST

    check_hook = check_to_cmocka;
    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
