#include "storage/store.h"

#include "base/jobs.h"
#include "tests/unit/proto/samples.h"
#include "tests/unit/storage/fixture.h"

#include <errno.h>
#include <stdatomic.h>

enum { WEIGHT_BYTES = 3 * 9 * 4, LARGE_CHUNKS = 40 };

/* A version of job 2 with one tensor of one chunk, made of its number. */
static void commit_version(struct fixture *f,
                           uint64_t number,
                           struct hash chunk)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    struct batch *batch = make_batch();
    unsigned char *manifest = NULL;
    size_t size = 0;

    assert_non_null(sample);
    sample_init(sample);
    sample->version.number = number;
    for (uint32_t i = 0; i < SAMPLE_SHARDS; i++) {
        sample->records[i].tensors_count = i == 0 ? 1 : 0;
    }
    sample->chunks[0] = chunk;
    assert_int_equal(version_encode(&sample->version, &manifest, &size),
                     STATUS_OK);
    assert_int_equal(batch_put_version(batch, 2, number, manifest, size,
                                       "the summary", 11, &chunk, 1),
                     STATUS_OK);
    add_text(batch, LOG_JOURNAL, 2, "the journal's record");
    assert_int_equal(batch_set_ref(batch, 2, "head", number, 1, "the actor"),
                     STATUS_OK);
    assert_int_equal(batch_put_stat(batch, 2, number, "the stat's bytes", 16),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    mem_free(manifest);
    free(sample);
}

static void make_store(struct fixture *f)
{
    for (uint32_t i = 1; i <= 3; i++) {
        commit_version(f, i, put_chunk(f, i, WEIGHT_BYTES));
    }
}

struct faults {
    char text[4096];
};

static void tell_fault(void *owner, const char *sentence)
{
    struct faults *faults = owner;
    size_t used = strlen(faults->text);

    snprintf(faults->text + used, sizeof(faults->text) - used, "%s\n",
             sentence);
}

static void assert_faults(struct fixture *f, uint64_t count, const char *wanted)
{
    struct faults faults = {.text = ""};
    struct store_verdict verdict;

    assert_int_equal(store_verify(f->store, tell_fault, &faults, &verdict),
                     STATUS_OK);
    assert_string_equal(faults.text, wanted);
    assert_int_equal(verdict.faults, count);
}

static void test_verify__counts_what_it_reads(void **state)
{
    struct fixture *f = *state;
    struct faults faults = {.text = ""};
    struct store_verdict verdict = {.chunks = 9};

    assert_int_equal(store_verify(f->store, tell_fault, &faults, &verdict),
                     STATUS_OK);
    assert_int_equal(verdict.chunks, 0);
    make_store(f);
    assert_int_equal(store_verify(f->store, tell_fault, &faults, &verdict),
                     STATUS_OK);
    assert_string_equal(faults.text, "");
    assert_int_equal(verdict.chunks, 3);
    assert_int_equal(verdict.bytes, 3 * WEIGHT_BYTES);
    assert_int_equal(verdict.versions, 3);
    assert_int_equal(verdict.faults, 0);
}

/* More than one slice, and so more than one transaction. */
static void test_verify__walks_a_store_of_many_slices(void **state)
{
    struct fixture *f = *state;
    struct faults faults = {.text = ""};
    struct store_verdict verdict;

    for (uint32_t i = 0; i < LARGE_CHUNKS; i++) {
        put_chunk(f, i, CHUNK_BYTES_MAX);
    }
    for (uint64_t i = 0; i < 3; i++) {
        struct batch *batch = make_batch();

        for (int r = 0; r < 1000; r++) {
            add_text(batch, LOG_JOURNAL, 1 + i, "entry");
        }
        assert_int_equal(apply(f, batch), STATUS_OK);
    }
    assert_int_equal(store_verify(f->store, tell_fault, &faults, &verdict),
                     STATUS_OK);
    assert_string_equal(faults.text, "");
    assert_int_equal(verdict.chunks, LARGE_CHUNKS);
    assert_int_equal(verdict.bytes, (uint64_t)LARGE_CHUNKS * CHUNK_BYTES_MAX);
}

static void test_verify__finds_a_byte_that_rots_in_a_chunk(void **state)
{
    struct fixture *f = *state;
    char wanted[128];
    char hex[17];
    struct chunk chunk;

    make_store(f);
    fixture_close(f);
    chunk = make_chunk(2, WEIGHT_BYTES);
    assert_int_equal(damage(f, chunk.bytes, WEIGHT_BYTES, 50) > 0, 1);
    fixture_open(f);
    hash_hex(&chunk.hash, 8, hex);
    snprintf(wanted, sizeof(wanted),
             "chunk %s: its bytes do not match its hash\n", hex);
    assert_faults(f, 1, wanted);
}

static void test_verify__finds_damage_in_every_kind_of_record(void **state)
{
    static const char *const texts[] = {"the journal's record", "the summary",
                                        "the actor", "the stat's bytes"};
    static const char *const wanted[] = {
        "journal: record 1 of j2 is damaged\n",
        "version v1 of j2: its summary is damaged\n",
        "a ref of j2 is damaged\nref_log: record 1 of j2 is damaged\n",
        "stats: record 1 of j2 is damaged\n"};
    static const uint64_t counts[] = {1, 1, 2, 1};
    struct fixture *f = *state;
    char changed[32];

    commit_version(f, 1, put_chunk(f, 1, WEIGHT_BYTES));
    for (size_t i = 0; i < 4; i++) {
        fixture_close(f);
        assert_true(damage(f, texts[i], strlen(texts[i]), 0) > 0);
        fixture_open(f);
        assert_faults(f, counts[i], wanted[i]);
        fixture_close(f);
        /* The same bit again: what was damaged is whole. */
        snprintf(changed, sizeof(changed), "%s", texts[i]);
        changed[0] ^= 1;
        assert_true(damage(f, changed, strlen(changed), 0) > 0);
        fixture_open(f);
    }
    assert_faults(f, 0, "");
}

/* What no write of ours can make: put below the store's own rules. */
struct edit_work {
    enum kv_db db;
    struct key key;
    const char *bytes; /* NULL: delete */
};

static enum status edit_record(struct kv_txn *txn, void *owner)
{
    const struct edit_work *work = owner;

    if (work->bytes == NULL) {
        return kv_delete(txn, work->db, &work->key);
    }
    return kv_put(txn, work->db, &work->key, work->bytes, strlen(work->bytes));
}

static void edit_store(struct fixture *f,
                       enum kv_db db,
                       struct key key,
                       const char *bytes)
{
    struct edit_work work = {.db = db, .key = key, .bytes = bytes};

    assert_int_equal(kv_update(f->store->kv, edit_record, &work), STATUS_OK);
}

static void test_verify__finds_a_chunk_that_is_missing(void **state)
{
    struct fixture *f = *state;
    struct hash hash = make_chunk(2, WEIGHT_BYTES).hash;
    char wanted[256];
    char hex[17];

    make_store(f);
    edit_store(f, KV_CHUNKS, key_of_hash(&hash), NULL);
    hash_hex(&hash, 8, hex);
    snprintf(wanted, sizeof(wanted),
             "version v2 of j2: chunk %s is missing (layer 0, shard 0, tensor "
             "weight)\n",
             hex);
    assert_faults(f, 1, wanted);
}

static void test_verify__finds_a_chunk_of_the_wrong_size(void **state)
{
    struct fixture *f = *state;
    struct hash hash = put_chunk(f, 1, WEIGHT_BYTES + 1);
    char wanted[256];
    char hex[17];

    commit_version(f, 1, hash);
    hash_hex(&hash, 8, hex);
    snprintf(wanted, sizeof(wanted),
             "version v1 of j2: chunk %s has not the size of its place (layer "
             "0, shard 0, tensor weight)\n",
             hex);
    assert_faults(f, 1, wanted);
}

static void test_verify__finds_what_does_not_belong_together(void **state)
{
    struct fixture *f = *state;

    make_store(f);
    edit_store(f, KV_SUMMARIES, key_of_pair(2, 1), NULL);
    edit_store(f, KV_SUMMARIES, key_of_pair(2, 7), "lonely");
    edit_store(f, KV_JOURNAL, key_of_pair(2, 2), NULL);
    edit_store(f, KV_JOURNAL, key_of_pair(5, 4), "late");
    edit_store(f, KV_REFS, key_of_ref(2, "odd"), "no ref");
    assert_faults(f, 5,
                  "version v1 of j2: its summary is missing\n"
                  "version v7 of j2: there is a summary and no manifest\n"
                  "a ref of j2 is damaged\n"
                  "journal: records 2 to 2 of j2 are missing\n"
                  "journal: records 1 to 3 of j5 are missing\n");
}

static void test_verify__finds_manifests_that_are_none(void **state)
{
    struct fixture *f = *state;

    make_store(f);
    edit_store(f, KV_VERSIONS, key_of_pair(2, 2), "no manifest");
    edit_store(f, KV_VERSIONS, key_of_pair(2, 3), NULL);
    assert_faults(f, 3,
                  "version v2 of j2: its manifest is damaged\n"
                  "version v3 of j2: there is a summary and no manifest\n"
                  "ref head of j2 points to v3, which is not there\n");
}

static void test_verify__finds_a_manifest_under_another_number(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = make_batch();
    unsigned char *manifest = NULL;
    size_t size = 0;

    make_store(f);
    assert_int_equal(store_get_version(f->store, 2, 1, &manifest, &size),
                     STATUS_OK);
    assert_int_equal(
        batch_put_version(batch, 3, 4, manifest, size, "s", 1, NULL, 0),
        STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    mem_free(manifest);
    assert_faults(f, 1, "version v4 of j3: its manifest is that of v1 of j2\n");
}

static void test_verify__ends_with_the_status_of_what_is_no_fault(void **state)
{
    struct fixture *f = *state;
    struct faults faults = {.text = ""};
    struct store_verdict verdict = {.chunks = 99};
    uint64_t live = 0;
    uint64_t n = 0;

    make_store(f);
    live = mem_live();
    for (n = 1; n < 1000; n++) {
        enum status status = STATUS_OK;

        fault_at(n, EIO);
        status = store_verify(f->store, tell_fault, &faults, &verdict);
        if (fault_at(0, 0) > 0) {
            break;
        }
        assert_int_equal(status, STATUS_IO);
        assert_int_equal(verdict.chunks, 99);
        assert_int_equal(mem_live(), live);
    }
    assert_true(n > 50);
    verdict.chunks = 99;
    for (n = 1; verdict.chunks == 99; n++) {
        enum status status = STATUS_OK;

        mem_fail_at(n);
        status = store_verify(f->store, tell_fault, &faults, &verdict);
        mem_fail_at(0);
        assert_int_equal(status,
                         verdict.chunks == 99 ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(mem_live(), live);
    }
    assert_true(n > 3);
    assert_string_equal(faults.text, "");
}

/* A file that lost its end or its middle: told, and the process lives. */
static void test_verify__survives_a_file_that_was_cut_short(void **state)
{
    struct fixture *f = *state;
    struct faults faults = {.text = ""};
    struct store_verdict verdict = {.faults = 0};
    struct stat file;
    char path[128];

    make_store(f);
    for (uint32_t i = 10; i < 15; i++) {
        put_chunk(f, i, 20000);
    }
    fixture_close(f);
    fixture_path(f, "data.mdb", path);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, file.st_size - 40000), 0);
    if (fixture_open_as(f, TINY_MAP_BYTES, NULL) == STATUS_OK) {
        assert_int_equal(store_verify(f->store, tell_fault, &faults, &verdict),
                         STATUS_OK);
        assert_true(verdict.faults > 0);
    }
}

struct world {
    struct fixture *f;
    atomic_bool stop;
    atomic_uint rounds;
    uint64_t faults;
    unsigned errors;
};

static void ignore_fault(void *owner, const char *sentence)
{
    (void)owner;
    (void)sentence;
}

static void verify_for_ever(void *owner)
{
    struct world *w = owner;
    struct store_verdict verdict = {.faults = 0};

    while (!atomic_load(&w->stop)) {
        w->errors += store_verify(w->f->store, ignore_fault, NULL, &verdict) !=
                     STATUS_OK;
        w->faults += verdict.faults;
        atomic_fetch_add(&w->rounds, 1);
    }
}

static void test_verify__may_run_while_versions_are_committed(void **state)
{
    struct world w = {.f = *state};
    struct thread *thread = NULL;

    assert_int_equal(thread_open(verify_for_ever, &w, &thread), STATUS_OK);
    for (uint32_t i = 1; i <= 60; i++) {
        commit_version(w.f, i, put_chunk(w.f, i, WEIGHT_BYTES));
        put_chunk(w.f, 1000 + i, 30000); /* so that the map grows */
    }
    while (atomic_load(&w.rounds) < 2) {
    }
    atomic_store(&w.stop, true);
    thread_join(thread);

    assert_int_equal(w.errors, 0);
    assert_int_equal(w.faults, 0);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_verify__counts_what_it_reads),
        TEST(test_verify__walks_a_store_of_many_slices),
        TEST(test_verify__finds_a_byte_that_rots_in_a_chunk),
        TEST(test_verify__finds_damage_in_every_kind_of_record),
        TEST(test_verify__finds_a_chunk_that_is_missing),
        TEST(test_verify__finds_a_chunk_of_the_wrong_size),
        TEST(test_verify__finds_what_does_not_belong_together),
        TEST(test_verify__finds_manifests_that_are_none),
        TEST(test_verify__finds_a_manifest_under_another_number),
        TEST(test_verify__ends_with_the_status_of_what_is_no_fault),
        TEST(test_verify__survives_a_file_that_was_cut_short),
        TEST(test_verify__may_run_while_versions_are_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
