#include "storage/store.h"

#include "tests/unit/storage/named.h"

static uint64_t drop(struct fixture *f, uint64_t first, size_t count)
{
    uint64_t numbers[DROPS_MAX];
    uint64_t dropped = 99;

    for (size_t i = 0; i < count; i++) {
        numbers[i] = first + i;
    }
    assert_int_equal(store_drop_versions(f->store, NAMED_JOB, numbers, count,
                                         1234, &dropped),
                     STATUS_OK);
    return dropped;
}

static bool has_version(struct fixture *f, uint64_t number)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status =
        store_get_version(f->store, NAMED_JOB, number, &bytes, &size);

    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    mem_free(bytes);
    return status == STATUS_OK;
}

static void assert_buried(struct fixture *f, uint64_t number)
{
    unsigned char *bytes = NULL;
    uint64_t wall_ms = 0;
    size_t size = 0;

    assert_int_equal(
        store_get_dropped(f->store, NAMED_JOB, number, &wall_ms, &bytes, &size),
        STATUS_OK);
    assert_int_equal(wall_ms, 1234);
    assert_int_equal(size, 7);
    assert_memory_equal(bytes, "summary", 7);
    mem_free(bytes);
}

static void test_drops__leave_a_summary_and_the_date(void **state)
{
    struct fixture *f = *state;
    struct story story = {.count = 0};
    unsigned char *bytes = NULL;
    uint64_t wall_ms = 0;
    size_t size = 0;

    commit_versions(f, 4);
    assert_int_equal(drop(f, 1, 2), 2);
    assert_false(has_version(f, 1));
    assert_true(has_version(f, 3));
    assert_buried(f, 1);
    assert_buried(f, 2);
    assert_int_equal(
        store_get_dropped(f->store, NAMED_JOB, 3, &wall_ms, &bytes, &size),
        STATUS_NOT_FOUND);
    assert_int_equal(
        store_scan_versions(f->store, NAMED_JOB, 0, false, tell_record, &story),
        STATUS_OK);
    assert_string_equal(story.text, "3=summary 4=summary ");
    fixture_close(f);
    fixture_open(f);
    assert_buried(f, 1);
}

static void test_drops__spare_what_a_name_points_to(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();

    commit_versions(f, 3);
    add_ref(batch, NAMED_JOB, "good", 2);
    assert_int_equal(apply(f, batch), STATUS_OK);
    assert_int_equal(drop(f, 1, 3), 1); /* 3 is the head */
    assert_false(has_version(f, 1));
    assert_true(has_version(f, 2));
    assert_true(has_version(f, 3));
}

static void test_drops__twice_are_once(void **state)
{
    struct fixture *f = *state;

    commit_versions(f, 3);
    assert_int_equal(drop(f, 1, 2), 2);
    assert_int_equal(drop(f, 1, 2), 0);
    assert_int_equal(drop(f, 70, 2), 0); /* never were */
    assert_buried(f, 1);
}

static void test_drops__a_number_is_never_used_again(void **state)
{
    struct fixture *f = *state;
    struct hash chunks[2];
    struct batch *batch = make_batch();
    uint64_t last = 0;

    commit_versions(f, 3);
    chunks[0] = hash_of(0, 3000);
    chunks[1] = hash_of(2, 5000);
    add_ref(batch, NAMED_JOB, "head", 1);
    assert_int_equal(apply(f, batch), STATUS_OK);
    assert_int_equal(drop(f, 2, 2), 2);
    assert_int_equal(store_last_version(f->store, NAMED_JOB, &last), STATUS_OK);
    assert_int_equal(last, 3);
    assert_int_equal(try_named(f, 2, chunks), STATUS_CONFLICT);
    assert_false(has_version(f, 2));
}

/* A ref that cannot be read may point to any of them. */
static void test_drops__nothing_where_a_ref_is_damaged(void **state)
{
    struct fixture *f = *state;
    const uint64_t number = 1;
    uint64_t dropped = 0;

    commit_versions(f, 2);
    fixture_close(f);
    assert_true(damage(f, "headada", 7, 4) > 0);
    fixture_open(f);
    assert_int_equal(
        store_drop_versions(f->store, NAMED_JOB, &number, 1, 1, &dropped),
        STATUS_CORRUPT);
    assert_true(has_version(f, 1));
}

static void test_drops__failed_anywhere_drop_nothing(void **state)
{
    struct fixture *f = *state;
    const uint64_t numbers[] = {1, 2};
    uint64_t dropped = 0;
    enum status status = STATUS_IO;

    commit_versions(f, 3);
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        fault_at(n, 5);
        status = store_drop_versions(f->store, NAMED_JOB, numbers, 2, 1234,
                                     &dropped);
        fault_at(0, 0);
        assert_int_equal(has_version(f, 1), status != STATUS_OK);
        assert_int_equal(has_version(f, 2), status != STATUS_OK);
    }
    commit_named(f, 4, hash_of(0, 3000), hash_of(3, 5000));
    for (uint64_t n = 1; has_version(f, 3); n++) {
        const uint64_t third = 3;

        mem_fail_at(n);
        status =
            store_drop_versions(f->store, NAMED_JOB, &third, 1, 1234, &dropped);
        mem_fail_at(0);
        assert_int_equal(has_version(f, 3), status != STATUS_OK);
    }
    assert_buried(f, 3);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_drops__leave_a_summary_and_the_date),
        TEST(test_drops__spare_what_a_name_points_to),
        TEST(test_drops__twice_are_once),
        TEST(test_drops__a_number_is_never_used_again),
        TEST(test_drops__nothing_where_a_ref_is_damaged),
        TEST(test_drops__failed_anywhere_drop_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
