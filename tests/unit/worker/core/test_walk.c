#include "worker/core/walk.h"

#include "proto/job.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t evaluate_rows[3] = {300, 0, 2000};
static const uint64_t guard_rows[3] = {100, 0, 0};

struct fixture {
    struct program program;
    struct walk walk;
    uint64_t steps;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct program_options options = {.term = 1,
                                      .batch = 16,
                                      .microbatches = 2,
                                      .tasks_count = 3,
                                      .evaluate_rows = evaluate_rows,
                                      .guard_rows = guard_rows};

    assert_non_null(f);
    program_init(&f->program, &options);
    walk_init(&f->walk, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void give(struct fixture *f, struct grant grant)
{
    const char *reason = NULL;

    grant.term = 1;
    grant.first_step = f->program.next_step;
    grant.interval = f->program.next_interval;
    grant.position = f->program.next_step * 16;
    grant.task_examples = 1000;
    assert_int_equal(program_grant(&f->program, &grant, 0, &reason), STATUS_OK);
}

/* Walks until it must wait, and tells each stop: phase, and for a pass its
 * number, rows and microbatches. */
static void expect_walk(struct fixture *f, const char *expected)
{
    char data[1000];
    struct text text;

    text_init(&text, data, sizeof(data));
    for (;;) {
        walk_settle(&f->walk, &f->program);
        text_add(&text, walk_phase_name(f->walk.phase));
        if (f->walk.in_pass) {
            text_add(&text, " ");
            text_u64(&text, f->walk.pass);
            text_add(&text, ":");
            text_u64(&text, f->walk.rows);
            text_add(&text, "/");
            text_u64(&text, f->walk.microbatches);
        }
        if (f->walk.phase == WALK_IDLE || f->walk.phase == WALK_HOLD) {
            break;
        }
        text_add(&text, ", ");
        walk_did(&f->walk, &f->program);
    }
    assert_string_equal(data, expected);
}

static void test_walk__trains_and_reports(void **state)
{
    struct fixture *f = *state;

    expect_walk(f, "idle");
    give(f, (struct grant){.steps = 2});
    give(f, (struct grant){.steps = 1});

    expect_walk(f, "train 0:16/2, train 1:16/2, report 2:0/0, "
                   "train 3:16/2, report 4:0/0, idle");
    assert_int_equal(f->walk.interval, 2);
}

static void test_walk__keeps_the_order_of_a_boundary(void **state)
{
    struct fixture *f = *state;

    give(f, (struct grant){.steps = 1,
                           .evaluate_count = 3,
                           .guard = true,
                           .edits_count = 1,
                           .version = 4,
                           .hold = true});

    /* 300 rows, none of task 1, then 2000 rows in two passes. */
    expect_walk(f,
                "evaluate 0:300/2, evaluate 1:1024/4, evaluate 2:976/4, "
                "guard_before 3:100/1, edit, guard_after 4:100/1, cut, hold");
    assert_int_equal(program_release(&f->program, 0), STATUS_OK);
    expect_walk(f, "train 5:16/2, report 6:0/0, idle");
}

static void test_walk__copies_for_a_version_and_for_a_point(void **state)
{
    struct fixture *f = *state;

    give(f, (struct grant){.steps = 1, .keep = true, .kept = 5});
    give(f, (struct grant){.steps = 1, .keep = true, .version = 4});
    give(f, (struct grant){.steps = 1, .kept = 5});

    expect_walk(f, "cut, train 0:16/2, report 1:0/0, "
                   "cut, train 2:16/2, report 3:0/0, "
                   "train 4:16/2, report 5:0/0, idle");
}

static void test_walk__skips_what_a_resumed_grant_has_behind_it(void **state)
{
    struct fixture *f = *state;

    give(f, (struct grant){.steps = 1,
                           .resumed = true,
                           .evaluate_count = 3,
                           .guard = true,
                           .edits_count = 1,
                           .settings_count = 1,
                           .version = 4,
                           .keep = true,
                           .hold = true});

    expect_walk(f, "hold");
    assert_int_equal(program_release(&f->program, 0), STATUS_OK);
    expect_walk(f, "train 0:16/2, report 1:0/0, idle");
}

/* Without steps the report asks nobody for columns: it is not a pass. */
static void test_walk__reports_a_closing_interval_without_a_pass(void **state)
{
    struct fixture *f = *state;

    give(f, (struct grant){.steps = 1});
    give(f, (struct grant){.closing = true, .evaluate_count = 1});

    expect_walk(f,
                "train 0:16/2, report 1:0/0, evaluate 2:300/2, report, idle");
    assert_int_equal(f->walk.pass, 3);
}

static void test_walk__changes_clipping_at_the_edits(void **state)
{
    struct fixture *f = *state;
    struct grant grant = {.steps = 1, .settings_count = 1};

    grant.settings[0] =
        (struct grant_setting){.setting = SETTING_CLIP, .value = 0.5};
    give(f, (struct grant){.steps = 1});
    give(f, grant);
    walk_settle(&f->walk, &f->program);
    assert_false(f->walk.clip);
    walk_did(&f->walk, &f->program); /* train */
    walk_settle(&f->walk, &f->program);
    walk_did(&f->walk, &f->program); /* report */
    walk_settle(&f->walk, &f->program);
    assert_int_equal(f->walk.phase, WALK_EDIT);
    assert_false(f->walk.clip);

    walk_did(&f->walk, &f->program);

    assert_true(f->walk.clip);
}

static void test_walk__ends_the_last_batch_short(void **state)
{
    struct fixture *f = *state;
    struct grant grant = {.term = 1, .steps = 2, .task_examples = 17};
    const char *reason = NULL;

    assert_int_equal(program_grant(&f->program, &grant, 0, &reason), STATUS_OK);

    expect_walk(f, "train 0:16/2, train 1:1/1, report 2:0/0, idle");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_walk__trains_and_reports),
        TEST(test_walk__keeps_the_order_of_a_boundary),
        TEST(test_walk__copies_for_a_version_and_for_a_point),
        TEST(test_walk__skips_what_a_resumed_grant_has_behind_it),
        TEST(test_walk__reports_a_closing_interval_without_a_pass),
        TEST(test_walk__changes_clipping_at_the_edits),
        TEST(test_walk__ends_the_last_batch_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
