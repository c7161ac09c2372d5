/* Workers that join, are cordoned, drained, leave or die while a job runs. */
#include "tests/unit/coordinator/core/elastic.h"

#include <string.h>

static const struct member *member(const struct elastic *e, uint32_t worker)
{
    return &e->w.coord->members.items[worker];
}

static void test_elastic__a_range_takes_workers_as_they_come(void **state)
{
    struct elastic *e = begin(1, 1, 3);

    (void)state;
    assert_int_equal(job_of(&e->w)->peers_count, 1);
    fake_hello(&e->w, 1);
    fake_hello(&e->w, 2);
    fake_run(&e->w, 30);
    assert_int_equal(job_of(&e->w)->peers_count, 1); /* they may not be all */
    e->w.now_ms += SETTLED_MS;
    end_undisturbed(e);

    assert_true(said(&e->w, "from w0\n"));
    assert_true(said(&e->w, ", on w0, w1, w2\n"));
    assert_int_equal(job_of(&e->w)->record.shares_count, 3);
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
    assert_int_equal(job_of(&e->w)->peers_count, 2);
    fake_hello(&e->w, 2);
    fake_run(&e->w, 40);
    e->w.now_ms += SETTLED_MS;
    fake_run(&e->w, 90);
    assert_int_equal(job_of(&e->w)->peers_count, 2);
    e->w.now_ms += 2000 - SETTLED_MS;
    fake_run(&e->w, 90);
    assert_int_equal(job_of(&e->w)->peers_count, 3);

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
    assert_int_equal(job_of(&e->w)->record.shares_count, 1);
    assert_int_equal(job_of(&e->w)->record.shares[0].worker, 2);
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
    assert_true(job_of(&e->w)->moving);
    fake_lose(&e->w, 1);
    fake_run(&e->w, 40);
    answer_points(e);
    fake_run(&e->w, ENOUGH);

    assert_true(said(&e->w, "w1 was lost while it was drained"));
    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
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
    uint64_t head = job_of(&e->w)->record.head;

    (void)state;
    leave(e, 0);
    fake_run(&e->w, 1000);
    assert_int_equal(e->w.workers[0].quits, 1);
    assert_int_equal(job_visible_state(job_of(&e->w)), JOB_WAITING);
    assert_string_equal(job_of(&e->w)->record.reason,
                        "needs 1 worker, 0 of 0 here are idle");
    assert_true(job_of(&e->w)->record.head > head);
    fake_hello(&e->w, 1);

    end_undisturbed(e);
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
    assert_int_equal(job_of(&e->w)->peers_count, 2);
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
            test_elastic__a_drain_of_a_worker_that_is_lost_is_answered),
        cmocka_unit_test(
            test_elastic__a_leaving_worker_hands_over_and_is_let_go),
        cmocka_unit_test(test_elastic__an_idle_worker_is_let_go_at_once),
        cmocka_unit_test(test_elastic__the_last_worker_leaves_a_version_behind),
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
