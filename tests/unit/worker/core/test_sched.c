#include "tests/unit/worker/core/schedworld.h"

#include "worker/core/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_sched__takes_the_same_inputs_on_any_placement(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        compare_worlds(seed, 4);
    }
}

/* Neighbours are at most one pass apart, so a link holds at most what two
 * passes send: that bounds the memory of every queue between workers. */
static void test_sched__bounds_what_is_on_a_link(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct schedworld *w = grab(sizeof(*w));
    uint32_t bound = 0;

    (void)state;
    for (uint64_t seed = 200; seed < 220; seed++) {
        make_scenario(s, seed);
        open_world(w, s, 2, seed);
        run_world(w);
        bound = 0;
        for (uint32_t l = 0; l + 1 < s->layers_count; l++) {
            uint32_t a = s->shards_count[l];
            uint32_t b = s->shards_count[l + 1];

            bound += 2 * (EVALUATE_WINDOW * (a + a * b) + a * b);
        }
        assert_true(w->deepest <= bound + 2 * w->shards_total);
    }
    free(w);
    free(s);
}

static void test_sched__counts_the_updates_of_its_shards(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct schedworld *w = grab(sizeof(*w));
    uint64_t expected = 0;
    uint64_t found = 0;

    (void)state;
    make_scenario(s, 3);
    for (uint32_t n = 0; n < s->intervals_count; n++) {
        expected += s->grants[n].steps;
    }
    open_world(w, s, 3, 3);
    run_world(w);
    for (uint32_t i = 0; i < w->sites_count; i++) {
        found += w->sites[i].sched.steps;
    }

    assert_int_equal(found, expected * w->shards_total);
    free(w);
    free(s);
}

static void test_sched__tells_which_point_a_copy_is_of(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct schedworld *w = grab(sizeof(*w));
    const struct sched_action *action = NULL;
    struct sched_event done = {.type = SCHED_DONE};

    (void)state;
    make_scenario(s, 5);
    s->layers_count = 1; /* one shard, which only cuts and trains */
    s->shards_count[0] = 1;
    s->grants[0].evaluate_count = 0;
    s->grants[0].guard = false;
    s->grants[0].edits_count = 0;
    s->grants[0].settings_count = 0;
    s->grants[0].version = 0;
    s->grants[0].line = 4;
    s->grants[0].keep = true;
    s->grants[0].kept = 0;
    open_world(w, s, 1, 5);
    give_grant(w, 0);
    assert_int_equal(w->sites[0].actors[0].run.op, SCHED_CUT);
    assert_false(w->sites[0].actors[0].run.store);

    sched_step(&w->sites[0].sched, &done, &w->actions);

    action = &w->actions.items[0];
    assert_int_equal(action->type, SCHED_ACT_CUT);
    assert_int_equal(action->cut.version, 0);
    assert_true(action->cut.keep);
    assert_int_equal(action->cut.line, 4);
    assert_int_equal(action->cut.interval, 0);
    free(w);
    free(s);
}

/* Two copies that are being stored hold up a third; one that is only kept in
 * memory neither waits nor makes others wait. */
static void test_sched__only_versions_wait_for_the_store(void **state)
{
    struct sched *sched = grab(sizeof(*sched));
    struct sched_shard *shard = &sched->locals[0];
    struct grant *grant = grab(sizeof(*grant));

    (void)state;
    sched->program.begun = true;
    sched->program.next_interval = 1;
    shard->walk.phase = WALK_CUT;
    grant->keep = true;
    shard->cuts = SCHED_CUTS_MAX;
    sched->program.grants[0] = *grant;
    assert_int_equal(ready_op(sched, shard), SCHED_CUT);

    grant->version = 3;
    sched->program.grants[0] = *grant;
    assert_int_equal(ready_op(sched, shard), READY_NONE);
    shard->cuts--;
    assert_int_equal(ready_op(sched, shard), SCHED_CUT);
    free(grant);
    free(sched);
}

/* A job that has nothing for a worker still lets it follow. */
static void test_sched__ends_without_local_shards(void **state)
{
    struct scenario *s = grab(sizeof(*s));
    struct schedworld *w = grab(sizeof(*w));

    (void)state;
    make_scenario(s, 5);
    s->layers_count = 1; /* one shard, several workers */
    s->shards_count[0] = 1;
    open_world(w, s, 4, 5);
    run_world(w);

    assert_int_equal(w->shards_total, 1);
    free(w);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sched__takes_the_same_inputs_on_any_placement),
        cmocka_unit_test(test_sched__bounds_what_is_on_a_link),
        cmocka_unit_test(test_sched__counts_the_updates_of_its_shards),
        cmocka_unit_test(test_sched__tells_which_point_a_copy_is_of),
        cmocka_unit_test(test_sched__only_versions_wait_for_the_store),
        cmocka_unit_test(test_sched__ends_without_local_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
