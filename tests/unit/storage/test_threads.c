/* test_threads.c - one thread writes, another reads, and the map grows. */
#include "storage/store.h"

#include "base/jobs.h"
#include "tests/unit/storage/fixture.h"

#include <stdatomic.h>

enum { COMMITS = 150 };

struct world {
    struct fixture *f;
    atomic_bool stop;
    atomic_uint rounds;
    unsigned errors; /* the reader's; read after it has ended */
};

struct count {
    uint64_t records;
};

static bool count_record(void *owner,
                         uint64_t n,
                         const void *bytes,
                         size_t size)
{
    struct count *count = owner;

    (void)bytes;
    count->records += n == count->records + 1 && size > 0;
    return true;
}

/* In a batch the version comes with two records of the journal: whoever sees
 * the version first must see at least so many. */
static void read_once(struct world *w)
{
    struct store *store = w->f->store;
    static unsigned char out[CHUNK_BYTES_MAX];
    struct count count = {.records = 0};
    unsigned char *manifest = NULL;
    uint64_t last = 0;
    size_t size = 0;
    struct hash hash;

    w->errors += store_last_version(store, 1, &last) != STATUS_OK;
    w->errors += store_scan_log(store, LOG_JOURNAL, 1, 1, count_record,
                                &count) != STATUS_OK;
    w->errors += count.records < 2 * last || count.records % 2 != 0;
    if (last == 0) {
        return;
    }
    if (store_get_version(store, 1, last, &manifest, &size) != STATUS_OK) {
        w->errors++;
        return;
    }
    memcpy(hash.b, manifest, HASH_BYTES);
    mem_free(manifest);
    w->errors += store_get_chunk(store, &hash, out, &size) != STATUS_OK;
}

static void read_for_ever(void *owner)
{
    struct world *w = owner;

    while (!atomic_load(&w->stop)) {
        read_once(w);
        atomic_fetch_add(&w->rounds, 1);
    }
}

static void commit(struct fixture *f, uint64_t i)
{
    struct hash hash = put_chunk(f, (uint32_t)i, 50000);
    struct batch *batch = make_batch();

    add_text(batch, LOG_JOURNAL, 1, "begin");
    assert_int_equal(
        batch_put_version(batch, 1, i, &hash, HASH_BYTES, "s", 1, &hash, 1),
        STATUS_OK);
    add_text(batch, LOG_JOURNAL, 1, "end");
    assert_int_equal(apply(f, batch), STATUS_OK);
}

static void test_threads__reads_are_whole_while_the_map_grows(void **state)
{
    struct world w = {.f = *state};
    struct thread *thread = NULL;
    struct store_usage usage;

    assert_int_equal(thread_open(read_for_ever, &w, &thread), STATUS_OK);
    for (uint64_t i = 1; i <= COMMITS; i++) {
        commit(w.f, i);
    }
    while (atomic_load(&w.rounds) < 2) {
    }
    atomic_store(&w.stop, true);
    thread_join(thread);

    assert_int_equal(w.errors, 0);
    assert_int_equal(store_usage(w.f->store, &usage), STATUS_OK);
    assert_true(usage.map_bytes > 32 * TINY_MAP_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_threads__reads_are_whole_while_the_map_grows,
            fixture_setup_open, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
