#include "worker/core/holdings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROOM = 6 };

struct fixture {
    struct holdings holdings;
    struct holding items[ROOM];
};

static int set_up(void **state)
{
    static struct fixture fixture;

    holdings_init(&fixture.holdings, fixture.items, ROOM);
    *state = &fixture;
    return 0;
}

static struct holding_key key(uint64_t job,
                              uint32_t line,
                              uint64_t interval,
                              uint32_t shard)
{
    return (struct holding_key){.job = job,
                                .line = line,
                                .interval = interval,
                                .layer = 1,
                                .shard = shard};
}

static void add(struct fixture *f, struct holding_key k)
{
    struct holding holding = {.key = k, .own = true, .cost_us = 9};
    struct holding old = {.own = true};

    assert_int_equal(holdings_add(&f->holdings, &holding, &old), STATUS_OK);
    assert_null(old.bytes);
}

/* How many copies a rule lets go; all others are still there. */
static uint32_t dropped(struct fixture *f, struct holdings_rule rule)
{
    struct holding out;
    uint32_t before = f->holdings.count;
    uint32_t count = 0;

    while (holdings_drop(&f->holdings, &rule, &out)) {
        assert_false(holdings_stays(&rule, &out.key));
        assert_null(holdings_find(&f->holdings, &out.key));
        count++;
    }
    assert_int_equal(f->holdings.count, before - count);
    return count;
}

static bool holds(const struct fixture *f, struct holding_key k)
{
    return holdings_find(&f->holdings, &k) != NULL;
}

static void test_holdings__finds_a_copy_by_all_of_its_key(void **state)
{
    struct fixture *f = *state;
    struct holding_key other = key(1, 0, 5, 2);

    add(f, key(1, 0, 5, 2));

    assert_true(holds(f, key(1, 0, 5, 2)));
    assert_false(holds(f, key(2, 0, 5, 2)));
    assert_false(holds(f, key(1, 1, 5, 2)));
    assert_false(holds(f, key(1, 0, 6, 2)));
    assert_false(holds(f, key(1, 0, 5, 3)));
    other.layer = 0;
    assert_false(holds(f, other));
}

static void test_holdings__a_newer_copy_replaces_the_older_one(void **state)
{
    struct fixture *f = *state;
    struct holding first = {.key = key(1, 0, 5, 2), .bytes = f};
    struct holding second = {.key = key(1, 0, 5, 2), .own = true};
    struct holding old;

    assert_int_equal(holdings_add(&f->holdings, &first, &old), STATUS_OK);
    assert_int_equal(holdings_add(&f->holdings, &second, &old), STATUS_OK);

    assert_ptr_equal(old.bytes, f);
    assert_int_equal(f->holdings.count, 1);
    assert_true(holdings_find(&f->holdings, &first.key)->own);
}

static void test_holdings__is_busy_when_the_table_is_full(void **state)
{
    struct fixture *f = *state;
    struct holding more = {.key = key(1, 0, 5, ROOM)};
    struct holding again = {.key = key(1, 0, 5, 0)};
    struct holding old;

    for (uint32_t i = 0; i < ROOM; i++) {
        add(f, key(1, 0, 5, i));
    }

    assert_int_equal(holdings_add(&f->holdings, &more, &old), STATUS_BUSY);
    assert_int_equal(holdings_add(&f->holdings, &again, &old), STATUS_OK);
}

static void test_holdings__a_keep_leaves_two_points(void **state)
{
    struct fixture *f = *state;
    struct holding_key making = key(1, 0, 9, 0);

    add(f, key(1, 0, 3, 0)); /* older than the complete one */
    add(f, key(1, 0, 7, 0)); /* complete */
    add(f, key(1, 0, 8, 0)); /* never was */
    add(f, key(1, 0, 9, 0));
    add(f, key(2, 0, 3, 0)); /* another job's */

    assert_int_equal(dropped(f, holdings_on_keep(&making, 8)), 2);

    assert_true(holds(f, key(1, 0, 7, 0)));
    assert_true(holds(f, key(1, 0, 9, 0)));
    assert_true(holds(f, key(2, 0, 3, 0)));
}

static void test_holdings__without_a_complete_point_one_is_left(void **state)
{
    struct fixture *f = *state;
    struct holding_key making = key(1, 0, 9, 0);

    add(f, key(1, 0, 0, 0));
    add(f, key(1, 0, 9, 0));

    assert_int_equal(dropped(f, holdings_on_keep(&making, 0)), 1);

    assert_true(holds(f, key(1, 0, 9, 0)));
}

/* The point of boundary 0 can be kept: it is `kept` 1. */
static void test_holdings__the_first_boundary_is_a_point(void **state)
{
    struct fixture *f = *state;
    struct holding_key making = key(1, 0, 9, 0);

    add(f, key(1, 0, 0, 0));
    add(f, key(1, 0, 9, 0));

    assert_int_equal(dropped(f, holdings_on_keep(&making, 1)), 0);
}

static void test_holdings__a_late_copy_undoes_nothing_newer(void **state)
{
    struct fixture *f = *state;
    struct holding_key late = key(1, 0, 5, 0);

    add(f, key(1, 0, 3, 0));
    add(f, key(1, 0, 9, 0));

    assert_int_equal(dropped(f, holdings_on_keep(&late, 0)), 1);

    assert_true(holds(f, key(1, 0, 9, 0)));
}

static void test_holdings__a_new_line_ends_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct holding_key making = key(1, 1, 9, 0);

    add(f, key(1, 0, 7, 0));
    add(f, key(1, 0, 9, 0));
    add(f, key(1, 1, 9, 0));

    assert_int_equal(dropped(f, holdings_on_keep(&making, 8)), 2);

    assert_true(holds(f, key(1, 1, 9, 0)));
}

static void test_holdings__a_copy_of_another_term_is_another_copy(void **state)
{
    struct fixture *f = *state;
    struct holding_key old = key(1, 0, 7, 0);
    struct holding_key now = key(1, 0, 7, 0);
    struct wire_assign assign = {
        .job = 1, .from_point = true, .point_interval = 7, .point_term = 4};

    old.term = 3;
    now.term = 4;
    add(f, old);
    add(f, now);
    assert_int_equal(f->holdings.count, 2);
    assert_int_equal(dropped(f, holdings_on_assign(&assign)), 1);
    assert_true(holds(f, now));

    add(f, old);
    assert_int_equal(dropped(f, holdings_on_keep(&now, 0)), 1);
    assert_true(holds(f, now));
}

static void test_holdings__an_assignment_leaves_what_it_begins_from(
    void **state)
{
    struct fixture *f = *state;
    struct wire_assign assign = {
        .job = 1, .from_point = true, .point_line = 0, .point_interval = 7};

    add(f, key(1, 0, 7, 0));
    add(f, key(1, 0, 9, 0)); /* of a course that is given up */
    add(f, key(2, 0, 9, 0));
    assert_int_equal(dropped(f, holdings_on_assign(&assign)), 1);
    assert_true(holds(f, key(1, 0, 7, 0)));

    assign.from_point = false;
    assert_int_equal(dropped(f, holdings_on_assign(&assign)), 1);
    assert_true(holds(f, key(2, 0, 9, 0)));
}

static void test_holdings__forgets_a_job(void **state)
{
    struct fixture *f = *state;

    add(f, key(1, 0, 7, 0));
    add(f, key(1, 4, 9, 0));
    add(f, key(2, 0, 9, 0));

    assert_int_equal(dropped(f, holdings_on_forget(1)), 2);

    assert_true(holds(f, key(2, 0, 9, 0)));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_holdings__finds_a_copy_by_all_of_its_key),
        TEST(test_holdings__a_newer_copy_replaces_the_older_one),
        TEST(test_holdings__is_busy_when_the_table_is_full),
        TEST(test_holdings__a_keep_leaves_two_points),
        TEST(test_holdings__without_a_complete_point_one_is_left),
        TEST(test_holdings__the_first_boundary_is_a_point),
        TEST(test_holdings__a_late_copy_undoes_nothing_newer),
        TEST(test_holdings__a_new_line_ends_the_old_one),
        TEST(test_holdings__a_copy_of_another_term_is_another_copy),
        TEST(test_holdings__an_assignment_leaves_what_it_begins_from),
        TEST(test_holdings__forgets_a_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
