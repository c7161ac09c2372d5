#include "storage/format.h"

#include "storage/seal.h"
#include "tests/unit/storage/fixture.h"

#include <lmdb.h>

/* What release 0.1.0 wrote: format 1, eleven databases, no "dropped". Made with
 * LMDB itself, so that it stays what it was. */
static const char *const old_dbs[] = {
    "meta",      "counters", "jobs", "journal", "events", "versions",
    "summaries", "chunks",   "refs", "ref_log", "stats"};

static void put(MDB_txn *txn,
                MDB_dbi db,
                const void *key,
                size_t key_size,
                const void *bytes,
                size_t size)
{
    MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
    MDB_val value = {.mv_size = size, .mv_data = (void *)(uintptr_t)bytes};

    assert_int_equal(mdb_put(txn, db, &name, &value, 0), 0);
}

/* A journal record: job 8, sequence 8 -> seal, bytes. */
static void put_entry(MDB_txn *txn, MDB_dbi db)
{
    const struct key key = key_of_pair(1, 1);
    struct seal seal = seal_of(KV_JOURNAL, &key, "old entry", 9);
    unsigned char bytes[SEAL_BYTES + 9];

    memcpy(bytes, seal.b, SEAL_BYTES);
    memcpy(bytes + SEAL_BYTES, "old entry", 9);
    put(txn, db, key.b, key.size, bytes, sizeof(bytes));
}

static void make_old_store(const struct fixture *f)
{
    static const unsigned char number[4] = {1, 0, 0, 0};
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi db = 0;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 20), 0);
    assert_int_equal(mdb_env_open(env, f->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    for (size_t i = 0; i < sizeof(old_dbs) / sizeof(old_dbs[0]); i++) {
        assert_int_equal(mdb_dbi_open(txn, old_dbs[i], MDB_CREATE, &db), 0);
        if (i == 0) {
            put(txn, db, "format", 6, number, sizeof(number));
        }
        if (strcmp(old_dbs[i], "journal") == 0) {
            put_entry(txn, db);
        }
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static uint32_t format_of(const struct fixture *f, bool *out_has_dropped)
{
    MDB_val name = {.mv_size = 6, .mv_data = (void *)(uintptr_t) "format"};
    MDB_val value;
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi db = 0;
    uint32_t number = 0;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 20), 0);
    assert_int_equal(mdb_env_open(env, f->dir, MDB_RDONLY, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &db), 0);
    assert_int_equal(mdb_get(txn, db, &name, &value), 0);
    number = *(const unsigned char *)value.mv_data;
    *out_has_dropped = mdb_dbi_open(txn, "dropped", 0, &db) == 0;
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return number;
}

static void test_format__an_old_store_is_brought_up(void **state)
{
    struct fixture *f = *state;
    bool has_dropped = false;
    uint64_t wall_ms = 0;
    unsigned char *bytes = NULL;
    size_t size = 0;

    make_old_store(f);
    assert_int_equal(format_of(f, &has_dropped), 1);
    assert_false(has_dropped);
    fixture_open(f);
    assert_log(f, LOG_JOURNAL, 1, "1=old entry ");
    assert_int_equal(store_get_dropped(f->store, 1, 1, &wall_ms, &bytes, &size),
                     STATUS_NOT_FOUND);
    fixture_close(f);
    assert_int_equal(format_of(f, &has_dropped), FORMAT_NUMBER);
    assert_true(has_dropped);
    fixture_open(f); /* and stays so */
    assert_log(f, LOG_JOURNAL, 1, "1=old entry ");
}

/* Whatever fails, the store is wholly of the old format or of the new one. */
static void test_format__an_upgrade_is_whole_or_not_there(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_IO;
    uint64_t n = 0;

    make_old_store(f);
    for (n = 1; status != STATUS_OK; n++) {
        bool has_dropped = false;

        fault_at(n, n % 2 == 0 ? 5 : 28);
        status = fixture_open_as(f, TINY_MAP_BYTES, NULL);
        fault_at(0, 0);
        fixture_close(f);
        if (status != STATUS_OK) {
            assert_int_equal(format_of(f, &has_dropped), 1);
            assert_false(has_dropped);
        }
    }
    assert_true(n > 10);
    fixture_open(f);
    assert_log(f, LOG_JOURNAL, 1, "1=old entry ");
}

/* Whoever only reads changes nothing, so it must say what is missing. */
static void test_format__a_reader_does_not_upgrade(void **state)
{
    struct fixture *f = *state;
    bool has_dropped = false;

    make_old_store(f);
    assert_int_equal(
        store_open_reader(f->dir, f->why, sizeof(f->why), &f->store),
        STATUS_UNSUPPORTED);
    assert_non_null(strstr(f->why, "must be brought up"));
    assert_int_equal(format_of(f, &has_dropped), 1);
}

/* --- Several steps --- */

static char story[64];

static enum status step_a(struct kv_txn *txn)
{
    (void)txn;
    strncat(story, "1-2 ", sizeof(story) - strlen(story) - 1);
    return STATUS_OK;
}

static enum status step_b(struct kv_txn *txn)
{
    const struct key key = key_of_name("b");

    strncat(story, "2-3 ", sizeof(story) - strlen(story) - 1);
    return kv_put(txn, KV_COUNTERS, &key, "b", 1);
}

static enum status step_c(struct kv_txn *txn)
{
    (void)txn;
    strncat(story, "3-4 ", sizeof(story) - strlen(story) - 1);
    return strlen(story) < 8 ? STATUS_OK : STATUS_CORRUPT;
}

static format_step_fn *const steps[] = {step_a, step_b, step_c};

struct upgrade {
    uint32_t from;
    uint32_t to;
};

static enum status run(struct kv_txn *txn, void *owner)
{
    const struct upgrade *upgrade = owner;

    return format_run(txn, steps, upgrade->from, upgrade->to);
}

static void test_format__goes_step_by_step(void **state)
{
    struct fixture *f = *state;
    struct upgrade upgrade = {1, 3};
    const struct key key = key_of_name("b");
    struct kv_value value;
    struct kv_txn txn;
    bool has_dropped = false;

    fixture_open(f);
    story[0] = '\0';
    upgrade.to = 4; /* its last step fails, and all of it is undone */
    assert_int_equal(kv_update(f->store->kv, run, &upgrade), STATUS_CORRUPT);
    assert_string_equal(story, "1-2 2-3 3-4 ");
    assert_int_equal(kv_begin(f->store->kv, &txn), STATUS_OK);
    assert_int_equal(kv_get(&txn, KV_COUNTERS, &key, &value), STATUS_NOT_FOUND);
    kv_end(&txn);

    story[0] = '\0';
    upgrade = (struct upgrade){3, 4};
    assert_int_equal(kv_update(f->store->kv, run, &upgrade), STATUS_OK);
    assert_string_equal(story, "3-4 ");
    fixture_close(f);
    assert_int_equal(format_of(f, &has_dropped), 4);
    assert_int_equal(fixture_open_as(f, TINY_MAP_BYTES, NULL),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(f->why, "has format 4, written by release "));
    assert_non_null(strstr(f->why, "reads formats up to 3. Use release "));
    assert_int_equal(format_of(f, &has_dropped), 4); /* as it was */
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_format__an_old_store_is_brought_up),
        TEST(test_format__an_upgrade_is_whole_or_not_there),
        TEST(test_format__a_reader_does_not_upgrade),
        TEST(test_format__goes_step_by_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
