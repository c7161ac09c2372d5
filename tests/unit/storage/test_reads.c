/* test_reads.c - readers beside a writer that sweeps, mirrors, and loses its
 * header: what `make tsan` looks at. */
#include "storage/sweep.h"

#include "base/jobs.h"
#include "storage/kv_inside.h"
#include "tests/unit/storage/named.h"

#include <errno.h>
#include <stdatomic.h>

enum { ROUNDS = 10, KEPT = 3, READERS = 2 };

struct world {
    struct fixture *f;
    atomic_uint newest; /* version that is on the disk */
    atomic_bool stop;
    atomic_uint rounds;
    atomic_uint errors;
};

static bool count_record(void *owner,
                         uint64_t key,
                         const void *bytes,
                         size_t size)
{
    uint64_t *count = owner;

    (void)key;
    *count += bytes != NULL && size > 0;
    return true;
}

/* The newest version and the chunk that all share are there at any moment. */
static void read_once(struct world *w)
{
    static _Thread_local unsigned char out[CHUNK_BYTES_MAX];
    struct store *store = w->f->store;
    uint64_t newest = atomic_load(&w->newest);
    uint64_t last = 0;
    uint64_t count = 0;
    size_t size = 0;
    struct hash shared;

    if (newest == 0) {
        return;
    }
    fill(out, 3000, 0);
    hash_bytes(out, 3000, &shared);
    if (store_last_version(store, NAMED_JOB, &last) != STATUS_OK ||
        last < newest) {
        atomic_fetch_add(&w->errors, 1);
    }
    if (store_get_chunk(store, &shared, out, &size) != STATUS_OK ||
        size != 3000) {
        atomic_fetch_add(&w->errors, 1);
    }
    if (store_scan_versions(store, NAMED_JOB, 0, false, count_record, &count) !=
            STATUS_OK ||
        count == 0) {
        atomic_fetch_add(&w->errors, 1);
    }
}

static void read_for_ever(void *owner)
{
    struct world *w = owner;

    while (!atomic_load(&w->stop)) {
        read_once(w);
        atomic_fetch_add(&w->rounds, 1);
    }
}

static void drop_older(struct fixture *f, uint64_t newest)
{
    uint64_t dropped = 0;
    uint64_t number = newest > KEPT ? newest - KEPT : 0;

    if (number > 0) {
        assert_int_equal(store_drop_versions(f->store, NAMED_JOB, &number, 1,
                                             1234, &dropped),
                         STATUS_OK);
    }
}

/* As the coordinator does it: marks on a thread that reads, while versions are
 * committed; the rest on the thread that writes. */
struct marking {
    struct sweep *sweep;
    enum status status;
};

static void mark_on_thread(void *owner)
{
    struct marking *marking = owner;
    bool done = false;

    while (!done && marking->status == STATUS_OK) {
        marking->status = sweep_mark(marking->sweep, &done);
    }
}

static void commit(struct world *w, uint64_t number)
{
    struct fixture *f = w->f;

    commit_named(f, number, put_chunk(f, 0, 3000),
                 put_chunk(f, (uint32_t)number, 65536));
    atomic_store(&w->newest, (unsigned)number);
}

static void sweep_beside(struct world *w, uint64_t number)
{
    struct marking marking = {.status = STATUS_OK};
    struct thread *thread = NULL;

    drop_older(w->f, number);
    settle(w->f);
    assert_int_equal(sweep_open(w->f->store, NULL, NULL, &marking.sweep),
                     STATUS_OK);
    assert_int_equal(thread_open(mark_on_thread, &marking, &thread), STATUS_OK);
    commit(w, number + 1);
    thread_join(thread);
    assert_int_equal(marking.status, STATUS_OK);
    (void)finish_sweep(marking.sweep);
}

static void go(struct fixture *f, bool reopens)
{
    struct world w = {.f = f};
    struct thread *threads[READERS] = {NULL};

    for (int i = 0; i < READERS; i++) {
        assert_int_equal(thread_open(read_for_ever, &w, &threads[i]),
                         STATUS_OK);
    }
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        commit(&w, 2 * n - 1);
        sweep_beside(&w, 2 * n - 1);
        if (reopens) { /* as after a header that could not be written */
            assert_int_equal(kv_reopen(f->store->kv), STATUS_OK);
        }
    }
    while (atomic_load(&w.rounds) < 2 * READERS) {
    }
    atomic_store(&w.stop, true);
    for (int i = 0; i < READERS; i++) {
        thread_join(threads[i]);
    }
    assert_int_equal(atomic_load(&w.errors), 0);
}

static void test_reads__are_whole_beside_sweeps(void **state)
{
    go(*state, false);
    assert_true(has_chunk(*state, hash_of(2 * ROUNDS, 65536)));
}

static void test_reads__are_whole_beside_a_mirror(void **state)
{
    struct fixture *f = *state;
    char path[128];

    fixture_path(f, "job.mirror", path);
    assert_int_equal(
        store_mirror(f->store, NAMED_JOB, path, f->why, sizeof(f->why)),
        STATUS_OK);
    go(f, false);
}

static void test_reads__are_whole_beside_a_reopening(void **state)
{
    go(*state, true);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reads__are_whole_beside_sweeps),
        TEST(test_reads__are_whole_beside_a_mirror),
        TEST(test_reads__are_whole_beside_a_reopening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
