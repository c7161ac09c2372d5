/* States kept in the memory of workers: where a job goes back to. */
#include "tests/unit/coordinator/core/keeping.h"

#include "coordinator/core/job_points.h"

#include <string.h>

static void test_points_back__a_job_goes_back_to_the_buddies_copies(
    void **state)
{
    struct fakeworld *w = *state;
    uint64_t step;
    uint64_t done;

    launch_beyond_point(w, 2);
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

static void test_points_back__names_who_gives_the_copies(void **state)
{
    struct fakeworld *w = *state;
    const struct job *job = job_of(w);

    launch_beyond_point(w, 1);
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

static void test_points_back__owners_that_have_a_copy_are_their_own_source(
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

static void test_points_back__both_copies_lost_is_back_to_the_head(void **state)
{
    struct fakeworld *w = *state;

    launch_beyond_point(w, 1);
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

static void test_points_back__a_loss_during_the_load_is_back_to_the_head(
    void **state)
{
    struct fakeworld *w = *state;

    launch_beyond_point(w, 1);
    lose_now(w, 1);
    run_until(w, PHASE_LOADING);
    lose_now(w, 0);
    fake_hello(w, 1);
    run_until(w, PHASE_RUNNING);

    assert_false(job_of(w)->from_point);
    assert_same_end(w);
}

static void test_points_back__a_lost_source_places_the_job_anew(void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);
    uint64_t term;

    launch_beyond_point(w, 1);
    for (uint32_t s = 0; s < job->owners_count; s++) {
        /* w2 has some, too, and is a bystander */
        assert_true(job_point_hold(&job->point, s, 2));
    }
    job->record.workers_wanted = 1; /* so that w1 alone hosts it next */
    lose_now(w, 0);
    run_until(w, PHASE_PLACING);
    assert_int_equal(worker_set_count(&job->placed), 1);
    assert_true(worker_set_has(&job->placed, 1));
    term = job->term;
    lose_now(w, 2); /* READY is not read yet */
    run_until(w, PHASE_PLACING);
    assert_true(job->term > term);

    assert_true(job->from_point);
    assert_int_equal(job->holders_count, 1);
    assert_int_equal(job->point.tries, 2);
}

static void test_points_back__lost_in_the_making_leave_the_one_before(
    void **state)
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
static void test_points_back__on_its_way_to_the_disk_are_waited_for(
    void **state)
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

static void test_points_back__a_record_that_is_not_stored_leaves_the_one_before(
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

static void test_points_back__that_workers_cannot_load_are_given_up(
    void **state)
{
    struct fakeworld *w = *state;

    launch_beyond_point(w, 1);
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);
    for (uint32_t i = 0; i < w->queue_count; i++) {
        struct fake_event *e = w->queue[(w->queue_first + i) % QUEUE_MAX];

        if (e->event.type == COORD_MESSAGE && e->message.kind == WIRE_READY &&
            e->message.ready.term == job_of(w)->term) {
            e->message.ready.status = STATUS_UNAVAILABLE;
            memcpy(e->message.ready.error, "no copy came", 13);
        }
    }
    run_until(w, PHASE_LOADING);
    run_until(w, PHASE_RUNNING);

    assert_true(said(w, "of step 100, is given up"));
    assert_true(said(w, "no copy came; back to v1 at step 0"));
    assert_false(job_of(w)->from_point);
    assert_same_end(w);
}

static void test_points_back__are_not_gone_back_to_for_ever(void **state)
{
    struct fakeworld *w = *state;
    uint32_t times = 0;

    launch(w, 2);
    run_until_kept(w, 0);
    w->keeps = false; /* no newer one */
    w->now_ms += 10;
    while (times < 20) {
        lose_now(w, 2); /* the bystander, then the one that took over */
        lose_now(w, 1);
        run_until(w, PHASE_LOADING);
        fake_hello(w, 1);
        run_until(w, PHASE_PLACING);
        if (!job_of(w)->from_point) {
            break;
        }
        times++;
        run_until(w, PHASE_RUNNING);
    }
    assert_int_equal(times, POINT_TRIES_MAX);
    assert_same_end(w);
}

static void test_points_back__that_the_store_has_lost_cost_steps_alone(
    void **state)
{
    struct fakeworld *w = *state;

    launch_beyond_point(w, 1);
    w->no_point = true;
    lose_now(w, 1);
    run_until(w, PHASE_RUNNING);

    assert_false(job_of(w)->from_point);
    assert_same_end(w);
}

/* --- A coordinator that starts again --- */

/* The record as it was stored, and the coordinator that reads it. */
static void start_again(struct fakeworld *w)
{
    struct job_record record = w->records[0];
    const struct version *point = w->points[w->points_count - 1];
    struct coord_event start = {.type = COORD_START};
    struct coord_event ev = {.type = COORD_RECORD};

    fake_drop_queue(w); /* what was on its way to the old one */
    record.head = w->versions_count;
    record.last_version = w->versions_count;
    coord_init(w->coord);
    start.start.life = 2;
    start.start.timeout_ms = 5000;
    fake_step(w, &start);
    ev.record.record = &record;
    ev.record.resume = true;
    ev.record.has_point = true;
    ev.record.line = point->line;
    ev.record.term = point->begun->term;
    ev.record.interval = point->interval;
    ev.record.step = point->step;
    fake_step(w, &ev);
}

static void tell_all_kept(struct fakeworld *w,
                          uint32_t worker,
                          uint64_t interval,
                          uint32_t layers)
{
    for (uint32_t l = 0; l < layers; l++) {
        for (uint32_t s = 0; s < (l < 2 ? 3 : 1); s++) {
            const struct version *point = w->points[w->points_count - 1];
            const struct wire_kept kept = {.job = 1,
                                           .interval = interval,
                                           .layer = l,
                                           .shard = s,
                                           .term = point->begun->term};

            fake_tell_kept(w, worker, &kept);
        }
    }
}

static void test_points_back__a_new_coordinator_gathers_the_copies(void **state)
{
    struct fakeworld *w = *state;
    uint64_t interval;

    launch_beyond_point(w, 2);
    interval = job_of(w)->point.interval;
    start_again(w);
    fake_run(w, 100);
    assert_int_equal(job_of(w)->phase, PHASE_LOADING);

    fake_hello(w, 0);
    tell_all_kept(w, 0, interval, 2); /* and not the output layer */
    fake_run(w, 100);
    assert_int_equal(job_of(w)->phase, PHASE_LOADING);

    fake_hello(w, 1);
    tell_all_kept(w, 1, interval, 3);
    run_until(w, PHASE_RUNNING);
    assert_true(job_of(w)->from_point);
    assert_same_end(w);
}

static void test_points_back__what_is_not_there_in_time_is_done_without(
    void **state)
{
    struct fakeworld *w = *state;
    uint64_t interval;

    launch_beyond_point(w, 2);
    interval = job_of(w)->point.interval;
    start_again(w);
    fake_hello(w, 0);
    fake_hello(w, 1);
    tell_all_kept(w, 0, interval, 2);
    fake_run(w, 100);
    assert_int_equal(job_of(w)->phase, PHASE_LOADING);
    assert_int_equal(coord_deadline_ms(w->coord), w->now_ms + 2000);

    w->now_ms += 2000;
    run_until(w, PHASE_RUNNING);
    assert_false(job_of(w)->from_point);
    assert_same_end(w);
}

static void test_points_back__a_new_coordinator_counts_what_is_computed_again(
    void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);
    struct coord_event ev = {.type = COORD_LOADED};

    launch(w, 2);
    run_until_kept(w, 0);
    job->record.step = job->point.step; /* an old record's */
    job->phase = PHASE_LOADING;
    job->taken_over = true;
    ev.loaded.version = w->points[w->points_count - 1];
    ev.loaded.point = true;
    ev.loaded.step = job->point.step + 57;
    ev.loaded.memory = job->memory;
    ev.loaded.journaled = job->journaled;
    ev.loaded.token = w->coord->last_token + 1;
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (w->coord->tokens[t].id == 0) {
            w->coord->tokens[t] = (struct token){
                .id = ++w->coord->last_token, .kind = TOKEN_LOAD, .job = 1};
            break;
        }
    }
    fake_step(w, &ev);

    assert_int_equal(job->record.replayed_steps, 57);
    assert_true(said(w, "the coordinator was started again; on from step 100 "
                        "(kept in memory), 57 steps again"));
}

/* --- The same bits --- */

static void test_points_back__bits_that_differ_stop_the_job(void **state)
{
    struct fakeworld *w = *state;

    launch_beyond_point(w, 2);
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);
    w->odd_bits = true; /* the machine that took over is broken */
    run_until(w, PHASE_PAUSED);
    fake_run(w, 1000);

    assert_true(said(w, "bits differ at interval 2: "));
    assert_true(said(w, "state paused: bits differ at interval 2: "));
    assert_false(job_of(w)->point.used);
}

static void test_points_back__bits_that_are_new_are_compared_with_nothing(
    void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    w->odd_bits = true;
    fake_run(w, 100000);

    assert_int_equal(w->checks, 0);
    assert_int_equal(job_of(w)->record.state, JOB_FINISHED);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, three_that_keep, end_of_world)
    const struct CMUnitTest tests[] = {
        TEST(test_points_back__a_job_goes_back_to_the_buddies_copies),
        TEST(test_points_back__names_who_gives_the_copies),
        TEST(test_points_back__owners_that_have_a_copy_are_their_own_source),
        TEST(test_points_back__both_copies_lost_is_back_to_the_head),
        TEST(test_points_back__a_loss_during_the_load_is_back_to_the_head),
        TEST(test_points_back__a_lost_source_places_the_job_anew),
        TEST(test_points_back__lost_in_the_making_leave_the_one_before),
        TEST(test_points_back__on_its_way_to_the_disk_are_waited_for),
        TEST(
            test_points_back__a_record_that_is_not_stored_leaves_the_one_before),
        TEST(test_points_back__that_workers_cannot_load_are_given_up),
        TEST(test_points_back__are_not_gone_back_to_for_ever),
        TEST(test_points_back__that_the_store_has_lost_cost_steps_alone),
        TEST(test_points_back__a_new_coordinator_gathers_the_copies),
        TEST(test_points_back__what_is_not_there_in_time_is_done_without),
        TEST(test_points_back__a_new_coordinator_counts_what_is_computed_again),
        TEST(test_points_back__bits_that_differ_stop_the_job),
        TEST(test_points_back__bits_that_are_new_are_compared_with_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
