#include "tests/unit/coordinator/core/elastic.h"

#include "base/mem.h"

#include <string.h>

static struct job_spec busy_spec(void)
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

struct elastic *begin(uint32_t workers, uint32_t least, uint32_t most)
{
    struct elastic *e = mem_new(sizeof(*e));
    struct job_spec spec = busy_spec();

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

void end_undisturbed(struct elastic *e)
{
    fake_run(&e->w, ENOUGH);
    assert_int_equal(job_of(&e->w)->phase, PHASE_ENDED);
    assert_int_equal(job_of(&e->w)->record.state, JOB_FINISHED);
    assert_int_equal(job_of(&e->w)->record.replayed_steps, 0);
    assert_string_equal(e->w.journal, e->quiet.journal);
    assert_true(strlen(e->w.journal) > 500);
}

void end(struct elastic *e)
{
    fake_close(&e->w);
    fake_close(&e->quiet);
    mem_free(e);
}

void ask(struct elastic *e,
         uint64_t id,
         enum request_kind kind,
         uint32_t worker)
{
    fake_request(
        &e->w, (struct request){
                   .id = id, .kind = kind, .worker = worker, .wait_ms = 1000});
}

void leave(struct elastic *e, uint32_t worker)
{
    struct fake_event *event = fake_message(&e->w, worker);

    event->message.kind = WIRE_LEAVE;
}

void answer_points(struct elastic *e)
{
    e->w.hold_points = false;
    answer_tokens(&e->w, TOKEN_POINT);
}

struct elastic *begin_moving(uint32_t workers)
{
    struct elastic *e = begin(workers, 1, workers - 1);

    e->w.hold_points = true;
    ask(e, 2, REQUEST_DRAIN, 0);
    fake_run(&e->w, 1000);
    assert_true(job_of(&e->w)->moving);
    assert_int_equal(job_of(&e->w)->phase, PHASE_RUNNING);
    return e;
}
