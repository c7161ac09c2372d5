#include "worker/core/intake.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Worker 7 has the output layer, worker 9 both shards of the layer before. A
 * step has 4 rows in two microbatches of 2. */
struct fixture {
    struct sched sched;
    struct sched_actions actions;
    struct grant grant;
    uint64_t rows[1];
};

static void grant(struct fixture *f, uint64_t interval, uint32_t steps)
{
    struct sched_event event = {.type = SCHED_GRANT, .grant = &f->grant};

    f->grant = (struct grant){.term = 5,
                              .interval = interval,
                              .first_step = f->sched.program.next_step,
                              .steps = steps,
                              .position = f->sched.program.next_step * 4,
                              .task_examples = 1000};
    sched_step(&f->sched, &event, &f->actions);
    assert_true(f->actions.count == 0 ||
                f->actions.items[0].type != SCHED_ACT_REFUSED);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sched_config config = {.job = 3,
                                  .term = 5,
                                  .batch = 4,
                                  .microbatches = 2,
                                  .slots = 1,
                                  .tasks_count = 1,
                                  .layers_count = 2,
                                  .shards_count = {2, 1},
                                  .peers_count = 2,
                                  .peers = {7, 9},
                                  .owners = {{1, 1}, {0}}};

    assert_non_null(f);
    config.evaluate_rows = f->rows;
    config.guard_rows = f->rows;
    sched_init(&f->sched, &config);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* What worker 9 would send first. */
static struct frame_header good(void)
{
    return (struct frame_header){.job = 3,
                                 .term = 5,
                                 .pass = 0,
                                 .kind = FRAME_FORWARD,
                                 .microbatch = 0,
                                 .from_layer = 0,
                                 .from_shard = 0,
                                 .to_layer = 1,
                                 .rows = 2,
                                 .columns = 10,
                                 .from_worker = 9,
                                 .sequence = 0};
}

static void send(struct fixture *f, const struct frame_header *frame)
{
    struct sched_event event = {.type = SCHED_FRAME, .frame = frame};

    sched_step(&f->sched, &event, &f->actions);
}

static void expect_taken(struct fixture *f, const struct frame_header *frame)
{
    send(f, frame);
    assert_true(f->actions.count >= 1);
    assert_int_equal(f->actions.items[0].type, SCHED_ACT_DELIVER);
}

static void expect_refused(struct fixture *f,
                           const struct frame_header *frame,
                           enum status status,
                           const char *reason)
{
    uint64_t refused = f->sched.refused;
    uint64_t received = f->sched.received[1];

    send(f, frame);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->actions.items[0].type, SCHED_ACT_REFUSED);
    assert_string_equal(f->actions.items[0].refused.reason, reason);
    assert_int_equal(f->actions.items[0].refused.status, status);
    assert_int_equal(f->sched.refused, refused + 1);
    assert_int_equal(f->sched.received[1], received); /* nothing changed */
}

static void expect_fault(struct fixture *f,
                         const struct frame_header *frame,
                         const char *reason,
                         uint64_t expected,
                         uint64_t found)
{
    send(f, frame);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->actions.items[0].type, SCHED_ACT_FAULT);
    assert_int_equal(f->actions.items[0].fault.kind, FAULT_FRAME);
    assert_string_equal(f->actions.items[0].fault.reason, reason);
    assert_int_equal(f->actions.items[0].fault.worker, 9);
    assert_int_equal(f->actions.items[0].fault.expected, expected);
    assert_int_equal(f->actions.items[0].fault.found, found);
}

static void test_intake__takes_a_frame_of_the_present_pass(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 1);
    expect_taken(f, &frame);

    assert_int_equal(f->actions.items[0].deliver.to, 0);
    assert_int_equal(f->actions.items[0].deliver.from, SCHED_ALL);
    assert_int_equal(f->sched.received[1], 1);
}

/* The sender may hear of a grant before the receiver does. */
static void test_intake__takes_an_early_frame_before_its_grant(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    expect_taken(f, &frame);
    assert_int_equal(f->actions.count, 1);
    frame.from_shard = 1;
    frame.sequence = 1;
    expect_taken(f, &frame);
    assert_int_equal(f->actions.count, 1);
    grant(f, 0, 1);

    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->actions.items[0].type, SCHED_ACT_RUN);
    assert_int_equal(f->actions.items[0].run.op, SCHED_FORWARD);
}

static void test_intake__refuses_what_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 2);
    frame.term = 4;
    expect_refused(f, &frame, STATUS_STALE, "frame of another term");
    frame = good();
    frame.term = 6;
    expect_refused(f, &frame, STATUS_STALE, "frame of another term");
    frame = good();
    frame.job = 4;
    expect_refused(f, &frame, STATUS_STALE, "frame of another term");
    frame = good();
    frame.from_worker = 8;
    expect_refused(f, &frame, STATUS_INVALID,
                   "frame of a worker that has no part");
    frame.from_worker = 7; /* this worker itself */
    expect_refused(f, &frame, STATUS_INVALID,
                   "frame of a worker that has no part");
}

static void test_intake__refuses_a_sender_that_is_not_the_owner(void **state)
{
    static const char reason[] = "frame does not fit the placement";
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 2);
    frame.from_layer = 1;
    frame.to_layer = 0;
    frame.kind = FRAME_GRADIENT;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    frame.from_shard = 2;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    frame.from_layer = 2;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    frame.to_layer = 0;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame.to_layer = UINT32_MAX;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    frame.microbatch = MICROBATCHES_MAX;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    frame.kind = FRAME_GRADIENT;
    expect_refused(f, &frame, STATUS_INVALID, reason);
}

static void test_intake__refuses_what_does_not_fit_the_pass(void **state)
{
    static const char reason[] = "frame does not fit its pass";
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 2);
    frame.rows = 3;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    frame.microbatch = 2;
    expect_refused(f, &frame, STATUS_INVALID, reason);
    frame = good();
    expect_taken(f, &frame);
}

static void test_intake__refuses_a_duplicate(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 2);
    expect_taken(f, &frame);
    expect_refused(f, &frame, STATUS_STALE, "frame was here before");
    frame.sequence = 1; /* the same under a new number */
    expect_refused(f, &frame, STATUS_CONFLICT, "frame is there already");
}

static void test_intake__faults_at_a_gap(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 2);
    frame.sequence = 1;
    expect_fault(f, &frame, "frames are missing", 0, 1);

    /* After a fault nothing is taken any more. */
    frame.sequence = 0;
    send(f, &frame);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->actions.items[0].type, SCHED_ACT_REFUSED);
    assert_string_equal(f->actions.items[0].refused.reason,
                        "session has failed");
}

static void test_intake__faults_at_a_frame_from_the_future(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    grant(f, 0, 2);
    frame.pass = 2;
    expect_fault(f, &frame, "frame from the future", 1, 2);
}

static void test_intake__faults_at_any_next_pass_before_the_first(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();

    frame.pass = 1;
    expect_fault(f, &frame, "frame from the future", 0, 1);
}

/* An early frame's kind is known only when its pass begins. */
static void test_intake__faults_when_early_frames_do_not_fit(void **state)
{
    struct fixture *f = *state;
    struct frame_header frame = good();
    struct sched_event event = {.type = SCHED_GRANT, .grant = &f->grant};

    frame.microbatch = 3;
    expect_taken(f, &frame);
    f->grant = (struct grant){.term = 5, .steps = 1, .task_examples = 1000};
    sched_step(&f->sched, &event, &f->actions);

    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->actions.items[0].type, SCHED_ACT_FAULT);
    assert_string_equal(f->actions.items[0].fault.reason,
                        "early frames do not fit their pass");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_intake__takes_a_frame_of_the_present_pass),
        TEST(test_intake__takes_an_early_frame_before_its_grant),
        TEST(test_intake__refuses_what_does_not_fit),
        TEST(test_intake__refuses_a_sender_that_is_not_the_owner),
        TEST(test_intake__refuses_what_does_not_fit_the_pass),
        TEST(test_intake__refuses_a_duplicate),
        TEST(test_intake__faults_at_a_gap),
        TEST(test_intake__faults_at_a_frame_from_the_future),
        TEST(test_intake__faults_at_any_next_pass_before_the_first),
        TEST(test_intake__faults_when_early_frames_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
