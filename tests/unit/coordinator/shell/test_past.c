#include "coordinator/shell/past.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_past__gives_back_the_sums_by_interval(void **state)
{
    struct past past = {.sums = NULL};

    (void)state;
    assert_true(past_sum(&past, 7) == 0);
    for (uint64_t i = 7; i < 2000; i++) {
        if (i != 9) { /* of a release without hashes */
            assert_int_equal(past_add(&past, i, i * 3), STATUS_OK);
        }
    }

    assert_true(past_sum(&past, 6) == 0);
    assert_true(past_sum(&past, 7) == 21);
    assert_true(past_sum(&past, 9) == 0);
    assert_true(past_sum(&past, 1999) == 3 * 1999);
    assert_true(past_sum(&past, 2000) == 0);
    past_fini(&past);
}

static void test_past__keeps_the_first_of_two(void **state)
{
    struct past past = {.sums = NULL};

    (void)state;
    assert_int_equal(past_add(&past, 7, 1), STATUS_OK);
    assert_int_equal(past_add(&past, 7, 2), STATUS_OK);
    assert_int_equal(past_add(&past, 3, 2), STATUS_OK);

    assert_true(past_sum(&past, 7) == 1);
    assert_true(past_sum(&past, 3) == 0);
    past_fini(&past);
}

static void test_past__is_bounded(void **state)
{
    struct past past = {.sums = NULL};

    (void)state;
    assert_int_equal(past_add(&past, 1, 1), STATUS_OK);
    assert_int_equal(past_add(&past, 1 + (1u << 24), 1), STATUS_BUSY);
    mem_fail_at(1);
    assert_int_equal(past_add(&past, 1000, 1), STATUS_NO_MEMORY);
    mem_fail_at(0);
    assert_true(past_sum(&past, 1) == 1);
    past_fini(&past);
}

static void test_past__finds_a_planted_difference(void **state)
{
    static unsigned char bytes[RECORD_BYTES_MAX];
    static struct grant grant;
    static struct decision decision = {.policy = POLICY_PLATEAU,
                                       .reason = "still gaining"};
    struct journal_entry entry = {.grant = &grant,
                                  .reports_hash = 77,
                                  .decisions = &decision,
                                  .decisions_count = 1};
    struct past past = {.sums = NULL};
    size_t size;

    (void)state;
    grant.interval = 12;
    grant.version = 4;
    size = journalcode_encode(&entry, bytes);
    assert_int_equal(past_add(&past, 12, journalcode_sum(bytes, size)),
                     STATUS_OK);
    assert_int_equal(past_compare(&past, &entry), STATUS_OK);

    grant.version = 0; /* where a pause was asked for, and a worker lost */
    assert_int_equal(past_compare(&past, &entry), STATUS_OK);
    entry.reports_hash = 78;
    assert_int_equal(past_compare(&past, &entry), STATUS_CORRUPT);
    entry.reports_hash = 77;
    decision.reason[0] = 'S';
    assert_int_equal(past_compare(&past, &entry), STATUS_CORRUPT);
    grant.interval = 13; /* not in the journal yet */
    assert_int_equal(past_compare(&past, &entry), STATUS_OK);
    past_fini(&past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_past__gives_back_the_sums_by_interval),
        cmocka_unit_test(test_past__keeps_the_first_of_two),
        cmocka_unit_test(test_past__is_bounded),
        cmocka_unit_test(test_past__finds_a_planted_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
