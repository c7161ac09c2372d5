#include "base/ration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_ration__says_a_cause_once_a_minute(void **state)
{
    struct ration ration = {.lines_count = 0};
    uint64_t cause = ration_cause(1, "w0", 2);
    uint64_t count = 0;

    (void)state;

    assert_true(ration_take(&ration, cause, 5, &count));
    assert_int_equal(count, 1);
    for (uint64_t t = 6; t < 106; t++) {
        assert_false(ration_take(&ration, cause, t, &count));
    }
    assert_true(ration_take(&ration, cause, 5 + RATION_PERIOD_MS, &count));
    assert_int_equal(count, 101);
}

static void test_ration__tells_causes_apart(void **state)
{
    struct ration ration = {.lines_count = 0};
    uint64_t count = 0;

    (void)state;

    assert_int_not_equal(ration_cause(1, "w0", 2), ration_cause(2, "w0", 2));
    assert_int_not_equal(ration_cause(1, "w0", 2), ration_cause(1, "w1", 2));
    assert_true(ration_take(&ration, ration_cause(1, "a", 1), 0, &count));
    assert_true(ration_take(&ration, ration_cause(1, "b", 1), 0, &count));
    assert_false(ration_take(&ration, ration_cause(1, "a", 1), 1, &count));
}

static void test_ration__forgets_the_cause_silent_for_longest(void **state)
{
    struct ration ration = {.lines_count = 0};
    uint64_t count = 0;

    (void)state;

    for (uint64_t c = 1; c <= RATION_CAUSES_MAX; c++) {
        assert_true(ration_take(&ration, c, c, &count));
    }
    assert_false(ration_take(&ration, 1, 100, &count));
    assert_true(ration_take(&ration, 1000, 101, &count)); /* in place of 2 */
    assert_false(ration_take(&ration, 1, 102, &count));
    assert_true(ration_take(&ration, 2, 103, &count));
}

/* Not even a thousand peers can fill the disk. */
static void test_ration__all_causes_together_have_a_most(void **state)
{
    struct ration ration = {.lines_count = 0};
    uint64_t count = 0;
    int lines = 0;

    (void)state;

    for (uint64_t c = 1; c <= 5000; c++) {
        lines += ration_take(&ration, c, c, &count);
    }
    assert_int_equal(lines, RATION_LINES_MAX);
    assert_true(ration_take(&ration, 5000, RATION_PERIOD_MS, &count));
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ration__says_a_cause_once_a_minute),
        cmocka_unit_test(test_ration__tells_causes_apart),
        cmocka_unit_test(test_ration__forgets_the_cause_silent_for_longest),
        cmocka_unit_test(test_ration__all_causes_together_have_a_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
