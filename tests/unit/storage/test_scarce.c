/* test_scarce.c - each operation that is not tested so elsewhere, with the n-th
 * allocation failing, for all n: an error, and nothing is lost. */
#include "storage/store.h"

#include "tests/unit/storage/named.h"

typedef enum status operation_fn(struct fixture *f);

/* Runs it once for each of its allocations; the n-th run succeeds. */
static void fail_each(struct fixture *f, operation_fn *fn, uint64_t n_min)
{
    enum status status = STATUS_NO_MEMORY;
    uint64_t live = mem_live();
    uint64_t n = 0;

    for (n = 1; status != STATUS_OK; n++) {
        mem_fail_at(n);
        status = fn(f);
        mem_fail_at(0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(mem_live(), live);
        }
    }
    assert_true(n > n_min);
}

static enum status get_version(struct fixture *f)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status =
        store_get_version(f->store, NAMED_JOB, 2, &bytes, &size);

    mem_free(bytes);
    return status;
}

static enum status get_dropped(struct fixture *f)
{
    unsigned char *bytes = NULL;
    uint64_t wall_ms = 0;
    size_t size = 0;
    enum status status =
        store_get_dropped(f->store, NAMED_JOB, 1, &wall_ms, &bytes, &size);

    mem_free(bytes);
    return status;
}

static void be_silent(void *owner, const char *sentence)
{
    (void)owner;
    (void)sentence;
}

static enum status verify(struct fixture *f)
{
    struct store_verdict verdict;

    return store_verify(f->store, be_silent, NULL, &verdict);
}

static enum status back_up(struct fixture *f)
{
    char path[128];
    uint64_t bytes = 0;
    enum status status = STATUS_OK;

    fixture_path(f, "copy", path);
    status = store_backup(f->store, path, f->why, sizeof(f->why), &bytes);
    if (status != STATUS_OK) {
        assert_int_equal(store_backup_bytes(path), 0);
    }
    return status;
}

/* Opening what is there, not making it. */
static enum status open_mirror(struct fixture *f)
{
    char path[128];

    fixture_path(f, "job.mirror", path);
    return store_mirror(f->store, NAMED_JOB, path, f->why, sizeof(f->why));
}

static void make_job(struct fixture *f)
{
    const uint64_t first = 1;
    uint64_t dropped = 0;

    assert_int_equal(open_mirror(f), STATUS_OK);
    commit_versions(f, 3);
    put_chunk(f, 9, 65536); /* one with a tail */
    assert_int_equal(
        store_drop_versions(f->store, NAMED_JOB, &first, 1, 1234, &dropped),
        STATUS_OK);
    store_unmirror(f->store, NAMED_JOB);
}

static void test_scarce__memory_fails_no_read(void **state)
{
    make_job(*state);
    fail_each(*state, get_version, 2);
    fail_each(*state, get_dropped, 1);
    fail_each(*state, verify, 2);
}

static void test_scarce__memory_leaves_no_half_backup(void **state)
{
    make_job(*state);
    fail_each(*state, back_up, 1);
}

static void test_scarce__memory_closes_no_mirror(void **state)
{
    struct fixture *f = *state;

    make_job(f);
    fail_each(f, open_mirror, 3);
    commit_named(f, 4, hash_of(0, 3000), put_chunk(f, 4, 100));
}

/* Into a new store each time: what a rebuild has put stays. */
static void test_scarce__memory_ends_a_rebuild_with_an_error(void **state)
{
    static struct fixture other;
    struct fixture *f = *state;
    struct store_rebuilt rebuilt;
    char path[128];
    enum status status = STATUS_NO_MEMORY;
    uint64_t head = 0;
    uint64_t n = 0;

    make_job(f);
    fixture_path(f, "job.mirror", path);
    (void)snprintf(other.dir, sizeof(other.dir), "%.40s/again", f->dir);
    for (n = 1; status != STATUS_OK; n++) {
        fixture_open(&other);
        mem_fail_at(n);
        status = store_rebuild(other.store, path, &rebuilt);
        mem_fail_at(0);
        if (status == STATUS_OK) {
            assert_int_equal(
                store_get_ref(other.store, NAMED_JOB, "head", &head),
                STATUS_OK);
            assert_int_equal(head, 3);
        } else {
            assert_int_equal(status, STATUS_NO_MEMORY);
        }
        fixture_close(&other);
        fixture_empty(open(other.dir, O_RDONLY | O_DIRECTORY));
    }
    assert_true(n > 10);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_scarce__memory_fails_no_read),
        TEST(test_scarce__memory_leaves_no_half_backup),
        TEST(test_scarce__memory_closes_no_mirror),
        TEST(test_scarce__memory_ends_a_rebuild_with_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
