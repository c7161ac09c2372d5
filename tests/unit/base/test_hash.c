#include "base/hash.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void assert_hex(const struct hash *hash, const char *expected)
{
    char hex[2 * HASH_BYTES + 1];

    hash_hex(hash, HASH_BYTES, hex);
    assert_string_equal(hex, expected);
}

/* The answers of another implementation, Python's hashlib. */
static void test_hash__bytes_is_blake2b_256(void **state)
{
    unsigned char ramp[1000];
    struct hash hash;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        ramp[i] = (unsigned char)i;
    }

    hash_bytes("abc", 3, &hash);
    assert_hex(&hash, "bddd813c634239723171ef3fee98579b"
                      "94964e3bb1cb3e427262c8c068d52319");
    hash_bytes(ramp, sizeof(ramp), &hash);
    assert_hex(&hash, "c636324d47d89f2b2434dc2c99410066"
                      "3fbbaea880ff020fc5de89dd0f77a1ec");
}

static void test_hash__takes_no_bytes_from_nowhere(void **state)
{
    struct hash hash;

    (void)state;

    hash_bytes(NULL, 0, &hash);
    assert_hex(&hash, "0e5751c026e543b2e8ab2eb06099daa1"
                      "d1e5df47778f7787faab45cdf12fe3a8");
    expect_assert_failure(hash_bytes(NULL, 1, &hash));
}

static void test_hash__is_equal_only_in_every_byte(void **state)
{
    struct hash a;
    struct hash b;

    (void)state;
    hash_bytes("abc", 3, &a);

    for (int i = 0; i < HASH_BYTES; i++) {
        b = a;
        assert_true(hash_equal(&a, &b));
        b.b[i] ^= 0x80;
        assert_false(hash_equal(&a, &b));
    }
}

static void test_hash__hex_writes_a_prefix_and_a_nul(void **state)
{
    char hex[2 * HASH_BYTES + 1];
    struct hash hash;

    (void)state;
    hash_bytes("abc", 3, &hash);
    memset(hex, 'x', sizeof(hex));

    hash_hex(&hash, 4, hex);

    assert_string_equal(hex, "bddd813c");
    assert_int_equal(hex[9], 'x');
    hash_hex(&hash, 0, hex);
    assert_string_equal(hex, "");
    expect_assert_failure(hash_hex(&hash, HASH_BYTES + 1, hex));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__bytes_is_blake2b_256),
        cmocka_unit_test(test_hash__takes_no_bytes_from_nowhere),
        cmocka_unit_test(test_hash__is_equal_only_in_every_byte),
        cmocka_unit_test(test_hash__hex_writes_a_prefix_and_a_nul),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
