/* States kept in the memory of workers: when one is complete, and what the loss
 * of a copy means. */
#include "tests/unit/coordinator/core/fakepoints.h"

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
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (w->coord->tokens[t].kind == TOKEN_POINT &&
            w->coord->tokens[t].id != 0) {
            fake_stored(w, w->coord->tokens[t].id);
        }
    }
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

static void test_points__are_asked_for_at_one_percent_of_the_time(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t first;

    launch(w, 2);
    run_until_kept(w, 0);
    first = job->point.interval;
    job_of(w)->keep_points = KEEP_FRESH_POINTS + 1;
    job_of(w)->keep_cost_us = 30000; /* 30 ms: every 3 s */
    run_to_interval(w, first + 3);
    assert_int_equal(job->point.interval, first);

    w->now_ms += 2900;
    run_to_interval(w, job->reported + 2);
    assert_false(job->making.used);

    w->now_ms += 100;
    run_until_kept(w, first);
    assert_int_equal(w->points_count, 2);
}

/* 250 ms of page faults are not 25 s of steps that may have to be computed
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
    job_of(w)->keep_cost_us = 250000;

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
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        w->coord->members.items[i].seen_ms = w->now_ms;
    }
    w->keeps = true;
    run_until_kept(w, interval);
}

static void test_points__a_job_goes_back_to_the_buddies_copies(void **state)
{
    struct fakeworld *w = *state;
    uint64_t step;
    uint64_t done;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + 2);
    step = job_of(w)->point.step;
    done = job_of(w)->record.step;
    assert_true(done > step);
    w->now_ms += 700;
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);

    assert_true(said(w, "worker w1 is lost (its process ended, or its link "
                        "broke); back to step 100 (kept 0.7 s ago), "));
    assert_true(said(w, " steps again"));
    assert_int_equal(job_of(w)->record.replayed_steps, done - step);
    assert_int_equal(from_point(w), 2); /* w2 has been idle, and takes over */
    run_until(w, PHASE_RUNNING);
    assert_false(said(w, "goes on "));
    assert_same_end(w);
    assert_true(said(w, " s after it stopped, "));
    assert_true(said(w, " steps to compute again"));
    assert_true(said(w, "is where it was, "));
    assert_true(w->checks > 0);
    assert_int_equal(job_of(w)->record.replayed_steps, done - step);
}

static void test_points__names_who_gives_the_copies(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job->point.interval + 1);
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);

    assert_int_equal(job->holders_count, 1);
    assert_int_equal(job->holders[0].worker, 0);
    assert_true(job->holders[0].curve); /* and whom to expect there */
    assert_int_equal(job->holders[0].key.b[0], 1);
    for (uint32_t s = 0; s < job->owners_count; s++) {
        assert_int_equal(job->sources[s], 0);
    }
}

static void test_points__owners_that_have_a_copy_are_their_own_source(
    void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);
    uint32_t own = 0;

    launch(w, 2);
    run_until_kept(w, 0);
    job->from_point = true; /* as if placed from it */
    job_choose_sources(job, &w->coord->members);

    assert_int_equal(job->holders_count, 2);
    for (uint32_t s = 0; s < job->owners_count; s++) {
        own += job->holders[job->sources[s]].worker == job->owners[s];
    }
    assert_int_equal(own, job->owners_count);
}

static void test_points__both_copies_lost_is_back_to_the_head(void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + 1);
    lose_now(w, 0);
    lose_now(w, 1);
    fake_hello(w, 0);
    run_until(w, PHASE_RUNNING);

    assert_true(said(w, "worker w0 is lost"));
    assert_int_equal(from_point(w), 0);
    assert_false(job_of(w)->from_point);
    assert_int_equal(w->points_dropped, 1); /* a restart need not wait for it */
    assert_same_end(w);
}

static void test_points__a_loss_during_the_load_is_back_to_the_head(
    void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + 1);
    lose_now(w, 1);
    run_until(w, PHASE_LOADING);
    lose_now(w, 0);
    fake_hello(w, 1);
    run_until(w, PHASE_RUNNING);

    assert_false(job_of(w)->from_point);
    assert_same_end(w);
}

static void test_points__a_lost_source_places_the_job_anew(void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);
    uint64_t term;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job->point.interval + 1);
    for (uint32_t s = 0; s < job->owners_count; s++) {
        job->point.holders[s] |= 4; /* w2 has some, too, and is a bystander */
    }
    job->record.workers_wanted = 1; /* so that w1 alone hosts it next */
    lose_now(w, 0);
    run_until(w, PHASE_PLACING);
    assert_int_equal(job->placed, 2);
    term = job->term;
    lose_now(w, 2); /* READY is not read yet */
    run_until(w, PHASE_PLACING);
    assert_true(job->term > term);

    assert_true(job->from_point);
    assert_int_equal(job->holders_count, 1);
    assert_int_equal(job->point.tries, 2);
}

static void test_points__lost_in_the_making_leave_the_one_before(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t interval;

    launch(w, 2);
    run_until_kept(w, 0);
    interval = job->point.interval;
    w->now_ms += 600;
    w->keeps = false; /* the next one is asked for, and is not made */
    for (uint32_t i = 0; i < 1000 && !job->making.used; i++) {
        fake_run(w, 1);
    }
    assert_true(job->making.used);
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);

    assert_true(job->from_point);
    assert_int_equal(job->point.interval, interval);
    assert_false(job->making.used);
    assert_same_end(w);
}

/* The record on the disk is where the job goes back to, though the worker was
 * lost before that was known. */
static void test_points__on_its_way_to_the_disk_are_waited_for(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t interval;
    uint64_t token = 0;

    launch(w, 2);
    run_until_kept(w, 0);
    w->now_ms += 600;
    w->hold_points = true;
    for (uint32_t i = 0; i < 1000 && !job->making.storing; i++) {
        fake_run(w, 1);
    }
    interval = job->making.interval;
    lose_now(w, 1);
    run_until(w, PHASE_LOADING);
    fake_run(w, 100);
    assert_int_equal(job->phase, PHASE_LOADING);

    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (w->coord->tokens[t].kind == TOKEN_POINT &&
            w->coord->tokens[t].id != 0) {
            token = w->coord->tokens[t].id;
        }
    }
    assert_true(token != 0);
    w->hold_points = false;
    fake_stored(w, token);
    run_until(w, PHASE_PLACING);

    assert_true(job->from_point);
    assert_int_equal(job->point.interval, interval);
    assert_same_end(w);
}

static void test_points__a_record_that_is_not_stored_leaves_the_one_before(
    void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);
    uint64_t interval;

    launch(w, 2);
    run_until_kept(w, 0);
    interval = job->point.interval;
    w->now_ms += 600;
    w->fail_points = true;
    for (uint32_t i = 0; i < 1000 && !job->making.storing; i++) {
        fake_run(w, 1);
    }
    run_to_interval(w, job->reported + 2);
    assert_int_equal(job->point.interval, interval);
    w->fail_points = false;
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);

    assert_true(job->from_point);
    assert_int_equal(job->point.interval, interval);
    assert_same_end(w);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_points__is_complete_when_stored_and_held_twice),
        TEST(test_points__needs_the_second_copy_where_there_are_two_workers),
        TEST(test_points__of_one_worker_have_one_copy),
        TEST(test_points__are_asked_for_at_one_percent_of_the_time),
        TEST(test_points__in_fresh_memory_count_for_a_tenth),
        TEST(test_points__one_that_never_comes_is_given_up),
        TEST(test_points__a_job_goes_back_to_the_buddies_copies),
        TEST(test_points__names_who_gives_the_copies),
        TEST(test_points__owners_that_have_a_copy_are_their_own_source),
        TEST(test_points__both_copies_lost_is_back_to_the_head),
        TEST(test_points__a_loss_during_the_load_is_back_to_the_head),
        TEST(test_points__a_lost_source_places_the_job_anew),
        TEST(test_points__lost_in_the_making_leave_the_one_before),
        TEST(test_points__on_its_way_to_the_disk_are_waited_for),
        TEST(test_points__a_record_that_is_not_stored_leaves_the_one_before),
        TEST(test_points__a_later_version_supersedes_them),
        TEST(test_points__wait_for_the_versions_before_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
