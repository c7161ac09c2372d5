#include "base/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Values of the reference implementation (xxhash 0.8). */
static void test_checksum__is_xxh64(void **state)
{
    static const char text[] = "Nobody inspects the spammish repetition";

    (void)state;
    assert_true(checksum_bytes(0, "", 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(checksum_bytes(0, "a", 1) == UINT64_C(0xD24EC4F1A98C6E5B));
    assert_true(checksum_bytes(0, "abc", 3) == UINT64_C(0x44BC2CF5AD770999));
    assert_true(checksum_bytes(0, text, sizeof(text) - 1) ==
                UINT64_C(0xFBCEA83C8A378BF1));
}

static void test_checksum__sees_every_flipped_bit_and_every_length(void **state)
{
    unsigned char bytes[100];

    (void)state;
    memset(bytes, 7, sizeof(bytes));
    for (size_t count = 1; count <= sizeof(bytes); count++) {
        uint64_t sum = checksum_bytes(1, bytes, count);

        assert_true(sum != checksum_bytes(1, bytes, count - 1));
        assert_true(sum != checksum_bytes(2, bytes, count));
        for (size_t bit = 0; bit < 8 * count; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_true(sum != checksum_bytes(1, bytes, count));
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum__is_xxh64),
        cmocka_unit_test(
            test_checksum__sees_every_flipped_bit_and_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
