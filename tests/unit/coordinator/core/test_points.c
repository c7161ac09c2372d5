/* States kept in the memory of workers: when one is asked for, complete, and
 * forgotten. */
#include "tests/unit/coordinator/core/keeping.h"

#include "coordinator/core/job_points.h"

static void test_points__is_complete_when_stored_and_held_twice(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);

    w->hold_points = true;
    launch(w, 2);
    run_to_interval(w, 4);

    assert_int_equal(w->points_count, 1);
    assert_true(job->making.used && job->making.storing);
    assert_false(job->point.used);
    assert_true(job_point_held(job, &job->making, 2));
    assert_int_equal(w->workers[0].kept, 0);

    fake_stored(w, w->coord->last_token); /* of another one, perhaps */
    answer_tokens(w, TOKEN_POINT);
    run_to_interval(w, 7);
    assert_true(job->point.used);
    assert_false(job->making.used); /* its time has not come */
    assert_int_equal(w->workers[0].kept, job->point.interval + 1);
}

static void test_points__needs_the_second_copy_where_there_are_two_workers(
    void **state)
{
    struct fakeworld *w = *state;

    w->no_buddies = true;
    launch(w, 2);
    run_to_interval(w, 6);

    assert_true(job_of(w)->making.used);
    assert_int_equal(w->points_count, 0);
}

static void test_points__of_one_worker_have_one_copy(void **state)
{
    struct fakeworld *w = *state;

    launch(w, 1);
    run_until_kept(w, 0);

    assert_true(job_point_held(job_of(w), &job_of(w)->point, 1));
    assert_false(job_point_held(job_of(w), &job_of(w)->point, 2));
}

static void test_points__are_asked_for_at_two_percent_of_the_time(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t first;

    launch(w, 2);
    run_until_kept(w, 0);
    first = job->point.interval;
    job_of(w)->keep_points = KEEP_FRESH_POINTS + 1;
    job_of(w)->keep_cost_us = 7500; /* 7.5 ms: every 3 s */
    run_to_interval(w, first + 3);
    assert_int_equal(job->point.interval, first);

    w->now_ms += 2900;
    run_to_interval(w, job->reported + 2);
    assert_false(job->making.used);

    w->now_ms += 100;
    run_until_kept(w, first);
    assert_int_equal(w->points_count, 2);
}

/* A worker has several shards, and stands still for each of them in turn; its
 * buddy's copies cost it nothing, and what is told twice costs once. */
static void test_points__cost_what_a_worker_stands_still(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    struct wire_kept kept = {.job = 1, .cost_us = 100};
    uint32_t own[2] = {0, 0};

    launch(w, 2);
    run_until_kept(w, 0);
    for (uint32_t s = 0; s < job->owners_count; s++) {
        own[job->owners[s]]++;
    }
    assert_true(own[0] > 1 && own[0] != own[1]);
    assert_int_equal(job->point.cost_us,
                     100 * (own[0] > own[1] ? own[0] : own[1]));

    kept.line = job->point.line;
    kept.interval = job->point.interval;
    kept.term = job->point.term;
    fake_tell_kept(w, 0, &kept);
    fake_run(w, 1);
    assert_int_equal(job->point.cost_us,
                     100 * (own[0] > own[1] ? own[0] : own[1]));
}

/* 60 ms of page faults are not 25 s of steps that may have to be computed
 * again; a copy of many GB still is not asked for twice a second. */
static void test_points__in_fresh_memory_count_for_a_tenth(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t first;

    launch(w, 2);
    run_until_kept(w, 0);
    first = job->point.interval;
    assert_int_equal(job->keep_points, 1);
    job_of(w)->keep_cost_us = 62500;

    w->now_ms += 2400;
    run_to_interval(w, job->reported + 2);
    assert_int_equal(job->point.interval, first);
    assert_false(job->making.used);

    w->now_ms += 100;
    run_until_kept(w, first);
    assert_int_equal(job->keep_points, 2);
}

static void test_points__one_that_never_comes_is_given_up(void **state)
{
    struct fakeworld *w = *state;
    uint64_t interval;

    w->keeps = false;
    launch(w, 2);
    run_to_interval(w, 4);
    interval = job_of(w)->making.interval;
    assert_true(job_of(w)->making.used);

    w->now_ms += KEEP_PATIENCE_MS;
    for (uint32_t i = 0; i < 3; i++) {
        members_hear(&w->coord->members, i, w->now_ms);
    }
    w->keeps = true;
    run_until_kept(w, interval);
}

static void test_points__a_later_version_supersedes_them(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t head;

    launch(w, 2);
    run_until_kept(w, 0);
    head = job->record.head;
    for (uint32_t i = 0; i < 10000 && job->record.head == head; i++) {
        fake_run(w, 1); /* the end of task 0 */
    }

    assert_false(job->point.used);
    run_to_interval(w, job->reported + 2);
    assert_int_equal(w->workers[0].kept, 0);
}

/* A version of the same boundary, or an earlier one, comes first: a replay from
 * the point would not make it again. */
static void test_points__wait_for_the_versions_before_them(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    struct job_spec spec = fake_spec();

    spec.keep.every_steps = 100;
    fake_launch(w, &spec);
    run_until(w, PHASE_RUNNING);
    for (uint32_t i = 0; i < 1000 && !job->making.used; i++) {
        fake_run(w, 1);
    }
    assert_int_equal(job->record.head, 1);
    w->hold_commits = true;
    fake_run(w, 1000);
    assert_true(job->making.used);
    assert_true(job_point_held(job, &job->making, 2));
    assert_false(job->making.storing);
    assert_int_equal(w->points_count, 0);
}

static void test_points__are_forgotten_where_a_job_rests(void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    fake_ask(w, 9, REQUEST_PAUSE);
    run_until(w, PHASE_PAUSED);
    fake_run(w, 1000);

    assert_false(job_of(w)->point.used);
    assert_int_equal(w->workers[0].forgets, 1);
    assert_int_equal(w->workers[1].forgets, 1);
    assert_int_equal(w->workers[2].forgets, 0); /* it never heard of the job */
}

static void test_points__of_jobs_that_rest_are_not_wanted(void **state)
{
    struct fakeworld *w = *state;
    const struct wire_kept kept = {.job = 1, .interval = 3};
    const struct wire_kept unknown = {.job = 7, .interval = 3};

    launch(w, 2);
    fake_ask(w, 9, REQUEST_PAUSE);
    run_until(w, PHASE_PAUSED);
    fake_run(w, 1000);
    w->workers[2].forgets = 0;
    fake_tell_kept(w, 2, &kept);
    fake_tell_kept(w, 2, &unknown);
    fake_run(w, 1000);

    assert_int_equal(w->workers[2].forgets, 2);
}

static void test_points__of_no_shard_interval_or_term_change_nothing(
    void **state)
{
    struct fakeworld *w = *state;
    struct wire_kept kept = {.job = 1, .interval = 999};

    launch(w, 2);
    run_until_kept(w, 0);
    fake_tell_kept(w, 2, &kept);
    kept.interval = job_of(w)->point.interval;
    kept.term = job_of(w)->point.term - 1; /* it may be another boundary */
    fake_tell_kept(w, 2, &kept);
    kept.term++;
    kept.layer = LAYERS_MAX - 1;
    fake_tell_kept(w, 2, &kept);
    kept.layer = 0;
    kept.shard = SHARDS_MAX - 1;
    fake_tell_kept(w, 2, &kept);
    fake_run(w, 4);

    assert_false(job_point_has(&job_of(w)->point, 2));
    assert_int_equal(w->workers[2].forgets, 0);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, three_that_keep, end_of_world)
    const struct CMUnitTest tests[] = {
        TEST(test_points__is_complete_when_stored_and_held_twice),
        TEST(test_points__needs_the_second_copy_where_there_are_two_workers),
        TEST(test_points__of_one_worker_have_one_copy),
        TEST(test_points__are_asked_for_at_two_percent_of_the_time),
        TEST(test_points__cost_what_a_worker_stands_still),
        TEST(test_points__in_fresh_memory_count_for_a_tenth),
        TEST(test_points__one_that_never_comes_is_given_up),
        TEST(test_points__a_later_version_supersedes_them),
        TEST(test_points__wait_for_the_versions_before_them),
        TEST(test_points__are_forgotten_where_a_job_rests),
        TEST(test_points__of_jobs_that_rest_are_not_wanted),
        TEST(test_points__of_no_shard_interval_or_term_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
