/* test_crash.c - kill -9 in a loop of commits, again and again. */
#include "storage/store.h"

#include "tests/unit/storage/killed.h"

enum { KILLS = 20, MIRROR_KILLS = 8, RECORDS = 5 };

/* One commit i: a chunk ahead, then, in one batch, a version that names it,
 * journal records, a stat and the head. */
static enum status commit(struct store *store, uint64_t i)
{
    struct chunk chunk = make_chunk((uint32_t)i, 20000);
    struct batch *batch = NULL;
    enum status status = store_put_chunks(store, &chunk, 1);

    if (status == STATUS_OK) {
        status = batch_open(&batch);
    }
    for (int r = 0; r < RECORDS && status == STATUS_OK; r++) {
        status = batch_append(batch, LOG_JOURNAL, 1, &i, sizeof(i));
    }
    if (status == STATUS_OK) {
        status = batch_put_version(batch, 1, i, &chunk.hash, HASH_BYTES, &i,
                                   sizeof(i), &chunk.hash, 1);
    }
    if (status == STATUS_OK) {
        status = batch_set_ref(batch, 1, "head", i, i, "loop");
    }
    if (status == STATUS_OK) {
        status = batch_put_stat(batch, 1, i, &i, sizeof(i));
    }
    if (status == STATUS_OK) {
        status = store_apply(store, batch);
    }
    batch_close(batch);
    return status;
}

/* Commits until it is killed; tells each commit that was acknowledged. */
static void commit_for_ever(struct fixture *f, bool mirrored, int told)
{
    uint64_t i = 0;
    char path[128];
    enum status status = fixture_open_as(f, TINY_MAP_BYTES, NULL);

    fixture_path(f, "job.mirror", path);
    if (status == STATUS_OK && mirrored) {
        status = store_mirror(f->store, 1, path, f->why, sizeof(f->why));
    }
    if (status == STATUS_OK) {
        status = store_last_version(f->store, 1, &i);
    }
    while (status == STATUS_OK) {
        i++;
        status = commit(f->store, i);
        if (status == STATUS_OK && write(told, &i, sizeof(i)) < 0) {
            status = STATUS_IO;
        }
    }
    _exit(1);
}

static void commit_to_store(struct fixture *f, int told)
{
    commit_for_ever(f, false, told);
}

static void commit_to_both(struct fixture *f, int told)
{
    commit_for_ever(f, true, told);
}

struct journal {
    uint64_t count;
    bool ordered; /* record n belongs to commit (n - 1) / RECORDS + 1 */
};

static bool look(void *owner, uint64_t number, const void *bytes, size_t size)
{
    struct journal *journal = owner;
    uint64_t commit_number = 0;

    if (size == sizeof(commit_number)) {
        memcpy(&commit_number, bytes, size);
    }
    journal->count++;
    journal->ordered = journal->ordered && number == journal->count &&
                       commit_number == (number - 1) / RECORDS + 1;
    return true;
}

static void assert_whole(struct fixture *f, uint64_t acknowledged)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct journal journal = {.ordered = true};
    unsigned char *manifest = NULL;
    uint64_t last = 0;
    uint64_t head = 0;
    size_t size = 0;
    struct hash hash;

    assert_int_equal(store_last_version(f->store, 1, &last), STATUS_OK);
    assert_true(last >= acknowledged);
    assert_true(last <= acknowledged + 1); /* one may have been on its way */
    assert_int_equal(store_get_ref(f->store, 1, "head", &head), STATUS_OK);
    assert_int_equal(head, last);
    assert_int_equal(
        store_scan_log(f->store, LOG_JOURNAL, 1, 1, look, &journal), STATUS_OK);
    assert_int_equal(journal.count, last * RECORDS);
    assert_true(journal.ordered);
    for (uint64_t i = 1; i <= last; i++) {
        assert_int_equal(store_get_version(f->store, 1, i, &manifest, &size),
                         STATUS_OK);
        assert_int_equal(size, HASH_BYTES);
        memcpy(hash.b, manifest, HASH_BYTES);
        mem_free(manifest);
        assert_int_equal(store_get_chunk(f->store, &hash, out, &size),
                         STATUS_OK);
    }
}

static void test_crash__every_commit_is_whole_or_not_there(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; n < KILLS; n++) {
        uint64_t acknowledged =
            killed_after(f, commit_to_store, 1 + n * 7 % 20);

        fixture_open(f);
        assert_whole(f, acknowledged);
        fixture_close(f);
    }
}

/* A store made from the mirror has what was acknowledged, and perhaps one more:
 * the mirror is written first. */
static void assert_mirrored(struct fixture *f, uint64_t acknowledged)
{
    static struct fixture other;
    struct store_rebuilt rebuilt;
    char path[128];

    fixture_path(f, "job.mirror", path);
    (void)snprintf(other.dir, sizeof(other.dir), "%.40s/again", f->dir);
    fixture_open(&other);
    assert_int_equal(store_rebuild(other.store, path, &rebuilt), STATUS_OK);
    assert_whole(&other, acknowledged);
    fixture_close(&other);
    fixture_empty(open(other.dir, O_RDONLY | O_DIRECTORY));
}

static void test_crash__a_mirror_has_every_commit(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; n < MIRROR_KILLS; n++) {
        uint64_t acknowledged = killed_after(f, commit_to_both, 1 + n * 7 % 10);

        assert_mirrored(f, acknowledged);
        fixture_open(f);
        assert_whole(f, acknowledged);
        fixture_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_crash__every_commit_is_whole_or_not_there, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_crash__a_mirror_has_every_commit,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
