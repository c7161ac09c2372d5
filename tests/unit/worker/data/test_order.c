#include "worker/data/order.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 100 };

static const struct order_key KEY = {
    .seed = 7, .purpose = RNG_ORDER, .task = 3, .pass = 2};

static void ascending(uint32_t *items)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = i;
    }
}

static void assert_is_permutation(const uint32_t *items)
{
    int seen[COUNT] = {0};

    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(items[i] < COUNT);
        assert_int_equal(seen[items[i]]++, 0);
    }
}

static void test_order__shuffles_to_a_permutation(void **state)
{
    uint32_t items[COUNT];

    (void)state;
    ascending(items);
    order_shuffle(&KEY, items, COUNT);

    assert_is_permutation(items);
}

static void test_order__shuffles_by_every_key(void **state)
{
    struct order_key keys[5] = {KEY, KEY, KEY, KEY, KEY};
    uint32_t items[5][COUNT];

    (void)state;
    keys[1].seed++;
    keys[2].purpose = RNG_LABELS;
    keys[3].task++;
    keys[4].pass++;
    for (int k = 0; k < 5; k++) {
        ascending(items[k]);
        order_shuffle(&keys[k], items[k], COUNT);
        for (int other = 0; other < k; other++) {
            assert_memory_not_equal(items[k], items[other], sizeof(items[k]));
        }
    }
}

/* Runs must stay reproducible from one release to the next. */
static void test_order__shuffles_as_it_always_did(void **state)
{
    const uint32_t expected[8] = {6, 4, 2, 1, 0, 5, 7, 3};
    uint32_t items[8] = {0, 1, 2, 3, 4, 5, 6, 7};

    (void)state;
    order_shuffle(&KEY, items, 8);

    assert_memory_equal(items, expected, sizeof(items));
}

/* Every value should come to every place about as often. */
static void test_order__shuffles_fairly(void **state)
{
    enum { ITEMS = 5, ROUNDS = 10000 };
    int seen[ITEMS][ITEMS] = {{0}};
    struct order_key key = KEY;

    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t items[ITEMS] = {0, 1, 2, 3, 4};

        key.pass = round;
        order_shuffle(&key, items, ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            seen[i][items[i]]++;
        }
    }
    for (int i = 0; i < ITEMS * ITEMS; i++) {
        /* 2000 are expected; five standard deviations are 200. */
        assert_in_range(seen[i / ITEMS][i % ITEMS], 1800, 2200);
    }
}

static void test_order__leaves_none_or_one_item_alone(void **state)
{
    uint32_t items[1] = {42};

    (void)state;
    order_shuffle(&KEY, items, 1);
    order_shuffle(&KEY, items, 0);

    assert_int_equal(items[0], 42);
}

static void test_order__draws_a_guard_and_keeps_the_rest_in_order(void **state)
{
    uint32_t items[COUNT];
    int ascending_pairs = 0;

    (void)state;
    assert_int_equal(order_draw_guard(7, 30, items, COUNT), STATUS_OK);

    assert_is_permutation(items);
    for (uint32_t i = 31; i < COUNT; i++) {
        assert_true(items[i] > items[i - 1]);
    }
    for (uint32_t i = 1; i < 30; i++) {
        ascending_pairs += items[i] > items[i - 1];
    }
    assert_in_range(ascending_pairs, 5, 24); /* drawn, not sorted */
}

static void test_order__draws_none_and_all(void **state)
{
    uint32_t items[COUNT];

    (void)state;
    assert_int_equal(order_draw_guard(7, 0, items, COUNT), STATUS_OK);
    assert_is_permutation(items);
    assert_int_equal(items[0], 0);
    assert_int_equal(items[99], 99);

    assert_int_equal(order_draw_guard(7, COUNT, items, COUNT), STATUS_OK);
    assert_is_permutation(items);
}

static void test_order__sorts_into_groups_and_keeps_their_order(void **state)
{
    const uint8_t labels[8] = {3, 0, 2, 1, 5, 4, 0, 3};
    const uint32_t items[7] = {7, 6, 4, 3, 2, 1, 0}; /* 5 is left out */
    const struct order_source source = {.items = items,
                                        .count = 7,
                                        .labels = labels,
                                        .classes = 6,
                                        .groups = 3};
    struct order order = {.groups = 0};

    (void)state;
    assert_int_equal(order_init(&order, &source), STATUS_OK);

    assert_int_equal(order_count(&order, 0), 3);
    assert_memory_equal(order_items(&order, 0), ((uint32_t[]){6, 3, 1}), 12);
    assert_int_equal(order_count(&order, 1), 3);
    assert_memory_equal(order_items(&order, 1), ((uint32_t[]){7, 2, 0}), 12);
    assert_int_equal(order_count(&order, 2), 1);
    assert_int_equal(order_items(&order, 2)[0], 4);
    order_fini(&order);
}

static void test_order__survives_the_failure_of_each_allocation(void **state)
{
    const uint8_t labels[2] = {0, 1};
    const uint32_t items[2] = {0, 1};
    const struct order_source source = {.items = items,
                                        .count = 2,
                                        .labels = labels,
                                        .classes = 2,
                                        .groups = 2};
    struct order order = {.groups = 0};
    uint32_t drawn[2];
    const uint64_t live = mem_live();

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(order_init(&order, &source), STATUS_NO_MEMORY);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
    }
    mem_fail_at(1);
    assert_int_equal(order_draw_guard(7, 1, drawn, 2), STATUS_NO_MEMORY);
    mem_fail_at(0);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order__shuffles_to_a_permutation),
        cmocka_unit_test(test_order__shuffles_by_every_key),
        cmocka_unit_test(test_order__shuffles_as_it_always_did),
        cmocka_unit_test(test_order__shuffles_fairly),
        cmocka_unit_test(test_order__leaves_none_or_one_item_alone),
        cmocka_unit_test(test_order__draws_a_guard_and_keeps_the_rest_in_order),
        cmocka_unit_test(test_order__draws_none_and_all),
        cmocka_unit_test(test_order__sorts_into_groups_and_keeps_their_order),
        cmocka_unit_test(test_order__survives_the_failure_of_each_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
