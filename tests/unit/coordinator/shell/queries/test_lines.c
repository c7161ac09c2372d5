#include "coordinator/shell/queries/lines.h"

#include "tests/unit/coordinator/shell/fixture.h"

/* Line 1 left line 0 at interval 10; line 2 left line 1 at 15; line 3 left
 * line 0 at 4; line 4 left line 2 where that had just begun. */
static const struct line_start lines[] = {
    {0, 0}, {0, 10}, {1, 15}, {0, 4}, {2, 15}};

static void test_lines__the_first_line_is_its_own_past(void **state)
{
    struct stretch past[LINES_MAX];

    (void)state;
    assert_int_equal(lines_past(lines, 5, 0, 8, past), 1);
    assert_true(lines_contain(past, 1, 0, 0));
    assert_true(lines_contain(past, 1, 0, 7));
    assert_false(lines_contain(past, 1, 0, 8));
}

static void test_lines__a_past_goes_back_over_several_lines(void **state)
{
    struct stretch past[LINES_MAX];
    uint32_t count;

    (void)state;
    count = lines_past(lines, 5, 2, UINT64_MAX, past);

    assert_int_equal(count, 3);
    assert_int_equal(past[0].line, 2);
    assert_true(lines_contain(past, count, 2, 1000));
    assert_true(lines_contain(past, count, 1, 14));
    assert_false(lines_contain(past, count, 1, 15));
    assert_true(lines_contain(past, count, 0, 9));
    assert_false(lines_contain(past, count, 0, 10));
    assert_false(lines_contain(past, count, 3, 5));
}

static void test_lines__leaves_out_what_was_never_run(void **state)
{
    struct stretch past[LINES_MAX];

    (void)state;
    assert_int_equal(lines_past(lines, 5, 4, UINT64_MAX, past), 3);
    assert_int_equal(past[0].line, 4);
    assert_int_equal(past[1].line, 1);
}

static void test_lines__an_unknown_line_has_no_past(void **state)
{
    struct stretch past[LINES_MAX];

    (void)state;
    assert_int_equal(lines_past(lines, 5, 9, 100, past), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines__the_first_line_is_its_own_past),
        cmocka_unit_test(test_lines__a_past_goes_back_over_several_lines),
        cmocka_unit_test(test_lines__leaves_out_what_was_never_run),
        cmocka_unit_test(test_lines__an_unknown_line_has_no_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
