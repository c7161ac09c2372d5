#include "storage/store.h"

#include "storage/mirror.h"
#include "tests/unit/storage/fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* --- By rule: a job's record is the path of its mirror, "" for none --- */

struct rule {
    const char *dir;
    unsigned asked;
    bool rests;
};

static enum status follow_rule(void *owner,
                               uint64_t job,
                               const void *record,
                               size_t size,
                               struct store_mirror_place *out)
{
    struct rule *rule = owner;

    (void)job;
    rule->asked++;
    out->rests = rule->rests;
    if (size == 0) {
        return STATUS_NOT_FOUND;
    }
    (void)snprintf(out->path, sizeof(out->path), "%s/%.*s", rule->dir,
                   (int)size, (const char *)record);
    return STATUS_OK;
}

static enum status put_job(struct fixture *f, uint64_t job, const char *record)
{
    struct batch *batch = make_batch();

    assert_int_equal(batch_put_job(batch, job, record, strlen(record)),
                     STATUS_OK);
    return apply(f, batch);
}

static void test_mirrors__by_rule_are_opened_where_a_job_is_written(
    void **state)
{
    struct fixture *f = *state;
    struct rule rule = {.dir = f->dir};
    struct store_rebuilt rebuilt;
    uint64_t job = 0;

    (void)snprintf(path, sizeof(path), "%s/a.mirror", f->dir);
    store_mirror_by(f->store, follow_rule, &rule);
    assert_int_equal(put_job(f, JOB, "a.mirror"), STATUS_OK);
    assert_int_equal(put_job(f, OTHER, ""), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    rule.asked = 0;
    assert_int_equal(commit(f, 2), STATUS_OK);
    assert_int_equal(rule.asked, 0); /* both are known */

    /* The next process knows nothing, and finds the file by the record. */
    fixture_close(f);
    fixture_open(f);
    rule.rests = true;
    store_mirror_by(f->store, follow_rule, &rule);
    assert_int_equal(commit(f, 3), STATUS_OK);

    assert_int_equal(store_mirror_job(path, &job), STATUS_OK);
    assert_int_equal(job, JOB);
    fixture_close(rebuild(f, &rebuilt));
    assert_int_equal(rebuilt.batches, 4);
}

static void test_mirrors__by_rule_that_fail_say_which(void **state)
{
    struct fixture *f = *state;
    struct rule rule = {.dir = "/proc/none"};
    const char *fault = NULL;
    uint64_t job = 0;

    store_mirror_by(f->store, follow_rule, &rule);
    assert_int_equal(put_job(f, OTHER, ""), STATUS_OK);
    assert_null(store_mirror_fault(f->store, &job));
    assert_int_equal(put_job(f, JOB, "a.mirror"), STATUS_IO);
    fault = store_mirror_fault(f->store, &job);
    assert_non_null(fault);
    assert_non_null(strstr(fault, "/proc/none/a.mirror"));
    assert_int_equal(job, JOB);

    rule.dir = f->dir; /* it is tried again */
    assert_int_equal(put_job(f, JOB, "a.mirror"), STATUS_OK);
    assert_null(store_mirror_fault(f->store, &job));
}

/* What is written to a file that has been removed is lost. */
static void test_mirrors__that_are_gone_refuse_the_batch(void **state)
{
    struct fixture *f = *state;
    struct rule rule = {.dir = f->dir};
    char aside[sizeof(path) + 8];
    uint64_t job = 0;

    (void)snprintf(path, sizeof(path), "%s/a.mirror", f->dir);
    (void)snprintf(aside, sizeof(aside), "%s.aside", path);
    store_mirror_by(f->store, follow_rule, &rule);
    assert_int_equal(put_job(f, JOB, "a.mirror"), STATUS_OK);
    assert_int_equal(link(path, aside), 0);
    assert_int_equal(commit(f, 1), STATUS_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(aside), 0);

    assert_int_equal(commit(f, 2), STATUS_IO);
    assert_non_null(store_mirror_fault(f->store, &job));
    assert_int_equal(commit(f, 2), STATUS_CORRUPT); /* not made anew: texts */
    assert_head(f, JOB, 1);
}

static void test_mirrors__go_on_where_they_were_rebuilt_from(void **state)
{
    struct fixture *f = *state;
    struct store_rebuilt rebuilt;
    struct fixture *other;
    struct stat info;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    assert_int_equal(commit(f, 2), STATUS_OK);
    store_unmirror(f->store, JOB);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 5), 0); /* torn */

    other = rebuild(f, &rebuilt);
    assert_int_equal(rebuilt.batches, 1);
    assert_true(rebuilt.lost > 0);
    assert_int_equal(
        store_mirror(other->store, JOB, path, other->why, sizeof(other->why)),
        STATUS_OK);
    assert_int_equal(commit(other, 2), STATUS_OK);
    fixture_close(other);
    assert_int_equal(begin(f), STATUS_OK); /* as far as the first store */
}

/* Two stores with one mirror: the one that is behind must not cut it off. */
static void test_mirrors__refuse_a_store_that_is_behind(void **state)
{
    struct fixture *f = *state;
    struct store_rebuilt rebuilt;
    struct fixture *other;
    struct stat before;
    struct stat after;

    assert_int_equal(begin(f), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    other = rebuild(f, &rebuilt);
    assert_int_equal(commit(f, 2), STATUS_OK);
    assert_int_equal(commit(f, 3), STATUS_OK);
    assert_int_equal(stat(path, &before), 0);

    assert_int_equal(
        store_mirror(other->store, JOB, path, other->why, sizeof(other->why)),
        STATUS_STALE);
    assert_non_null(strstr(other->why, "gone further"));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    fixture_close(other);
}

static void test_mirrors__are_told_of_drops(void **state)
{
    struct fixture *f = *state;
    const uint64_t numbers[] = {1, 2, 3};
    struct store_rebuilt rebuilt;
    struct fixture *other;
    uint64_t dropped = 0;
    uint64_t wall_ms = 0;
    unsigned char *bytes = NULL;
    size_t size = 0;

    assert_int_equal(begin(f), STATUS_OK);
    for (uint32_t number = 1; number <= 3; number++) {
        assert_int_equal(commit(f, number), STATUS_OK);
    }
    assert_int_equal(
        store_drop_versions(f->store, JOB, numbers, 3, 1234, &dropped),
        STATUS_OK);
    assert_int_equal(dropped, 2); /* not the head */

    other = rebuild(f, &rebuilt);
    assert_int_equal(store_get_version(other->store, JOB, 1, &bytes, &size),
                     STATUS_NOT_FOUND);
    assert_int_equal(
        store_get_dropped(other->store, JOB, 2, &wall_ms, &bytes, &size),
        STATUS_OK);
    assert_int_equal(wall_ms, 1234);
    mem_free(bytes);
    assert_int_equal(store_get_version(other->store, JOB, 3, &bytes, &size),
                     STATUS_OK);
    mem_free(bytes);
    fixture_close(other);
}

/* One job's mirror fails: what another's was given by the batch before stays.
 */
static void test_mirrors__keep_what_counts_where_another_fails(void **state)
{
    struct fixture *f = *state;
    struct rule rule = {.dir = f->dir};
    struct batch *batch = make_batch();
    struct store_rebuilt rebuilt;

    (void)snprintf(path, sizeof(path), "%s/a.mirror", f->dir);
    store_mirror_by(f->store, follow_rule, &rule);
    assert_int_equal(put_job(f, JOB, "a.mirror"), STATUS_OK);
    assert_int_equal(commit(f, 1), STATUS_OK);
    add_text(batch, LOG_JOURNAL, JOB, "lost");
    assert_int_equal(batch_put_job(batch, 9, "no/such/b.mirror", 16),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_IO);

    fixture_close(rebuild(f, &rebuilt));
    assert_int_equal(rebuilt.batches, 2);
    assert_int_equal(rebuilt.lost, 0);
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
        TEST(test_mirrors__by_rule_are_opened_where_a_job_is_written),
        TEST(test_mirrors__by_rule_that_fail_say_which),
        TEST(test_mirrors__that_are_gone_refuse_the_batch),
        TEST(test_mirrors__go_on_where_they_were_rebuilt_from),
        TEST(test_mirrors__refuse_a_store_that_is_behind),
        TEST(test_mirrors__are_told_of_drops),
        TEST(test_mirrors__keep_what_counts_where_another_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
