#include "proto/chunk.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const struct chunk_header sample = {
    .kind = CHUNK_BYTES,
    .status = STATUS_REFUSED,
    .hash = {"0123456789abcdef0123456789ABCDE"}};

static void test_chunk__comes_back_as_it_was(void **state)
{
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    struct chunk_header decoded = {0};
    size_t size = chunk_header_encode(&sample, bytes);

    (void)state;

    assert_int_equal(chunk_header_decode(bytes, size, &decoded), STATUS_OK);
    assert_int_equal(decoded.kind, sample.kind);
    assert_int_equal(decoded.status, sample.status);
    assert_memory_equal(&decoded.hash, &sample.hash, HASH_BYTES);
}

static void test_chunk__has_these_bytes(void **state)
{
    static const char golden[] = "\x08\x04\x10\x0d\x1a\x20"
                                 "0123456789abcdef0123456789ABCDE";
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    size_t size = chunk_header_encode(&sample, bytes);

    (void)state;

    assert_int_equal(size, sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
}

static void test_chunk__needs_no_heap(void **state)
{
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    struct chunk_header decoded;
    size_t size = 0;

    (void)state;
    mem_fail_at(1);

    size = chunk_header_encode(&sample, bytes);
    assert_int_equal(chunk_header_decode(bytes, size, &decoded), STATUS_OK);
    assert_null(mem_new(1)); /* the failure is still planned */
}

static void test_chunk__cut_short_anywhere_is_invalid(void **state)
{
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    struct chunk_header decoded;
    size_t size = chunk_header_encode(&sample, bytes);

    (void)state;

    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(chunk_header_decode(bytes, cut, &decoded),
                         STATUS_INVALID);
    }
}

static void test_chunk__survives_every_flipped_byte(void **state)
{
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    size_t size = chunk_header_encode(&sample, bytes);

    (void)state;

    for (size_t at = 0; at < size; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            struct chunk_header decoded;

            bytes[at] ^= (unsigned char)flip;
            if (chunk_header_decode(bytes, size, &decoded) == STATUS_OK) {
                assert_in_range(decoded.kind, CHUNK_PUT, CHUNK_BYTES);
                assert_in_range(decoded.status, STATUS_OK, STATUS_REFUSED);
            }
            bytes[at] ^= (unsigned char)flip;
        }
    }
}

static void test_chunk__has_a_largest_size(void **state)
{
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX + 2];
    struct chunk_header decoded;
    size_t size = chunk_header_encode(&sample, bytes);

    (void)state;
    for (; size + 2 <= sizeof(bytes); size += 2) {
        memcpy(bytes + size, "\x78\x01", 2); /* field 15, which is skipped */
    }

    assert_int_equal(
        chunk_header_decode(bytes, CHUNK_HEADER_BYTES_MAX, &decoded),
        STATUS_OK);
    assert_int_equal(
        chunk_header_decode(bytes, CHUNK_HEADER_BYTES_MAX + 2, &decoded),
        STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk__comes_back_as_it_was),
        cmocka_unit_test(test_chunk__has_these_bytes),
        cmocka_unit_test(test_chunk__needs_no_heap),
        cmocka_unit_test(test_chunk__cut_short_anywhere_is_invalid),
        cmocka_unit_test(test_chunk__survives_every_flipped_byte),
        cmocka_unit_test(test_chunk__has_a_largest_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
