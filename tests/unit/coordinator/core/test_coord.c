/* Jobs from their launch to their end, and what workers do to them. */
#include "tests/unit/coordinator/core/fakeworld.h"

#include "coordinator/core/coord_inside.h"

#include <string.h>

static void test_coord__runs_a_job_from_launch_to_end(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 100000);

    assert_string_equal(w->log, "[0] reply launched\n"
                                "[0] state waiting\n"
                                "[0] state running\n"
                                "[0] version v1 start\n"
                                "[0] version v2 task: task 0 ended\n"
                                "[0] version v3 task: task 1 ended\n"
                                "[0] state finished\n");
    assert_int_equal(w->coord->jobs[0].record.step, 800);
    assert_int_equal(w->coord->jobs[0].record.head, 3);
    assert_int_equal(w->records[0].state, JOB_FINISHED);
}

static void test_coord__waits_for_as_many_workers_as_wanted(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    spec.run.workers = 3;
    fake_launch(w, &spec);
    fake_run(w, 100000);

    assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_WAITING);
    assert_string_equal(w->coord->jobs[0].record.reason,
                        "needs 3 workers, 2 of 2 here are idle");

    fake_hello(w, 2);
    fake_run(w, 100000);
    assert_true(said(w, "state finished"));
}

static void test_coord__a_lost_worker_changes_no_decision(void **state)
{
    struct fakeworld *w = *state;
    struct fakeworld quiet;
    struct job_spec spec = plastic_spec();

    run_apart(&quiet, 2, &spec);
    fake_launch(w, &spec);
    for (uint32_t i = 0; i < 7; i++) {
        fake_run(w, 41);
        fake_lose(w, i % 2);
        fake_run(w, 10);
        fake_hello(w, i % 2);
    }
    fake_run(w, 1000000);

    assert_true(said(w, "state finished"));
    assert_true(said(
        w,
        "worker w1 is lost (its process ended, or its link broke); back to v"));
    assert_true(w->coord->jobs[0].record.replayed_steps > 0);
    assert_string_equal(w->journal, quiet.journal);
    assert_true(strlen(w->journal) > 1000);
    fake_close(&quiet);
}

static void test_coord__more_workers_change_no_decision(void **state)
{
    struct fakeworld *w = *state;
    struct fakeworld other;
    struct job_spec spec = plastic_spec();

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    spec.run.workers = 4;
    run_apart(&other, 4, &spec);

    assert_true(said(&other, "state finished"));
    assert_string_equal(w->journal, other.journal);
    fake_close(&other);
}

static void test_coord__grows_renews_and_prunes(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();

    fake_launch(w, &spec);
    fake_run(w, 1000000);

    assert_true(w->coord->jobs[0].record.grows > 0);
    assert_true(w->coord->jobs[0].record.renews > 0);
    assert_true(w->coord->jobs[0].record.prunes > 0);
    assert_true(said(w, "grow hidden1 +3 (schedule): every 4 intervals"));
    assert_true(said(w, "lesion hidden1"));
    assert_true(said(w, "prune hidden1"));
}

static void test_coord__heals_a_lesion_that_hurts(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();

    w->damage = 0.05;
    fake_launch(w, &spec);
    fake_run(w, 1000000);

    assert_int_equal(w->coord->jobs[0].record.prunes, 0);
    assert_true(said(w, "guard loss rose 5%, tolerance 1%; cooldown x2"));
    assert_true(said(w, "cooldown x4"));
}

static void test_coord__a_number_that_is_not_finite_pauses(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    w->not_finite = true;
    fake_run(w, 1000000);

    assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_PAUSED);
    assert_true(said(w, "a number in output stopped being finite at step "));
}

static void test_coord__a_slow_store_stalls_and_then_goes_on(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    spec.keep.every_steps = 50;
    w->hold_commits = true;
    fake_launch(w, &spec);
    fake_run(w, 1000000);
    assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_RUNNING);
    assert_true(w->coord->jobs[0].record.step < 800);

    /* The first commit is answered at last. */
    w->hold_commits = false;
    answer_tokens(w, TOKEN_COMMIT);
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
    assert_int_equal(w->versions_count, 17);
}

static void fault(struct fakeworld *w, uint32_t kind)
{
    struct fake_event *e = fake_message(w, 0);

    e->message.kind = WIRE_FAULT;
    e->message.fault.job = 1;
    e->message.fault.term = w->coord->jobs[0].term;
    e->message.fault.kind = kind;
    memcpy(e->message.fault.text, "disk is full", 13);
    fake_run(w, 60);
}

static void test_coord__a_fault_that_comes_again_pauses(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    spec.keep.on = 0;
    fake_launch(w, &spec);
    fake_run(w, 80);
    for (uint32_t i = 0; i < 2 * FAULTS_MAX; i++) {
        fault(w, FAULT_FRAME); /* a lost peer's doing */
        assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_RUNNING);
    }
    for (uint32_t i = 0; i < FAULTS_MAX; i++) {
        assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_RUNNING);
        fault(w, FAULT_CHUNK);
    }
    assert_true(said(w, "state paused: worker w0 says: disk is full"));

    fake_ask(w, 3, REQUEST_RESUME);
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
}

static void test_coord__refuses_a_worker_that_computes_other_bits(void **state)
{
    struct fakeworld *w = *state;
    struct fake_event *e;

    fake_hello(w, 2);
    e = w->queue[w->queue_first];
    e->message.hello.fingerprint.b[0] = 1;
    fake_run(w, 100);

    assert_int_equal(members_present(&w->coord->members), 2);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, two_workers, end_of_world)
    const struct CMUnitTest tests[] = {
        TEST(test_coord__runs_a_job_from_launch_to_end),
        TEST(test_coord__waits_for_as_many_workers_as_wanted),
        TEST(test_coord__a_lost_worker_changes_no_decision),
        TEST(test_coord__more_workers_change_no_decision),
        TEST(test_coord__grows_renews_and_prunes),
        TEST(test_coord__heals_a_lesion_that_hurts),
        TEST(test_coord__a_number_that_is_not_finite_pauses),
        TEST(test_coord__a_slow_store_stalls_and_then_goes_on),
        TEST(test_coord__a_fault_that_comes_again_pauses),
        TEST(test_coord__refuses_a_worker_that_computes_other_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
