#include "storage/store.h"

#include "tests/unit/storage/fixture.h"

#include <errno.h>

static void test_store__second_open_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;

    assert_int_equal(store_open(f->dir, f->why, sizeof(f->why), &second),
                     STATUS_CONFLICT);
    assert_null(second);
    assert_non_null(strstr(f->why, "is open in process"));
    fixture_close(f);
    assert_int_equal(store_open(f->dir, f->why, sizeof(f->why), &second),
                     STATUS_OK);
    store_close(second);
}

static void test_store__refuses_a_network_filesystem(void **state)
{
    static const struct filesystem nfs = {.type = 0x6969};
    static const struct filesystem sshfs = {.type = 0x65735546,
                                            .name = "fuse.sshfs"};
    struct fixture *f = *state;
    char path[128];

    fixture_close(f);
    assert_int_equal(fixture_open_as(f, TINY_MAP_BYTES, &nfs),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(f->why, "network filesystem (NFS)"));
    assert_int_equal(fixture_open_as(f, TINY_MAP_BYTES, &sshfs),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(f->why, "(fuse.sshfs)"));
    fixture_path(f, "data.mdb", path);
    assert_int_equal(access(path, F_OK), 0); /* left as it was */
}

static void test_store__close_of_nothing_is_legal(void **state)
{
    (void)state;
    store_close(NULL);
    batch_close(NULL);
}

static void test_store__lives_count_up_and_are_kept(void **state)
{
    struct fixture *f = *state;
    uint64_t life = 0;

    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(store_next_life(f->store, &life), STATUS_OK);
        assert_int_equal(life, i);
        fixture_close(f);
        fixture_open(f);
    }
}

static void test_store__a_life_that_is_not_durable_is_not_told(void **state)
{
    struct fixture *f = *state;
    uint64_t life = 77;

    fault_at(4, EIO); /* begin, get, put, commit */
    assert_int_equal(store_next_life(f->store, &life), STATUS_IO);
    assert_int_equal(life, 77);
    assert_int_equal(store_next_life(f->store, &life), STATUS_OK);
    assert_int_equal(life, 1);
}

static void test_store__keeps_jobs(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.count = 0};
    unsigned char *bytes = NULL;
    uint64_t last = 9;
    size_t size = 0;

    assert_int_equal(store_last_job(f->store, &last), STATUS_OK);
    assert_int_equal(last, 0);
    assert_int_equal(batch_put_job(batch, 1, "one", 3), STATUS_OK);
    assert_int_equal(batch_put_job(batch, 300, "many", 4), STATUS_OK);
    assert_int_equal(batch_put_job(batch, 1, "again", 5), STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);

    assert_int_equal(store_get_job(f->store, 1, &bytes, &size), STATUS_OK);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "again", 5);
    mem_free(bytes);
    assert_int_equal(store_get_job(f->store, 2, &bytes, &size),
                     STATUS_NOT_FOUND);
    assert_int_equal(store_last_job(f->store, &last), STATUS_OK);
    assert_int_equal(last, 300);
    assert_int_equal(store_scan_jobs(f->store, 0, tell_record, &story),
                     STATUS_OK);
    assert_string_equal(story.text, "1=again 300=many ");
    story = (struct story){.count = 0};
    assert_int_equal(store_scan_jobs(f->store, 2, tell_record, &story),
                     STATUS_OK);
    assert_string_equal(story.text, "300=many ");
}

static void test_store__logs_count_from_one_per_job_and_log(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.limit = 2};

    add_text(batch, LOG_JOURNAL, 1, "a");
    add_text(batch, LOG_JOURNAL, 2, "x");
    add_text(batch, LOG_EVENTS, 1, "e");
    add_text(batch, LOG_JOURNAL, 1, "b");
    assert_int_equal(batch_count(batch), 4);
    assert_int_equal(apply(f, batch), STATUS_OK);
    fixture_close(f);
    fixture_open(f);
    batch = make_batch();
    add_text(batch, LOG_JOURNAL, 1, "c");
    add_text(batch, LOG_JOURNAL, 1, "d");
    assert_int_equal(apply(f, batch), STATUS_OK);

    assert_log(f, LOG_JOURNAL, 1, "1=a 2=b 3=c 4=d ");
    assert_log(f, LOG_JOURNAL, 2, "1=x ");
    assert_log(f, LOG_EVENTS, 1, "1=e ");
    assert_log(f, LOG_EVENTS, 2, "");
    assert_int_equal(
        store_scan_log(f->store, LOG_JOURNAL, 1, 2, tell_record, &story),
        STATUS_OK);
    assert_string_equal(story.text, "2=b 3=c ");
}

static void test_store__keeps_stats(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.count = 0};

    assert_int_equal(batch_put_stat(batch, 1, 7, "seven", 5), STATUS_OK);
    assert_int_equal(batch_put_stat(batch, 1, 0, "zero", 4), STATUS_OK);
    assert_int_equal(batch_put_stat(batch, 2, 1, "other", 5), STATUS_OK);
    assert_int_equal(batch_put_stat(batch, 1, 7, "new", 3), STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);

    assert_int_equal(store_scan_stats(f->store, 1, 0, tell_record, &story),
                     STATUS_OK);
    assert_string_equal(story.text, "0=zero 7=new ");
}

static void test_store__an_empty_batch_is_applied(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(apply(f, make_batch()), STATUS_OK);
}

static void test_store__a_batch_takes_copies(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    char text[] = "mine";

    add_text(batch, LOG_JOURNAL, 1, text);
    text[0] = 'X';
    assert_int_equal(apply(f, batch), STATUS_OK);
    assert_log(f, LOG_JOURNAL, 1, "1=mine ");
}

static void test_store__a_batch_has_an_end(void **state)
{
    struct batch *batch = make_batch();
    enum status status = STATUS_OK;

    (void)state;
    while (status == STATUS_OK) {
        status = batch_append(batch, LOG_EVENTS, 1, "", 0);
    }
    assert_int_equal(status, STATUS_BUSY);
    assert_int_equal(batch_count(batch), 16384);
    assert_int_equal(batch_append(batch, LOG_EVENTS, 1, "", SIZE_MAX / 2),
                     STATUS_INVALID);
    batch_close(batch);
}

static void test_store__grows_from_a_tiny_map(void **state)
{
    struct fixture *f = *state;
    struct store_usage usage;
    size_t size = 0;

    for (uint32_t i = 0; i < 8; i++) {
        put_chunk(f, i, CHUNK_BYTES_MAX);
    }
    assert_int_equal(store_usage(f->store, &usage), STATUS_OK);
    assert_int_equal(usage.chunks_count, 8);
    assert_int_equal(usage.chunk_bytes, 8 * CHUNK_BYTES_MAX);
    assert_true(usage.used_bytes > 8 * CHUNK_BYTES_MAX);
    assert_true(usage.used_bytes < 9 * CHUNK_BYTES_MAX);
    assert_true(usage.map_bytes >= usage.used_bytes);
    for (uint32_t i = 0; i < 8; i++) {
        const struct hash hash = make_chunk(i, CHUNK_BYTES_MAX).hash;

        assert_int_equal(store_get_chunk(f->store, &hash, fixture_bytes, &size),
                         STATUS_OK);
        assert_int_equal(size, CHUNK_BYTES_MAX);
    }
}

static void test_store__opening_fails_cleanly_at_every_allocation(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    fixture_close(f);
    for (n = 1; status != STATUS_OK; n++) {
        mem_fail_at(n);
        status = fixture_open_as(f, TINY_MAP_BYTES, NULL);
        mem_fail_at(0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_non_null(strstr(f->why, "memory"));
            assert_int_equal(mem_live(), f->live);
        }
    }
    assert_int_equal(n, 4); /* store, kv, and the run that succeeded */
}

/* Everything that a batch can hold, from the start. */
static enum status build_and_apply(struct fixture *f, const struct hash *chunk)
{
    struct batch *batch = NULL;
    enum status status = batch_open(&batch);

    for (int i = 0; i < 40 && status == STATUS_OK; i++) {
        status = batch_append(batch, LOG_JOURNAL, 1, "entry", 5);
    }
    if (status == STATUS_OK) {
        status = batch_put_job(batch, 1, "job", 3);
    }
    if (status == STATUS_OK) {
        status = batch_put_version(batch, 1, 1, "m", 1, "s", 1, chunk, 1);
    }
    if (status == STATUS_OK) {
        status = batch_set_ref(batch, 1, "head", 1, 5, "ada");
    }
    if (status == STATUS_OK) {
        status = batch_put_stat(batch, 1, 1, "stat", 4);
    }
    if (status == STATUS_OK) {
        status = store_apply(f->store, batch);
    }
    batch_close(batch);
    return status;
}

static void test_store__batches_fail_cleanly_at_every_allocation(void **state)
{
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 100);
    uint64_t live = mem_live();
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    for (n = 1; status != STATUS_OK; n++) {
        mem_fail_at(n);
        status = build_and_apply(f, &chunk);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_log(f, LOG_JOURNAL, 1, "");
        }
    }
    assert_true(n > 44);
}

static void test_store__reads_fail_cleanly_without_memory(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    unsigned char *bytes = NULL;
    size_t size = 0;

    assert_int_equal(batch_put_job(batch, 1, "one", 3), STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    mem_fail_at(1);
    assert_int_equal(store_get_job(f->store, 1, &bytes, &size),
                     STATUS_NO_MEMORY);
    assert_null(bytes);
    mem_fail_at(0);
    assert_int_equal(store_get_job(f->store, 1, &bytes, &size), STATUS_OK);
    mem_free(bytes);
}

static void test_store__a_damaged_record_stops_a_scan(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct story story = {.count = 0};
    unsigned char *bytes = NULL;
    size_t size = 0;

    add_text(batch, LOG_JOURNAL, 1, "the first record");
    add_text(batch, LOG_JOURNAL, 1, "the other record");
    assert_int_equal(batch_put_job(batch, 4, "the job's record", 16),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    fixture_close(f);
    assert_true(damage(f, "the other record", 16, 4) > 0);
    assert_true(damage(f, "the job's record", 16, 4) > 0);
    fixture_open(f);

    assert_int_equal(
        store_scan_log(f->store, LOG_JOURNAL, 1, 1, tell_record, &story),
        STATUS_CORRUPT);
    assert_string_equal(story.text, "1=the first record ");
    assert_int_equal(store_get_job(f->store, 4, &bytes, &size), STATUS_CORRUPT);
    batch = make_batch();
    add_text(batch, LOG_JOURNAL, 1, "more"); /* still takes the next number */
    assert_int_equal(apply(f, batch), STATUS_OK);
    story = (struct story){.count = 0};
    assert_int_equal(
        store_scan_log(f->store, LOG_JOURNAL, 1, 3, tell_record, &story),
        STATUS_OK);
    assert_string_equal(story.text, "3=more ");
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_store__second_open_is_a_conflict),
        TEST(test_store__refuses_a_network_filesystem),
        TEST(test_store__close_of_nothing_is_legal),
        TEST(test_store__lives_count_up_and_are_kept),
        TEST(test_store__a_life_that_is_not_durable_is_not_told),
        TEST(test_store__keeps_jobs),
        TEST(test_store__logs_count_from_one_per_job_and_log),
        TEST(test_store__keeps_stats),
        TEST(test_store__an_empty_batch_is_applied),
        TEST(test_store__a_batch_takes_copies),
        TEST(test_store__a_batch_has_an_end),
        TEST(test_store__grows_from_a_tiny_map),
        TEST(test_store__opening_fails_cleanly_at_every_allocation),
        TEST(test_store__batches_fail_cleanly_at_every_allocation),
        TEST(test_store__reads_fail_cleanly_without_memory),
        TEST(test_store__a_damaged_record_stops_a_scan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
