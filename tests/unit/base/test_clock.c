#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_clock__never_goes_back(void **state)
{
    uint64_t before_us = clock_now_us();

    (void)state;

    for (int i = 0; i < 100000; i++) {
        uint64_t now_us = clock_now_us();

        assert_true(now_us >= before_us);
        before_us = now_us;
    }
}

static void test_clock__moves(void **state)
{
    uint64_t start_us = clock_now_us();
    uint64_t turns = 0;

    (void)state;

    while (clock_now_us() == start_us && turns < 100000000) {
        turns++;
    }

    assert_true(clock_now_us() > start_us);
}

static void test_clock__has_one_time_in_two_units(void **state)
{
    uint64_t before_us = clock_now_us();
    uint64_t now_ms = clock_now_ms();
    uint64_t after_us = clock_now_us();

    (void)state;

    assert_true(now_ms >= before_us / 1000);
    assert_true(now_ms <= after_us / 1000);
}

static void test_clock__counts_wall_time_from_1970(void **state)
{
    const uint64_t year_ms = UINT64_C(31556952000);

    (void)state;

    assert_true(clock_wall_ms() > 50 * year_ms);
    assert_true(clock_wall_ms() < 500 * year_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__never_goes_back),
        cmocka_unit_test(test_clock__moves),
        cmocka_unit_test(test_clock__has_one_time_in_two_units),
        cmocka_unit_test(test_clock__counts_wall_time_from_1970),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
