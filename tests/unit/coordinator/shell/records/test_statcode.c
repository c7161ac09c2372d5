#include "coordinator/shell/records/statcode.h"

#include "tests/unit/coordinator/shell/fixture.h"

static unsigned char bytes[RECORD_BYTES_MAX];
static unsigned char again[RECORD_BYTES_MAX];
static struct evaluation evaluations[REPORT_EVALUATIONS_MAX];

static const struct evaluation measured[] = {
    {EVALUATION_HELD_OUT, 0, 100, 90, 12.5},
    {EVALUATION_GUARD_AFTER, 1, 50, 1, 99.0},
};

static const struct interval_stat stat = {.line = 2,
                                          .interval = 77,
                                          .step = 7800,
                                          .task = 3,
                                          .examples = 1600,
                                          .correct = 1500,
                                          .loss_sum = 320.25,
                                          .live = 200,
                                          .dormant = 7,
                                          .evaluations_count = 2,
                                          .evaluations = measured};

static bool decode(const void *from, size_t size)
{
    struct interval_stat back;

    return statcode_decode(from, size, evaluations, &back) == STATUS_OK;
}

static void test_statcode__gives_back_what_it_took(void **state)
{
    struct interval_stat back;
    size_t size = statcode_encode(&stat, bytes);

    (void)state;
    assert_int_equal(statcode_decode(bytes, size, evaluations, &back),
                     STATUS_OK);

    assert_int_equal(statcode_encode(&back, again), size);
    assert_memory_equal(bytes, again, size);
    assert_int_equal(back.evaluations[1].set, EVALUATION_GUARD_AFTER);
}

static void test_statcode__withstands_any_bytes(void **state)
{
    size_t size = statcode_encode(&stat, bytes);

    (void)state;
    fixture_torture(bytes, size, decode);
}

static void test_statcode__refuses_more_hits_than_examples(void **state)
{
    struct interval_stat wrong = stat;
    struct interval_stat back;
    size_t size;

    (void)state;
    wrong.correct = wrong.examples + 1;
    size = statcode_encode(&wrong, bytes);

    assert_int_equal(statcode_decode(bytes, size, evaluations, &back),
                     STATUS_CORRUPT);
}

static void test_statcode__keys_keep_a_line_together(void **state)
{
    (void)state;
    assert_true(statcode_key(0, 1) < statcode_key(0, 2));
    assert_true(statcode_key(0, 1ull << 39) < statcode_key(1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statcode__gives_back_what_it_took),
        cmocka_unit_test(test_statcode__withstands_any_bytes),
        cmocka_unit_test(test_statcode__refuses_more_hits_than_examples),
        cmocka_unit_test(test_statcode__keys_keep_a_line_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
