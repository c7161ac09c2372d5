/* Workers that join, are cordoned, drained, leave or die while a job runs. */
#include "tests/unit/coordinator/core/fakeworld.h"

#include <stdlib.h>

enum { ENOUGH = 1000000, SETTLED_MS = 600 };

struct elastic {
    struct fakeworld w;
    struct fakeworld quiet; /* the same job, undisturbed, on one worker */
};

static struct job_spec plastic_spec(void)
{
    struct job_spec spec = fake_spec();

    spec.report_every_steps = 10; /* more boundaries */
    spec.roles[ROLE_RENEW].count = 1;
    spec.roles[ROLE_RENEW].policies[0].policy = POLICY_CONTINUAL_BACKPROP;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_RATE] = 1e-3;
    spec.roles[ROLE_RENEW].policies[0].value[CBP_MATURITY] = 100;
    spec.roles[ROLE_GROW].count = 1;
    spec.roles[ROLE_GROW].policies[0].policy = POLICY_SCHEDULE;
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_EVERY] = 9;
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_ADD] = 2;
    spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_MAX_UNITS] = 40;
    return spec;
}

static void open_world(struct fakeworld *w, uint32_t workers)
{
    fake_open(w, workers);
    w->keeps = true;
}

/* A world with `workers` of them and a job on least to most, under way. */
static struct elastic *begin(uint32_t workers, uint32_t least, uint32_t most)
{
    struct elastic *e = mem_new(sizeof(*e));
    struct job_spec spec = plastic_spec();

    assert_non_null(e);
    open_world(&e->quiet, 1);
    spec.run.workers = 1;
    fake_launch(&e->quiet, &spec);
    fake_run(&e->quiet, ENOUGH);

    open_world(&e->w, workers);
    spec.run.workers = most;
    spec.run.workers_min = least == most ? 0 : least;
    fake_launch(&e->w, &spec);
    fake_run(&e->w, 100);
    assert_int_equal(e->w.coord->jobs[0].phase, PHASE_RUNNING);
    return e;
}

static const struct job *job_of(const struct elastic *e)
{
    return &e->w.coord->jobs[0];
}

static bool said(const struct fakeworld *w, const char *what)
{
    return strstr(w->log, what) != NULL;
}

/* Everything is over, nothing was computed twice, and no decision differs. */
static void end_undisturbed(struct elastic *e)
{
    fake_run(&e->w, ENOUGH);
    assert_int_equal(job_of(e)->phase, PHASE_ENDED);
    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_int_equal(job_of(e)->record.replayed_steps, 0);
    assert_string_equal(e->w.journal, e->quiet.journal);
    assert_true(strlen(e->w.journal) > 500);
}

static void end(struct elastic *e)
{
    fake_close(&e->w);
    fake_close(&e->quiet);
    mem_free(e);
}

static void ask(struct elastic *e,
                uint64_t id,
                enum request_kind kind,
                uint32_t worker)
{
    fake_request(
        &e->w, (struct request){
                   .id = id, .kind = kind, .worker = worker, .wait_ms = 1000});
}

static void leave(struct elastic *e, uint32_t worker)
{
    struct fake_event *event = fake_message(&e->w, worker);

    event->message.kind = WIRE_LEAVE;
}

static const struct member *member(const struct elastic *e, uint32_t worker)
{
    return &e->w.coord->members.items[worker];
}

static void answer_points(struct elastic *e)
{
    e->w.hold_points = false;
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (e->w.coord->tokens[t].kind == TOKEN_POINT &&
            e->w.coord->tokens[t].id != 0) {
            (void)fake_stored(&e->w, e->w.coord->tokens[t].id);
        }
    }
}

static void test_elastic__a_range_takes_workers_as_they_come(void **state)
{
    struct elastic *e = begin(1, 1, 3);

    (void)state;
    assert_int_equal(job_of(e)->peers_count, 1);
    fake_hello(&e->w, 1);
    fake_hello(&e->w, 2);
    fake_run(&e->w, 30);
    assert_int_equal(job_of(e)->peers_count, 1); /* they may not be all */
    e->w.now_ms += SETTLED_MS;
    end_undisturbed(e);

    assert_true(said(&e->w, "from w0\n"));
    assert_true(said(&e->w, ", on w0, w1, w2\n"));
    assert_int_equal(job_of(e)->record.shares_count, 3);
    end(e);
}

static void test_elastic__a_job_moves_at_most_once_in_two_seconds(void **state)
{
    struct elastic *e = begin(1, 1, 3);

    (void)state;
    fake_hello(&e->w, 1);
    fake_run(&e->w, 40);
    e->w.now_ms += SETTLED_MS;
    fake_run(&e->w, 90);
    assert_int_equal(job_of(e)->peers_count, 2);
    fake_hello(&e->w, 2);
    fake_run(&e->w, 40);
    e->w.now_ms += SETTLED_MS;
    fake_run(&e->w, 90);
    assert_int_equal(job_of(e)->peers_count, 2);
    e->w.now_ms += 2000 - SETTLED_MS;
    fake_run(&e->w, 90);
    assert_int_equal(job_of(e)->peers_count, 3);

    end_undisturbed(e);
    end(e);
}

static void test_elastic__a_plain_number_does_not_take_more(void **state)
{
    struct elastic *e = begin(1, 1, 1);

    (void)state;
    fake_hello(&e->w, 1);
    fake_run(&e->w, 40);
    e->w.now_ms += SETTLED_MS;
    end_undisturbed(e);

    assert_false(said(&e->w, "moves"));
    end(e);
}

static void test_elastic__a_drain_moves_the_shards_and_is_answered(void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    ask(e, 2, REQUEST_DRAIN, 1);
    fake_run(&e->w, 150);
    assert_true(said(&e->w, "reply w1 hosts nothing any more, and stays"));
    assert_string_equal(coord_worker_state(e->w.coord, 1), "cordoned");
    assert_int_equal(member(e, 1)->sessions, 0);
    end_undisturbed(e);

    assert_true(said(&e->w, ", on w0, w2\n"));
    assert_int_equal(e->w.workers[1].quits, 0); /* its process stays */
    end(e);
}

static void test_elastic__points_that_are_off_are_made_to_move_alone(
    void **state)
{
    struct elastic *e = begin(3, 2, 2);
    uint32_t before = 0;

    (void)state;
    e->w.coord->points_off = true;
    fake_run(&e->w, 100); /* one that was in the making may still come */
    before = e->w.points_count;
    e->w.now_ms += 2000;
    fake_run(&e->w, 100);
    assert_int_equal(e->w.points_count, before);
    ask(e, 90, REQUEST_DRAIN, 0);
    end_undisturbed(e);

    assert_int_equal(e->w.points_count, before + 1);
    end(e);
}

static void test_elastic__a_drain_that_nobody_could_follow_is_refused(
    void **state)
{
    struct elastic *e = begin(2, 2, 2);

    (void)state;
    ask(e, 2, REQUEST_DRAIN, 1);
    fake_run(&e->w, 40);

    assert_true(said(&e->w, "w1 is needed: j1 runs on no fewer than 2 workers"
                            ", and no other is free to take over"));
    assert_string_equal(coord_worker_state(e->w.coord, 1), "busy");
    end_undisturbed(e);
    end(e);
}

static void test_elastic__two_drains_at_once_leave_one_worker(void **state)
{
    struct elastic *e = begin(3, 1, 2);

    (void)state;
    ask(e, 2, REQUEST_DRAIN, 0);
    ask(e, 3, REQUEST_DRAIN, 1);
    ask(e, 4, REQUEST_DRAIN, 2); /* to whom? */
    fake_run(&e->w, 300);

    assert_true(said(&e->w, "reply w0 hosts nothing any more"));
    assert_true(said(&e->w, "reply w1 hosts nothing any more"));
    assert_true(said(&e->w, "w2 is needed"));
    end_undisturbed(e);
    assert_int_equal(job_of(e)->record.shares_count, 1);
    assert_int_equal(job_of(e)->record.shares[0].worker, 2);
    end(e);
}

static void test_elastic__a_second_drain_of_a_worker_is_refused(void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    ask(e, 2, REQUEST_DRAIN, 1);
    ask(e, 3, REQUEST_DRAIN, 1);
    fake_run(&e->w, 150);

    assert_true(said(&e->w, "w1 is being drained already"));
    assert_true(said(&e->w, "reply w1 hosts nothing any more"));
    end_undisturbed(e);
    end(e);
}

static void test_elastic__uncordon_ends_a_drain(void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    ask(e, 2, REQUEST_DRAIN, 1);
    ask(e, 3, REQUEST_UNCORDON, 1);
    fake_run(&e->w, 150);

    assert_true(said(&e->w, "w1 was uncordoned before it was drained"));
    assert_true(said(&e->w, "reply w1 takes shards again"));
    assert_false(said(&e->w, "moves"));
    end_undisturbed(e);
    end(e);
}

static void test_elastic__a_drain_that_lasts_is_answered_in_time(void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    e->w.workers[0].alive = false; /* it hangs */
    ask(e, 2, REQUEST_DRAIN, 1);
    fake_run(&e->w, 1000);
    assert_string_equal(coord_worker_state(e->w.coord, 1), "draining");
    e->w.now_ms += 1000;
    fake_run(&e->w, 1000);

    assert_true(said(&e->w, "reply w1 still hosts shards; the drain goes on"));
    assert_string_equal(coord_worker_state(e->w.coord, 1), "draining");
    end(e);
}

static void test_elastic__a_drained_worker_that_dies_is_told_of(void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 1);
    fake_run(&e->w, 1000);
    assert_true(job_of(e)->moving);
    fake_lose(&e->w, 1);
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "w1 was lost while it was drained"));
    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_elastic__a_drain_of_a_worker_that_is_lost_is_answered(
    void **state)
{
    struct elastic *e = begin(3, 1, 2);

    (void)state;
    fake_lose(&e->w, 2);
    fake_run(&e->w, 20);
    ask(e, 3, REQUEST_DRAIN, 2);
    fake_run(&e->w, 1);
    fake_hello(&e->w, 2);
    fake_run(&e->w, 40);

    assert_true(said(&e->w, "reply w2 is not here and hosts nothing; it stays "
                            "cordoned"));
    assert_string_equal(coord_worker_state(e->w.coord, 2), "cordoned");
    end(e);
}

static void test_elastic__a_leaving_worker_hands_over_and_is_let_go(
    void **state)
{
    struct elastic *e = begin(2, 1, 2);

    (void)state;
    leave(e, 0);
    fake_run(&e->w, 150);
    assert_int_equal(e->w.workers[0].quits, 1);
    assert_string_equal(coord_worker_state(e->w.coord, 0), "left");
    end_undisturbed(e);

    assert_true(said(&e->w, ", on w1\n"));
    end(e);
}

static void test_elastic__an_idle_worker_is_let_go_at_once(void **state)
{
    struct elastic *e = begin(2, 1, 1);

    (void)state;
    leave(e, 1);
    fake_run(&e->w, 40);

    assert_int_equal(e->w.workers[1].quits, 1);
    end_undisturbed(e);
    end(e);
}

static void test_elastic__the_last_worker_leaves_a_version_behind(void **state)
{
    struct elastic *e = begin(1, 1, 2);
    uint64_t head = job_of(e)->record.head;

    (void)state;
    leave(e, 0);
    fake_run(&e->w, 1000);
    assert_int_equal(e->w.workers[0].quits, 1);
    assert_int_equal(job_visible_state(job_of(e)), JOB_WAITING);
    assert_string_equal(job_of(e)->record.reason,
                        "needs 1 worker, 0 of 0 here are idle");
    assert_true(job_of(e)->record.head > head);
    fake_hello(&e->w, 1);

    end_undisturbed(e);
    end(e);
}

static void test_elastic__a_pause_replaces_the_parting(void **state)
{
    struct elastic *e = begin(1, 1, 2);

    (void)state;
    leave(e, 0);
    for (uint32_t i = 0; i < 40 && job_of(e)->want == WANT_NONE; i++) {
        fake_run(&e->w, 1);
    }
    assert_int_equal(job_of(e)->want, WANT_PARK);
    fake_request(&e->w,
                 (struct request){.id = 2, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(&e->w, 1000);

    assert_true(said(&e->w, "reply paused"));
    assert_int_equal(e->w.workers[0].quits, 1);
    end(e);
}

/* Moving, and its point is not on the disk yet. */
static struct elastic *begin_moving(uint32_t workers)
{
    struct elastic *e = begin(workers, 1, workers - 1);

    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 0);
    fake_run(&e->w, 1000);
    assert_true(job_of(e)->moving);
    assert_int_equal(job_of(e)->phase, PHASE_RUNNING);
    return e;
}

static void test_elastic__a_pause_in_a_move_loses_no_step(void **state)
{
    struct elastic *e = begin_moving(3);
    uint64_t step = job_of(e)->record.step;

    (void)state;
    fake_request(&e->w,
                 (struct request){.id = 3, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, 1000);
    assert_true(said(&e->w, "reply paused"));
    assert_true(job_of(e)->record.step >= step);
    fake_request(&e->w,
                 (struct request){.id = 4, .kind = REQUEST_RESUME, .job = 1});

    end_undisturbed(e);
    end(e);
}

static void test_elastic__a_cancel_in_a_move_ends_the_job(void **state)
{
    struct elastic *e = begin_moving(3);

    (void)state;
    fake_request(&e->w,
                 (struct request){.id = 3, .kind = REQUEST_CANCEL, .job = 1});
    answer_points(e);
    fake_run(&e->w, ENOUGH);

    assert_int_equal(job_of(e)->record.state, JOB_CANCELLED);
    assert_true(said(&e->w, "reply w0 hosts nothing any more"));
    end(e);
}

static void test_elastic__a_worker_that_dies_in_a_move_rolls_it_back(
    void **state)
{
    struct elastic *e = begin_moving(4);

    (void)state;
    fake_lose(&e->w, 2);
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, ENOUGH);

    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_true(said(&e->w, "reply w0 hosts nothing any more"));
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_elastic__a_move_whose_state_cannot_be_kept_is_tried_later(
    void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    e->w.fail_points = true;
    ask(e, 2, REQUEST_DRAIN, 1);
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "the state to move could not be kept"));
    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_true(said(&e->w, "reply w1 hosts nothing any more"));
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_elastic__a_move_without_its_record_says_that_it_goes_back(
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
    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_elastic__a_copy_lost_in_a_move_is_told_of(void **state)
{
    struct elastic *e = begin(3, 1, 2);

    (void)state;
    e->w.no_buddies = true;
    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 0);
    fake_run(&e->w, 1000);
    assert_true(job_of(e)->moving);
    answer_points(e);
    fake_lose(&e->w, 1); /* while the record is read */
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "a copy of the state kept in memory is lost with "
                            "its worker; back to v3 at step 180"));
    assert_false(said(&e->w, "goes on at step"));
    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_elastic__a_setting_does_not_wait_for_a_move_that_strands(
    void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 0);
    fake_run(&e->w, 1000);
    assert_true(job_of(e)->moving);
    ask(e, 3, REQUEST_CORDON, 2);
    fake_request(&e->w, (struct request){.id = 4,
                                         .kind = REQUEST_SET,
                                         .job = 1,
                                         .setting = SETTING_RATE,
                                         .value = 0.25});
    fake_run(&e->w, 1000);
    answer_points(e);
    fake_run(&e->w, 40);

    assert_int_equal(job_of(e)->phase, PHASE_WAITING);
    assert_true(said(&e->w, "the job stopped before the setting took effect"));
    end(e);
}

static void test_elastic__a_shutdown_in_a_move_comes_to_its_end(void **state)
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

static void test_elastic__a_lost_worker_leaves_the_job_to_the_others(
    void **state)
{
    struct elastic *e = begin(3, 1, 3);

    (void)state;
    fake_lose(&e->w, 1);
    fake_run(&e->w, ENOUGH);

    assert_int_equal(job_of(e)->record.state, JOB_FINISHED);
    assert_int_equal(job_of(e)->record.shares_count, 2);
    assert_string_equal(e->w.journal, e->quiet.journal);
    end(e);
}

static void test_elastic__a_cordon_keeps_shards_and_takes_none(void **state)
{
    struct elastic *e = begin(3, 2, 2);
    struct job_spec spec = fake_spec();

    (void)state;
    ask(e, 2, REQUEST_CORDON, 1);
    ask(e, 3, REQUEST_CORDON, 2);
    fake_run(&e->w, 40);
    spec.run.workers = 1;
    fake_request(&e->w, (struct request){
                            .id = 4, .kind = REQUEST_LAUNCH, .spec = &spec});
    fake_run(&e->w, 50);

    assert_true(said(&e->w, "reply w1 is cordoned: it takes no new shards and "
                            "keeps 2 shards"));
    assert_int_equal(job_of(e)->peers_count, 2);
    assert_string_equal(e->w.coord->jobs[1].record.reason,
                        "needs 1 worker, 0 of 3 here are idle, 2 are "
                        "cordoned");
    end(e);
}

static void test_elastic__a_cordon_stays_with_the_name(void **state)
{
    struct elastic *e = begin(2, 1, 1);

    (void)state;
    ask(e, 2, REQUEST_CORDON, 1);
    fake_run(&e->w, 40);
    fake_lose(&e->w, 1);
    fake_run(&e->w, 40);
    fake_hello(&e->w, 1);
    fake_run(&e->w, 40);

    assert_string_equal(coord_worker_state(e->w.coord, 1), "cordoned");
    end(e);
}

static void test_elastic__a_cordoned_worker_stays_when_others_move(void **state)
{
    struct elastic *e = begin(3, 2, 2);

    (void)state;
    ask(e, 2, REQUEST_CORDON, 0);
    ask(e, 3, REQUEST_DRAIN, 1);
    fake_run(&e->w, 300);

    assert_true(said(&e->w, ", on w0, w2\n"));
    end_undisturbed(e);
    end(e);
}

static void test_elastic__nobody_grows_while_another_job_waits(void **state)
{
    struct elastic *e = begin(1, 1, 2);
    struct job_spec spec = fake_spec();

    (void)state;
    spec.run.workers = 2;
    fake_request(&e->w, (struct request){
                            .id = 2, .kind = REQUEST_LAUNCH, .spec = &spec});
    fake_run(&e->w, 40);
    fake_hello(&e->w, 1);
    fake_run(&e->w, 40);
    e->w.now_ms += SETTLED_MS;
    fake_run(&e->w, 200);

    assert_false(said(&e->w, "moves"));
    end(e);
}

static void test_elastic__finds_workers_by_name_and_number(void **state)
{
    struct elastic *e = begin(2, 1, 1);
    struct members *members = &e->w.coord->members;

    (void)state;
    assert_int_equal(members_find(members, "w1"), 1);
    assert_int_equal(members_find(members, "w2"), NO_WORKER);
    assert_int_equal(members_find(members, "w01"), NO_WORKER);
    assert_int_equal(members_find(members, "w99999999999"), NO_WORKER);
    assert_int_equal(members_find(members, ""), NO_WORKER);
    memcpy(members->items[1].hello.name, "lab3", 5);
    assert_int_equal(members_find(members, "lab3"), 1);
    assert_int_equal(members_find(members, "w1"), 1);
    memcpy(members->items[1].hello.name, "w0\0\0", 5);
    memcpy(members->items[0].hello.name, "w1", 3);
    assert_int_equal(members_find(members, "w0"), 1); /* a name wins */
    end(e);
}

static void test_elastic__asks_for_a_worker_that_is_not_there(void **state)
{
    struct elastic *e = begin(1, 1, 1);

    (void)state;
    ask(e, 2, REQUEST_DRAIN, 3);
    ask(e, 3, REQUEST_CORDON, NO_WORKER);
    fake_run(&e->w, 40);

    assert_true(said(&e->w, "there is no such worker"));
    end_undisturbed(e);
    end(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elastic__a_range_takes_workers_as_they_come),
        cmocka_unit_test(test_elastic__a_job_moves_at_most_once_in_two_seconds),
        cmocka_unit_test(test_elastic__a_plain_number_does_not_take_more),
        cmocka_unit_test(
            test_elastic__a_drain_moves_the_shards_and_is_answered),
        cmocka_unit_test(
            test_elastic__points_that_are_off_are_made_to_move_alone),
        cmocka_unit_test(
            test_elastic__a_drain_that_nobody_could_follow_is_refused),
        cmocka_unit_test(test_elastic__two_drains_at_once_leave_one_worker),
        cmocka_unit_test(test_elastic__a_second_drain_of_a_worker_is_refused),
        cmocka_unit_test(test_elastic__uncordon_ends_a_drain),
        cmocka_unit_test(test_elastic__a_drain_that_lasts_is_answered_in_time),
        cmocka_unit_test(test_elastic__a_drained_worker_that_dies_is_told_of),
        cmocka_unit_test(
            test_elastic__a_leaving_worker_hands_over_and_is_let_go),
        cmocka_unit_test(test_elastic__an_idle_worker_is_let_go_at_once),
        cmocka_unit_test(test_elastic__the_last_worker_leaves_a_version_behind),
        cmocka_unit_test(test_elastic__a_pause_replaces_the_parting),
        cmocka_unit_test(test_elastic__a_pause_in_a_move_loses_no_step),
        cmocka_unit_test(test_elastic__a_cancel_in_a_move_ends_the_job),
        cmocka_unit_test(
            test_elastic__a_worker_that_dies_in_a_move_rolls_it_back),
        cmocka_unit_test(
            test_elastic__a_move_whose_state_cannot_be_kept_is_tried_later),
        cmocka_unit_test(
            test_elastic__a_move_without_its_record_says_that_it_goes_back),
        cmocka_unit_test(test_elastic__a_copy_lost_in_a_move_is_told_of),
        cmocka_unit_test(
            test_elastic__a_setting_does_not_wait_for_a_move_that_strands),
        cmocka_unit_test(
            test_elastic__a_drain_of_a_worker_that_is_lost_is_answered),
        cmocka_unit_test(test_elastic__a_shutdown_in_a_move_comes_to_its_end),
        cmocka_unit_test(
            test_elastic__a_lost_worker_leaves_the_job_to_the_others),
        cmocka_unit_test(test_elastic__a_cordon_keeps_shards_and_takes_none),
        cmocka_unit_test(test_elastic__a_cordon_stays_with_the_name),
        cmocka_unit_test(
            test_elastic__a_cordoned_worker_stays_when_others_move),
        cmocka_unit_test(test_elastic__nobody_grows_while_another_job_waits),
        cmocka_unit_test(test_elastic__finds_workers_by_name_and_number),
        cmocka_unit_test(test_elastic__asks_for_a_worker_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
