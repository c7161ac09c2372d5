/* What a person asks of a job: pause, resume, restore, cancel, set, evaluate,
 * shut down. */
#include "tests/unit/coordinator/core/fakeworld.h"

#include "base/mem.h"
#include "coordinator/core/coord_inside.h"

#include <string.h>

static void test_asked__pauses_and_resumes_to_the_same_end(void **state)
{
    struct fakeworld *w = *state;
    struct fakeworld quiet;
    struct job_spec spec = plastic_spec();

    run_apart(&quiet, 2, &spec);
    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_ask(w, 2, REQUEST_PAUSE);
    fake_run(w, 1000000);
    assert_true(said(w, "state paused: paused by request"));
    assert_true(said(w, "reply paused"));
    fake_ask(w, 3, REQUEST_RESUME);
    fake_run(w, 1000000);

    assert_true(said(w, "state finished"));
    assert_string_equal(w->journal, quiet.journal);
    assert_int_equal(w->coord->jobs[0].record.replayed_steps, 0);
    fake_close(&quiet);
}

static void test_asked__a_resume_takes_the_workers_that_are_idle(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    const struct job_record *record = &w->coord->jobs[0].record;

    fake_launch(w, &spec);
    fake_run(w, 80);
    assert_int_equal(record->shares_count, 2);
    fake_ask(w, 2, REQUEST_PAUSE);
    fake_run(w, 1000000);
    fake_lose(w, 1);
    fake_run(w, 1000000);
    fake_ask(w, 3, REQUEST_RESUME);
    fake_run(w, 1000000);

    assert_true(said(w, "state finished"));
    assert_int_equal(record->workers_wanted, 1);
    assert_int_equal(record->shares_count, 1);
}

static void test_asked__restores_a_finished_job_and_undoes_it(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();
    const struct job_record *record = &w->coord->jobs[0].record;
    uint64_t end;

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    end = record->head;
    fake_restore_to(w, 2, 2);
    fake_run(w, 1000000);

    assert_int_equal(record->head, end + 1);
    assert_int_equal(record->line, 1);
    assert_int_equal(record->step, w->versions[2]->step);
    assert_int_equal(record->state, JOB_PAUSED);

    fake_restore_to(w, 3, end);
    fake_run(w, 1000000);
    assert_int_equal(record->head, end + 2);
    assert_int_equal(record->step, 800);
}

static void test_asked__a_restored_version_has_the_same_future(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();
    char *first;
    size_t length;

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    first = mem_text(w->journal);
    assert_non_null(first);
    length = strlen(first);
    fake_restore_to(w, 2, 2);
    fake_run(w, 1000000);
    fake_ask(w, 3, REQUEST_RESUME);
    fake_run(w, 1000000);

    /* What the second future decided is the tail of what the first did. */
    assert_true(strlen(w->journal) > length);
    assert_non_null(strstr(first, w->journal + length));
    assert_string_equal(first + strlen(first) - strlen(w->journal + length),
                        w->journal + length);
    mem_free(first);
}

static void test_asked__restores_a_running_job_and_goes_on(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_restore_to(w, 2, 1);
    fake_run(w, 1000000);

    assert_true(said(w, "reply restored v1 as v"));
    assert_true(said(w, "state finished"));
    assert_int_equal(w->coord->jobs[0].record.line, 1);
    assert_int_equal(w->coord->jobs[0].record.step, 800);
}

static void test_asked__cancel_keeps_the_last_version(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_ask(w, 2, REQUEST_CANCEL);
    fake_run(w, 1000000);

    assert_true(said(w, "state cancelled: cancelled by request"));
    assert_true(w->coord->jobs[0].record.head > 1);
    assert_int_equal(w->versions[w->coord->jobs[0].record.head]->cause,
                     CAUSE_MANUAL);
}

static void test_asked__a_setting_is_answered_when_it_is_journaled(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_set_rate(w, 2, 0.5);
    fake_run(w, 1000000);

    assert_true(said(w, "reply takes effect at step "));
    assert_true(w->coord->jobs[0].record.spec.train.rate.peak == 0.5);
}

static void test_asked__a_resume_is_answered_when_it_is_stored(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_ask(w, 2, REQUEST_PAUSE);
    fake_run(w, 1000000);
    w->hold_states = true;
    fake_ask(w, 3, REQUEST_RESUME);
    fake_run(w, 1);

    assert_int_equal(w->records[0].state, JOB_WAITING);
    assert_false(said(w, "reply waiting"));
    w->hold_states = false;
    answer_tokens(w, TOKEN_STATE);
    fake_run(w, 1000000);
    assert_true(said(w, "reply waiting"));
    assert_true(said(w, "state finished"));
}

/* However fast they ask: what waits for the disk is bounded. */
static void test_asked__refuses_what_a_slow_disk_cannot_answer(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    spec.run.workers = 3;
    fake_launch(w, &spec);
    fake_run(w, 100);
    w->hold_states = true;
    for (uint32_t i = 0; i < 2 * TOKENS_MAX; i++) {
        fake_request(w, (struct request){.id = 2 + i,
                                         .kind = i % 2 == 0 ? REQUEST_PAUSE
                                                            : REQUEST_RESUME,
                                         .job = 1});
        fake_run(w, 10);
    }
    assert_true(said(w, "the store is behind: try again in a moment"));
}

static void test_asked__a_failed_restore_leaves_an_ended_job_ended(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    w->fail_restores = true;
    fake_restore_to(w, 2, 2);
    fake_run(w, 1000000);

    assert_true(said(w, "nothing has changed"));
    assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_FINISHED);
}

static void test_asked__refuses_a_line_too_many_and_goes_on(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    w->coord->jobs[0].record.lines_count = LINES_MAX;
    fake_restore_to(w, 2, 1);
    fake_run(w, 1000000);

    assert_true(said(w, "the job has its most lines"));
    assert_true(said(w, "state finished"));
}

/* A replay has room for so many. */
static void test_asked__counts_settings_since_the_newest_version(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    struct job *job = &w->coord->jobs[0];

    fake_launch(w, &spec);
    fake_run(w, 80);
    job->inputs_count = INPUTS_MAX - 1;
    for (uint32_t i = 0; i < job->inputs_count; i++) {
        job->inputs[i].interval = 1000; /* in no version yet */
    }
    fake_set_rate(w, 2, 0.5);
    fake_set_rate(w, 3, 0.25);
    fake_run(w, 1000000);

    assert_true(said(w, "too many settings since the last version"));
    assert_true(job->record.spec.train.rate.peak == 0.5);
    /* The end is a version, and has the one that was taken. */
    assert_int_equal(job->inputs_count, INPUTS_MAX - 1);
}

static void test_asked__evaluates_a_version_without_touching_the_job(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    struct job_record before;

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    before = w->coord->jobs[0].record;
    fake_request(
        w, (struct request){
               .id = 9, .kind = REQUEST_EVALUATE, .job = 1, .version = 3});
    fake_run(w, 1000000);

    assert_true(said(w, "evaluation \n[0] evaluation \n[0] reply evaluated"));
    assert_memory_equal(&before, &w->coord->jobs[0].record, sizeof(before));
    assert_int_equal(members_census(&w->coord->members)->idle, 2);
}

/* More tasks than a report can tell of: the newest. */
static void test_asked__evaluates_the_newest_of_many_tasks(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    const struct job *session = &w->coord->jobs[1];
    const struct grant *grant;
    uint64_t interval;

    w->shape->tasks_count = 200;
    for (uint32_t t = 0; t < 200; t++) {
        w->shape->task_examples[t] = 10;
    }
    spec.keep.on = 0;
    fake_launch(w, &spec);
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
    fake_request(
        w, (struct request){
               .id = 9, .kind = REQUEST_EVALUATE, .job = 1, .version = 2});
    while (session->phase != PHASE_RUNNING) {
        fake_run(w, 1);
    }

    interval = session->first;
    grant = &session->grants[interval % GRANTS_MAX];
    assert_int_equal(grant->evaluate_count, EVALUATED_TASKS_MAX);
    assert_int_equal(grant->evaluate_first, 200 - EVALUATED_TASKS_MAX);
    fake_run(w, 1000000);
    assert_true(said(w, "reply evaluated"));
}

static void test_asked__shuts_down_with_running_jobs_cut(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_request(w, (struct request){.id = 5, .kind = REQUEST_SHUTDOWN});
    fake_run(w, 1000000);

    assert_true(said(w, "reply shut down\n[0] quit"));
    assert_int_equal(w->records[0].state, JOB_RUNNING);
    assert_true(w->records[0].head > 1);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, two_workers, end_of_world)
    const struct CMUnitTest tests[] = {
        TEST(test_asked__pauses_and_resumes_to_the_same_end),
        TEST(test_asked__a_resume_takes_the_workers_that_are_idle),
        TEST(test_asked__restores_a_finished_job_and_undoes_it),
        TEST(test_asked__a_restored_version_has_the_same_future),
        TEST(test_asked__restores_a_running_job_and_goes_on),
        TEST(test_asked__cancel_keeps_the_last_version),
        TEST(test_asked__a_setting_is_answered_when_it_is_journaled),
        TEST(test_asked__a_resume_is_answered_when_it_is_stored),
        TEST(test_asked__refuses_what_a_slow_disk_cannot_answer),
        TEST(test_asked__a_failed_restore_leaves_an_ended_job_ended),
        TEST(test_asked__refuses_a_line_too_many_and_goes_on),
        TEST(test_asked__counts_settings_since_the_newest_version),
        TEST(test_asked__evaluates_a_version_without_touching_the_job),
        TEST(test_asked__evaluates_the_newest_of_many_tasks),
        TEST(test_asked__shuts_down_with_running_jobs_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
