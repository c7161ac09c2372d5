#include "coordinator/shell/records/summarycode.h"

#include "base/mem.h"
#include "tests/unit/coordinator/shell/fixture.h"

static unsigned char bytes[RECORD_BYTES_MAX];
static unsigned char again[RECORD_BYTES_MAX];
static struct sample sample;

static bool decode(const void *from, size_t size)
{
    struct summary back;

    return summarycode_decode(from, size, &back) == STATUS_OK;
}

static void test_summarycode__gives_back_what_it_took(void **state)
{
    struct summary summary;
    struct summary back;
    size_t size;

    (void)state;
    sample_init(&sample);
    assert_int_equal(summarycode_make(&sample.version, &summary), STATUS_OK);

    size = summarycode_encode(&summary, bytes);
    assert_int_equal(summarycode_decode(bytes, size, &back), STATUS_OK);

    assert_int_equal(summarycode_encode(&back, again), size);
    assert_memory_equal(bytes, again, size);
    assert_int_equal(back.number, 9);
    assert_int_equal(back.parents[1], 5);
    assert_int_equal(back.widths[0], 5);
    assert_string_equal(back.reason, "grow hidden1 +16");
}

static void test_summarycode__withstands_any_bytes(void **state)
{
    struct summary summary;
    size_t size;

    (void)state;
    sample_init(&sample);
    assert_int_equal(summarycode_make(&sample.version, &summary), STATUS_OK);
    size = summarycode_encode(&summary, bytes);

    fixture_torture(bytes, size, decode);
}

static void test_summarycode__hashes_the_chunks_alone(void **state)
{
    struct summary one;
    struct summary two;

    (void)state;
    sample_init(&sample);
    assert_int_equal(summarycode_make(&sample.version, &one), STATUS_OK);

    sample.version.number = 10;
    sample.version.wall_ms = 5;
    assert_int_equal(summarycode_make(&sample.version, &two), STATUS_OK);
    assert_true(hash_equal(&one.hash, &two.hash));

    sample.chunks[1].b[0] ^= 1;
    assert_int_equal(summarycode_make(&sample.version, &two), STATUS_OK);
    assert_false(hash_equal(&one.hash, &two.hash));
}

static void test_summarycode__lists_all_chunks(void **state)
{
    struct hash *chunks = NULL;
    size_t count = 0;

    (void)state;
    sample_init(&sample);

    assert_int_equal(summarycode_chunks(&sample.version, &chunks, &count),
                     STATUS_OK);
    /* One of each weight but the empty one, two of each other tensor. */
    assert_int_equal(count, 3 + 4 * 2);
    assert_true(hash_equal(&chunks[2], &sample.chunks[1]));
    mem_free(chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summarycode__gives_back_what_it_took),
        cmocka_unit_test(test_summarycode__withstands_any_bytes),
        cmocka_unit_test(test_summarycode__hashes_the_chunks_alone),
        cmocka_unit_test(test_summarycode__lists_all_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
