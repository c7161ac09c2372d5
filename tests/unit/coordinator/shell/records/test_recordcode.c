#include "coordinator/shell/records/recordcode.h"

#include "base/mem.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <string.h>

static unsigned char bytes[RECORD_BYTES_MAX];
static unsigned char again[RECORD_BYTES_MAX];
static struct job_record record;
static struct job_record back;

static bool decode(const void *from, size_t size)
{
    return recordcode_decode(from, size, &back) == STATUS_OK;
}

static void test_recordcode__gives_back_what_it_took(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);

    size = recordcode_encode(&record, bytes);
    assert_int_equal(recordcode_decode(bytes, size, &back), STATUS_OK);

    assert_int_equal(recordcode_encode(&back, again), size);
    assert_memory_equal(bytes, again, size);
    assert_int_equal(back.job, 7);
    assert_string_equal(back.reason, record.reason);
    assert_int_equal(back.lines[1].interval, 9);
    assert_int_equal(back.shares[0].bytes_sent, 1234);
}

/* A share's worker is one of all members; a job has far fewer of them. */
static void test_recordcode__knows_every_member(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    record.shares[0].worker = MEMBERS_MAX - 1;
    size = recordcode_encode(&record, bytes);
    assert_true(decode(bytes, size));
    assert_int_equal(back.shares[0].worker, MEMBERS_MAX - 1);

    record.shares[0].worker = MEMBERS_MAX;
    size = recordcode_encode(&record, bytes);
    assert_false(decode(bytes, size));
}

static void test_recordcode__peeks_at_the_first_fields(void **state)
{
    struct record_head head;
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    size = recordcode_encode(&record, bytes);

    assert_int_equal(recordcode_peek(bytes, size, &head), STATUS_OK);

    assert_int_equal(head.job, 7);
    assert_int_equal(head.state, JOB_RUNNING);
    assert_string_equal(head.name, "fashion");
    assert_int_equal(recordcode_peek(bytes, 10, &head), STATUS_CORRUPT);
}

static void test_recordcode__withstands_any_bytes(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    size = recordcode_encode(&record, bytes);

    fixture_torture(bytes, size, decode);
}

static void test_recordcode__leaves_the_output_alone_on_failure(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    size = recordcode_encode(&record, bytes);
    back.job = 99;

    assert_int_equal(recordcode_decode(bytes, size - 1, &back), STATUS_CORRUPT);

    assert_int_equal(back.job, 99);
}

static void test_recordcode__tells_a_newer_format(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    size = recordcode_encode(&record, bytes);
    bytes[4] = 3;

    assert_int_equal(recordcode_decode(bytes, size, &back), STATUS_UNSUPPORTED);
}

/* The byte where the least number of workers is: the first that differs. */
static size_t find_least(void)
{
    size_t size = recordcode_encode(&record, bytes);
    size_t at = 0;

    record.workers_min = 1;
    assert_int_equal(recordcode_encode(&record, again), size);
    while (bytes[at] == again[at]) {
        at++;
    }
    return at;
}

static void test_recordcode__reads_one_number_of_workers(void **state)
{
    size_t size;
    size_t at;

    (void)state;
    fixture_record(&record, 7);
    at = find_least();
    size = recordcode_encode(&record, bytes);
    memmove(&bytes[at], &bytes[at + 4], size - at - 4);
    bytes[4] = 1;

    assert_int_equal(recordcode_decode(bytes, size - 4, &back), STATUS_OK);

    assert_int_equal(back.workers_wanted, 2);
    assert_int_equal(back.workers_min, 2);
    assert_int_equal(back.created_ms, record.created_ms);
    assert_int_equal(back.shares[0].bytes_sent, 1234);
}

static void test_recordcode__refuses_lines_that_are_their_own_past(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    record.lines_count = 3;
    record.lines[2] = (struct line_start){2, 11};
    size = recordcode_encode(&record, bytes);

    assert_int_equal(recordcode_decode(bytes, size, &back), STATUS_CORRUPT);
}

static void test_recordcode__garbles_a_text_rather_than_lose_a_record(
    void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    memcpy(record.reason, "a\nb\xff", 5);
    size = recordcode_encode(&record, bytes);

    assert_int_equal(recordcode_decode(bytes, size, &back), STATUS_OK);
    assert_string_equal(back.reason, "a?b?");
}

static void test_recordcode__survives_the_loss_of_memory(void **state)
{
    size_t size;

    (void)state;
    fixture_record(&record, 7);
    size = recordcode_encode(&record, bytes);
    mem_fail_at(1);

    assert_int_equal(recordcode_decode(bytes, size, &back), STATUS_NO_MEMORY);
    mem_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recordcode__gives_back_what_it_took),
        cmocka_unit_test(test_recordcode__knows_every_member),
        cmocka_unit_test(test_recordcode__peeks_at_the_first_fields),
        cmocka_unit_test(test_recordcode__withstands_any_bytes),
        cmocka_unit_test(test_recordcode__leaves_the_output_alone_on_failure),
        cmocka_unit_test(test_recordcode__tells_a_newer_format),
        cmocka_unit_test(test_recordcode__reads_one_number_of_workers),
        cmocka_unit_test(
            test_recordcode__refuses_lines_that_are_their_own_past),
        cmocka_unit_test(
            test_recordcode__garbles_a_text_rather_than_lose_a_record),
        cmocka_unit_test(test_recordcode__survives_the_loss_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
