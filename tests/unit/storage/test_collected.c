/* test_collected.c - kill -9 in a loop of commits, drops, sweeps and backups.
 */
#include "storage/sweep.h"

#include "tests/unit/storage/killed.h"
#include "tests/unit/storage/named.h"

enum { KILLS = 15, KEPT = 4, BACKUPS_EVERY = 7 };

/* Version i names the chunk of seed 0 and its own; all but the newest few go.
 */
static enum status commit(struct fixture *f, uint64_t i)
{
    const struct hash chunks[2] = {put_chunk(f, 0, 3000),
                                   put_chunk(f, (uint32_t)i, 9000)};

    put_chunk(f, 1000000 + (uint32_t)i, 2000); /* nobody's */
    return try_named(f, i, chunks);
}

static void collect(struct fixture *f, uint64_t i)
{
    uint64_t numbers[DROPS_MAX];
    uint64_t dropped = 0;
    size_t count = 0;

    for (uint64_t n = i > 20 ? i - 20 : 1; n + KEPT <= i; n++) {
        numbers[count++] = n;
    }
    assert_int_equal(store_drop_versions(f->store, NAMED_JOB, numbers, count,
                                         1234, &dropped),
                     STATUS_OK);
    settle(f);
    (void)sweep_store(f);
}

static void back_up(struct fixture *f, uint64_t i)
{
    char name[32];
    char path[128];
    uint64_t bytes = 0;

    snprintf(name, sizeof(name), "copy%llu", (unsigned long long)i);
    fixture_path(f, name, path);
    assert_int_equal(
        store_backup(f->store, path, f->why, sizeof(f->why), &bytes),
        STATUS_OK);
}

static void go_on_for_ever(struct fixture *f, int told)
{
    uint64_t i = 0;

    fixture_open(f);
    assert_int_equal(store_last_version(f->store, NAMED_JOB, &i), STATUS_OK);
    for (;;) {
        i++;
        if (commit(f, i) != STATUS_OK || write(told, &i, sizeof(i)) < 0) {
            _exit(1);
        }
        collect(f, i);
        if (i % BACKUPS_EVERY == 0) {
            back_up(f, i);
        }
    }
}

struct numbers {
    size_t count;
    uint64_t list[256];
};

static bool note(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct numbers *numbers = owner;

    (void)bytes;
    (void)size;
    assert_true(numbers->count < 256);
    numbers->list[numbers->count++] = key;
    return true;
}

/* Every version that is there has all that it names; every number below the
 * newest is there, or was dropped. */
static void assert_whole(struct fixture *f, uint64_t acknowledged)
{
    struct numbers numbers = {.count = 0};
    uint64_t last = 0;
    uint64_t head = 0;
    size_t at = 0;

    assert_int_equal(store_last_version(f->store, NAMED_JOB, &last), STATUS_OK);
    assert_true(last >= acknowledged);
    assert_int_equal(store_get_ref(f->store, NAMED_JOB, "head", &head),
                     STATUS_OK);
    assert_int_equal(head, last);
    assert_int_equal(
        store_scan_versions(f->store, NAMED_JOB, 0, false, note, &numbers),
        STATUS_OK);
    assert_true(numbers.count >= 1);
    for (uint64_t n = 1; n <= last; n++) {
        unsigned char *summary = NULL;
        uint64_t wall_ms = 0;
        size_t size = 0;

        if (at < numbers.count && numbers.list[at] == n) {
            assert_true(has_chunk(f, hash_of((uint32_t)n, 9000)));
            at++;
            continue;
        }
        assert_int_equal(store_get_dropped(f->store, NAMED_JOB, n, &wall_ms,
                                           &summary, &size),
                         STATUS_OK);
        mem_free(summary);
    }
    assert_true(has_chunk(f, hash_of(0, 3000)));
}

/* A backup that has its name is whole. */
static unsigned check_backups(struct fixture *f, uint64_t last)
{
    struct store *own = f->store;
    unsigned found = 0;

    for (uint64_t i = BACKUPS_EVERY; i <= last; i += BACKUPS_EVERY) {
        char name[32];
        char path[128];
        struct stat status;

        snprintf(name, sizeof(name), "copy%llu", (unsigned long long)i);
        fixture_path(f, name, path);
        if (stat(path, &status) != 0) {
            continue;
        }
        assert_int_equal(store_open(path, f->why, sizeof(f->why), &f->store),
                         STATUS_OK);
        assert_whole(f, i);
        store_close(f->store);
        found++;
    }
    f->store = own;
    return found;
}

static void test_collected__whatever_is_there_is_whole(void **state)
{
    struct fixture *f = *state;
    uint64_t last = 0;

    for (int n = 0; n < KILLS; n++) {
        uint64_t acknowledged = killed_after(f, go_on_for_ever, 1 + n * 5 % 12);

        fixture_open(f);
        assert_whole(f, acknowledged);
        assert_int_equal(store_last_version(f->store, NAMED_JOB, &last),
                         STATUS_OK);
        settle(f); /* what the dead one left is swept by whoever comes next */
        (void)sweep_store(f);
        assert_whole(f, acknowledged);
        fixture_close(f);
    }
    assert_true(check_backups(f, last) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_collected__whatever_is_there_is_whole, fixture_setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
