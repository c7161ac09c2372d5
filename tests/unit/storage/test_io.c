/* test_io.c - every call into the system that LMDB makes to write fails once.
 *
 * LMDB is a shared library, so the functions of this program that bear the
 * system's names stand before the system's: each counts, and the n-th one
 * fails, or writes less than it was told to. */
#define _GNU_SOURCE /* syscall */

#include "storage/sweep.h"

#include "tests/unit/storage/named.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum io_fault { IO_NONE = 0, IO_ERROR, IO_NO_SPACE, IO_SHORT, IO_FAULTS };

static enum io_fault planned;
static uint64_t countdown; /* 0: nothing is planned */
static uint64_t calls;

/* Prototypes as the system's headers have them. */
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at);
ssize_t write(int fd, const void *bytes, size_t size);
ssize_t writev(int fd, const struct iovec *parts, int count);
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at);
int fdatasync(int fd);
int fsync(int fd);
int ftruncate(int fd, off_t size);

static enum io_fault strikes(void)
{
    calls++;
    if (countdown == 0 || --countdown > 0) {
        return IO_NONE;
    }
    errno = planned == IO_NO_SPACE ? ENOSPC : EIO;
    return planned;
}

static ssize_t fail_or(enum io_fault fault, ssize_t written)
{
    return fault == IO_NONE || fault == IO_SHORT ? written : -1;
}

/* Half of it, as a disk that gets full in the middle takes it. */
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    enum io_fault fault = strikes();

    if (fault == IO_ERROR || fault == IO_NO_SPACE) {
        return -1;
    }
    size = fault == IO_SHORT ? size / 2 : size;
    return fail_or(fault, syscall(SYS_pwrite64, fd, bytes, size, at));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    return syscall(SYS_write, fd, bytes, size);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    enum io_fault fault = strikes();

    if (fault == IO_SHORT) {
        return syscall(SYS_pwrite64, fd, parts[0].iov_base,
                       parts[0].iov_len / 2, at);
    }
    if (fault != IO_NONE) {
        return -1;
    }
    return syscall(SYS_pwritev, fd, parts, count, at, 0);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    enum io_fault fault = strikes();

    if (fault == IO_SHORT) {
        return syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len / 2);
    }
    return fault != IO_NONE ? -1 : syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd)
{
    return strikes() == IO_NONE ? (int)syscall(SYS_fdatasync, fd) : -1;
}

int fsync(int fd)
{
    return strikes() == IO_NONE ? (int)syscall(SYS_fsync, fd) : -1;
}

int ftruncate(int fd, off_t size)
{
    return strikes() == IO_NONE ? (int)syscall(SYS_ftruncate, fd, size) : -1;
}

/* --- The life of a store, each write of which fails once --- */

static bool mirrored; /* the job has a mirror, too */

static void plan(uint64_t n, enum io_fault fault)
{
    planned = fault;
    countdown = n;
}

/* After each failure the next process opens it, too. */
static enum status open_mirror(struct fixture *f)
{
    char path[128];

    fixture_path(f, "job.mirror", path);
    return mirrored
               ? store_mirror(f->store, NAMED_JOB, path, f->why, sizeof(f->why))
               : STATUS_OK;
}

/* Versions 1 to 3 are there. One step on: a chunk, version 4, version 1 away,
 * a sweep. */
static enum status step(struct fixture *f)
{
    const uint64_t first = 1;
    struct chunk chunk = make_chunk(4, 60000);
    struct hash chunks[2] = {chunk.hash, chunk.hash};
    struct sweep *sweep = NULL;
    uint64_t dropped = 0;
    bool done = false;
    enum status status = open_mirror(f);

    if (status == STATUS_OK) {
        status = store_put_chunks(f->store, &chunk, 1);
    }
    if (status == STATUS_OK) {
        status = try_named(f, 4, chunks);
    }
    if (status == STATUS_OK) {
        status =
            store_drop_versions(f->store, NAMED_JOB, &first, 1, 1, &dropped);
    }
    if (status == STATUS_OK) {
        settle(f);
        status = sweep_open(f->store, NULL, NULL, &sweep);
    }
    while (status == STATUS_OK && !done) {
        status = sweep_mark(sweep, &done);
    }
    done = false;
    while (status == STATUS_OK && !done) {
        status = sweep_delete(sweep, &done);
    }
    sweep_close(sweep);
    return status;
}

static void assert_nothing_lost(struct fixture *f)
{
    uint64_t head = 0;
    uint64_t last = 0;

    assert_int_equal(store_get_ref(f->store, NAMED_JOB, "head", &head),
                     STATUS_OK);
    assert_int_equal(store_last_version(f->store, NAMED_JOB, &last), STATUS_OK);
    assert_int_equal(head, last);
    assert_true(has_chunk(f, hash_of(0, 3000)));
    assert_true(has_chunk(f, hash_of(2, 5000)));
    assert_true(has_chunk(f, hash_of(3, 5000)));
    if (last == 4) {
        assert_true(has_chunk(f, hash_of(4, 60000)));
    }
}

static void fail_each(struct fixture *f, enum io_fault fault)
{
    enum status status = STATUS_IO;
    bool struck = true;
    uint64_t n = 0;

    /* A mirror goes on after a short write, so that not each one is told. */
    for (n = 1; struck; n++) {
        plan(n, fault);
        status = step(f);
        struck = countdown == 0;
        plan(0, IO_NONE);
        assert_true(status == STATUS_OK || status == STATUS_IO ||
                    status == STATUS_FULL);
        if (fault == IO_NO_SPACE && status != STATUS_OK) {
            assert_int_equal(status, STATUS_FULL);
        }
        assert_nothing_lost(f);
        if (status != STATUS_OK) { /* also as the next process finds it */
            fixture_close(f);
            fixture_open(f);
            assert_nothing_lost(f);
        }
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 4);
    assert_false(has_chunk(f, hash_of(1, 5000)));
}

static void test_io__errors_lose_nothing(void **state)
{
    commit_versions(*state, 3);
    fail_each(*state, IO_ERROR);
}

static void test_io__a_full_disk_loses_nothing(void **state)
{
    commit_versions(*state, 3);
    fail_each(*state, IO_NO_SPACE);
}

static void test_io__short_writes_lose_nothing(void **state)
{
    commit_versions(*state, 3);
    fail_each(*state, IO_SHORT);
}

/* A store made from the mirror has all three versions that are left. */
static void assert_mirror_whole(struct fixture *f)
{
    static struct fixture other;
    struct store_rebuilt rebuilt;
    char path[128];
    uint64_t head = 0;

    fixture_path(f, "job.mirror", path);
    (void)snprintf(other.dir, sizeof(other.dir), "%.40s/again", f->dir);
    fixture_open(&other);
    assert_int_equal(store_rebuild(other.store, path, &rebuilt), STATUS_OK);
    assert_int_equal(rebuilt.lost, 0);
    assert_int_equal(store_get_ref(other.store, NAMED_JOB, "head", &head),
                     STATUS_OK);
    assert_int_equal(head, 4);
    assert_true(has_chunk(&other, hash_of(0, 3000)));
    assert_true(has_chunk(&other, hash_of(4, 60000)));
    fixture_close(&other);
}

/* Also where its directory is new, and it is written anew. */
static void fail_each_mirrored(struct fixture *f,
                               enum io_fault fault,
                               bool lost)
{
    char path[128];

    mirrored = true;
    assert_int_equal(open_mirror(f), STATUS_OK);
    commit_versions(f, 3);
    if (lost) {
        store_unmirror(f->store, NAMED_JOB);
        fixture_path(f, "job.mirror", path);
        assert_int_equal(unlink(path), 0);
    }
    fail_each(f, fault);
    assert_mirror_whole(f);
    mirrored = false;
}

static void test_io__errors_with_a_mirror_lose_nothing(void **state)
{
    fail_each_mirrored(*state, IO_ERROR, false);
}

static void test_io__a_full_disk_with_a_mirror_loses_nothing(void **state)
{
    fail_each_mirrored(*state, IO_NO_SPACE, true);
}

static void test_io__short_writes_with_a_mirror_lose_nothing(void **state)
{
    fail_each_mirrored(*state, IO_SHORT, true);
}

/* The functions above are those that LMDB calls. */
static void test_io__lmdb_writes_through_here(void **state)
{
    struct fixture *f = *state;
    uint64_t before = calls;

    put_chunk(f, 1, 100);
    assert_true(calls >= before + 3); /* pages, header, a sync */
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_io__lmdb_writes_through_here),
        TEST(test_io__errors_lose_nothing),
        TEST(test_io__a_full_disk_loses_nothing),
        TEST(test_io__short_writes_lose_nothing),
        TEST(test_io__errors_with_a_mirror_lose_nothing),
        TEST(test_io__a_full_disk_with_a_mirror_loses_nothing),
        TEST(test_io__short_writes_with_a_mirror_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
