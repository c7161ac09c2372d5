/* test_faults.c - what fails below the store leaves it as it was. */
#include "storage/store.h"

#include "tests/unit/storage/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

/* The state before: one record of each kind. */
static struct batch *first_batch(void)
{
    struct batch *batch = make_batch();

    add_text(batch, LOG_JOURNAL, 1, "old");
    add_version(batch, 1, 1, "old", NULL);
    add_ref(batch, 1, "head", 1);
    assert_int_equal(batch_put_job(batch, 1, "old", 3), STATUS_OK);
    assert_int_equal(batch_put_stat(batch, 1, 1, "old", 3), STATUS_OK);
    return batch;
}

/* And what comes after: large enough to make the tiny map grow. */
static struct batch *second_batch(const struct hash *chunk)
{
    struct batch *batch = make_batch();

    fill(fixture_bytes, TINY_MAP_BYTES, 3);
    assert_int_equal(batch_append(batch, LOG_JOURNAL, 1, "new", 3), STATUS_OK);
    assert_int_equal(
        batch_append(batch, LOG_EVENTS, 1, fixture_bytes, TINY_MAP_BYTES),
        STATUS_OK);
    add_version(batch, 1, 2, "new", chunk);
    add_ref(batch, 1, "head", 2);
    add_ref(batch, 1, "tag", 1);
    assert_int_equal(batch_put_job(batch, 1, "new", 3), STATUS_OK);
    assert_int_equal(batch_put_stat(batch, 1, 1, "new", 3), STATUS_OK);
    return batch;
}

/* All of it is the old or all of it is the new. */
static void assert_state(struct fixture *f, bool is_new)
{
    struct story story = {.count = 0};
    unsigned char *bytes = NULL;
    uint64_t number = 0;
    size_t size = 0;

    assert_log(f, LOG_JOURNAL, 1, is_new ? "1=old 2=new " : "1=old ");
    assert_int_equal(store_last_version(f->store, 1, &number), STATUS_OK);
    assert_int_equal(number, is_new ? 2 : 1);
    assert_int_equal(store_get_ref(f->store, 1, "head", &number), STATUS_OK);
    assert_int_equal(number, is_new ? 2 : 1);
    assert_int_equal(store_get_ref(f->store, 1, "tag", &number),
                     is_new ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(store_get_job(f->store, 1, &bytes, &size), STATUS_OK);
    assert_memory_equal(bytes, is_new ? "new" : "old", 3);
    mem_free(bytes);
    assert_int_equal(store_scan_stats(f->store, 1, 0, tell_record, &story),
                     STATUS_OK);
    assert_string_equal(story.text, is_new ? "1=new " : "1=old ");
    story = (struct story){.count = 0};
    assert_int_equal(store_scan_ref_log(f->store, 1, tell_ref, &story),
                     STATUS_OK);
    assert_int_equal(story.count, is_new ? 3 : 1);
}

static void test_faults__at_every_call_leave_the_old_state(void **state)
{
    static const int codes[] = {EIO, ENOSPC, ENOMEM};
    static const enum status statuses[] = {STATUS_IO, STATUS_FULL,
                                           STATUS_NO_MEMORY};
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 100);
    struct batch *batch = second_batch(&chunk);
    enum status status = STATUS_IO;
    uint64_t n = 0;

    assert_int_equal(apply(f, first_batch()), STATUS_OK);
    for (n = 1; status != STATUS_OK; n++) {
        fault_at(n, codes[n % 3]);
        status = store_apply(f->store, batch);
        fault_at(0, 0);
        if (status != STATUS_OK) {
            assert_int_equal(status, statuses[n % 3]);
        }
        assert_state(f, status == STATUS_OK);
    }
    assert_true(n > 30);
    batch_close(batch);
    fixture_close(f);
    fixture_open(f);
    assert_state(f, true);
}

static void test_faults__at_every_call_leave_no_chunk(void **state)
{
    static unsigned char other[CHUNK_BYTES_MAX];
    struct fixture *f = *state;
    struct chunk chunks[2] = {make_chunk(1, CHUNK_BYTES_MAX),
                              make_chunk(2, CHUNK_BYTES_MAX)};
    struct store_usage usage;
    enum status status = STATUS_IO;

    fill(other, CHUNK_BYTES_MAX, 1);
    chunks[0].bytes = other;
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        fault_at(n, EIO);
        status = store_put_chunks(f->store, chunks, 2);
        fault_at(0, 0);
        assert_int_equal(store_usage(f->store, &usage), STATUS_OK);
        assert_int_equal(usage.chunks_count, status == STATUS_OK ? 2 : 0);
    }
}

/* Every read of the store, as one status. */
static enum status read_all(struct fixture *f, const struct hash *chunk)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct story story = {.count = 0};
    struct store_usage usage;
    unsigned char *bytes = NULL;
    uint64_t number = 0;
    size_t size = 0;
    enum status statuses[] = {
        store_get_chunk(f->store, chunk, out, &size),
        store_get_job(f->store, 1, &bytes, &size),
        store_get_ref(f->store, 1, "head", &number),
        store_last_job(f->store, &number),
        store_last_version(f->store, 1, &number),
        store_scan_jobs(f->store, 0, tell_record, &story),
        store_scan_log(f->store, LOG_JOURNAL, 1, 1, tell_record, &story),
        store_scan_versions(f->store, 1, 9, true, tell_record, &story),
        store_scan_stats(f->store, 1, 0, tell_record, &story),
        store_scan_refs(f->store, 1, tell_ref, &story),
        store_scan_ref_log(f->store, 1, tell_ref, &story),
        store_usage(f->store, &usage),
    };

    mem_free(bytes);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i] != STATUS_OK) {
            return statuses[i];
        }
    }
    return STATUS_OK;
}

static void test_faults__in_any_read_are_told(void **state)
{
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 100);
    uint64_t n = 0;

    assert_int_equal(apply(f, first_batch()), STATUS_OK);
    for (n = 1; n < 1000; n++) {
        enum status status = STATUS_OK;

        fault_at(n, EIO);
        status = read_all(f, &chunk);
        if (fault_at(0, 0) > 0) {
            break; /* not reached: all calls have failed once */
        }
        assert_int_equal(status, STATUS_IO);
    }
    assert_true(n > 30);
    assert_int_equal(read_all(f, &chunk), STATUS_OK);
}

static rlim_t file_bytes(const struct fixture *f)
{
    struct stat file;
    char path[128];

    fixture_path(f, "data.mdb", path);
    assert_int_equal(stat(path, &file), 0);
    return (rlim_t)file.st_size;
}

/* The system's own limit on the size of a file gives the short writes and the
 * errors that a full disk does. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lift_limit(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_faults__a_full_disk_is_full_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 100);
    struct chunk large;
    rlim_t bytes = 0;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(apply(f, first_batch()), STATUS_OK);
    bytes = file_bytes(f);
    for (rlim_t room = 0; room < 40000; room += 1500) {
        struct batch *batch = second_batch(&chunk);

        limit_files(bytes + room);
        assert_int_equal(store_apply(f->store, batch), STATUS_FULL);
        large = make_chunk(7, CHUNK_BYTES_MAX);
        assert_int_equal(store_put_chunks(f->store, &large, 1), STATUS_FULL);
        lift_limit();
        batch_close(batch);
        assert_state(f, false);
    }
    assert_int_equal(apply(f, second_batch(&chunk)), STATUS_OK);
    assert_state(f, true);
    fixture_close(f);
    fixture_open(f);
    assert_state(f, true);
}

/* A store that cannot be made is no store, and is made the next time. */
static void test_faults__a_full_disk_at_the_start_is_told(void **state)
{
    struct fixture *f = *state;
    char path[128];

    signal(SIGXFSZ, SIG_IGN);
    fixture_close(f);
    fixture_path(f, "data.mdb", path);
    assert_int_equal(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (rlim_t room = 0; room < 20000; room += 13) {
        enum status status = STATUS_OK;

        limit_files(room);
        status = fixture_open_as(f, TINY_MAP_BYTES, NULL);
        lift_limit();
        fixture_close(f);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_FULL);
            assert_non_null(strstr(f->why, "space"));
        }
    }
    fixture_open(f);
    assert_int_equal(apply(f, first_batch()), STATUS_OK);
    assert_state(f, false);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_faults__at_every_call_leave_the_old_state),
        TEST(test_faults__at_every_call_leave_no_chunk),
        TEST(test_faults__in_any_read_are_told),
        TEST(test_faults__a_full_disk_is_full_and_nothing_is_lost),
        TEST(test_faults__a_full_disk_at_the_start_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
