#include "storage/store.h"

#include "storage/mirror.h"
#include "tests/unit/storage/fixture.h"

#include <signal.h>
#include <sys/resource.h>

enum { JOB = 3, OTHER = 4 };

static char path[96];

static enum status begin(struct fixture *f)
{
    (void)snprintf(path, sizeof(path), "%s/job.mirror", f->dir);
    return store_mirror(f->store, JOB, path, f->why, sizeof(f->why));
}

/* One version, its journal and its ref, of each of two jobs. */
static enum status commit(struct fixture *f, uint32_t number)
{
    struct hash chunk = put_chunk(f, number, 5000);
    struct batch *batch = make_batch();
    char text[32];

    (void)snprintf(text, sizeof(text), "grant-%u", number);
    for (uint64_t job = JOB; job <= OTHER; job++) {
        add_text(batch, LOG_JOURNAL, job, text);
        add_version(batch, job, number, text, &chunk);
        add_ref(batch, job, "head", number);
    }
    return apply(f, batch);
}

/* The mirror, applied to a store beside the first. */
static struct fixture *rebuild(struct fixture *f, struct store_rebuilt *out)
{
    static struct fixture other;

    (void)snprintf(other.dir, sizeof(other.dir), "%.40s/again", f->dir);
    fixture_open(&other);
    assert_int_equal(store_rebuild(other.store, path, out), STATUS_OK);
    return &other;
}

static void assert_head(struct fixture *f, uint64_t job, uint64_t number)
{
    uint64_t found = 0;

    assert_int_equal(store_get_ref(f->store, job, "head", &found), STATUS_OK);
    assert_int_equal(found, number);
}

static void be_silent(void *owner, const char *sentence)
{
    (void)owner;
    (void)sentence;
}

static void test_mirrors__rebuild_the_job_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct store_rebuilt rebuilt;
    struct store_verdict verdict;
    struct fixture *other;
    uint64_t life = 0;

    assert_int_equal(store_next_life(f->store, &life), STATUS_OK);
    assert_int_equal(store_next_life(f->store, &life), STATUS_OK);
    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    assert_int_equal(commit(f, 2), STATUS_OK);
    other = rebuild(f, &rebuilt);

    assert_int_equal(rebuilt.job, JOB);
    assert_int_equal(rebuilt.batches, 2);
    assert_int_equal(rebuilt.chunks, 2);
    assert_int_equal(rebuilt.lost, 0);
    assert_log(other, LOG_JOURNAL, JOB, "1=grant-1 2=grant-2 ");
    assert_log(other, LOG_JOURNAL, OTHER, "");
    assert_head(other, JOB, 2);
    /* Two chunks, whole: the manifests here are texts, which are faults. */
    assert_int_equal(store_verify(other->store, be_silent, NULL, &verdict),
                     STATUS_OK);
    assert_int_equal(verdict.chunks, 2);
    assert_int_equal(store_next_life(other->store, &life), STATUS_OK);
    assert_int_equal(life, 3);
    fixture_close(other);
}

static void test_mirrors__have_each_chunk_once(void **state)
{
    struct fixture *f = *state;
    struct hash chunk = put_chunk(f, 1, 5000);
    struct store_rebuilt rebuilt;

    assert_int_equal(begin(f), STATUS_OK);
    for (uint64_t number = 1; number <= 3; number++) {
        struct batch *batch = make_batch();

        add_version(batch, JOB, number, "manifest", &chunk);
        assert_int_equal(apply(f, batch), STATUS_OK);
    }
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 4), STATUS_OK);

    fixture_close(rebuild(f, &rebuilt));
    assert_int_equal(rebuilt.chunks, 2);
    assert_int_equal(rebuilt.batches, 4);
}

static void test_mirrors__lose_a_transaction_that_the_store_refuses(
    void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    struct store_rebuilt rebuilt;
    struct fixture *other;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    add_text(batch, LOG_JOURNAL, JOB, "lost");
    add_ref(batch, JOB, "head", 99); /* there is no such version */
    assert_int_equal(apply(f, batch), STATUS_NOT_FOUND);
    assert_int_equal(commit(f, 2), STATUS_OK);

    other = rebuild(f, &rebuilt);
    assert_log(other, LOG_JOURNAL, JOB, "1=grant-1 2=grant-2 ");
    fixture_close(other);
}

/* A crash between the file and the store leaves an entry that does not
 * count. */
static void test_mirrors__cut_off_what_the_store_does_not_know(void **state)
{
    static const char text[] = "of a transaction that never was";
    struct fixture *f = *state;
    struct mirror *mirror = NULL;
    struct store_rebuilt rebuilt;
    struct hash hash;
    struct stat info;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    fixture_close(f);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(
        mirror_open(&(struct mirror_options){.path = path,
                                             .position = (uint64_t)info.st_size,
                                             .why = f->why,
                                             .why_size = sizeof(f->why)},
                    &mirror),
        STATUS_OK);
    hash_bytes(text, sizeof(text), &hash);
    assert_int_equal(
        mirror_put(mirror, MIRROR_BATCH, &hash, text, sizeof(text)), STATUS_OK);
    mirror_close(mirror);
    fixture_open(f);
    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 2), STATUS_OK);

    fixture_close(rebuild(f, &rebuilt));
    assert_int_equal(rebuilt.batches, 2);
}

static void test_mirrors__that_are_full_refuse_the_batch(void **state)
{
    struct fixture *f = *state;
    struct rlimit whole;
    struct rlimit tight;
    struct store_rebuilt rebuilt;
    struct stat info;
    struct fixture *other;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    (void)put_chunk(f, 2, 5000); /* so that commit writes the mirror alone */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    for (rlim_t more = 0; more < 5200; more += 400) {
        tight = (struct rlimit){.rlim_cur = (rlim_t)info.st_size + more,
                                .rlim_max = whole.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        struct batch *batch = make_batch();
        struct chunk chunk = make_chunk(2, 5000);

        add_version(batch, JOB, 2, "manifest", &chunk.hash);
        assert_int_equal(apply(f, batch), STATUS_FULL);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
    }
    assert_int_equal(commit(f, 2), STATUS_OK);

    other = rebuild(f, &rebuilt);
    assert_log(other, LOG_JOURNAL, JOB, "1=grant-1 2=grant-2 ");
    fixture_close(other);
}

static void test_mirrors__refuse_a_file_that_is_taken(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    assert_int_equal(
        store_mirror(f->store, OTHER, path, f->why, sizeof(f->why)),
        STATUS_CONFLICT);
    assert_non_null(strstr(f->why, "holds a mirror already"));
    store_unmirror(f->store, JOB);
}

static void test_mirrors__survive_each_failed_allocation(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_NO_MEMORY;
    struct store_rebuilt rebuilt;
    struct hash chunk;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    chunk = put_chunk(f, 2, 5000);
    for (uint64_t n = 1; status == STATUS_NO_MEMORY; n++) {
        struct batch *batch = make_batch();

        add_version(batch, JOB, 2, "manifest", &chunk);
        mem_fail_at(n);
        status = store_apply(f->store, batch);
        mem_fail_at(0);
        batch_close(batch);
    }
    assert_int_equal(status, STATUS_OK);
    fixture_close(rebuild(f, &rebuilt));
    assert_int_equal(rebuilt.batches, 2);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mirrors__rebuild_the_job_and_no_other),
        TEST(test_mirrors__have_each_chunk_once),
        TEST(test_mirrors__lose_a_transaction_that_the_store_refuses),
        TEST(test_mirrors__cut_off_what_the_store_does_not_know),
        TEST(test_mirrors__that_are_full_refuse_the_batch),
        TEST(test_mirrors__refuse_a_file_that_is_taken),
        TEST(test_mirrors__survive_each_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
