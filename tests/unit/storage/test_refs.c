#include "storage/store.h"

#include "tests/unit/storage/fixture.h"

static void make_versions(struct fixture *f, uint64_t count)
{
    struct batch *batch = make_batch();

    for (uint64_t i = 1; i <= count; i++) {
        add_version(batch, 1, i, "m", NULL);
    }
    assert_int_equal(apply(f, batch), STATUS_OK);
}

static void move(struct fixture *f,
                 const char *name,
                 uint64_t number,
                 uint64_t wall_ms)
{
    struct batch *batch = make_batch();

    assert_int_equal(batch_set_ref(batch, 1, name, number, wall_ms, "ada"),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
}

static void assert_ref(struct fixture *f, const char *name, uint64_t wanted)
{
    uint64_t number = 0;

    assert_int_equal(store_get_ref(f->store, 1, name, &number), STATUS_OK);
    assert_int_equal(number, wanted);
}

static void assert_refs(struct fixture *f, uint64_t job, const char *wanted)
{
    struct story story = {.count = 0};

    assert_int_equal(store_scan_refs(f->store, job, tell_ref, &story),
                     STATUS_OK);
    assert_string_equal(story.text, wanted);
}

static void assert_moves(struct fixture *f, size_t limit, const char *wanted)
{
    struct story story = {.limit = limit};

    assert_int_equal(store_scan_ref_log(f->store, 1, tell_ref, &story),
                     STATUS_OK);
    assert_string_equal(story.text, wanted);
}

static void test_refs__move_and_every_move_is_kept(void **state)
{
    struct fixture *f = *state;

    make_versions(f, 3);
    move(f, "head", 1, 10);
    move(f, "best", 1, 20);
    move(f, "head", 3, 30);
    move(f, "head", 2, 40);
    fixture_close(f);
    fixture_open(f);

    assert_ref(f, "head", 2);
    assert_ref(f, "best", 1);
    assert_refs(f, 1, "best=1@20/ada head=2@40/ada ");
    assert_refs(f, 2, "");
    assert_moves(f, 0,
                 "head=2@40/ada head=3@30/ada best=1@20/ada head=1@10/ada ");
    assert_moves(f, 1, "head=2@40/ada ");
}

static void test_refs__are_deleted_by_zero(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;

    make_versions(f, 1);
    move(f, "best", 1, 10);
    move(f, "best", 0, 20);
    assert_int_equal(store_get_ref(f->store, 1, "best", &number),
                     STATUS_NOT_FOUND);
    assert_refs(f, 1, "");
    assert_moves(f, 0, "best=0@20/ada best=1@10/ada ");
}

static void test_refs__that_do_not_move_leave_no_trace(void **state)
{
    struct fixture *f = *state;

    make_versions(f, 1);
    move(f, "best", 1, 10);
    move(f, "best", 1, 20);
    move(f, "none", 0, 30);
    assert_refs(f, 1, "best=1@10/ada ");
    assert_moves(f, 0, "best=1@10/ada ");
}

static void test_refs__point_to_versions_that_are_there(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();

    add_text(batch, LOG_JOURNAL, 1, "with it");
    add_ref(batch, 1, "head", 1);
    assert_int_equal(apply(f, batch), STATUS_NOT_FOUND);
    assert_refs(f, 1, "");
    assert_log(f, LOG_JOURNAL, 1, "");

    batch = make_batch();
    add_ref(batch, 1, "head", 1); /* in whatever order */
    add_version(batch, 1, 1, "m", NULL);
    assert_int_equal(apply(f, batch), STATUS_OK);
    assert_ref(f, "head", 1);
}

static void test_refs__have_names_of_1_to_63_bytes(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    char name[NAME_BYTES_MAX + 1];
    char actor[REASON_BYTES_MAX + 1];
    uint64_t number = 0;

    memset(name, 'n', sizeof(name));
    name[NAME_BYTES_MAX] = '\0';
    memset(actor, 'a', sizeof(actor));
    actor[REASON_BYTES_MAX] = '\0';
    assert_int_equal(batch_set_ref(batch, 1, name, 1, 5, "ada"),
                     STATUS_INVALID);
    assert_int_equal(batch_set_ref(batch, 1, "", 1, 5, "ada"), STATUS_INVALID);
    assert_int_equal(batch_set_ref(batch, 1, "x", 1, 5, actor), STATUS_INVALID);
    assert_int_equal(batch_count(batch), 0);
    assert_int_equal(store_get_ref(f->store, 1, name, &number),
                     STATUS_NOT_FOUND);
    assert_int_equal(store_get_ref(f->store, 1, "", &number), STATUS_NOT_FOUND);
    name[NAME_BYTES_MAX - 1] = '\0';
    actor[REASON_BYTES_MAX - 1] = '\0';
    add_version(batch, 1, 1, "m", NULL);
    assert_int_equal(batch_set_ref(batch, 1, name, 1, 5, actor), STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    assert_ref(f, name, 1);
}

static void test_refs__that_are_damaged_can_be_moved(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.count = 0};
    uint64_t number = 0;

    add_version(batch, 1, 1, "m", NULL);
    assert_int_equal(batch_set_ref(batch, 1, "head", 1, 5, "a long actor"),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    fixture_close(f);
    assert_true(damage(f, "a long actor", 12, 3) > 1); /* the ref and the log */
    fixture_open(f);

    assert_int_equal(store_get_ref(f->store, 1, "head", &number),
                     STATUS_CORRUPT);
    assert_int_equal(store_scan_refs(f->store, 1, tell_ref, &story),
                     STATUS_CORRUPT);
    assert_int_equal(store_scan_ref_log(f->store, 1, tell_ref, &story),
                     STATUS_CORRUPT);
    move(f, "head", 1, 10);
    assert_ref(f, "head", 1);
}

static void test_refs__decode_no_bytes_that_are_cut(void **state)
{
    struct ref_record record;
    unsigned char bytes[] = {1, 0, 0,   0,   0,   0,   0,   0,   2,
                             0, 0, 0,   0,   0,   0,   0,   4,   0,
                             3, 0, 'h', 'e', 'a', 'd', 'a', 'd', 'a'};
    struct kv_value value = {.bytes = bytes, .size = sizeof(bytes)};

    (void)state;
    assert_true(refs_decode(&value, &record));
    assert_string_equal(record.name, "head");
    assert_string_equal(record.actor, "ada");
    assert_int_equal(record.number, 1);
    assert_int_equal(record.wall_ms, 2);
    for (value.size = 0; value.size < sizeof(bytes); value.size++) {
        assert_false(refs_decode(&value, &record));
    }
    bytes[16] = NAME_BYTES_MAX;
    assert_false(refs_decode(&value, &record));
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_refs__move_and_every_move_is_kept),
        TEST(test_refs__are_deleted_by_zero),
        TEST(test_refs__that_do_not_move_leave_no_trace),
        TEST(test_refs__point_to_versions_that_are_there),
        TEST(test_refs__have_names_of_1_to_63_bytes),
        TEST(test_refs__that_are_damaged_can_be_moved),
        TEST(test_refs__decode_no_bytes_that_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
