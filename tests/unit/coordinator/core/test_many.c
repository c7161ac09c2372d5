/* Workers with numbers that no mask of one word holds. */
#include "tests/unit/coordinator/core/fakeworld.h"

#include "base/mem.h"
#include "coordinator/core/job_points.h"

#include <stdio.h>
#include <string.h>

enum { FIRST = MEMBERS_MAX - FAKE_WORKERS_MAX, ENOUGH = 100000 };

static int setup(void **state)
{
    struct fakeworld *w = mem_new(sizeof(*w));

    assert_non_null(w);
    fake_open_at(w, FIRST, FAKE_WORKERS_MAX);
    w->now_ms = 1000;
    w->keeps = true;
    *state = w;
    return 0;
}

static void launch(struct fakeworld *w)
{
    struct job_spec spec = fake_spec();

    spec.run.workers = 2;
    fake_launch(w, &spec);
    for (uint32_t i = 0; i < ENOUGH && !job_of(w)->point.used; i++) {
        fake_run(w, 1);
    }
    assert_true(job_of(w)->point.used);
    assert_true(worker_set_has(&job_of(w)->placed, FIRST));
    assert_true(worker_set_has(&job_of(w)->placed, FIRST + 1));
}

static void assert_same_end(struct fakeworld *w)
{
    struct fakeworld *plain = mem_new(sizeof(*plain));
    struct job_spec spec = fake_spec();

    assert_non_null(plain);
    fake_run(w, ENOUGH);
    assert_int_equal(job_of(w)->phase, PHASE_ENDED);
    fake_open(plain, 1);
    spec.run.workers = 1;
    fake_launch(plain, &spec);
    fake_run(plain, ENOUGH);
    assert_string_equal(w->journal, plain->journal);
    assert_memory_equal(w->hashes, plain->hashes, sizeof(w->hashes));
    fake_close(plain);
    mem_free(plain);
}

static void test_many__train_as_the_first_ones_do(void **state)
{
    struct fakeworld *w = *state;

    launch(w);

    assert_true(job_point_has(&job_of(w)->point, FIRST));
    assert_true(job_point_has(&job_of(w)->point, FIRST + 1));
    assert_false(job_point_has(&job_of(w)->point, FIRST + 2));
    assert_same_end(w);
    assert_int_equal(job_of(w)->record.shares[1].worker, FIRST + 1);
}

static void test_many__go_back_to_their_buddies_copies(void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);

    launch(w);
    fake_lose(w, 0);
    while (job->phase == PHASE_RUNNING) {
        fake_run(w, 1);
    }
    while (job->phase != PHASE_RUNNING) {
        fake_run(w, 1);
    }

    assert_true(job->from_point);
    assert_true(worker_set_has(&job->placed, FIRST + 2));
    assert_false(worker_set_has(&job->placed, FIRST));
    assert_int_equal(job->holders_count, 1);
    assert_int_equal(job->holders[0].worker, FIRST + 1);
    assert_same_end(w);
}

/* Who never heard of the job is not told to forget it: they are many. */
static void test_many__forget_what_they_may_have(void **state)
{
    struct fakeworld *w = *state;
    const struct wire_kept older = {.job = 1, .interval = 0, .term = 1};

    launch(w);
    fake_tell_kept(w, 2, &older);
    fake_request(w, (struct request){.id = 9, .kind = REQUEST_PAUSE, .job = 1});
    fake_run(w, ENOUGH);

    assert_int_equal(job_of(w)->phase, PHASE_PAUSED);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(w->workers[i].forgets, 1);
    }
    assert_int_equal(w->workers[3].forgets, 0);
    assert_true(worker_set_is_empty(&job_of(w)->told));
}

static void test_many__move_away_from_one_that_is_drained(void **state)
{
    struct fakeworld *w = *state;

    launch(w);
    fake_request(w, (struct request){.id = 9,
                                     .kind = REQUEST_DRAIN,
                                     .worker = FIRST + 1,
                                     .wait_ms = 5000});
    assert_same_end(w);

    assert_true(said(w, "goes on at step"));
    assert_true(said(w, "hosts nothing any more"));
    assert_int_equal(job_of(w)->record.shares[1].worker, FIRST + 2);
    assert_int_equal(job_of(w)->record.replayed_steps, 0);
}

static void test_many__a_point_has_so_many_keepers(void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);
    struct point *point = &job->point;

    launch(w);
    *point = (struct point){.used = true};
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        assert_true(job_point_hold(point, i % job_shards_total(job), 10 * i));
    }
    assert_true(job_point_held(job, point, 2));

    assert_false(job_point_hold(point, 0, 5)); /* one too many */
    assert_false(job_point_has(point, 5));
    job_lose_copies(job, 10);
    assert_false(job_point_has(point, 10));
    assert_true(job_point_hold(point, 0, 5)); /* in its place */
    assert_true(job_point_has(point, 5));
    assert_false((point->holders[1] & 2) != 0);
}

/* Counted where copies come and go: the same as counting them all. */
static void test_many__copies_are_counted_as_they_come_and_go(void **state)
{
    struct fakeworld *w = *state;
    struct job *job = job_of(w);
    struct point *point = &job->point;
    uint32_t shards;

    launch(w);
    shards = job_shards_total(job);
    *point = (struct point){.used = true};
    for (uint32_t s = 0; s < shards; s++) {
        assert_false(job_point_held(job, point, 1));
        assert_true(job_point_hold(point, s, 100));
        assert_true(job_point_hold(point, s, 100));
    }
    assert_true(job_point_held(job, point, 1));
    assert_false(job_point_held(job, point, 2));
    assert_true(job_point_hold(point, 0, 900));
    job_lose_copies(job, 100);

    assert_false(job_point_held(job, point, 1));
    for (uint32_t s = 1; s < shards; s++) {
        assert_true(job_point_hold(point, s, 900));
    }
    assert_true(job_point_held(job, point, 1));
    assert_false(job_point_held(job, point, 2));
}

/* Hundreds that are there; those that had no room come last. */
static void test_many__a_job_is_placed_on_the_most_that_it_may_have(
    void **state)
{
    struct fakeworld *w = *state;
    struct members *members = &w->coord->members;
    struct job *job = mem_new(sizeof(*job));
    struct wire_hello hello = {.incarnation = 1, .protocol = WIRE_PROTOCOL};
    enum status status;
    char why[ERROR_BYTES_MAX];

    assert_non_null(job);
    for (uint32_t i = 0; i < 200; i++) {
        (void)snprintf(hello.name, sizeof(hello.name), "w%u", (unsigned)i);
        assert_int_equal(
            members_join(members, 1000 + i, &hello, w->now_ms, &status, why),
            i);
    }
    for (uint32_t i = 0; i < 100; i++) {
        worker_set_add(&job->busy, i);
    }
    job->kind = KIND_TRAIN;
    job->record.spec = fake_spec();
    job->record.spec.model.shards = SHARDS_MAX;
    job->record.workers_wanted = WORKERS_MAX;
    assert_true(job_can_be_placed(job, members));
    assert_true(job_place(job, members));

    assert_int_equal(worker_set_count(&job->placed), WORKERS_MAX);
    assert_int_equal(worker_set_next(&job->placed, 0), 100);
    assert_int_equal(job->owners[0], 100);
    assert_int_equal(job->owners[SHARDS_MAX - 1], 163);
    assert_int_equal(members_census(members)->idle,
                     200 + FAKE_WORKERS_MAX - WORKERS_MAX);
    job_unplace(job, members);
    assert_int_equal(members_census(members)->idle, 200 + FAKE_WORKERS_MAX);
    mem_free(job);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end_of_world)
    const struct CMUnitTest tests[] = {
        TEST(test_many__train_as_the_first_ones_do),
        TEST(test_many__go_back_to_their_buddies_copies),
        TEST(test_many__forget_what_they_may_have),
        TEST(test_many__move_away_from_one_that_is_drained),
        TEST(test_many__a_point_has_so_many_keepers),
        TEST(test_many__copies_are_counted_as_they_come_and_go),
        TEST(test_many__a_job_is_placed_on_the_most_that_it_may_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
