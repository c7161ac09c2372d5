#include "storage/store.h"

#include "base/jobs.h"
#include "tests/unit/storage/named.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

static enum status backup(struct fixture *f, const char *name)
{
    char path[128];
    uint64_t bytes = 0;

    fixture_path(f, name, path);
    return store_backup(f->store, path, f->why, sizeof(f->why), &bytes);
}

/* The fixture, with the store named instead of its own. */
static struct store *open_copy(struct fixture *f, const char *name)
{
    struct store *copy = NULL;
    char path[128];

    fixture_path(f, name, path);
    assert_int_equal(store_open(path, f->why, sizeof(f->why), &copy),
                     STATUS_OK);
    return copy;
}

static bool is_there(struct fixture *f, const char *name)
{
    char path[128];
    struct stat status;

    fixture_path(f, name, path);
    return stat(path, &status) == 0;
}

/* The samples' chunks have not the sizes that their tensors say. */
static void ignore_fault(void *owner, const char *sentence)
{
    (void)owner;
    (void)sentence;
}

static void test_backup__is_a_store_with_the_same_content(void **state)
{
    struct fixture *f = *state;
    struct store_verdict verdict;
    struct batch *batch = make_batch();
    struct store *own = f->store;
    struct store *copy = NULL;
    uint64_t life = 0;

    assert_int_equal(store_next_life(f->store, &life), STATUS_OK);
    for (uint32_t v = 1; v <= 5; v++) {
        commit_named(f, v, put_chunk(f, 0, 600), put_chunk(f, v, 500));
    }
    add_text(batch, LOG_JOURNAL, 1, "one");
    assert_int_equal(apply(f, batch), STATUS_OK);

    assert_int_equal(backup(f, "copy"), STATUS_OK);
    assert_false(is_there(f, "copy.partial"));
    copy = open_copy(f, "copy");
    f->store = copy;
    assert_log(f, LOG_JOURNAL, 1, "1=one ");
    for (uint32_t v = 1; v <= 5; v++) {
        assert_true(has_chunk(f, hash_of(v, 500)));
    }
    assert_int_equal(store_verify(copy, ignore_fault, NULL, &verdict),
                     STATUS_OK);
    assert_int_equal(verdict.versions, 5);
    assert_int_equal(verdict.chunks, 6);
    assert_int_equal(store_next_life(copy, &life), STATUS_OK);
    assert_int_equal(life, 2); /* a store of its own from here on */
    commit_named(f, 6, hash_of(1, 500), hash_of(2, 500));
    f->store = own;
    store_close(copy);
}

static void test_backup__leaves_free_pages_out(void **state)
{
    struct fixture *f = *state;
    struct store_usage own;
    struct store_usage copied;
    struct store *copy = NULL;

    commit_versions(f, 2);
    for (uint32_t i = 0; i < 100; i++) {
        put_chunk(f, 100 + i, 50000);
    }
    settle(f);
    assert_int_equal(sweep_store(f).chunks, 100);
    assert_int_equal(backup(f, "copy"), STATUS_OK);
    copy = open_copy(f, "copy");
    assert_int_equal(store_usage(copy, &copied), STATUS_OK);
    assert_int_equal(store_usage(f->store, &own), STATUS_OK);
    assert_true(own.file_bytes > 5000000);
    assert_true(copied.file_bytes < 300000);
    store_close(copy);
}

static void test_backup__goes_to_a_new_or_empty_directory_only(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int fd = -1;

    commit_versions(f, 1);
    fixture_path(f, "full", path);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_path(f, "full/theirs", path);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(backup(f, "full"), STATUS_CONFLICT);
    assert_non_null(strstr(f->why, "is not empty"));
    assert_true(is_there(f, "full/theirs"));
    assert_false(is_there(f, "full.partial"));
    assert_int_equal(backup(f, "full/theirs"), STATUS_CONFLICT);
    assert_int_equal(backup(f, "none/at/all"), STATUS_IO);

    fixture_path(f, "empty", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(backup(f, "empty///"), STATUS_OK);
    assert_true(is_there(f, "empty/data.mdb"));
    assert_int_equal(backup(f, "empty"), STATUS_CONFLICT);
}

/* What a killed one left is in nobody's way; what another is writing is. */
static void test_backup__takes_over_what_a_dead_one_left(void **state)
{
    struct fixture *f = *state;
    struct store *other = NULL;
    char path[128];

    commit_versions(f, 1);
    fixture_path(f, "copy.partial", path);
    assert_int_equal(store_open(path, f->why, sizeof(f->why), &other),
                     STATUS_OK); /* holds owner.lock */
    assert_int_equal(backup(f, "copy"), STATUS_CONFLICT);
    assert_non_null(strstr(f->why, "another backup"));
    assert_true(is_there(f, "copy.partial/data.mdb"));
    store_close(other);
    assert_int_equal(backup(f, "copy"), STATUS_OK);
    store_close(open_copy(f, "copy"));
    assert_false(is_there(f, "copy.partial"));
}

static void test_backup__failed_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    enum status status = STATUS_IO;

    commit_versions(f, 20);
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        assert_false(is_there(f, "copy") || is_there(f, "copy.partial"));
        fault_at(n, EIO);
        status = backup(f, "copy");
        fault_at(0, 0);
    }
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    for (rlim_t room = 0; room < 60000; room += 7000) {
        limit.rlim_cur = room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        status = backup(f, "small");
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(status, STATUS_FULL);
        assert_false(is_there(f, "small") || is_there(f, "small.partial"));
    }
    assert_int_equal(backup(f, "small"), STATUS_OK);
}

/* --- While it is written to --- */

struct world {
    struct fixture *f;
    atomic_bool stop;
};

static void write_on(void *owner)
{
    struct world *world = owner;
    uint64_t n = 1;
    struct hash shared = put_chunk(world->f, 0, 3000);

    while (!atomic_load(&world->stop)) {
        struct hash own = put_chunk(world->f, (uint32_t)n, 30000);

        commit_named(world->f, n, shared, own);
        n++;
    }
}

/* A reader of its own, as the process that makes backups has it. LMDB forbids
 * to open a file twice in a process, so it is this store's here. */
static void test_backup__is_one_moment_of_a_store_that_goes_on(void **state)
{
    struct fixture *f = *state;
    struct world world = {.f = f};
    struct thread *thread = NULL;
    struct store *own = f->store;
    uint64_t before = 0;

    assert_int_equal(thread_open(write_on, &world, &thread), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        char name[16];
        char path[128];
        uint64_t bytes = 0;
        uint64_t last = 0;
        uint64_t head = 0;
        struct store *copy = NULL;
        char why[512];

        snprintf(name, sizeof(name), "copy%d", i);
        fixture_path(f, name, path);
        assert_int_equal(store_backup(own, path, why, sizeof(why), &bytes),
                         STATUS_OK);
        assert_int_equal(store_open(path, why, sizeof(why), &copy), STATUS_OK);
        assert_int_equal(store_last_version(copy, NAMED_JOB, &last), STATUS_OK);
        if (last > 0) {
            assert_int_equal(store_get_ref(copy, NAMED_JOB, "head", &head),
                             STATUS_OK);
        }
        assert_int_equal(head, last);
        assert_true(last >= before);
        before = last;
        store_close(copy);
    }
    atomic_store(&world.stop, true);
    thread_join(thread);
    assert_true(before > 0);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_backup__is_a_store_with_the_same_content),
        TEST(test_backup__leaves_free_pages_out),
        TEST(test_backup__goes_to_a_new_or_empty_directory_only),
        TEST(test_backup__takes_over_what_a_dead_one_left),
        TEST(test_backup__failed_leaves_nothing_behind),
        TEST(test_backup__is_one_moment_of_a_store_that_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
