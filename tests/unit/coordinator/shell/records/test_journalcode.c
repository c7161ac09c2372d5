#include "coordinator/shell/records/journalcode.h"

#include "tests/unit/coordinator/shell/fixture.h"

#include <string.h>

static unsigned char bytes[RECORD_BYTES_MAX];
static unsigned char again[RECORD_BYTES_MAX];
static struct journal_record back;
static struct grant grant;
static struct decision decisions[2];

static void make_sample(void)
{
    memset(&grant, 0, sizeof(grant));
    memset(decisions, 0, sizeof(decisions));
    grant.term = 99;
    grant.line = 3;
    grant.interval = 12;
    grant.first_step = 1200;
    grant.steps = 100;
    grant.task = 1;
    grant.position = 1600;
    grant.version = 5;
    grant.settings_count = 1;
    grant.settings[0] = (struct grant_setting){SETTING_RATE, 0.01};
    grant.edits_count = 1;
    grant.edits[0] = (struct edit){EDIT_LESION, 0, POLICY_CONTRIBUTION, 0, 2};
    grant.units_count = 2;
    grant.units[0] = (struct edit_unit){{3, 800}, {0, 0}, 1, 0.5f};
    grant.units[1] = (struct edit_unit){{0, 784}, {0, 0}, 0, -1.0f};
    decisions[0] =
        (struct decision){POLICY_CONTRIBUTION, 0, EDIT_LESION, 2, "idle"};
    decisions[1] = (struct decision){POLICY_PLATEAU, 1, 0, 0, "still gaining"};
}

static size_t encode(const struct grant *from, void *out)
{
    const struct journal_entry entry = {.grant = from,
                                        .line = 2,
                                        .reports_hash = 0x1234567890abcdef,
                                        .decisions = decisions,
                                        .decisions_count = 2};

    return journalcode_encode(&entry, out);
}

static bool decode(const void *from, size_t size)
{
    return journalcode_decode(from, size, &back) == STATUS_OK;
}

static void test_journalcode__gives_back_what_it_took(void **state)
{
    size_t size;

    (void)state;
    make_sample();

    size = encode(&grant, bytes);
    assert_int_equal(journalcode_decode(bytes, size, &back), STATUS_OK);

    assert_true(back.has_grant);
    assert_true(back.has_hash);
    assert_true(back.reports_hash == 0x1234567890abcdef);
    assert_int_equal(back.line, 3);
    assert_int_equal(back.interval, 12);
    assert_int_equal(back.settings[0].setting, SETTING_RATE);
    assert_int_equal(back.edits[0].units_count, 2);
    assert_int_equal(back.units[1].id.birth, 784);
    assert_string_equal(back.decisions[1].reason, "still gaining");
}

static void test_journalcode__does_not_depend_on_the_term(void **state)
{
    size_t size;

    (void)state;
    make_sample();
    size = encode(&grant, bytes);
    grant.term = 7;
    grant.hold = true;

    assert_int_equal(encode(&grant, again), size);
    assert_memory_equal(bytes, again, size);
}

static void test_journalcode__takes_decisions_without_a_grant(void **state)
{
    size_t size;

    (void)state;
    make_sample();

    size = encode(NULL, bytes);
    assert_int_equal(journalcode_decode(bytes, size, &back), STATUS_OK);

    assert_false(back.has_grant);
    assert_int_equal(back.line, 2);
    assert_int_equal(back.decisions_count, 2);
}

static void test_journalcode__peeks_at_settings(void **state)
{
    size_t size;

    (void)state;
    make_sample();
    size = encode(&grant, bytes);

    assert_int_equal(journalcode_peek(bytes, size, &back), STATUS_OK);
    assert_int_equal(back.settings_count, 1);
    assert_int_equal(journalcode_peek(bytes, 20, &back), STATUS_CORRUPT);
}

static void test_journalcode__withstands_any_bytes(void **state)
{
    size_t size;

    (void)state;
    make_sample();
    size = encode(&grant, bytes);

    fixture_torture(bytes, size, decode);
}

static void test_journalcode__refuses_edits_of_units_that_are_not_there(
    void **state)
{
    size_t size;

    (void)state;
    make_sample();
    grant.edits[0].units_count = 3;
    size = encode(&grant, bytes);

    assert_int_equal(journalcode_decode(bytes, size, &back), STATUS_CORRUPT);
}

/* A record as the releases before wrote it: format 1, no hash. */
static void test_journalcode__reads_the_first_format(void **state)
{
    enum { HASH_AT = 46 + 8 + 4 };
    size_t size;

    (void)state;
    make_sample();
    size = encode(&grant, bytes);
    memmove(bytes + HASH_AT, bytes + HASH_AT + 8, size - HASH_AT - 8);
    bytes[4] = 1;

    assert_int_equal(journalcode_decode(bytes, size - 8, &back), STATUS_OK);

    assert_false(back.has_hash);
    assert_int_equal(back.interval, 12);
    assert_int_equal(back.settings[0].setting, SETTING_RATE);
    assert_string_equal(back.decisions[1].reason, "still gaining");
}

static void test_journalcode__refuses_a_later_format(void **state)
{
    size_t size;

    (void)state;
    make_sample();
    size = encode(&grant, bytes);
    bytes[4] = 3;

    assert_int_equal(journalcode_decode(bytes, size, &back),
                     STATUS_UNSUPPORTED);
}

static void test_journalcode__sums_all_but_the_version(void **state)
{
    size_t size;
    uint64_t sum;

    (void)state;
    make_sample();
    size = encode(&grant, bytes);
    sum = journalcode_sum(bytes, size);

    grant.version = 0;
    assert_int_equal(encode(&grant, again), size);
    assert_true(journalcode_sum(again, size) == sum);
    for (size_t i = 0; i < size; i++) {
        again[i] ^= 1;
        assert_true((journalcode_sum(again, size) == sum) ==
                    (i >= 46 && i < 54));
        again[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journalcode__gives_back_what_it_took),
        cmocka_unit_test(test_journalcode__does_not_depend_on_the_term),
        cmocka_unit_test(test_journalcode__takes_decisions_without_a_grant),
        cmocka_unit_test(test_journalcode__peeks_at_settings),
        cmocka_unit_test(test_journalcode__withstands_any_bytes),
        cmocka_unit_test(
            test_journalcode__refuses_edits_of_units_that_are_not_there),
        cmocka_unit_test(test_journalcode__reads_the_first_format),
        cmocka_unit_test(test_journalcode__refuses_a_later_format),
        cmocka_unit_test(test_journalcode__sums_all_but_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
