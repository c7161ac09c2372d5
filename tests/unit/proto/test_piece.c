#include "proto/piece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct piece_header sample(void)
{
    return (struct piece_header){.kind = PIECE_PUT,
                                 .job = 2,
                                 .term = 5,
                                 .line = 3,
                                 .interval = 20,
                                 .kept = 18,
                                 .layer = 1,
                                 .shard = 4,
                                 .evaluations_count = 6,
                                 .index = 7,
                                 .count = 9,
                                 .sum = UINT64_C(0x1122334455667788)};
}

static enum status through(const struct piece_header *header,
                           size_t payload_size,
                           struct piece_header *out)
{
    unsigned char bytes[PIECE_HEADER_BYTES];

    piece_header_encode(header, bytes);
    return piece_header_decode(bytes, sizeof(bytes), payload_size, out);
}

static void test_piece__has_these_bytes(void **state)
{
    static const unsigned char golden[PIECE_HEADER_BYTES] =
        "CjPc\x01\0\x01\0"
        "\x02\0\0\0\0\0\0\0"
        "\x05\0\0\0\0\0\0\0"
        "\x14\0\0\0\0\0\0\0"
        "\x12\0\0\0\0\0\0\0"
        "\x88\x77\x66\x55\x44\x33\x22\x11"
        "\x03\0\0\0"
        "\x01\0\0\0"
        "\x04\0\0\0"
        "\x06\0\0\0"
        "\x07\0\0\0"
        "\x09\0\0\0"
        "\0\0\0";
    struct piece_header header = sample();
    unsigned char bytes[PIECE_HEADER_BYTES];

    (void)state;
    piece_header_encode(&header, bytes);

    assert_memory_equal(bytes, golden, sizeof(bytes));
}

static void test_piece__comes_back_as_it_was(void **state)
{
    struct piece_header header = sample();
    struct piece_header out;

    (void)state;
    assert_int_equal(through(&header, 100, &out), STATUS_OK);
    assert_memory_equal(&out, &header, sizeof(header));

    header.kind = PIECE_STORED;
    header.status = STATUS_CORRUPT;
    assert_int_equal(through(&header, 0, &out), STATUS_OK);
    assert_int_equal(out.status, STATUS_CORRUPT);
}

static void test_piece__has_bytes_where_its_kind_says_so(void **state)
{
    struct piece_header header = sample();
    struct piece_header out;

    (void)state;
    for (uint32_t kind = PIECE_PUT; kind <= PIECE_MISSING; kind++) {
        bool with = kind == PIECE_PUT || kind == PIECE_BYTES;

        header.kind = kind;
        assert_int_equal(through(&header, 0, &out) == STATUS_OK, !with);
        assert_int_equal(through(&header, 1, &out) == STATUS_OK, with);
        assert_int_equal(through(&header, PIECE_BYTES_MAX, &out) == STATUS_OK,
                         with);
        assert_int_equal(through(&header, PIECE_BYTES_MAX + 1, &out),
                         STATUS_INVALID);
    }
}

#define REFUSED(statement)                                                     \
    do {                                                                       \
        struct piece_header header = sample();                                 \
        struct piece_header out;                                               \
                                                                               \
        statement;                                                             \
        assert_int_equal(through(&header, 100, &out), STATUS_INVALID);         \
    } while (0)

static void test_piece__refuses_each_broken_rule(void **state)
{
    (void)state;
    REFUSED(header.kind = 0);
    REFUSED(header.kind = PIECE_MISSING + 1);
    REFUSED(header.status = STATUS_IO); /* only an answer has one */
    REFUSED(header.job = 0);
    REFUSED(header.interval = (uint64_t)1 << 48);
    REFUSED(header.kept = UINT64_MAX);
    REFUSED(header.layer = LAYERS_MAX);
    REFUSED(header.shard = SHARDS_MAX);
    REFUSED(header.evaluations_count = REPORT_EVALUATIONS_MAX + 1);
    REFUSED(header.index = 9);
    REFUSED(header.count = PIECES_MAX + 1);
    REFUSED(header.count = 0);
}

static void test_piece__is_whole_or_invalid(void **state)
{
    struct piece_header header = sample();
    struct piece_header out;
    unsigned char bytes[PIECE_HEADER_BYTES + 1] = {0};

    (void)state;
    piece_header_encode(&header, bytes);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        assert_int_equal(piece_header_decode(bytes, size, 100, &out),
                         size == PIECE_HEADER_BYTES ? STATUS_OK
                                                    : STATUS_INVALID);
    }
    for (size_t at = 0; at < 6; at++) { /* magic and version */
        bytes[at] ^= 1;
        assert_int_equal(
            piece_header_decode(bytes, PIECE_HEADER_BYTES, 100, &out),
            STATUS_INVALID);
        bytes[at] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_piece__has_these_bytes),
        cmocka_unit_test(test_piece__comes_back_as_it_was),
        cmocka_unit_test(test_piece__has_bytes_where_its_kind_says_so),
        cmocka_unit_test(test_piece__refuses_each_broken_rule),
        cmocka_unit_test(test_piece__is_whole_or_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
