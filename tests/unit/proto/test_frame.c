#include "proto/frame.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const struct frame_header sample = {.job = 1,
                                           .term = 2,
                                           .pass = 300,
                                           .kind = FRAME_FORWARD,
                                           .microbatch = 7,
                                           .from_layer = 3,
                                           .from_shard = 4,
                                           .to_layer = 5,
                                           .to_shard = 6,
                                           .rows = 16,
                                           .columns = 250,
                                           .from_worker = 8,
                                           .sequence = UINT64_MAX};
enum { SAMPLE_PAYLOAD = 16 * 250 * 4 };

static void assert_same_header(const struct frame_header *a,
                               const struct frame_header *b)
{
    assert_int_equal(a->job, b->job);
    assert_int_equal(a->term, b->term);
    assert_int_equal(a->pass, b->pass);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->microbatch, b->microbatch);
    assert_int_equal(a->from_layer, b->from_layer);
    assert_int_equal(a->from_shard, b->from_shard);
    assert_int_equal(a->to_layer, b->to_layer);
    assert_int_equal(a->to_shard, b->to_shard);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->columns, b->columns);
    assert_int_equal(a->from_worker, b->from_worker);
    assert_int_equal(a->sequence, b->sequence);
}

/* Encodes a header, whatever it holds, and decodes it again. */
static enum status through(struct frame_header header, size_t payload)
{
    unsigned char bytes[FRAME_HEADER_BYTES_MAX];
    size_t size = frame_header_encode(&header, bytes);
    struct frame_header decoded;

    return frame_header_decode(bytes, size, payload, &decoded);
}

static void test_frame__comes_back_as_it_was(void **state)
{
    unsigned char bytes[FRAME_HEADER_BYTES_MAX];
    struct frame_header decoded = {0};
    size_t size = frame_header_encode(&sample, bytes);

    (void)state;

    assert_int_equal(frame_header_decode(bytes, size, SAMPLE_PAYLOAD, &decoded),
                     STATUS_OK);
    assert_same_header(&sample, &decoded);
}

static void test_frame__has_these_bytes(void **state)
{
    static const unsigned char golden[] = {
        0x08, 0x01, 0x10, 0x02, 0x18, 0xac, 0x02, 0x20, 0x01, 0x28,
        0x07, 0x30, 0x03, 0x38, 0x04, 0x40, 0x05, 0x48, 0x06, 0x50,
        0x10, 0x58, 0xfa, 0x01, 0x60, 0x08, 0x68, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    unsigned char bytes[FRAME_HEADER_BYTES_MAX];
    size_t size = frame_header_encode(&sample, bytes);

    (void)state;

    assert_int_equal(size, sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
}

static void test_frame__needs_no_heap(void **state)
{
    uint64_t live = mem_live();

    (void)state;
    mem_fail_at(1);

    assert_int_equal(through(sample, SAMPLE_PAYLOAD), STATUS_OK);
    /* The failure is still planned: nobody has asked for memory. */
    assert_null(mem_new(1));
    assert_int_equal(mem_live(), live);
}

static void test_frame__wants_the_payload_that_its_kind_says(void **state)
{
    static const struct {
        uint32_t kind;
        size_t payload;
        enum status status;
    } cases[] = {{FRAME_FORWARD, SAMPLE_PAYLOAD, STATUS_OK},
                 {FRAME_FORWARD, SAMPLE_PAYLOAD - 1, STATUS_INVALID},
                 {FRAME_FORWARD, SAMPLE_PAYLOAD + 1, STATUS_INVALID},
                 {FRAME_FORWARD, 0, STATUS_INVALID},
                 {FRAME_GRADIENT, SAMPLE_PAYLOAD, STATUS_OK},
                 {FRAME_GRADIENT, 0, STATUS_OK},
                 {FRAME_GRADIENT, 4, STATUS_INVALID},
                 {FRAME_COLUMNS, 250 * 4, STATUS_OK},
                 {FRAME_COLUMNS, SAMPLE_PAYLOAD, STATUS_INVALID},
                 {FRAME_NORM, 8, STATUS_OK},
                 {FRAME_NORM, 4, STATUS_INVALID},
                 {0, SAMPLE_PAYLOAD, STATUS_INVALID},
                 {FRAME_NORM + 1, 8, STATUS_INVALID},
                 {UINT32_MAX, SAMPLE_PAYLOAD, STATUS_INVALID}};

    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame_header header = sample;

        header.kind = cases[i].kind;
        assert_int_equal(through(header, cases[i].payload), cases[i].status);
    }
}

/* rows x columns may fit, and yet be more than a frame may hold. */
static void test_frame__has_a_largest_payload(void **state)
{
    struct frame_header header = sample;

    (void)state;

    header.rows = BATCH_MAX;
    header.columns = FRAME_BYTES_MAX / 4 / BATCH_MAX;
    assert_int_equal(through(header, FRAME_BYTES_MAX), STATUS_OK);
    header.columns++;
    assert_int_equal(through(header, FRAME_BYTES_MAX + 4 * (size_t)BATCH_MAX),
                     STATUS_INVALID);
}

static void test_frame__refuses_one_over_each_limit(void **state)
{
    struct frame_header most = sample;
    struct frame_header over;

    (void)state;
    most.kind = FRAME_NORM;
    most.microbatch = MICROBATCHES_MAX - 1;
    most.from_layer = LAYERS_MAX - 1;
    most.to_layer = LAYERS_MAX - 1;
    most.from_shard = SHARDS_MAX - 1;
    most.to_shard = SHARDS_MAX - 1;
    most.rows = BATCH_MAX;
    most.columns = UNITS_MAX;
    assert_int_equal(through(most, 8), STATUS_OK);

#define ONE_OVER(field)                                                        \
    over = most;                                                               \
    over.field++;                                                              \
    assert_int_equal(through(over, 8), STATUS_INVALID)
    ONE_OVER(microbatch);
    ONE_OVER(from_layer);
    ONE_OVER(to_layer);
    ONE_OVER(from_shard);
    ONE_OVER(to_shard);
    ONE_OVER(rows);
    ONE_OVER(columns);
#undef ONE_OVER
    over = most;
    over.job = 0;
    assert_int_equal(through(over, 8), STATUS_INVALID);
}

static void test_frame__is_never_less_than_whole(void **state)
{
    unsigned char bytes[FRAME_HEADER_BYTES_MAX];
    struct frame_header decoded;
    size_t size = frame_header_encode(&sample, bytes);

    (void)state;

    /* Cut between two fields the rest is zero: then the last field, the
     * number in the link, is, or the payload does not fit. */
    for (size_t cut = 0; cut < size; cut++) {
        if (frame_header_decode(bytes, cut, SAMPLE_PAYLOAD, &decoded) ==
            STATUS_OK) {
            assert_int_equal(decoded.sequence, 0);
        }
    }
}

static void test_frame__survives_every_flipped_byte(void **state)
{
    unsigned char bytes[FRAME_HEADER_BYTES_MAX];
    size_t size = frame_header_encode(&sample, bytes);
    struct frame_header decoded;

    (void)state;

    for (size_t at = 0; at < size; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            bytes[at] ^= (unsigned char)flip;
            if (frame_header_decode(bytes, size, SAMPLE_PAYLOAD, &decoded) ==
                STATUS_OK) {
                assert_int_equal(through(decoded, SAMPLE_PAYLOAD), STATUS_OK);
            }
            bytes[at] ^= (unsigned char)flip;
        }
    }
}

/* As many small fields as the size allows: the stack must be enough for all
 * that a header can be unpacked to, or the header is refused. */
static void test_frame__bounds_what_unknown_fields_cost(void **state)
{
    unsigned char bytes[FRAME_HEADER_BYTES_MAX + 2];
    struct frame_header decoded;
    size_t size = frame_header_encode(&sample, bytes);

    (void)state;
    while (size + 2 <= sizeof(bytes)) {
        bytes[size++] = 15 << 3; /* field 15, a varint */
        bytes[size++] = 1;
    }

    assert_int_equal(frame_header_decode(bytes, FRAME_HEADER_BYTES_MAX - 1,
                                         SAMPLE_PAYLOAD, &decoded),
                     STATUS_OK);
    assert_int_equal(frame_header_decode(bytes, FRAME_HEADER_BYTES_MAX + 1,
                                         SAMPLE_PAYLOAD, &decoded),
                     STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame__comes_back_as_it_was),
        cmocka_unit_test(test_frame__has_these_bytes),
        cmocka_unit_test(test_frame__needs_no_heap),
        cmocka_unit_test(test_frame__wants_the_payload_that_its_kind_says),
        cmocka_unit_test(test_frame__has_a_largest_payload),
        cmocka_unit_test(test_frame__refuses_one_over_each_limit),
        cmocka_unit_test(test_frame__is_never_less_than_whole),
        cmocka_unit_test(test_frame__survives_every_flipped_byte),
        cmocka_unit_test(test_frame__bounds_what_unknown_fields_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
