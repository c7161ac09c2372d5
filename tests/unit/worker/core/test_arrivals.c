#include "worker/core/arrivals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROOM = 3 };

struct fixture {
    struct arrivals arrivals;
    struct arrival items[ROOM];
};

static int set_up(void **state)
{
    static struct fixture fixture;

    arrivals_init(&fixture.arrivals, fixture.items, ROOM);
    *state = &fixture;
    return 0;
}

static struct holding_key key(uint64_t interval, uint32_t shard)
{
    return (struct holding_key){
        .job = 1, .term = 3, .interval = interval, .shard = shard};
}

static uint32_t begin(struct fixture *f, uint32_t shard)
{
    const struct holding_key k = key(7, shard);
    uint32_t at = arrivals_begin(&f->arrivals, &k);

    assert_true(at < ROOM);
    assert_int_equal(arrivals_find(&f->arrivals, &k), at);
    return at;
}

static bool is_here(const struct fixture *f, uint32_t shard)
{
    const struct holding_key k = key(7, shard);

    return arrivals_find(&f->arrivals, &k) < ROOM;
}

static void test_arrivals__each_copy_has_its_place(void **state)
{
    struct fixture *f = *state;
    uint32_t first = begin(f, 1);
    uint32_t second = begin(f, 2);

    assert_true(first != second);
    assert_false(is_here(f, 3));
    arrivals_end(&f->arrivals, first);

    assert_false(is_here(f, 1));
    assert_true(is_here(f, 2));
}

static void test_arrivals__one_that_begins_again_keeps_its_place(void **state)
{
    struct fixture *f = *state;
    uint32_t first = begin(f, 1);

    (void)begin(f, 2);
    assert_int_equal(begin(f, 1), first);
    assert_true(is_here(f, 2));
}

/* And to have begun again is to be new. */
static void test_arrivals__the_oldest_gives_way(void **state)
{
    struct fixture *f = *state;

    for (uint32_t shard = 0; shard < ROOM; shard++) {
        (void)begin(f, shard);
    }
    (void)begin(f, 0);
    (void)begin(f, 9);

    assert_true(is_here(f, 0));
    assert_false(is_here(f, 1));
    assert_true(is_here(f, 2));
    assert_true(is_here(f, 9));
}

static void test_arrivals__a_free_place_is_taken_before_an_older_one(
    void **state)
{
    struct fixture *f = *state;
    uint32_t last = 0;

    for (uint32_t shard = 0; shard < ROOM; shard++) {
        last = begin(f, shard);
    }
    arrivals_end(&f->arrivals, last);

    assert_int_equal(begin(f, 9), last);
    assert_true(is_here(f, 0));
}

static void test_arrivals__a_rule_ends_what_does_not_stay(void **state)
{
    struct fixture *f = *state;
    const struct holding_key newer = key(8, 1);
    const struct holding_key other = {.job = 2, .interval = 1};
    struct holdings_rule rule = holdings_on_keep(&newer, 0);
    uint32_t at = ROOM;
    uint32_t old = begin(f, 1);

    (void)arrivals_begin(&f->arrivals, &newer);
    (void)arrivals_begin(&f->arrivals, &other);
    assert_true(arrivals_drop(&f->arrivals, &rule, &at));

    assert_int_equal(at, old);
    assert_false(is_here(f, 1));
    assert_false(arrivals_drop(&f->arrivals, &rule, &at));
    assert_true(arrivals_find(&f->arrivals, &newer) < ROOM);
    assert_true(arrivals_find(&f->arrivals, &other) < ROOM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_arrivals__each_copy_has_its_place),
        TEST(test_arrivals__one_that_begins_again_keeps_its_place),
        TEST(test_arrivals__the_oldest_gives_way),
        TEST(test_arrivals__a_free_place_is_taken_before_an_older_one),
        TEST(test_arrivals__a_rule_ends_what_does_not_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
