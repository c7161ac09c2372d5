/* test_refill.c - a mirror that was lost is written anew from its store. */
#include "storage/refill.h"

#include "tests/unit/storage/named.h"

enum { VERSIONS = 6, DROPPED = 2 };

static char path[128];

static enum status begin(struct fixture *f)
{
    (void)snprintf(path, sizeof(path), "%s/far/job.mirror", f->dir);
    return store_mirror(f->store, NAMED_JOB, path, f->why, sizeof(f->why));
}

/* A job with something of every kind; versions 1 and 2 have gone. */
static void make_job(struct fixture *f)
{
    const uint64_t numbers[] = {1, 2, 3};
    struct batch *batch = make_batch();
    uint64_t dropped = 0;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(batch_put_job(batch, NAMED_JOB, "the job", 7), STATUS_OK);
    add_text(batch, LOG_JOURNAL, NAMED_JOB, "grant");
    add_text(batch, LOG_EVENTS, NAMED_JOB, "placed");
    assert_int_equal(batch_put_stat(batch, NAMED_JOB, 1, "figures", 7),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    commit_versions(f, VERSIONS);
    batch = make_batch();
    add_ref(batch, NAMED_JOB, "good", 3);
    add_text(batch, LOG_JOURNAL, NAMED_JOB, "edit");
    assert_int_equal(apply(f, batch), STATUS_OK);
    assert_int_equal(
        store_drop_versions(f->store, NAMED_JOB, numbers, 3, 1234, &dropped),
        STATUS_OK);
    assert_int_equal(dropped, DROPPED);
}

static void lose(void)
{
    assert_int_equal(unlink(path), 0);
}

/* All that can be read of the job, as one text. */
static void describe(struct fixture *f, struct story *story)
{
    struct store *store = f->store;
    unsigned char *bytes = NULL;
    uint64_t wall_ms = 0;
    size_t size = 0;

    *story = (struct story){.count = 0};
    assert_int_equal(store_get_job(store, NAMED_JOB, &bytes, &size), STATUS_OK);
    assert_memory_equal(bytes, "the job", 7);
    mem_free(bytes);
    assert_int_equal(
        store_scan_log(store, LOG_JOURNAL, NAMED_JOB, 1, tell_record, story),
        STATUS_OK);
    assert_int_equal(
        store_scan_log(store, LOG_EVENTS, NAMED_JOB, 1, tell_record, story),
        STATUS_OK);
    assert_int_equal(
        store_scan_versions(store, NAMED_JOB, 0, false, tell_record, story),
        STATUS_OK);
    assert_int_equal(store_scan_stats(store, NAMED_JOB, 0, tell_record, story),
                     STATUS_OK);
    assert_int_equal(store_scan_refs(store, NAMED_JOB, tell_ref, story),
                     STATUS_OK);
    assert_int_equal(store_scan_ref_log(store, NAMED_JOB, tell_ref, story),
                     STATUS_OK);
    for (uint64_t n = 1; n <= DROPPED; n++) {
        assert_int_equal(
            store_get_dropped(store, NAMED_JOB, n, &wall_ms, &bytes, &size),
            STATUS_OK);
        assert_int_equal(wall_ms, 1234);
        assert_memory_equal(bytes, "summary", 7);
        mem_free(bytes);
    }
}

static void be_silent(void *owner, const char *sentence)
{
    (void)owner;
    (void)sentence;
}

/* A store made from the mirror has what the first one has. */
static void assert_rebuilt(struct fixture *f)
{
    static struct fixture other;
    static struct story wanted;
    static struct story found;
    struct store_rebuilt rebuilt;
    struct store_verdict verdict;
    struct store_verdict first;

    (void)snprintf(other.dir, sizeof(other.dir), "%.40s/again", f->dir);
    fixture_open(&other);
    assert_int_equal(store_rebuild(other.store, path, &rebuilt), STATUS_OK);
    assert_int_equal(rebuilt.job, NAMED_JOB);
    assert_int_equal(rebuilt.lost, 0);
    describe(f, &wanted);
    describe(&other, &found);
    assert_string_equal(found.text, wanted.text);
    assert_int_equal(store_verify(other.store, be_silent, NULL, &verdict),
                     STATUS_OK);
    assert_int_equal(store_verify(f->store, be_silent, NULL, &first),
                     STATUS_OK);
    /* The chunks of these manifests are not of their tensors' size. */
    assert_int_equal(verdict.faults, first.faults);
    assert_int_equal(verdict.chunks, VERSIONS - DROPPED + 1);
    assert_int_equal(verdict.versions, VERSIONS - DROPPED);
    fixture_close(&other);
    fixture_empty(open(other.dir, O_RDONLY | O_DIRECTORY));
}

static void test_refill__gives_the_same_job(void **state)
{
    struct fixture *f = *state;

    make_job(f);
    store_unmirror(f->store, NAMED_JOB);
    lose();
    assert_int_equal(begin(f), STATUS_OK);
    assert_rebuilt(f);
}

static void test_refill__goes_on_afterwards(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = NULL;

    make_job(f);
    store_unmirror(f->store, NAMED_JOB);
    lose();
    assert_int_equal(begin(f), STATUS_OK);
    batch = make_batch();
    add_text(batch, LOG_JOURNAL, NAMED_JOB, "further");
    assert_int_equal(apply(f, batch), STATUS_OK);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(begin(f), STATUS_OK); /* as far as it is, not anew */
    assert_rebuilt(f);
}

/* More than one transaction of the mirror. */
static void test_refill__takes_a_long_journal_in_parts(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = NULL;

    make_job(f);
    for (int part = 0; part < 3; part++) {
        batch = make_batch();
        for (int i = 0; i < 3000; i++) {
            add_text(batch, LOG_EVENTS, NAMED_JOB, "e");
        }
        assert_int_equal(apply(f, batch), STATUS_OK);
    }
    store_unmirror(f->store, NAMED_JOB);
    lose();
    assert_int_equal(begin(f), STATUS_OK);
    assert_rebuilt(f);
}

/* The disk may not be mounted. */
static void test_refill__wants_the_directory_to_be_there(void **state)
{
    struct fixture *f = *state;
    char dir[128];
    struct stat info;

    make_job(f);
    store_unmirror(f->store, NAMED_JOB);
    lose();
    fixture_path(f, "far", dir);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(begin(f), STATUS_IO);
    assert_int_equal(stat(dir, &info), -1);
}

static void test_refill__is_not_for_a_mirror_that_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    make_job(f);
    store_unmirror(f->store, NAMED_JOB);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(begin(f), STATUS_CORRUPT);
    assert_non_null(strstr(f->why, "Move it away"));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 40);
    lose(); /* as told */
    assert_int_equal(begin(f), STATUS_OK);
    assert_rebuilt(f);
}

static void assert_no_mirror(void)
{
    char aside[sizeof(path) + 8];
    struct stat info;

    (void)snprintf(aside, sizeof(aside), "%s.new", path);
    assert_int_equal(stat(path, &info), -1);
    assert_int_equal(stat(aside, &info), -1);
}

static void test_refill__survives_each_failed_allocation(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    make_job(f);
    store_unmirror(f->store, NAMED_JOB);
    lose();
    for (n = 1; status != STATUS_OK; n++) {
        mem_fail_at(n);
        status = begin(f);
        mem_fail_at(0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_no_mirror();
        }
    }
    assert_true(n > 30);
    assert_rebuilt(f);
}

static void test_refill__survives_each_failed_call(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_IO;
    uint64_t n = 0;

    make_job(f);
    store_unmirror(f->store, NAMED_JOB);
    lose();
    for (n = 1; status != STATUS_OK; n++) {
        fault_at(n, 5);
        status = begin(f);
        fault_at(0, 0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_IO);
            assert_no_mirror();
        }
    }
    assert_true(n > 30);
    assert_rebuilt(f);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_refill__gives_the_same_job),
        TEST(test_refill__goes_on_afterwards),
        TEST(test_refill__takes_a_long_journal_in_parts),
        TEST(test_refill__wants_the_directory_to_be_there),
        TEST(test_refill__is_not_for_a_mirror_that_is_damaged),
        TEST(test_refill__survives_each_failed_allocation),
        TEST(test_refill__survives_each_failed_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
