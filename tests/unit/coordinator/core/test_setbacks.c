/* What tests/sim has found: rare orders of failures, each in its shortest
 * form. */
#include "tests/unit/coordinator/core/fakeworld.h"

#include "coordinator/core/job_points.h"

#include <stdio.h>
#include <string.h>

static void pass_time(struct fakeworld *w, uint64_t ms, uint64_t alive)
{
    w->now_ms += ms;
    for (uint32_t i = 0; i < FAKE_WORKERS_MAX; i++) {
        if ((alive >> i & 1) != 0) {
            members_hear(&w->coord->members, i, w->now_ms);
        }
    }
}

static void test_setbacks__a_state_that_is_not_stored_is_stored_again(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    run_until(w, PHASE_ENDED);
    for (uint32_t i = 0; i < w->queue_count; i++) {
        struct fake_event *e = w->queue[(w->queue_first + i) % QUEUE_MAX];

        if (e->event.type == COORD_STORED) {
            e->event.stored.status = STATUS_IO;
        }
    }
    fake_run(w, 1000);

    assert_false(said(w, "state finished"));
    assert_true(said(w, "state could not be stored"));

    pass_time(w, 1000, 3);
    fake_run(w, 1000);
    assert_true(said(w, "state finished"));
}

static void test_setbacks__what_is_told_is_what_was_stored(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    run_until(w, PHASE_ENDED);
    job_of(w)->phase = PHASE_RESTORING; /* meanwhile */
    fake_run(w, 1000);

    assert_true(said(w, "state finished"));
    assert_false(said(w, "state paused"));
}

static void test_setbacks__a_setting_waits_for_the_end_of_a_replay(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    uint64_t journaled;
    char line[64];

    fake_launch(w, &spec);
    fake_run(w, 50);
    fake_lose(w, 1);
    fake_hello(w, 1);
    run_until(w, PHASE_LOADING);
    journaled = job_of(w)->journaled;
    assert_true(journaled > 3);
    run_until(w, PHASE_RUNNING);
    fake_set_rate(w, 2, 0.5);
    fake_run(w, 1000000);

    (void)snprintf(line, sizeof(line), "reply takes effect at step %llu",
                   (unsigned long long)journaled * 50);
    assert_true(said(w, line));
    assert_true(said(w, "state finished"));
}

static void test_setbacks__a_read_that_fails_pauses_the_job(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 50);
    fake_lose(w, 1);
    run_until(w, PHASE_LOADING);
    for (uint32_t i = 0; i < w->queue_count; i++) {
        struct fake_event *e = w->queue[(w->queue_first + i) % QUEUE_MAX];

        if (e->event.type == COORD_LOADED) {
            e->event.loaded.status = STATUS_IO;
        }
    }
    fake_run(w, 1000);

    assert_true(said(w, "state paused: the version could not be read"));

    fake_hello(w, 1);
    fake_ask(w, 2, REQUEST_RESUME);
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
}

static void test_setbacks__a_peer_out_of_reach_does_not_end_the_job(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    run_until(w, PHASE_PLACING);
    for (uint32_t i = 0; i < w->queue_count; i++) {
        struct fake_event *e = w->queue[(w->queue_first + i) % QUEUE_MAX];

        if (e->event.type == COORD_MESSAGE && e->message.kind == WIRE_READY) {
            e->message.ready.status = STATUS_UNAVAILABLE;
        }
    }
    fake_run(w, 1000000);

    assert_true(said(w, "back to the start"));
    assert_true(said(w, "state finished"));
}

static void test_setbacks__a_stall_without_a_gap_is_noticed(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    fake_drop_queue(w);
    pass_time(w, 29000, 3);
    fake_run(w, 1000);
    assert_int_equal(job_of(w)->phase, PHASE_RUNNING);
    pass_time(w, 1000, 3);
    fake_run(w, 1000000);

    assert_true(said(w, "no worker got on with its work for too long"));
    assert_true(said(w, "state finished"));
}

/* Actions borrow the placement: were the job placed once for each worker that
 * is lost, the first of its assignments would name the last one's peers. */
static void test_setbacks__workers_lost_together_are_one_setback(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    uint32_t assigned = 0;

    fake_hello(w, 2);
    fake_hello(w, 3);
    fake_launch(w, &spec);
    run_until(w, PHASE_RUNNING);
    fake_drop_queue(w);
    pass_time(w, 5000, 0xc);
    fake_run(w, 1);

    for (uint32_t a = 0; a < w->actions->count; a++) {
        const struct action *action = &w->actions->items[a];
        const struct wire *m = &action->send.message;

        if (action->type == ACTION_SEND && m->kind == WIRE_ASSIGN) {
            assert_int_equal(m->assign.peers_count, 2);
            assert_int_equal(m->assign.peers[assigned++].worker,
                             action->send.peer - 100);
        }
    }
    assert_int_equal(assigned, 2);
}

/* A worker that was only silent would keep an evaluation for ever. */
static void test_setbacks__a_silent_worker_is_told_to_drop_its_sessions(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    uint32_t dropped = 0;

    fake_launch(w, &spec);
    run_until(w, PHASE_RUNNING);
    fake_drop_queue(w);
    pass_time(w, 5000, 1);
    fake_run(w, 1);

    for (uint32_t a = 0; a < w->actions->count; a++) {
        const struct action *action = &w->actions->items[a];

        dropped += action->type == ACTION_SEND &&
                   action->send.message.kind == WIRE_DROP &&
                   action->send.peer == 101;
    }
    assert_int_equal(dropped, 1);
    assert_int_equal(members_present(&w->coord->members), 1);
}

static void test_setbacks__who_asked_to_pause_is_answered_by_a_pause(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_launch(w, &spec);
    fake_run(w, 80);
    w->not_finite = true;
    fake_ask(w, 2, REQUEST_PAUSE);
    fake_run(w, 1000000);

    assert_int_equal(job_of(w)->phase, PHASE_PAUSED);
    assert_int_equal(job_of(w)->want, WANT_NONE);
    assert_true(said(w, "not possible in the present state a number in "));
}

static void test_setbacks__nothing_is_decided_before_the_first_version(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    w->hold_commits = true;
    fake_launch(w, &spec);
    fake_run(w, 1000000);

    assert_int_equal(job_of(w)->phase, PHASE_RUNNING);
    assert_int_equal(job_of(w)->decided, 2);
    assert_int_equal(w->journaled, 0);
}

/* --- Workers without room --- */

static void answer_busy(struct fakeworld *w, enum wire_kind kind)
{
    for (uint32_t i = 0; i < w->queue_count; i++) {
        struct fake_event *e = w->queue[(w->queue_first + i) % QUEUE_MAX];

        if (e->event.type != COORD_MESSAGE || e->message.kind != kind) {
            continue;
        }
        if (kind == WIRE_OPENED) {
            e->message.opened.status = STATUS_BUSY;
            (void)snprintf(e->message.opened.error, ERROR_BYTES_MAX,
                           "all places are taken");
        } else {
            e->message.ready.status = STATUS_BUSY;
        }
    }
}

static void test_setbacks__who_cannot_open_is_asked_again_in_a_second(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    spec.run.workers = 1;
    fake_launch(w, &spec);
    run_until(w, PHASE_OPENING);
    assert_int_equal(job_of(w)->opener, 0);
    answer_busy(w, WIRE_OPENED);
    fake_run(w, 1000);

    assert_int_equal(job_of(w)->phase, PHASE_WAITING);
    assert_int_equal(members_census(&w->coord->members)->idle, 2);
    assert_string_equal(job_of(w)->record.reason,
                        "waits for worker w0, which has no room at the "
                        "moment: all places are taken");
    assert_int_equal(coord_deadline_ms(w->coord), 1000);

    /* The other one is asked then, and it is busy, too: w0 again. */
    pass_time(w, 1000, 3);
    fake_run(w, 1);
    assert_int_equal(job_of(w)->phase, PHASE_OPENING);
    assert_int_equal(job_of(w)->opener, 1);
    answer_busy(w, WIRE_OPENED);
    fake_run(w, 1000);
    assert_int_equal(job_of(w)->phase, PHASE_WAITING);
    pass_time(w, 1000, 3);
    fake_run(w, 1);
    assert_int_equal(job_of(w)->opener, 0);
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
    assert_true(job_of(w)->record.reason[0] == 0);
}

static void test_setbacks__who_has_no_place_is_asked_again_in_a_second(
    void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();

    fake_hello(w, 2);
    fake_launch(w, &spec);
    run_until(w, PHASE_PLACING);
    answer_busy(w, WIRE_READY);
    fake_run(w, 1000);

    assert_int_equal(job_of(w)->phase, PHASE_WAITING);
    assert_string_equal(job_of(w)->record.reason,
                        "waits for worker w0, which has no room at the moment");
    assert_int_equal(w->now_ms, 0);
    pass_time(w, 999, 7);
    fake_run(w, 1000);
    assert_int_equal(job_of(w)->phase, PHASE_WAITING);
    pass_time(w, 1, 7);
    fake_run(w, 1);
    assert_int_equal(worker_set_count(&job_of(w)->placed), 2);
    assert_false(worker_set_has(&job_of(w)->placed, 0));
    fake_run(w, 1000000);
    assert_true(said(w, "state finished"));
}

/* --- A coordinator that stood still --- */

static void test_setbacks__who_stood_still_reads_before_it_judges(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    uint64_t term;

    fake_launch(w, &spec);
    fake_run(w, 80);
    term = job_of(w)->term;
    assert_int_equal(job_of(w)->phase, PHASE_RUNNING);
    w->now_ms += 40000; /* above the timeout and the patience with a stall */

    /* Timers ring before the mail that waits is read. */
    struct coord_event event = {.type = COORD_TIMEOUT};
    fake_step(w, &event);
    assert_int_equal(members_present(&w->coord->members), 2);
    fake_run(w, 1000000);

    assert_true(said(w, "state finished"));
    assert_int_equal(job_of(w)->term, term);
    assert_int_equal(job_of(w)->record.replayed_steps, 0);
}

static void test_setbacks__who_stays_silent_is_spared_but_once(void **state)
{
    struct fakeworld *w = *state;
    struct coord_event event = {.type = COORD_TIMEOUT};

    w->now_ms += 6000;
    fake_step(w, &event);
    assert_int_equal(members_present(&w->coord->members), 2);
    assert_int_equal(coord_deadline_ms(w->coord), 11000);
    w->now_ms += 6000; /* late again */
    fake_step(w, &event);
    assert_int_equal(members_present(&w->coord->members), 0);
}

/* A buddy has no room for second copies: no point is ever complete. */
static void test_setbacks__a_point_that_never_comes_stops_no_drain(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    struct job *job = job_of(w);
    uint64_t head = 0;

    w->keeps = true;
    w->no_buddies = true;
    spec.run.workers_min = 1;
    spec.report_every_steps = 5;
    fake_launch(w, &spec);
    while (!job->making.used) {
        fake_run(w, 1);
    }
    head = job->record.head;
    fake_request(
        w, (struct request){
               .id = 2, .kind = REQUEST_DRAIN, .worker = 1, .wait_ms = 1000});
    while (!w->coord->members.items[1].draining) {
        fake_run(w, 1);
    }
    pass_time(w, KEEP_PATIENCE_MS, 3);
    job->moved_ms = w->now_ms; /* it ran, meanwhile */
    for (uint32_t i = 0; i < 300 && !job->moving; i++) {
        fake_run(w, 1);
    }
    assert_true(job->moving);
    assert_int_equal(job->record.head, head);
}

/* It had run from a state kept in memory before. */
static void test_setbacks__a_head_that_is_damaged_ends_the_job(void **state)
{
    struct fakeworld *w = *state;
    struct job_spec spec = fake_spec();
    struct job *job = job_of(w);
    struct fake_event *e = NULL;

    w->keeps = true;
    spec.run.workers = 1;
    fake_launch(w, &spec);
    while (!job->point.used) {
        fake_run(w, 1);
    }
    fake_hello(w, 0); /* its process is a new one, and w1 has no copy */
    for (uint32_t s = 0; s < job_shards_total(job); s++) {
        assert_true(job_point_hold(&job->point, s, 1));
    }
    run_until(w, PHASE_PLACING);
    run_until(w, PHASE_RUNNING);
    assert_true(job->from_point);

    fake_lose(w, 0);
    fake_lose(w, 1);
    run_until(w, PHASE_LOADING);
    for (uint32_t i = 0; i < w->queue_count; i++) {
        e = w->queue[(w->queue_first + i) % QUEUE_MAX];
        if (e->event.type == COORD_LOADED) {
            e->event.loaded.status = STATUS_CORRUPT;
            e->event.loaded.point = false;
        }
    }
    fake_run(w, 100);
    assert_int_equal(job->phase, PHASE_ENDED);
    assert_int_equal(job->record.state, JOB_FAILED);
    assert_true(said(w, "run verify"));
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, two_workers, end_of_world)
    const struct CMUnitTest tests[] = {
        TEST(test_setbacks__a_state_that_is_not_stored_is_stored_again),
        TEST(test_setbacks__what_is_told_is_what_was_stored),
        TEST(test_setbacks__a_setting_waits_for_the_end_of_a_replay),
        TEST(test_setbacks__a_read_that_fails_pauses_the_job),
        TEST(test_setbacks__a_peer_out_of_reach_does_not_end_the_job),
        TEST(test_setbacks__a_stall_without_a_gap_is_noticed),
        TEST(test_setbacks__workers_lost_together_are_one_setback),
        TEST(test_setbacks__a_silent_worker_is_told_to_drop_its_sessions),
        TEST(test_setbacks__who_asked_to_pause_is_answered_by_a_pause),
        TEST(test_setbacks__nothing_is_decided_before_the_first_version),
        TEST(test_setbacks__who_cannot_open_is_asked_again_in_a_second),
        TEST(test_setbacks__who_has_no_place_is_asked_again_in_a_second),
        TEST(test_setbacks__who_stood_still_reads_before_it_judges),
        TEST(test_setbacks__who_stays_silent_is_spared_but_once),
        TEST(test_setbacks__a_head_that_is_damaged_ends_the_job),
        TEST(test_setbacks__a_point_that_never_comes_stops_no_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
