/* Moves of a job to other workers, and what may come between. */
#include "tests/unit/coordinator/core/elastic.h"

static void test_moves__a_pause_replaces_the_parting(void **state)
{
    struct elastic *e = begin(1, 1, 2);

    (void)state;
    leave(e, 0);
    for (uint32_t i = 0; i < 40 && job_of(&e->w)->want == WANT_NONE; i++) {
        fake_run(&e->w, 1);
    }
    assert_int_equal(job_of(&e->w)->want, WANT_PARK);
    fake_request(&e->w,
                 (struct request){.id = 2, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(&e->w, 1000);

    assert_true(said(&e->w, "reply paused"));
    assert_int_equal(e->w.workers[0].quits, 1);
    end(e);
}

static void test_moves__a_pause_in_a_move_loses_no_step(void **state)
{
    struct elastic *e = begin_moving(3);
    uint64_t step = job_of(&e->w)->record.step;

    (void)state;
    fake_request(&e->w,
                 (struct request){.id = 3, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, 1000);
    assert_true(said(&e->w, "reply paused"));
    assert_true(job_of(&e->w)->record.step >= step);
    fake_request(&e->w,
                 (struct request){.id = 4, .kind = REQUEST_RESUME, .job = 1});

    end_undisturbed(e);
    end(e);
}

static void test_moves__a_cancel_in_a_move_ends_the_job(void **state)
{
    struct elastic *e = begin_moving(3);

    (void)state;
    fake_request(&e->w,
                 (struct request){.id = 3, .kind = REQUEST_CANCEL, .job = 1});
    answer_points(e);
    fake_run(&e->w, ENOUGH);

    assert_int_equal(job_of(&e->w)->record.state, JOB_CANCELLED);
    assert_true(said(&e->w, "reply w0 hosts nothing any more"));
    end(e);
}

static void test_moves__a_worker_that_dies_in_a_move_rolls_it_back(void **state)
{
    struct elastic *e = begin_moving(4);

    (void)state;
    fake_lose(&e->w, 2);
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, ENOUGH);

    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
    assert_true(said(&e->w, "reply w0 hosts nothing any more"));
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_moves__a_move_whose_state_cannot_be_kept_is_tried_later(
    void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    e->w.fail_points = true;
    ask(e, 2, REQUEST_DRAIN, 1);
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "the state to move could not be kept"));
    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
    assert_true(said(&e->w, "reply w1 hosts nothing any more"));
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_moves__a_move_without_its_record_says_that_it_goes_back(
    void **state)
{
    struct elastic *e = begin_moving(3);

    (void)state;
    answer_points(e);
    e->w.no_point = true;
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "the record of the state kept in memory cannot be "
                            "read; back to v3 at step 180"));
    assert_false(said(&e->w, "goes on at step"));
    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_moves__a_copy_lost_in_a_move_is_told_of(void **state)
{
    struct elastic *e = begin(3, 1, 2);

    (void)state;
    e->w.no_buddies = true;
    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 0);
    fake_run(&e->w, 1000);
    assert_true(job_of(&e->w)->moving);
    answer_points(e);
    fake_lose(&e->w, 1); /* while the record is read */
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "a copy of the state kept in memory is lost with "
                            "its worker; back to v3 at step 180"));
    assert_false(said(&e->w, "goes on at step"));
    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_moves__a_setting_does_not_wait_for_a_move_that_strands(
    void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 0);
    fake_run(&e->w, 1000);
    assert_true(job_of(&e->w)->moving);
    ask(e, 3, REQUEST_CORDON, 2);
    fake_request(&e->w, (struct request){.id = 4,
                                         .kind = REQUEST_SET,
                                         .job = 1,
                                         .setting = SETTING_RATE,
                                         .value = 0.25});
    fake_run(&e->w, 1000);
    answer_points(e);
    fake_run(&e->w, 40);

    assert_int_equal(job_of(&e->w)->phase, PHASE_WAITING);
    assert_true(said(&e->w, "the job stopped before the setting took effect"));
    end(e);
}

static void test_moves__a_shutdown_in_a_move_comes_to_its_end(void **state)
{
    struct elastic *e = begin_moving(3);

    (void)state;
    fake_request(&e->w, (struct request){.id = 3, .kind = REQUEST_SHUTDOWN});
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, 1000);

    assert_true(said(&e->w, "reply shut down"));
    end(e);
}

static void test_moves__a_lost_worker_leaves_the_job_to_the_others(void **state)
{
    struct elastic *e = begin(3, 1, 3);

    (void)state;
    fake_lose(&e->w, 1);
    fake_run(&e->w, ENOUGH);

    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
    assert_int_equal(job_of(&e->w)->record.shares_count, 2);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves__a_pause_replaces_the_parting),
        cmocka_unit_test(test_moves__a_pause_in_a_move_loses_no_step),
        cmocka_unit_test(test_moves__a_cancel_in_a_move_ends_the_job),
        cmocka_unit_test(
            test_moves__a_worker_that_dies_in_a_move_rolls_it_back),
        cmocka_unit_test(
            test_moves__a_move_whose_state_cannot_be_kept_is_tried_later),
        cmocka_unit_test(
            test_moves__a_move_without_its_record_says_that_it_goes_back),
        cmocka_unit_test(test_moves__a_copy_lost_in_a_move_is_told_of),
        cmocka_unit_test(
            test_moves__a_setting_does_not_wait_for_a_move_that_strands),
        cmocka_unit_test(test_moves__a_shutdown_in_a_move_comes_to_its_end),
        cmocka_unit_test(
            test_moves__a_lost_worker_leaves_the_job_to_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
