#include "tests/unit/coordinator/core/fakeworld.h"

#include "coordinator/core/coord_inside.h"

static int setup(void **state)
{
    struct fakeworld *w = mem_new(sizeof(*w));

    assert_non_null(w);
    fake_open(w, 2);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    fake_close(*state);
    mem_free(*state);
    return 0;
}

static bool said(const struct fakeworld *w, const char *what)
{
    return strstr(w->log, what) != NULL;
}

static struct job_spec plastic_spec(void)
{
    struct job_spec spec = fake_spec();
    struct role_spec *renew = &spec.roles[ROLE_RENEW];
    struct role_spec *grow = &spec.roles[ROLE_GROW];
    struct role_spec *prune = &spec.roles[ROLE_PRUNE];

    renew->count = 1;
    renew->policies[0].policy = POLICY_CONTINUAL_BACKPROP;
    renew->policies[0].value[CBP_RATE] = 1e-3;
    renew->policies[0].value[CBP_MATURITY] = 100;
    renew->policies[0].value[CBP_DECAY] = 0.99;
    grow->count = 1;
    grow->policies[0].policy = POLICY_SCHEDULE;
    grow->policies[0].value[SCHEDULE_EVERY] = 4;
    grow->policies[0].value[SCHEDULE_ADD] = 3;
    grow->policies[0].value[SCHEDULE_MAX_UNITS] = 28;
    prune->count = 1;
    prune->policies[0].policy = POLICY_CONTRIBUTION;
    prune->policies[0].value[CONTRIBUTION_BELOW] = 0.2;
    prune->policies[0].value[CONTRIBUTION_PROBATION] = 2;
    prune->policies[0].value[CONTRIBUTION_MATURITY] = 100;
    prune->policies[0].value[CONTRIBUTION_MIN_UNITS] = 8;
    prune->policies[0].value[CONTRIBUTION_COOLDOWN] = 1;
    return spec;
}

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

    fake_open(&quiet, 2);
    fake_launch(&quiet, &spec);
    fake_run(&quiet, 1000000);

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
    fake_open(&other, 4);
    fake_launch(&other, &spec);
    fake_run(&other, 1000000);

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

static void test_coord__pauses_and_resumes_to_the_same_end(void **state)
{
    struct fakeworld *w = *state;
    struct fakeworld quiet;
    struct job_spec spec = plastic_spec();

    fake_open(&quiet, 2);
    fake_launch(&quiet, &spec);
    fake_run(&quiet, 1000000);

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_request(w, (struct request){.id = 2, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(w, 1000000);
    assert_true(said(w, "state paused: paused by request"));
    assert_true(said(w, "reply paused"));
    fake_request(w,
                 (struct request){.id = 3, .kind = REQUEST_RESUME, .job = 1});
    fake_run(w, 1000000);

    assert_true(said(w, "state finished"));
    assert_string_equal(w->journal, quiet.journal);
    assert_int_equal(w->coord->jobs[0].record.replayed_steps, 0);
    fake_close(&quiet);
}

static void test_coord__a_resume_takes_the_workers_that_are_idle(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    const struct job_record *record = &w->coord->jobs[0].record;

    fake_launch(w, &spec);
    fake_run(w, 80);
    assert_int_equal(record->shares_count, 2);
    fake_request(w, (struct request){.id = 2, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(w, 1000000);
    fake_lose(w, 1);
    fake_run(w, 1000000);
    fake_request(w,
                 (struct request){.id = 3, .kind = REQUEST_RESUME, .job = 1});
    fake_run(w, 1000000);

    assert_true(said(w, "state finished"));
    assert_int_equal(record->workers_wanted, 1);
    assert_int_equal(record->shares_count, 1);
}

static void test_coord__restores_a_finished_job_and_undoes_it(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();
    const struct job_record *record = &w->coord->jobs[0].record;
    uint64_t end;

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    end = record->head;
    fake_request(w,
                 (struct request){
                     .id = 2, .kind = REQUEST_RESTORE, .job = 1, .version = 2});
    fake_run(w, 1000000);

    assert_int_equal(record->head, end + 1);
    assert_int_equal(record->line, 1);
    assert_int_equal(record->step, w->versions[2]->step);
    assert_int_equal(record->state, JOB_PAUSED);

    fake_request(
        w, (struct request){
               .id = 3, .kind = REQUEST_RESTORE, .job = 1, .version = end});
    fake_run(w, 1000000);
    assert_int_equal(record->head, end + 2);
    assert_int_equal(record->step, 800);
}

static void test_coord__a_restored_version_has_the_same_future(void **state)
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
    fake_request(w,
                 (struct request){
                     .id = 2, .kind = REQUEST_RESTORE, .job = 1, .version = 2});
    fake_run(w, 1000000);
    fake_request(w,
                 (struct request){.id = 3, .kind = REQUEST_RESUME, .job = 1});
    fake_run(w, 1000000);

    /* What the second future decided is the tail of what the first did. */
    assert_true(strlen(w->journal) > length);
    assert_non_null(strstr(first, w->journal + length));
    assert_string_equal(first + strlen(first) - strlen(w->journal + length),
                        w->journal + length);
    mem_free(first);
}

static void test_coord__restores_a_running_job_and_goes_on(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = plastic_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_request(w,
                 (struct request){
                     .id = 2, .kind = REQUEST_RESTORE, .job = 1, .version = 1});
    fake_run(w, 1000000);

    assert_true(said(w, "reply restored v1 as v"));
    assert_true(said(w, "state finished"));
    assert_int_equal(w->coord->jobs[0].record.line, 1);
    assert_int_equal(w->coord->jobs[0].record.step, 800);
}

static void test_coord__cancel_keeps_the_last_version(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_request(w,
                 (struct request){.id = 2, .kind = REQUEST_CANCEL, .job = 1});
    fake_run(w, 1000000);

    assert_true(said(w, "state cancelled: cancelled by request"));
    assert_true(w->coord->jobs[0].record.head > 1);
    assert_int_equal(w->versions[w->coord->jobs[0].record.head]->cause,
                     CAUSE_MANUAL);
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

static void test_coord__a_setting_is_answered_when_it_is_journaled(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_request(w, (struct request){.id = 2,
                                     .kind = REQUEST_SET,
                                     .job = 1,
                                     .setting = SETTING_RATE,
                                     .value = 0.5});
    fake_run(w, 1000000);

    assert_true(said(w, "reply takes effect at step "));
    assert_true(w->coord->jobs[0].record.spec.train.rate.peak == 0.5);
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
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (w->coord->tokens[t].id != 0 &&
            w->coord->tokens[t].kind == TOKEN_COMMIT) {
            fake_stored(w, w->coord->tokens[t].id);
        }
    }
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
    assert_int_equal(w->versions_count, 17);
}

static void test_coord__a_resume_is_answered_when_it_is_stored(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_request(w, (struct request){.id = 2, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(w, 1000000);
    w->hold_states = true;
    fake_request(w,
                 (struct request){.id = 3, .kind = REQUEST_RESUME, .job = 1});
    fake_run(w, 1);

    assert_int_equal(w->records[0].state, JOB_WAITING);
    assert_false(said(w, "reply waiting"));
    w->hold_states = false;
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (w->coord->tokens[t].id != 0 &&
            w->coord->tokens[t].kind == TOKEN_STATE) {
            fake_stored(w, w->coord->tokens[t].id);
        }
    }
    fake_run(w, 1000000);
    assert_true(said(w, "reply waiting"));
    assert_true(said(w, "state finished"));
}

/* However fast they ask: what waits for the disk is bounded. */
static void test_coord__refuses_what_a_slow_disk_cannot_answer(void **state)
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

static void test_coord__a_failed_restore_leaves_an_ended_job_ended(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 1000000);
    w->fail_restores = true;
    fake_request(w,
                 (struct request){
                     .id = 2, .kind = REQUEST_RESTORE, .job = 1, .version = 2});
    fake_run(w, 1000000);

    assert_true(said(w, "nothing has changed"));
    assert_int_equal(job_visible_state(&w->coord->jobs[0]), JOB_FINISHED);
}

static void test_coord__refuses_a_line_too_many_and_goes_on(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    w->coord->jobs[0].record.lines_count = LINES_MAX;
    fake_request(w,
                 (struct request){
                     .id = 2, .kind = REQUEST_RESTORE, .job = 1, .version = 1});
    fake_run(w, 1000000);

    assert_true(said(w, "the job has its most lines"));
    assert_true(said(w, "state finished"));
}

static void set_rate(struct fakeworld *w, uint64_t id, double rate)
{
    fake_request(w, (struct request){.id = id,
                                     .kind = REQUEST_SET,
                                     .job = 1,
                                     .setting = SETTING_RATE,
                                     .value = rate});
}

/* A replay has room for so many. */
static void test_coord__counts_settings_since_the_newest_version(void **state)
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
    set_rate(w, 2, 0.5);
    set_rate(w, 3, 0.25);
    fake_run(w, 1000000);

    assert_true(said(w, "too many settings since the last version"));
    assert_true(job->record.spec.train.rate.peak == 0.5);
    /* The end is a version, and has the one that was taken. */
    assert_int_equal(job->inputs_count, INPUTS_MAX - 1);
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

    fake_request(w,
                 (struct request){.id = 3, .kind = REQUEST_RESUME, .job = 1});
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
}

static void test_coord__evaluates_a_version_without_touching_the_job(
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
static void test_coord__evaluates_the_newest_of_many_tasks(void **state)
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

static void test_coord__shuts_down_with_running_jobs_cut(void **state)
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_coord__runs_a_job_from_launch_to_end),
        TEST(test_coord__waits_for_as_many_workers_as_wanted),
        TEST(test_coord__a_lost_worker_changes_no_decision),
        TEST(test_coord__more_workers_change_no_decision),
        TEST(test_coord__grows_renews_and_prunes),
        TEST(test_coord__heals_a_lesion_that_hurts),
        TEST(test_coord__pauses_and_resumes_to_the_same_end),
        TEST(test_coord__a_resume_takes_the_workers_that_are_idle),
        TEST(test_coord__restores_a_finished_job_and_undoes_it),
        TEST(test_coord__a_restored_version_has_the_same_future),
        TEST(test_coord__restores_a_running_job_and_goes_on),
        TEST(test_coord__cancel_keeps_the_last_version),
        TEST(test_coord__a_number_that_is_not_finite_pauses),
        TEST(test_coord__a_setting_is_answered_when_it_is_journaled),
        TEST(test_coord__a_slow_store_stalls_and_then_goes_on),
        TEST(test_coord__a_resume_is_answered_when_it_is_stored),
        TEST(test_coord__refuses_what_a_slow_disk_cannot_answer),
        TEST(test_coord__a_failed_restore_leaves_an_ended_job_ended),
        TEST(test_coord__refuses_a_line_too_many_and_goes_on),
        TEST(test_coord__counts_settings_since_the_newest_version),
        TEST(test_coord__a_fault_that_comes_again_pauses),
        TEST(test_coord__evaluates_a_version_without_touching_the_job),
        TEST(test_coord__evaluates_the_newest_of_many_tasks),
        TEST(test_coord__shuts_down_with_running_jobs_cut),
        TEST(test_coord__refuses_a_worker_that_computes_other_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
