#include "base/curvekey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* The key and text of ZMTP CURVE's own examples, one of rfc.zeromq.org/spec/32
 * extended: 0x86 4F D2 6F B5 59 F7 5B is "HelloWorld". */
static const unsigned char sample[CURVEKEY_BYTES] = {
    0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b, 0x00, 0x00, 0x00,
    0x00, 0xff, 0xff, 0xff, 0xff, 0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59,
    0xf7, 0x5b, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff};
static const char text[] = "HelloWorld00000%nSc0HelloWorld00000%nSc0";

static void test_curvekey__is_z85(void **state)
{
    struct curvekey key;
    char out[CURVEKEY_TEXT + 1];

    (void)state;

    assert_int_equal(curvekey_parse(text, CURVEKEY_TEXT, &key), STATUS_OK);
    assert_memory_equal(key.b, sample, CURVEKEY_BYTES);
    curvekey_text(&key, out);
    assert_string_equal(out, text);
}

static void test_curvekey__refuses_what_is_no_key(void **state)
{
    static const char *const bad[] = {
        "",
        "HelloWorld00000%nSc0HelloWorld00000%nSc",   /* too short */
        "HelloWorld00000%nSc0HelloWorld00000%nSc00", /* too long */
        "HelloWorld00000%nSc0HelloWorld00000%nSc1",  /* above 2^32 */
        "HelloWorld00000#####HelloWorld00000%nSc0",
        "Hello World0000%nSc0HelloWorld00000%nSc0", /* no digit */
        "Hello\nWorld000%nSc0HelloWorld00000%nSc0",
        "Hello\"World000%nSc0HelloWorld00000%nSc0",
        "0000000000000000000000000000000000000000"}; /* none at all */
    struct curvekey key = {.b = {7}};

    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(curvekey_parse(bad[i], strlen(bad[i]), &key),
                         STATUS_INVALID);
        assert_int_equal(key.b[0], 7);
    }
}

static void test_curvekey__tells_keys_apart(void **state)
{
    struct curvekey a = {.b = {[31] = 1}};
    struct curvekey b = a;
    const struct curvekey none = {.b = {0}};

    (void)state;

    assert_true(curvekey_equal(&a, &b));
    b.b[31] = 2;
    assert_false(curvekey_equal(&a, &b));
    assert_true(curvekey_given(&a));
    assert_false(curvekey_given(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curvekey__is_z85),
        cmocka_unit_test(test_curvekey__refuses_what_is_no_key),
        cmocka_unit_test(test_curvekey__tells_keys_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
