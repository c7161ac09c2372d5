#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_path__is_its_parts_one_after_the_other(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(PATH_JOIN(out, sizeof(out), "/a", "/", "", "b"),
                     STATUS_OK);
    assert_string_equal(out, "/a/b");
    assert_int_equal(PATH_JOIN(out, sizeof(out), ""), STATUS_OK);
    assert_string_equal(out, "");
}

static void test_path__has_room_for_its_nul_or_is_refused(void **state)
{
    char out[6] = "12345";

    (void)state;
    assert_int_equal(PATH_JOIN(out, 5, "/ab", "/"), STATUS_OK);
    assert_string_equal(out, "/ab/");
    assert_int_equal(PATH_JOIN(out, 5, "/ab", "/c"), STATUS_INVALID);
    assert_string_equal(out, "/ab"); /* ended, and nothing behind its room */
    assert_int_equal(PATH_JOIN(out, 1, "a"), STATUS_INVALID);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path__is_its_parts_one_after_the_other),
        cmocka_unit_test(test_path__has_room_for_its_nul_or_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
