#include "base/bytes.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* One of each, in this order: 1 + 2 + 4 + 8 + 4 + 8 + 3 bytes. */
static const unsigned char golden[] = {
    0xab,                                           /* u8 */
    0x02, 0x01,                                     /* u16 0x0102 */
    0x04, 0x03, 0x02, 0x01,                         /* u32 0x01020304 */
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* u64 */
    0x00, 0x00, 0xc0, 0xbf,                         /* f32 -1.5 */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x40, /* f64 2.5 */
    'a',  'b',  'c',
};

enum { GOLDEN_BYTES = sizeof(golden) };

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void write_all(struct writer *writer)
{
    write_u8(writer, 0xab);
    write_u16(writer, 0x0102);
    write_u32(writer, 0x01020304);
    write_u64(writer, UINT64_C(0x0102030405060708));
    write_f32(writer, -1.5F);
    write_f64(writer, 2.5);
    write_bytes(writer, "abc", 3);
}

static void test_bytes__writes_little_endian(void **state)
{
    unsigned char bytes[GOLDEN_BYTES] = {0};
    struct writer writer;

    (void)state;
    writer_init(&writer, bytes, sizeof(bytes));

    write_all(&writer);

    assert_false(writer.failed);
    assert_int_equal(writer.at, GOLDEN_BYTES);
    assert_memory_equal(bytes, golden, GOLDEN_BYTES);
}

static void test_bytes__reads_what_was_written(void **state)
{
    struct reader reader;
    const unsigned char *text = NULL;

    (void)state;
    reader_init(&reader, golden, GOLDEN_BYTES);

    assert_int_equal(read_u8(&reader), 0xab);
    assert_int_equal(read_u16(&reader), 0x0102);
    assert_int_equal(read_u32(&reader), 0x01020304);
    assert_true(read_u64(&reader) == UINT64_C(0x0102030405060708));
    assert_true(read_f32(&reader) == -1.5F);
    assert_true(read_f64(&reader) == 2.5);
    text = read_bytes(&reader, 3);
    assert_ptr_equal(text, golden + GOLDEN_BYTES - 3);
    assert_false(reader.failed);
    assert_int_equal(reader.at, GOLDEN_BYTES);
}

static void test_bytes__keeps_the_bits_of_any_float(void **state)
{
    static const uint64_t patterns[] = {0,
                                        UINT64_C(1) << 63,
                                        1,
                                        UINT64_C(0x7ff0000000000000),
                                        UINT64_C(0x7ff8000000000123),
                                        UINT64_MAX};

    (void)state;

    for (size_t i = 0; i < 6; i++) {
        unsigned char bytes[8];
        double value = 0;
        struct writer writer;
        struct reader reader;

        memcpy(&value, &patterns[i], 8);
        writer_init(&writer, bytes, 8);
        write_f64(&writer, value);
        reader_init(&reader, bytes, 8);
        assert_true(read_u64(&reader) == patterns[i]);
    }
}

static void test_bytes__reads_big_endian_for_idx(void **state)
{
    static const unsigned char magic[] = {0x00, 0x00, 0x08, 0x03, 0xff};
    struct reader reader;

    (void)state;
    reader_init(&reader, magic, sizeof(magic));

    assert_int_equal(read_u32_be(&reader), 0x00000803);
    assert_int_equal(read_u32_be(&reader), 0);
    assert_true(reader.failed);
}

/* The memory is exactly as long as the cut, so that a sanitizer sees any read
 * or write beyond it. */
static void test_bytes__fails_a_reader_at_every_truncation(void **state)
{
    (void)state;

    for (size_t size = 0; size < GOLDEN_BYTES; size++) {
        unsigned char *bytes = test_malloc(size + 1);
        struct reader reader;

        memcpy(bytes + 1, golden, size);
        reader_init(&reader, bytes + 1, size);
        (void)read_u8(&reader);
        (void)read_u16(&reader);
        (void)read_u32(&reader);
        (void)read_u64(&reader);
        (void)read_f32(&reader);
        (void)read_f64(&reader);
        assert_null(read_bytes(&reader, 3));
        assert_true(reader.failed);
        assert_true(reader.at <= size);
        test_free(bytes);
    }
}

static void test_bytes__fails_a_writer_at_every_truncation(void **state)
{
    (void)state;

    for (size_t size = 0; size < GOLDEN_BYTES; size++) {
        unsigned char *bytes = test_malloc(size + 1);
        struct writer writer;

        writer_init(&writer, bytes + 1, size);
        write_all(&writer);
        assert_true(writer.failed);
        assert_true(writer.at <= size);
        assert_memory_equal(bytes + 1, golden, writer.at);
        test_free(bytes);
    }
}

static void test_bytes__reads_zero_for_ever_after_a_failure(void **state)
{
    struct reader reader;

    (void)state;
    reader_init(&reader, golden, 3);

    assert_int_equal(read_u32(&reader), 0); /* 4 of 3 bytes */
    assert_true(reader.failed);
    assert_int_equal(read_u8(&reader), 0); /* though one byte would be there */
    assert_null(read_bytes(&reader, 0));
    assert_int_equal(reader.at, 0);
}

static void test_bytes__writes_nothing_after_a_failure(void **state)
{
    unsigned char bytes[3] = {9, 9, 9};
    struct writer writer;

    (void)state;
    writer_init(&writer, bytes, 3);

    write_u32(&writer, 1);
    write_u8(&writer, 1);

    assert_true(writer.failed);
    assert_int_equal(writer.at, 0);
    assert_int_equal(bytes[0], 9);
}

static void test_bytes__refuses_a_count_that_overflows(void **state)
{
    unsigned char bytes[4] = {0};
    struct reader reader;
    struct writer writer;

    (void)state;
    reader_init(&reader, bytes, 4);
    (void)read_u8(&reader);
    writer_init(&writer, bytes, 4);
    write_u8(&writer, 1);

    assert_null(read_bytes(&reader, SIZE_MAX));
    write_bytes(&writer, bytes, SIZE_MAX);

    assert_true(reader.failed);
    assert_true(writer.failed);
}

static void test_bytes__takes_an_empty_input_without_memory(void **state)
{
    struct reader reader;
    struct writer writer;

    (void)state;
    reader_init(&reader, NULL, 0);
    writer_init(&writer, NULL, 0);

    assert_non_null(read_bytes(&reader, 0));
    write_bytes(&writer, NULL, 0);
    assert_false(reader.failed);
    assert_false(writer.failed);
    assert_null(read_bytes(&reader, 1));
    write_u8(&writer, 1);
    assert_true(writer.failed);
    expect_assert_failure(reader_init(&reader, NULL, 1));
    expect_assert_failure(writer_init(&writer, NULL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes__writes_little_endian),
        cmocka_unit_test(test_bytes__reads_what_was_written),
        cmocka_unit_test(test_bytes__keeps_the_bits_of_any_float),
        cmocka_unit_test(test_bytes__reads_big_endian_for_idx),
        cmocka_unit_test(test_bytes__fails_a_reader_at_every_truncation),
        cmocka_unit_test(test_bytes__fails_a_writer_at_every_truncation),
        cmocka_unit_test(test_bytes__reads_zero_for_ever_after_a_failure),
        cmocka_unit_test(test_bytes__writes_nothing_after_a_failure),
        cmocka_unit_test(test_bytes__refuses_a_count_that_overflows),
        cmocka_unit_test(test_bytes__takes_an_empty_input_without_memory),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
