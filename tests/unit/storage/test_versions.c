#include "storage/store.h"

#include "base/check.h"
#include "tests/unit/storage/fixture.h"

#include <errno.h>

enum { MANY = 10000 };

static void assert_manifest(struct fixture *f,
                            uint64_t job,
                            uint64_t number,
                            const char *wanted)
{
    unsigned char *bytes = NULL;
    size_t size = 0;

    assert_int_equal(store_get_version(f->store, job, number, &bytes, &size),
                     STATUS_OK);
    assert_int_equal(size, strlen(wanted));
    assert_memory_equal(bytes, wanted, size);
    mem_free(bytes);
}

static void assert_no_version(struct fixture *f, uint64_t job, uint64_t number)
{
    unsigned char *bytes = NULL;
    size_t size = 0;

    assert_int_equal(store_get_version(f->store, job, number, &bytes, &size),
                     STATUS_NOT_FOUND);
}

static void test_versions__are_kept(void **state)
{
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 100);
    struct batch *batch = make_batch();
    uint64_t last = 9;

    assert_int_equal(store_last_version(f->store, 1, &last), STATUS_OK);
    assert_int_equal(last, 0);
    add_version(batch, 1, 1, "first", &chunk);
    add_version(batch, 1, 7, "seventh", NULL);
    add_version(batch, 2, 1, "another job", &chunk);
    assert_int_equal(apply(f, batch), STATUS_OK);
    fixture_close(f);
    fixture_open(f);

    assert_manifest(f, 1, 1, "first");
    assert_manifest(f, 1, 7, "seventh");
    assert_manifest(f, 2, 1, "another job");
    assert_no_version(f, 1, 2);
    assert_int_equal(store_last_version(f->store, 1, &last), STATUS_OK);
    assert_int_equal(last, 7);
    assert_int_equal(store_last_version(f->store, 3, &last), STATUS_OK);
    assert_int_equal(last, 0);
}

static void test_versions__without_a_chunk_keep_out_their_batch(void **state)
{
    struct fixture *f = *state;
    struct hash missing = make_chunk(1, 100).hash;
    struct batch *batch = make_batch();

    add_text(batch, LOG_JOURNAL, 1, "before");
    add_version(batch, 1, 1, "first", &missing);
    add_text(batch, LOG_JOURNAL, 1, "after");
    assert_int_equal(store_apply(f->store, batch), STATUS_NOT_FOUND);
    assert_log(f, LOG_JOURNAL, 1, "");
    assert_no_version(f, 1, 1);

    put_chunk(f, 1, 100);
    assert_int_equal(apply(f, batch), STATUS_OK); /* the same batch */
    assert_log(f, LOG_JOURNAL, 1, "1=before 2=after ");
    assert_manifest(f, 1, 1, "first");
}

static void test_versions__may_be_committed_twice(void **state)
{
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 100);
    struct batch *batch = make_batch();
    struct story story = {.count = 0};

    add_version(batch, 1, 1, "first", &chunk);
    add_ref(batch, 1, "head", 1);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);

    assert_manifest(f, 1, 1, "first");
    assert_int_equal(store_scan_ref_log(f->store, 1, tell_ref, &story),
                     STATUS_OK);
    assert_string_equal(story.text, "head=1@1000/ada ");
}

static void test_versions__are_never_replaced(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();

    add_version(batch, 1, 1, "first", NULL);
    assert_int_equal(apply(f, batch), STATUS_OK);
    batch = make_batch();
    add_text(batch, LOG_JOURNAL, 1, "with it");
    add_version(batch, 1, 1, "other", NULL);
    assert_int_equal(apply(f, batch), STATUS_CONFLICT);

    assert_manifest(f, 1, 1, "first");
    assert_log(f, LOG_JOURNAL, 1, "");
}

static void test_versions__are_scanned_both_ways(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.count = 0};

    for (uint64_t i = 1; i <= 3; i++) {
        add_version(batch, 1, i, "m", NULL);
        add_version(batch, 2, i, "m", NULL);
    }
    assert_int_equal(apply(f, batch), STATUS_OK);

    assert_int_equal(
        store_scan_versions(f->store, 1, 2, false, tell_record, &story),
        STATUS_OK);
    assert_string_equal(story.text, "2=summary 3=summary ");
    story = (struct story){.count = 0};
    assert_int_equal(
        store_scan_versions(f->store, 1, UINT64_MAX, true, tell_record, &story),
        STATUS_OK);
    assert_string_equal(story.text, "3=summary 2=summary 1=summary ");
    story = (struct story){.count = 0};
    assert_int_equal(
        store_scan_versions(f->store, 1, 2, true, tell_record, &story),
        STATUS_OK);
    assert_string_equal(story.text, "2=summary 1=summary ");
}

/* Counted in calls into LMDB: one that is set to fail far behind what 50
 * records need is never reached. */
static void test_versions__the_newest_do_not_touch_the_rest(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.limit = 50};

    for (uint64_t i = 1; i <= MANY; i++) {
        add_version(batch, 1, i, "a manifest", NULL);
    }
    assert_int_equal(apply(f, batch), STATUS_OK);

    fault_at(60, EIO);
    assert_int_equal(
        store_scan_versions(f->store, 1, UINT64_MAX, true, tell_record, &story),
        STATUS_OK);
    assert_true(fault_at(0, 0) > 0);
    assert_int_equal(story.count, 50);
    assert_non_null(strstr(story.text, "10000=summary 9999=summary 9998="));
}

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void test_versions__a_number_of_zero_is_a_check(void **state)
{
    struct batch *batch = make_batch();

    (void)state;
    check_hook = check_to_cmocka;
    expect_assert_failure(add_version(batch, 1, 0, "m", NULL));
    check_hook = NULL;
    batch_close(batch);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_versions__are_kept),
        TEST(test_versions__without_a_chunk_keep_out_their_batch),
        TEST(test_versions__may_be_committed_twice),
        TEST(test_versions__are_never_replaced),
        TEST(test_versions__are_scanned_both_ways),
        TEST(test_versions__the_newest_do_not_touch_the_rest),
        TEST(test_versions__a_number_of_zero_is_a_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
