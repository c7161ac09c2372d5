#include "coordinator/shell/gc/pins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct open_cut v7 = {1, 3, 7};
static const struct open_cut v8 = {1, 3, 8};
static const struct open_cut v8_again = {1, 4, 8};

static void test_pins__without_cuts_all_is_decided_in_two_turns(void **state)
{
    struct pins pins = {.tick = 0};

    (void)state;
    assert_int_equal(pins_turn(&pins, NULL, 0, 100), 0);
    assert_int_equal(pins_turn(&pins, NULL, 0, 100), 101);
    assert_int_equal(pins_turn(&pins, NULL, 0, 200), 101);
    assert_int_equal(pins_turn(&pins, NULL, 0, 200), 201);
}

/* v7 is open when the round begins at 100: its chunks may be of any tick. */
static void test_pins__the_floor_waits_for_the_cuts_of_its_round(void **state)
{
    const struct open_cut both[] = {v7, v8};
    struct pins pins = {.tick = 0};

    (void)state;
    assert_int_equal(pins_turn(&pins, &v7, 1, 100), 0);
    assert_int_equal(pins_turn(&pins, both, 2, 150), 0);
    assert_int_equal(pins_turn(&pins, both, 2, 180), 0);
    /* v7 is over; v8 was opened after 100 and put nothing before. */
    assert_int_equal(pins_turn(&pins, &v8, 1, 200), 101);
    assert_int_equal(pins_turn(&pins, &v8, 1, 300), 101);
    assert_int_equal(pins_turn(&pins, NULL, 0, 400), 201);
}

/* After a rollback the same version is another cut. */
static void test_pins__a_new_term_is_a_new_cut(void **state)
{
    struct pins pins = {.tick = 0};

    (void)state;
    assert_int_equal(pins_turn(&pins, &v8, 1, 100), 0);
    assert_int_equal(pins_turn(&pins, &v8_again, 1, 120), 101);
    assert_int_equal(pins_turn(&pins, &v8_again, 1, 140), 101);
    assert_int_equal(pins_turn(&pins, NULL, 0, 150), 121);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pins__without_cuts_all_is_decided_in_two_turns),
        cmocka_unit_test(test_pins__the_floor_waits_for_the_cuts_of_its_round),
        cmocka_unit_test(test_pins__a_new_term_is_a_new_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
