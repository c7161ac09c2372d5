#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_status__numbers_never_change(void **state)
{
    static const enum status in_order[] = {
        STATUS_OK,          STATUS_INVALID,   STATUS_NOT_FOUND,
        STATUS_STALE,       STATUS_BUSY,      STATUS_UNAVAILABLE,
        STATUS_CORRUPT,     STATUS_NO_MEMORY, STATUS_IO,
        STATUS_DEADLINE,    STATUS_CONFLICT,  STATUS_FULL,
        STATUS_UNSUPPORTED, STATUS_REFUSED};

    (void)state;

    for (int i = 0; i < 14; i++) {
        assert_int_equal(in_order[i], i);
    }
}

static void test_status__has_a_text_for_each_number(void **state)
{
    (void)state;

    assert_string_equal(status_text(STATUS_OK), "ok");
    assert_string_equal(status_text(STATUS_REFUSED),
                        "the other side does not accept this peer");
    for (int i = 0; i < 14; i++) {
        assert_string_not_equal(status_text((enum status)i), "unknown status");
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(status_text((enum status)i),
                                    status_text((enum status)j));
        }
    }
}

static void test_status__shows_a_foreign_number_as_unknown(void **state)
{
    (void)state;

    assert_string_equal(status_text((enum status)14), "unknown status");
    assert_string_equal(status_text((enum status)1000), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__numbers_never_change),
        cmocka_unit_test(test_status__has_a_text_for_each_number),
        cmocka_unit_test(test_status__shows_a_foreign_number_as_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
