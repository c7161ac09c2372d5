#include "coordinator/shell/persistence/journalsums.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_journalsums__gives_back_the_sums_by_interval(void **state)
{
    struct journalsums sums = {.sums = NULL};

    (void)state;
    assert_true(journalsums_at(&sums, 7) == 0);
    for (uint64_t i = 7; i < 2000; i++) {
        if (i != 9) { /* of a release without hashes */
            assert_int_equal(journalsums_add(&sums, i, i * 3), STATUS_OK);
        }
    }

    assert_true(journalsums_at(&sums, 6) == 0);
    assert_true(journalsums_at(&sums, 7) == 21);
    assert_true(journalsums_at(&sums, 9) == 0);
    assert_true(journalsums_at(&sums, 1999) == 3 * 1999);
    assert_true(journalsums_at(&sums, 2000) == 0);
    journalsums_fini(&sums);
}

static void test_journalsums__keeps_the_first_of_two(void **state)
{
    struct journalsums sums = {.sums = NULL};

    (void)state;
    assert_int_equal(journalsums_add(&sums, 7, 1), STATUS_OK);
    assert_int_equal(journalsums_add(&sums, 7, 2), STATUS_OK);
    assert_int_equal(journalsums_add(&sums, 3, 2), STATUS_OK);

    assert_true(journalsums_at(&sums, 7) == 1);
    assert_true(journalsums_at(&sums, 3) == 0);
    journalsums_fini(&sums);
}

static void test_journalsums__is_bounded(void **state)
{
    struct journalsums sums = {.sums = NULL};

    (void)state;
    assert_int_equal(journalsums_add(&sums, 1, 1), STATUS_OK);
    assert_int_equal(journalsums_add(&sums, 1 + (1u << 24), 1), STATUS_BUSY);
    mem_fail_at(1);
    assert_int_equal(journalsums_add(&sums, 1000, 1), STATUS_NO_MEMORY);
    mem_fail_at(0);
    assert_true(journalsums_at(&sums, 1) == 1);
    journalsums_fini(&sums);
}

static void test_journalsums__finds_a_planted_difference(void **state)
{
    static unsigned char bytes[RECORD_BYTES_MAX];
    static struct grant grant;
    static struct decision decision = {.policy = POLICY_PLATEAU,
                                       .reason = "still gaining"};
    struct journal_entry entry = {.grant = &grant,
                                  .reports_hash = 77,
                                  .decisions = &decision,
                                  .decisions_count = 1};
    struct journalsums sums = {.sums = NULL};
    size_t size;

    (void)state;
    grant.interval = 12;
    grant.version = 4;
    size = journalcode_encode(&entry, bytes);
    assert_int_equal(journalsums_add(&sums, 12, journalcode_sum(bytes, size)),
                     STATUS_OK);
    assert_int_equal(journalsums_compare(&sums, &entry), STATUS_OK);

    grant.version = 0; /* where a pause was asked for, and a worker lost */
    assert_int_equal(journalsums_compare(&sums, &entry), STATUS_OK);
    entry.reports_hash = 78;
    assert_int_equal(journalsums_compare(&sums, &entry), STATUS_CORRUPT);
    entry.reports_hash = 77;
    decision.reason[0] = 'S';
    assert_int_equal(journalsums_compare(&sums, &entry), STATUS_CORRUPT);
    grant.interval = 13; /* not in the journal yet */
    assert_int_equal(journalsums_compare(&sums, &entry), STATUS_OK);
    journalsums_fini(&sums);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journalsums__gives_back_the_sums_by_interval),
        cmocka_unit_test(test_journalsums__keeps_the_first_of_two),
        cmocka_unit_test(test_journalsums__is_bounded),
        cmocka_unit_test(test_journalsums__finds_a_planted_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
