#include "coordinator/shell/persistence/cuts.h"

#include "base/mem.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <string.h>

static struct sample sample;

static void take(struct cuts *cuts,
                 uint64_t term,
                 uint64_t version,
                 uint32_t record)
{
    const struct wire_shard_cut cut = {.job = 1,
                                       .term = term,
                                       .version = version,
                                       .record = &sample.records[record]};

    assert_int_equal(cuts_take(cuts, &cut), STATUS_OK);
}

static int setup(void **state)
{
    struct cuts *cuts = NULL;

    sample_init(&sample);
    assert_int_equal(cuts_open(&cuts), STATUS_OK);
    *state = cuts;
    return 0;
}

static int teardown(void **state)
{
    cuts_close(*state);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static void test_cuts__orders_records_by_layer_and_shard(void **state)
{
    struct cuts *cuts = *state;
    struct shard_record *records = NULL;
    uint32_t count = 0;

    take(cuts, 5, 9, 3);
    take(cuts, 5, 9, 0);
    take(cuts, 5, 9, 2);
    take(cuts, 5, 9, 1);

    records = cuts_find(cuts, 1, 9, &count);
    assert_int_equal(count, 4);
    for (uint32_t r = 0; r < 4; r++) {
        assert_int_equal(records[r].layer, sample.records[r].layer);
        assert_int_equal(records[r].shard, sample.records[r].shard);
    }
    assert_true(
        hash_equal(&records[0].tensors[1].chunks[1], &sample.chunks[1]));
}

static void test_cuts__keeps_one_record_of_a_shard(void **state)
{
    struct cuts *cuts = *state;
    uint32_t count = 0;

    take(cuts, 5, 9, 0);
    take(cuts, 5, 9, 0);

    assert_non_null(cuts_find(cuts, 1, 9, &count));
    assert_int_equal(count, 1);
}

static void test_cuts__a_newer_term_drops_older_ones(void **state)
{
    struct cuts *cuts = *state;
    uint32_t count = 0;

    take(cuts, 5, 9, 0);
    take(cuts, 6, 9, 1);
    take(cuts, 5, 10, 2);

    assert_non_null(cuts_find(cuts, 1, 9, &count));
    assert_int_equal(count, 1);
    assert_null(cuts_find(cuts, 1, 10, &count));
}

static void test_cuts__drops_what_is_committed(void **state)
{
    struct cuts *cuts = *state;
    uint32_t count = 0;

    take(cuts, 5, 9, 0);
    take(cuts, 5, 10, 0);
    cuts_drop(cuts, 1, 9);

    assert_null(cuts_find(cuts, 1, 9, &count));
    assert_non_null(cuts_find(cuts, 1, 10, &count));
}

static void test_cuts__never_grows_beyond_its_table(void **state)
{
    struct cuts *cuts = *state;
    uint32_t count = 0;

    for (uint64_t version = 1; version <= 3 * JOBS_MAX * CUTS_MAX; version++) {
        take(cuts, 5, version, 0);
    }

    assert_non_null(cuts_find(cuts, 1, 3 * JOBS_MAX * CUTS_MAX, &count));
}

static void test_cuts__survives_the_loss_of_memory(void **state)
{
    struct cuts *cuts = *state;
    const struct wire_shard_cut cut = {
        .job = 1, .term = 5, .version = 9, .record = &sample.records[0]};
    /* Room for records; then the first and the second list of chunks. */
    static const uint64_t nth[] = {1, 2, 2};
    uint32_t count = 0;

    for (uint32_t n = 0; n < 3; n++) {
        mem_fail_at(nth[n]);
        assert_int_equal(cuts_take(cuts, &cut), STATUS_NO_MEMORY);
    }
    mem_fail_at(0);
    assert_int_equal(cuts_take(cuts, &cut), STATUS_OK);
    assert_non_null(cuts_find(cuts, 1, 9, &count));
    assert_int_equal(count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cuts__orders_records_by_layer_and_shard),
        TEST(test_cuts__keeps_one_record_of_a_shard),
        TEST(test_cuts__a_newer_term_drops_older_ones),
        TEST(test_cuts__drops_what_is_committed),
        TEST(test_cuts__never_grows_beyond_its_table),
        TEST(test_cuts__survives_the_loss_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
