/* States kept in the memory of workers: those that fail, that rest, and that a
 * new coordinator finds. */
#include "tests/unit/coordinator/core/fakepoints.h"

static void test_points_again__that_workers_cannot_load_are_given_up(
    void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + 1);
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

static void test_points_again__are_not_gone_back_to_for_ever(void **state)
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

static void test_points_again__that_the_store_has_lost_cost_steps_alone(
    void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + 1);
    w->no_point = true;
    lose_now(w, 1);
    run_until(w, PHASE_RUNNING);

    assert_false(job_of(w)->from_point);
    assert_same_end(w);
}

static void test_points_again__are_forgotten_where_a_job_rests(void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    fake_request(w, (struct request){.id = 9, .kind = REQUEST_PAUSE, .job = 1});
    run_until(w, PHASE_PAUSED);
    fake_run(w, 1000);

    assert_false(job_of(w)->point.used);
    for (uint32_t i = 0; i < 3; i++) { /* w2 does not host it */
        assert_int_equal(w->workers[i].forgets, 1);
    }
}

static void test_points_again__of_jobs_that_rest_are_not_wanted(void **state)
{
    struct fakeworld *w = *state;
    const struct wire_kept kept = {.job = 1, .interval = 3};
    const struct wire_kept unknown = {.job = 7, .interval = 3};

    launch(w, 2);
    fake_request(w, (struct request){.id = 9, .kind = REQUEST_PAUSE, .job = 1});
    run_until(w, PHASE_PAUSED);
    fake_run(w, 1000);
    w->workers[2].forgets = 0;
    fake_tell_kept(w, 2, &kept);
    fake_tell_kept(w, 2, &unknown);
    fake_run(w, 1000);

    assert_int_equal(w->workers[2].forgets, 2);
}

static void test_points_again__of_no_shard_interval_or_term_change_nothing(
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

    for (uint32_t s = 0; s < LAYERS_MAX * SHARDS_MAX; s++) {
        assert_true((job_of(w)->point.holders[s] & 4) == 0);
    }
    assert_int_equal(w->workers[2].forgets, 0);
}

/* --- A coordinator that starts again --- */

/* The record as it was stored, and the coordinator that reads it. */
static void start_again(struct fakeworld *w)
{
    struct job_record record = w->records[0];
    const struct version *point = w->points[w->points_count - 1];
    struct coord_event start = {.type = COORD_START};
    struct coord_event ev = {.type = COORD_RECORD};

    while (w->queue_count > 0) { /* what was on its way to the old one */
        struct fake_event *e = w->queue[w->queue_first];

        w->queue_first = (w->queue_first + 1) % QUEUE_MAX;
        w->queue_count--;
        mem_free(e->report);
        mem_free(e->record);
        mem_free(e);
    }
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

static void test_points_again__a_new_coordinator_gathers_the_copies(
    void **state)
{
    struct fakeworld *w = *state;
    uint64_t interval;

    launch(w, 2);
    run_until_kept(w, 0);
    interval = job_of(w)->point.interval;
    run_to_interval(w, interval + 2);
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

static void test_points_again__what_is_not_there_in_time_is_done_without(
    void **state)
{
    struct fakeworld *w = *state;
    uint64_t interval;

    launch(w, 2);
    run_until_kept(w, 0);
    interval = job_of(w)->point.interval;
    run_to_interval(w, interval + 2);
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

static void test_points_again__a_new_coordinator_counts_what_is_computed_again(
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

static void test_points_again__bits_that_differ_stop_the_job(void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + 2);
    lose_now(w, 1);
    run_until(w, PHASE_PLACING);
    w->odd_bits = true; /* the machine that took over is broken */
    run_until(w, PHASE_PAUSED);
    fake_run(w, 1000);

    assert_true(said(w, "bits differ at interval 2: "));
    assert_true(said(w, "state paused: bits differ at interval 2: "));
    assert_false(job_of(w)->point.used);
}

static void test_points_again__bits_that_are_new_are_compared_with_nothing(
    void **state)
{
    struct fakeworld *w = *state;

    launch(w, 2);
    w->odd_bits = true;
    fake_run(w, 100000);

    assert_int_equal(w->checks, 0);
    assert_int_equal(job_of(w)->record.state, JOB_FINISHED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_points_again__that_workers_cannot_load_are_given_up),
        TEST(test_points_again__are_not_gone_back_to_for_ever),
        TEST(test_points_again__that_the_store_has_lost_cost_steps_alone),
        TEST(test_points_again__are_forgotten_where_a_job_rests),
        TEST(test_points_again__of_jobs_that_rest_are_not_wanted),
        TEST(test_points_again__of_no_shard_interval_or_term_change_nothing),
        TEST(test_points_again__a_new_coordinator_gathers_the_copies),
        TEST(test_points_again__what_is_not_there_in_time_is_done_without),
        TEST(
            test_points_again__a_new_coordinator_counts_what_is_computed_again),
        TEST(test_points_again__bits_that_differ_stop_the_job),
        TEST(test_points_again__bits_that_are_new_are_compared_with_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
