#include "worker/model/tree.h"

#include "base/limits.h"
#include "tests/unit/worker/model/net.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LENGTH = 700 };

/* The tree by its definition, for one element. */
static float by_definition(const float *const *values,
                           uint32_t first,
                           uint32_t n,
                           size_t i)
{
    uint32_t half = 1;

    if (n == 1) {
        return values[first][i];
    }
    while (half * 2 < n) {
        half *= 2;
    }
    return by_definition(values, first, half, i) +
           by_definition(values, first + half, n - half, i);
}

static void test_tree__sums_pairs_of_pairs(void **state)
{
    static float values[SHARDS_MAX][LENGTH];
    static float sums[LENGTH];
    static double doubles[LENGTH];
    const float *pointers[SHARDS_MAX];

    (void)state;
    for (uint32_t c = 0; c < SHARDS_MAX; c++) {
        net_draw(c, values[c], LENGTH);
        pointers[c] = values[c];
    }
    for (uint32_t n = 1; n <= SHARDS_MAX; n++) {
        tree_sum(pointers, n, LENGTH, sums);
        tree_sum_double(pointers, n, LENGTH, doubles);
        for (size_t i = 0; i < LENGTH; i++) {
            double difference = doubles[i] - (double)sums[i];

            assert_true(sums[i] == by_definition(pointers, 0, n, i));
            assert_true(difference < 1e-5);
            assert_true(difference > -1e-5);
        }
    }
}

static void test_tree__may_sum_in_place(void **state)
{
    float a[3] = {1, 2, 3};
    float b[3] = {10, 20, 30};
    const float *values[] = {a, b};

    (void)state;
    tree_sum(values, 2, 3, b);

    assert_true(b[0] == 11);
    assert_true(b[2] == 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree__sums_pairs_of_pairs),
        cmocka_unit_test(test_tree__may_sum_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
