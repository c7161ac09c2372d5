#include "tests/unit/coordinator/core/keeping.h"

#include "base/mem.h"

int three_that_keep(void **state)
{
    struct fakeworld *w = mem_new(sizeof(*w));

    assert_non_null(w);
    fake_open(w, 3);
    w->now_ms = 1000;
    w->keeps = true;
    *state = w;
    return 0;
}

void launch(struct fakeworld *w, uint32_t workers)
{
    struct job_spec spec = fake_spec();

    spec.run.workers = workers;
    fake_launch(w, &spec);
    run_until(w, PHASE_RUNNING);
}

void run_until_kept(struct fakeworld *w, uint64_t interval)
{
    const struct point *point = &job_of(w)->point;

    for (uint32_t i = 0; i < 10000; i++) {
        if (point->used && point->interval > interval) {
            return;
        }
        fake_run(w, 1);
    }
    fail_msg("no point is complete");
}

void run_to_interval(struct fakeworld *w, uint64_t interval)
{
    for (uint32_t i = 0; i < 10000 && job_of(w)->reported < interval; i++) {
        fake_run(w, 1);
    }
    assert_true(job_of(w)->reported >= interval);
}

void launch_beyond_point(struct fakeworld *w, uint64_t intervals)
{
    launch(w, 2);
    run_until_kept(w, 0);
    run_to_interval(w, job_of(w)->point.interval + intervals);
}

void lose_now(struct fakeworld *w, uint32_t worker)
{
    struct fake_event *e = NULL;

    fake_lose(w, worker);
    w->queue_count--;
    e = w->queue[(w->queue_first + w->queue_count) % QUEUE_MAX];
    fake_step(w, &e->event);
    mem_free(e);
}

uint32_t from_point(const struct fakeworld *w)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < FAKE_WORKERS_MAX; i++) {
        count += w->workers[i].alive && w->workers[i].term != 0 &&
                 w->workers[i].from_point;
    }
    return count;
}

void assert_same_end(struct fakeworld *w)
{
    struct fakeworld *plain = mem_new(sizeof(*plain));

    assert_non_null(plain);
    fake_run(w, 100000);
    assert_int_equal(job_of(w)->phase, PHASE_ENDED);
    fake_open(plain, 3);
    launch(plain, 2);
    fake_run(plain, 100000);
    assert_string_equal(w->journal, plain->journal);
    assert_int_equal(w->versions_count, plain->versions_count);
    fake_close(plain);
    mem_free(plain);
}
