#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/quantity.h"
#include <string.h>

static void test_quantity__keeps_whole_numbers_exact(void **state)
{
    static const struct {
        const char *text;
        enum quantity_fault fault;
        uint64_t value;
    } cases[] = {
        {"0", QUANTITY_FINE, 0},
        {"007", QUANTITY_FINE, 7},
        {"+5", QUANTITY_FINE, 5},
        {"-0", QUANTITY_FINE, 0},
        {"4M", QUANTITY_FINE, 4000000},
        {"1.5k", QUANTITY_FINE, 1500},
        {"2G examples", QUANTITY_FINE, 2000000000},
        {"1e3", QUANTITY_FINE, 1000},
        {"120e-1", QUANTITY_FINE, 12},
        {"3.000", QUANTITY_FINE, 3},
        {"18446744073709551615", QUANTITY_FINE, UINT64_MAX},
        {"18446744073709551616", QUANTITY_TOO_LARGE, 0},
        {"1e99999999999", QUANTITY_TOO_LARGE, 0},
        {"0e99999999999", QUANTITY_FINE, 0},
        {"1.5", QUANTITY_NOT_WHOLE, 0},
        {"1e-99999999999", QUANTITY_NOT_WHOLE, 0},
        {"-3", QUANTITY_NEGATIVE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct quantity quantity;
        uint64_t value = 0;

        assert_true(
            quantity_parse(cases[i].text, strlen(cases[i].text), &quantity));
        assert_int_equal(quantity_whole(&quantity, &value), cases[i].fault);
        assert_int_equal(value, cases[i].value);
    }
}

static void test_quantity__tells_the_unit_from_the_number(void **state)
{
    static const char *const cases[][2] = {
        {"200 steps", "steps"},
        {"200steps", "steps"},
        {"1%", "%"},
        {"1 % of mean", "% of mean"},
        {"5 examples", "examples"},
        {"5e", "e"},
        {"4 k", "k"},
        {"4km", "km"},
        {"1e3 e", "e"},
        {"7", ""},
        {"7  ", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct quantity quantity;

        assert_true(
            quantity_parse(cases[i][0], strlen(cases[i][0]), &quantity));
        assert_int_equal(quantity.unit_size, strlen(cases[i][1]));
        assert_memory_equal(quantity.unit, cases[i][1], quantity.unit_size);
    }
}

static void test_quantity__refuses_what_is_no_number(void **state)
{
    static const char *const cases[] = {"",
                                        " ",
                                        ".",
                                        "-",
                                        "+e1",
                                        "e5",
                                        "fast",
                                        "nan",
                                        "inf",
                                        " 1",
                                        "11111111111111111111111111111111111111"
                                        "111"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct quantity quantity;

        assert_false(quantity_parse(cases[i], strlen(cases[i]), &quantity));
    }
}

static void assert_printed(double value, int places, const char *expected)
{
    char buffer[64];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    quantity_print(&text, value, places);
    assert_string_equal(buffer, expected);
}

static void test_quantity__prints_the_shortest_text(void **state)
{
    (void)state;

    assert_printed(0, 0, "0");
    assert_printed(0.01, 0, "0.01");
    assert_printed(0.01, 2, "1");
    assert_printed(0.07, 2, "7");
    assert_printed(1, 2, "100");
    assert_printed(1e-4, 0, "1e-4");
    assert_printed(1.5e-8, 0, "1.5e-8");
    assert_printed(-2.5, 0, "-2.5");
    assert_printed(20000, 0, "20000");
    assert_printed(0.1 + 0.2, 0, "0.30000000000000004");
    assert_printed(1e300, 0, "1e300");
    assert_printed(5e-324, 0, "5e-324");
}

static void test_quantity__reads_back_what_it_prints(void **state)
{
    uint64_t bits = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char buffer[64];
        struct text text;
        struct quantity quantity;
        double value;
        double again = 0;

        bits ^= bits << 13; /* Marsaglia's xorshift64 */
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof(value));
        if (value - value != 0) {
            continue; /* infinite or no number */
        }
        text_init(&text, buffer, sizeof(buffer));
        quantity_print(&text, value, 0);
        assert_true(quantity_parse(buffer, text.used, &quantity));
        assert_int_equal(quantity_real(&quantity, &again), QUANTITY_FINE);
        assert_memory_equal(&again, &value, sizeof(value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity__keeps_whole_numbers_exact),
        cmocka_unit_test(test_quantity__tells_the_unit_from_the_number),
        cmocka_unit_test(test_quantity__refuses_what_is_no_number),
        cmocka_unit_test(test_quantity__prints_the_shortest_text),
        cmocka_unit_test(test_quantity__reads_back_what_it_prints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
