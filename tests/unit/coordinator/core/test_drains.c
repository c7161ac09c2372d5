/* Drains whose other workers die, and what is asked for while a job moves. */
#include "tests/unit/coordinator/core/fakeinside.h"

#include "base/mem.h"

#include <stdlib.h>

enum { ENOUGH = 1000000, PATIENCE_MS = 11000 };

static struct fakeworld *begin(uint32_t workers, uint32_t least, uint32_t most)
{
    struct fakeworld *w = mem_new(sizeof(*w));
    struct job_spec spec = fake_spec();

    assert_non_null(w);
    fake_open(w, workers);
    w->keeps = true;
    spec.report_every_steps = 10; /* more boundaries */
    spec.run.workers = most;
    spec.run.workers_min = least == most ? 0 : least;
    fake_launch(w, &spec);
    fake_run(w, 100);
    assert_int_equal(w->coord->jobs[0].phase, PHASE_RUNNING);
    return w;
}

static void end(struct fakeworld *w)
{
    fake_close(w);
    mem_free(w);
}

static void drain(struct fakeworld *w, uint32_t worker, uint64_t wait_ms)
{
    fake_request(w, (struct request){.id = 2,
                                     .kind = REQUEST_DRAIN,
                                     .worker = worker,
                                     .wait_ms = wait_ms});
}

/* The clock goes on, and nobody falls silent meanwhile. */
static void pass(struct fakeworld *w, uint64_t for_ms)
{
    for (uint64_t ms = 0; ms < for_ms; ms += 500) {
        struct fake_event *e = fake_queue(w);

        w->now_ms += 500;
        for (uint32_t i = 0; i < FAKE_WORKERS_MAX; i++) {
            if (w->coord->members.items[i].present) {
                members_hear(&w->coord->members, i, w->now_ms);
            }
        }
        e->event.type = COORD_TIMEOUT;
        fake_run(w, 20);
    }
}

/* w0 is drained to w1, which dies before the job has moved. */
static struct fakeworld *begin_stranded(void)
{
    struct fakeworld *w = begin(2, 1, 1);

    assert_int_equal(worker_set_count(&job_of(w)->placed), 1);
    assert_true(worker_set_has(&job_of(w)->placed, 0));
    w->hold_points = true;
    drain(w, 0, 60000);
    fake_run(w, 1000);
    assert_true(job_of(w)->moving);
    fake_lose(w, 1);
    fake_run(w, 4);
    return w;
}

static void answer_points(struct fakeworld *w)
{
    w->hold_points = false;
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (w->coord->tokens[t].kind == TOKEN_POINT &&
            w->coord->tokens[t].id != 0) {
            (void)fake_stored(w, w->coord->tokens[t].id);
        }
    }
}

static void test_drains__one_is_taken_back_where_the_others_die(void **state)
{
    struct fakeworld *w = begin(2, 2, 2);

    (void)state;
    fake_hello(w, 2);
    fake_run(w, 10);
    drain(w, 0, 60000);
    fake_run(w, 2);
    fake_lose(w, 1);
    fake_lose(w, 2);
    fake_run(w, 60);
    assert_int_equal(job_of(w)->phase, PHASE_WAITING);
    assert_false(said(w, "hosts nothing any more"));
    assert_string_equal(coord_worker_state(w->coord, 0), "draining");

    pass(w, PATIENCE_MS);
    assert_true(said(w, "w0 is not drained: j1 has lost its other workers and "
                        "finds none; it takes shards again"));
    assert_string_equal(coord_worker_state(w->coord, 0), "idle");
    end(w);
}

static void test_drains__one_is_done_where_another_worker_comes(void **state)
{
    struct fakeworld *w = begin(2, 2, 2);

    (void)state;
    fake_hello(w, 2);
    fake_run(w, 10);
    drain(w, 0, 60000);
    fake_run(w, 2);
    fake_lose(w, 1);
    fake_lose(w, 2);
    fake_run(w, 60);
    pass(w, PATIENCE_MS / 2);
    fake_hello(w, 1);
    fake_hello(w, 2);
    fake_run(w, 300);

    assert_true(said(w, "w0 hosts nothing any more, and stays cordoned"));
    assert_false(worker_set_has(&job_of(w)->placed, 0));
    end(w);
}

static void test_drains__the_job_goes_on_where_it_was(void **state)
{
    struct fakeworld *w = begin_stranded();

    (void)state;
    answer_points(w);
    fake_run(w, 60);
    assert_int_equal(job_of(w)->phase, PHASE_WAITING);
    pass(w, PATIENCE_MS);
    fake_run(w, ENOUGH);

    assert_int_equal(job_of(w)->record.state, JOB_FINISHED);
    end(w);
}

static void test_drains__a_setting_goes_with_a_job_that_moves(void **state)
{
    struct fakeworld *w = begin(2, 1, 1);

    (void)state;
    w->hold_points = true;
    drain(w, 0, 60000);
    fake_run(w, 1000);
    answer_points(w);
    for (int i = 0; i < 100 && job_of(w)->phase == PHASE_RUNNING; i++) {
        fake_run(w, 1);
    }
    assert_int_not_equal(job_of(w)->phase, PHASE_RUNNING);
    fake_request(w, (struct request){.id = 4,
                                     .kind = REQUEST_SET,
                                     .job = 1,
                                     .setting = SETTING_RATE,
                                     .value = 0.25});
    fake_run(w, ENOUGH);

    assert_true(said(w, "goes on at step"));
    assert_true(said(w, "reply takes effect at step"));
    assert_false(said(w, "only a running job"));
    assert_int_equal(job_of(w)->record.replayed_steps, 0);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drains__one_is_taken_back_where_the_others_die),
        cmocka_unit_test(test_drains__one_is_done_where_another_worker_comes),
        cmocka_unit_test(test_drains__the_job_goes_on_where_it_was),
        cmocka_unit_test(test_drains__a_setting_goes_with_a_job_that_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
