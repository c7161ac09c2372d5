#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/utf8.h"
#include <string.h>

static void test_utf8__takes_printable_characters_alone(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"a", 1},
        {"\xc3\xa9", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x99\x82", 4},
        {"", 0},
        {"\t", 0},
        {"\x7f", 0},
        {"\xc2\x85", 0},
        {"\xc3", 0},
        {"\x80", 0},
        {"\xc0\xaf", 0},
        {"\xe0\x80\xaf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf0\x80\x80\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xe2\x80\xae", 0},
        {"\xe2\x81\xa6", 0},
        {"\xe2\x82", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(utf8_size(cases[i].text, strlen(cases[i].text)),
                         cases[i].size);
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8__takes_printable_characters_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
