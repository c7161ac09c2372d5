#include "storage/sweep.h"

#include "tests/unit/storage/named.h"

static void drop(struct fixture *f, uint64_t number)
{
    uint64_t dropped = 0;

    assert_int_equal(
        store_drop_versions(f->store, NAMED_JOB, &number, 1, 1, &dropped),
        STATUS_OK);
    assert_int_equal(dropped, 1);
}

static void test_sweep__takes_what_no_version_names(void **state)
{
    struct fixture *f = *state;
    struct sweep_result result;

    commit_versions(f, 4);
    put_chunk(f, 77, 700); /* of a cut that came to nothing */
    drop(f, 1);
    drop(f, 3);
    settle(f);
    result = sweep_store(f);
    assert_int_equal(result.chunks, 3);
    assert_int_equal(result.bytes, 5000 + 5000 + 700);
    assert_int_equal(result.young_chunks, 0);
    assert_true(has_chunk(f, hash_of(0, 3000)));
    assert_false(has_chunk(f, hash_of(1, 5000)));
    assert_true(has_chunk(f, hash_of(2, 5000)));
    assert_false(has_chunk(f, hash_of(3, 5000)));
    assert_true(has_chunk(f, hash_of(4, 5000)));
    assert_false(has_chunk(f, hash_of(77, 700)));
    assert_int_equal(sweep_store(f).chunks, 0);
}

/* A cut writes its chunks ahead of the manifest: also one that was there, and
 * whose only version has gone meanwhile. */
static void test_sweep__spares_a_cut_under_way(void **state)
{
    struct fixture *f = *state;
    struct hash old = hash_of(1, 5000);
    struct hash fresh;
    uint64_t tick = 0;
    struct sweep_result result;

    commit_versions(f, 2);
    settle(f);
    tick = store_tick(f->store);
    put_chunk(f, 1, 5000); /* there already */
    fresh = put_chunk(f, 50, 5000);
    drop(f, 1);
    store_young_floor(f->store, tick + 1);
    result = sweep_store(f);
    assert_int_equal(result.chunks, 0);
    assert_int_equal(result.young_chunks, 2);
    commit_named(f, 3, old, fresh);
    settle(f);
    assert_int_equal(sweep_store(f).chunks, 0);
    assert_true(has_chunk(f, old) && has_chunk(f, fresh));
}

/* What comes between the marking and the sweeping, in every place. */
static void test_sweep__spares_what_is_committed_meanwhile(void **state)
{
    struct fixture *f = *state;

    for (int place = 0; place < 3; place++) {
        uint64_t first = 10 * (uint64_t)place + 1;
        struct hash lost = put_chunk(f, 100 + (uint32_t)first, 900);
        struct hash shared = put_chunk(f, 0, 3000);
        struct sweep *sweep = NULL;
        bool done = false;

        commit_named(f, first, shared, lost);
        commit_named(f, first + 1, shared, shared);
        drop(f, first);
        settle(f);
        if (place == 0) { /* a restore: nobody puts its chunks again */
            commit_named(f, first + 2, lost, lost);
        }
        assert_int_equal(sweep_open(f->store, NULL, NULL, &sweep), STATUS_OK);
        if (place == 1) {
            commit_named(f, first + 2, lost, lost);
            settle(f); /* the floor does not help: the sweep knows itself */
        }
        mark_all(sweep);
        if (place == 2) {
            commit_named(f, first + 2, lost, lost);
            settle(f);
        }
        while (!done) {
            assert_int_equal(sweep_delete(sweep, &done), STATUS_OK);
        }
        sweep_close(sweep);
        assert_true(has_chunk(f, lost));
    }
}

static bool skip_even(void *owner, uint64_t job, uint64_t number)
{
    (void)owner;
    return job == NAMED_JOB && number % 2 == 0;
}

static void test_sweep__counts_without_taking(void **state)
{
    struct fixture *f = *state;
    struct sweep *sweep = NULL;
    bool done = false;

    commit_versions(f, 5);
    settle(f);
    assert_int_equal(sweep_open(f->store, skip_even, NULL, &sweep), STATUS_OK);
    mark_all(sweep);
    while (!done) {
        assert_int_equal(sweep_count(sweep, &done), STATUS_OK);
    }
    assert_int_equal(sweep_result(sweep)->chunks, 2);
    assert_int_equal(sweep_result(sweep)->bytes, 10000);
    sweep_close(sweep);
    assert_true(has_chunk(f, hash_of(2, 5000)));
    assert_true(has_chunk(f, hash_of(4, 5000)));
}

static void test_sweep__is_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct sweep *first = NULL;
    struct sweep *second = NULL;

    assert_int_equal(sweep_open(f->store, NULL, NULL, &first), STATUS_OK);
    assert_int_equal(sweep_open(f->store, NULL, NULL, &second),
                     STATUS_CONFLICT);
    sweep_close(first);
    assert_int_equal(sweep_open(f->store, NULL, NULL, &second), STATUS_OK);
    sweep_close(second);
}

/* More than one transaction, and pages that are used again. */
static void test_sweep__makes_room_in_the_file(void **state)
{
    struct fixture *f = *state;
    struct store_usage before;
    struct store_usage after;

    commit_versions(f, 2);
    for (uint32_t round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < 300; i++) {
            put_chunk(f, 1000 * (round + 1) + i, 20000);
        }
        settle(f);
        assert_int_equal(sweep_store(f).chunks, 300);
        assert_int_equal(store_usage(f->store, round == 0 ? &before : &after),
                         STATUS_OK);
    }
    assert_int_equal(after.chunks_count, 3);
    /* Six times the bytes, in the file of one and a half. */
    assert_true(after.file_bytes < before.file_bytes * 3 / 2);
    assert_true(after.used_bytes < 200000);
}

/* The beginning of a manifest as it lies in the file. */
static void copy_manifest(struct fixture *f, uint64_t number, void *out)
{
    const struct key key = key_of_pair(NAMED_JOB, number);
    struct kv_value value;
    struct kv_txn txn;

    assert_int_equal(kv_begin(f->store->kv, &txn), STATUS_OK);
    assert_int_equal(kv_get(&txn, KV_VERSIONS, &key, &value), STATUS_OK);
    memcpy(out, value.bytes, 100);
    kv_end(&txn);
}

static void test_sweep__nothing_where_a_manifest_is_damaged(void **state)
{
    struct fixture *f = *state;
    unsigned char manifest[100];
    struct sweep *sweep = NULL;
    bool done = false;
    enum status status = STATUS_OK;

    commit_versions(f, 3);
    put_chunk(f, 77, 700);
    copy_manifest(f, 2, manifest);
    fixture_close(f);
    assert_true(damage(f, manifest, sizeof(manifest), 90) > 0);
    fixture_open(f);
    assert_int_equal(sweep_open(f->store, NULL, NULL, &sweep), STATUS_OK);
    while (!done && status == STATUS_OK) {
        status = sweep_mark(sweep, &done);
    }
    assert_int_equal(status, STATUS_CORRUPT);
    sweep_close(sweep);
    assert_true(has_chunk(f, hash_of(77, 700)));
}

static enum status try_sweep(struct fixture *f, struct sweep **sweep)
{
    bool done = false;
    enum status status = sweep_open(f->store, NULL, NULL, sweep);

    while (status == STATUS_OK && !done) {
        status = sweep_mark(*sweep, &done);
    }
    done = false;
    while (status == STATUS_OK && !done) {
        status = sweep_delete(*sweep, &done);
    }
    return status;
}

static void test_sweep__failed_anywhere_loses_nothing_that_is_named(
    void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_IO;
    uint64_t n = 0;

    commit_versions(f, 20);
    put_chunk(f, 77, 700);
    for (uint64_t v = 1; v <= 10; v++) {
        drop(f, v);
    }
    settle(f);
    for (n = 1; status != STATUS_OK; n++) {
        struct sweep *sweep = NULL;

        if (n % 2 == 0) {
            mem_fail_at(n / 2);
        } else {
            fault_at(n / 2 + 1, 28);
        }
        status = try_sweep(f, &sweep);
        mem_fail_at(0);
        fault_at(0, 0);
        sweep_close(sweep);
        for (uint32_t v = 11; v <= 20; v++) {
            assert_true(has_chunk(f, hash_of(v, 5000)));
        }
    }
    assert_true(n > 20);
    for (uint32_t v = 1; v <= 10; v++) {
        (void)sweep_store(f);
        assert_false(has_chunk(f, hash_of(v, 5000)));
    }
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sweep__takes_what_no_version_names),
        TEST(test_sweep__spares_a_cut_under_way),
        TEST(test_sweep__spares_what_is_committed_meanwhile),
        TEST(test_sweep__counts_without_taking),
        TEST(test_sweep__is_one_at_a_time),
        TEST(test_sweep__makes_room_in_the_file),
        TEST(test_sweep__nothing_where_a_manifest_is_damaged),
        TEST(test_sweep__failed_anywhere_loses_nothing_that_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
