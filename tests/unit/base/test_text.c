#include "base/text.h"

#include "base/check.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

/* text_real must write what printf writes. */
static void same_as_printf(double value, int digits)
{
    char expected[64];
    char actual[64];
    struct text text;

    text_init(&text, actual, sizeof(actual));
    text_real(&text, value, digits);
    snprintf(expected, sizeof(expected), "%.*g", digits, value);

    assert_string_equal(actual, expected);
}

static double double_of(uint64_t bits)
{
    double value = 0;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void test_text__adds_strings_and_numbers(void **state)
{
    char data[128];
    struct text text;

    (void)state;
    text_init(&text, data, sizeof(data));

    text_add(&text, "a");
    text_u64(&text, 0);
    text_add_bytes(&text, "bcd", 2);
    text_u64(&text, UINT64_MAX);
    text_i64(&text, INT64_MIN);
    text_i64(&text, 7);

    assert_string_equal(data, "a0bc18446744073709551615-92233720368547758087");
    assert_int_equal(text.used, strlen(data));
    assert_false(text.cut);
}

static void test_text__ends_in_nul_at_every_size(void **state)
{
    static const char whole[] = "why -12345 0.1875";

    (void)state;

    for (size_t size = 1; size <= sizeof(whole); size++) {
        char *data = test_malloc(size);
        struct text text;

        text_init(&text, data, size);
        text_add(&text, "why ");
        text_i64(&text, -12345);
        text_add_bytes(&text, " ", 1);
        text_real(&text, 0.1875, 6);
        assert_int_equal(strlen(data), size - 1);
        assert_memory_equal(data, whole, size - 1);
        assert_int_equal(text.cut, size < sizeof(whole));
        test_free(data);
    }
}

static void test_text__adds_nothing_after_a_cut(void **state)
{
    char data[4];
    struct text text;

    (void)state;
    text_init(&text, data, sizeof(data));

    text_add(&text, "abcdef");
    text_add(&text, "g");
    text_u64(&text, 1);

    assert_string_equal(data, "abc");
    assert_true(text.cut);
}

static void test_text__takes_no_bytes_from_nowhere(void **state)
{
    char data[4];
    struct text text;

    (void)state;
    text_init(&text, data, sizeof(data));

    text_add_bytes(&text, NULL, 0);
    text_add(&text, "");

    assert_string_equal(data, "");
    assert_false(text.cut);
}

static void test_text__writes_reals_that_people_know(void **state)
{
    static const struct {
        double value;
        int digits;
        const char *expected;
    } rows[] = {
        {0, 6, "0"},
        {-0.0, 6, "-0"},
        {1, 9, "1"},
        {0.1, 9, "0.1"},
        {-0.25, 1, "-0.2"}, /* a tie goes to the even digit */
        {0.35, 1, "0.3"},   /* below the tie, by the last bit */
        {2.5, 1, "2"},
        {3.5, 1, "4"},
        {9.9999996, 7, "10"},
        {99999.5, 5, "1e+05"},
        {123456, 6, "123456"},
        {1234567, 6, "1.23457e+06"},
        {0.0001, 6, "0.0001"},
        {0.00001, 6, "1e-05"},
        {1e100, 3, "1e+100"},
        {INFINITY, 3, "inf"},
        {-INFINITY, 3, "-inf"},
        {DBL_MAX, 9, "1.79769313e+308"},
        {DBL_TRUE_MIN, 9, "4.94065646e-324"},
    };

    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char data[64];
        struct text text;

        text_init(&text, data, sizeof(data));
        text_real(&text, rows[i].value, rows[i].digits);
        assert_string_equal(data, rows[i].expected);
    }
}

static void test_text__writes_nan_without_a_sign(void **state)
{
    char data[64];
    struct text text;

    (void)state;
    text_init(&text, data, sizeof(data));

    text_real(&text, (double)NAN, 3);
    text_real(&text, -(double)NAN, 3);

    assert_string_equal(data, "nannan");
}

static void test_text__writes_any_double_as_printf_does(void **state)
{
    (void)state;

    for (uint32_t i = 0; i < 20000; i++) {
        struct rng_block block = rng_draw(1, RNG_TEST, i, 0, 0);
        uint64_t bits = (uint64_t)block.v[0] << 32 | block.v[1];
        double value = double_of(bits);

        if (value == value) {
            same_as_printf(value, (int)(i % 9) + 1);
        }
    }
}

static void test_text__writes_ordinary_numbers_as_printf_does(void **state)
{
    (void)state;

    for (uint32_t i = 0; i < 20000; i++) {
        struct rng_block block = rng_draw(2, RNG_TEST, i, 0, 0);
        double scale = pow(10, (double)(block.v[1] % 61) - 30);
        double value = ((double)block.v[0] / 4294967296.0 + 0.5) * scale;

        same_as_printf(block.v[2] % 2 == 0 ? value : -value, (int)(i % 9) + 1);
    }
}

/* Short decimals and halves are where rounding goes wrong. */
static void test_text__rounds_ties_and_neighbours_as_printf_does(void **state)
{
    (void)state;

    for (int i = -2000; i <= 2000; i++) {
        for (int digits = 1; digits <= 9; digits++) {
            double value = i / 16.0;

            same_as_printf(value, digits);
            same_as_printf(nextafter(value, INFINITY), digits);
            same_as_printf(nextafter(value, -INFINITY), digits);
        }
    }
}

static void test_text__writes_powers_of_ten_as_printf_does(void **state)
{
    (void)state;

    for (int exponent = -323; exponent <= 308; exponent++) {
        char number[16];
        double value = 0;

        snprintf(number, sizeof(number), "1e%d", exponent);
        value = strtod(number, NULL);
        for (int digits = 1; digits <= 9; digits++) {
            same_as_printf(value, digits);
            same_as_printf(nextafter(value, 0), digits);
        }
    }
}

static void test_text__gives_floats_back_from_nine_digits(void **state)
{
    (void)state;

    for (uint32_t i = 0; i < 20000; i++) {
        struct rng_block block = rng_draw(3, RNG_TEST, i, 0, 0);
        char data[64];
        struct text text;
        float value = 0;

        memcpy(&value, &block.v[0], sizeof(value));
        if (!isfinite(value)) {
            continue;
        }
        text_init(&text, data, sizeof(data));
        text_real(&text, (double)value, 9);
        assert_true(strtof(data, NULL) == value);
    }
}

static void test_text__checks_its_arguments(void **state)
{
    char data[64];
    struct text text;

    (void)state;
    text_init(&text, data, sizeof(data));

    expect_assert_failure(text_real(&text, 1, 0));
    expect_assert_failure(text_real(&text, 1, 10));
    expect_assert_failure(text_init(&text, data, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__adds_strings_and_numbers),
        cmocka_unit_test(test_text__ends_in_nul_at_every_size),
        cmocka_unit_test(test_text__adds_nothing_after_a_cut),
        cmocka_unit_test(test_text__takes_no_bytes_from_nowhere),
        cmocka_unit_test(test_text__writes_reals_that_people_know),
        cmocka_unit_test(test_text__writes_nan_without_a_sign),
        cmocka_unit_test(test_text__writes_any_double_as_printf_does),
        cmocka_unit_test(test_text__writes_ordinary_numbers_as_printf_does),
        cmocka_unit_test(test_text__rounds_ties_and_neighbours_as_printf_does),
        cmocka_unit_test(test_text__writes_powers_of_ten_as_printf_does),
        cmocka_unit_test(test_text__gives_floats_back_from_nine_digits),
        cmocka_unit_test(test_text__checks_its_arguments),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
