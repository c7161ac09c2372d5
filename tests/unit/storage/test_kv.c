#include "storage/kv.h"

#include "storage/format.h"
#include "tests/unit/storage/fixture.h"

#include <errno.h>
#include <sys/wait.h>

enum { START_BYTES = 64 << 10, READERS_MAX = 126 };

struct world {
    struct fixture *f;
    struct kv *kv;
};

static struct world world;

static enum status open_kv(void)
{
    return kv_open(&(struct kv_options){.dir = world.f->dir,
                                        .map_bytes = START_BYTES,
                                        .why = world.f->why,
                                        .why_size = sizeof(world.f->why)},
                   &world.kv);
}

static void close_kv(void)
{
    kv_close(world.kv);
    world.kv = NULL;
}

static int setup(void **state)
{
    fixture_setup(state);
    world = (struct world){.f = *state};
    assert_int_equal(open_kv(), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    close_kv();
    return fixture_teardown(state);
}

/* An update of `count` records of `size` bytes under (job, 1 ..). */
struct work {
    enum kv_db db;
    uint64_t job;
    uint64_t count;
    size_t size;
    enum status wanted; /* what the update ends with */
    int runs;
};

static enum status put_all(struct kv_txn *txn, void *owner)
{
    struct work *work = owner;
    enum status status = STATUS_OK;

    work->runs++;
    for (uint64_t i = 1; i <= work->count && status == STATUS_OK; i++) {
        const struct key key = key_of_pair(work->job, i);

        fill(fixture_bytes, work->size, (uint32_t)i);
        status = kv_put(txn, work->db, &key, fixture_bytes, work->size);
    }
    return status == STATUS_OK ? work->wanted : status;
}

static enum status put(enum kv_db db, uint64_t job, uint64_t count, size_t size)
{
    struct work work = {.db = db, .job = job, .count = count, .size = size};

    return kv_update(world.kv, put_all, &work);
}

static enum status get(enum kv_db db,
                       uint64_t job,
                       uint64_t i,
                       size_t *out_size)
{
    const struct key key = key_of_pair(job, i);
    struct kv_txn txn;
    struct kv_value value;
    enum status status = kv_begin(world.kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = kv_get(&txn, db, &key, &value);
    if (status == STATUS_OK) {
        *out_size = value.size;
        fill(fixture_bytes, value.size, (uint32_t)i);
        assert_memory_equal(value.bytes, fixture_bytes, value.size);
    }
    kv_end(&txn);
    return status;
}

static void test_kv__gives_back_what_was_put(void **state)
{
    size_t size = 0;

    (void)state;
    for (int db = KV_COUNTERS; db < KV_DBS_COUNT; db++) {
        assert_int_equal(put((enum kv_db)db, 3, 2, 100), STATUS_OK);
        assert_int_equal(get((enum kv_db)db, 3, 1, &size), STATUS_OK);
        assert_int_equal(size, 100);
        assert_int_equal(get((enum kv_db)db, 3, 3, &size), STATUS_NOT_FOUND);
    }
    close_kv();
    assert_int_equal(open_kv(), STATUS_OK);
    assert_int_equal(get(KV_STATS, 3, 2, &size), STATUS_OK);
}

static void test_kv__holds_empty_records(void **state)
{
    size_t size = 1;

    (void)state;
    assert_int_equal(put(KV_JOURNAL, 1, 1, 0), STATUS_OK);
    assert_int_equal(put(KV_CHUNKS, 1, 1, 0), STATUS_OK);
    assert_int_equal(get(KV_JOURNAL, 1, 1, &size), STATUS_OK);
    assert_int_equal(size, 0);
    assert_int_equal(get(KV_CHUNKS, 1, 1, &size), STATUS_OK);
    assert_int_equal(size, 0);
}

static void test_kv__undoes_an_update_that_ends_with_a_status(void **state)
{
    struct work work = {.db = KV_STATS,
                        .job = 1,
                        .count = 5,
                        .size = 10,
                        .wanted = STATUS_CONFLICT};
    size_t size = 0;

    (void)state;
    assert_int_equal(kv_update(world.kv, put_all, &work), STATUS_CONFLICT);
    assert_int_equal(work.runs, 1);
    assert_int_equal(get(KV_STATS, 1, 1, &size), STATUS_NOT_FOUND);
}

static enum status delete_second(struct kv_txn *txn, void *owner)
{
    const struct key key = key_of_pair(1, 2);

    (void)owner;
    return kv_delete(txn, KV_STATS, &key);
}

static void test_kv__deletes(void **state)
{
    size_t size = 0;

    (void)state;
    assert_int_equal(put(KV_STATS, 1, 3, 10), STATUS_OK);
    assert_int_equal(kv_update(world.kv, delete_second, NULL), STATUS_OK);
    assert_int_equal(get(KV_STATS, 1, 2, &size), STATUS_NOT_FOUND);
    assert_int_equal(get(KV_STATS, 1, 3, &size), STATUS_OK);
    assert_int_equal(kv_update(world.kv, delete_second, NULL),
                     STATUS_NOT_FOUND);
}

struct seen {
    uint64_t numbers[16];
    size_t count;
    size_t limit;
};

static bool see(void *owner, const struct kv_item *item)
{
    struct seen *seen = owner;

    assert_false(item->damaged);
    seen->numbers[seen->count++] = key_number(&item->key, 0) * 100 +
                                   key_number(&item->key, KEY_NUMBER_BYTES);
    return seen->count != seen->limit;
}

static void assert_scan(const struct kv_range *range,
                        size_t limit,
                        const char *wanted)
{
    struct seen seen = {.limit = limit};
    char text[256] = "";
    struct kv_txn txn;

    assert_int_equal(kv_begin(world.kv, &txn), STATUS_OK);
    assert_int_equal(kv_scan(&txn, range, see, &seen), STATUS_OK);
    kv_end(&txn);
    for (size_t i = 0; i < seen.count; i++) {
        size_t used = strlen(text);

        snprintf(text + used, sizeof(text) - used, "%llu ",
                 (unsigned long long)seen.numbers[i]);
    }
    assert_string_equal(text, wanted);
}

static void test_kv__scans_a_range_both_ways(void **state)
{
    struct kv_range range = {.db = KV_STATS, .prefix_size = 8};

    (void)state;
    assert_int_equal(put(KV_STATS, 1, 3, 10), STATUS_OK);
    assert_int_equal(put(KV_STATS, 2, 3, 10), STATUS_OK);
    assert_int_equal(put(KV_STATS, 4, 1, 10), STATUS_OK);

    range.from = key_of_pair(2, 0);
    assert_scan(&range, 0, "201 202 203 ");
    range.from = key_of_pair(2, 2);
    assert_scan(&range, 0, "202 203 ");
    assert_scan(&range, 1, "202 ");
    range.from = key_of_pair(3, 0); /* a job without records */
    assert_scan(&range, 0, "");
    range.from = key_of_pair(9, 0); /* behind all */
    assert_scan(&range, 0, "");

    range.down = true;
    range.from = key_of_pair(2, UINT64_MAX);
    assert_scan(&range, 0, "203 202 201 ");
    range.from = key_of_pair(2, 2);
    assert_scan(&range, 0, "202 201 ");
    range.from = key_of_pair(4, UINT64_MAX); /* behind all, the last job's */
    assert_scan(&range, 0, "401 ");
    range.from = key_of_pair(3, UINT64_MAX);
    assert_scan(&range, 0, "");
    range.from = key_of_pair(0, UINT64_MAX); /* before all */
    assert_scan(&range, 0, "");
    range.from = key_of_pair(9, 0);
    range.prefix_size = 0;
    assert_scan(&range, 2, "401 203 ");
}

static void test_kv__scans_nothing_in_an_empty_database(void **state)
{
    struct kv_range range = {.db = KV_STATS, .from = key_of_pair(1, 1)};

    (void)state;
    assert_scan(&range, 0, "");
    range.down = true;
    assert_scan(&range, 0, "");
}

static void test_kv__grows_the_map_and_runs_the_update_again(void **state)
{
    struct work work = {.db = KV_STATS, .job = 1, .count = 200, .size = 10000};
    struct kv_usage usage;
    struct kv_txn txn;
    size_t size = 0;

    (void)state;
    assert_int_equal(kv_update(world.kv, put_all, &work), STATUS_OK);
    assert_true(work.runs > 3); /* each doubling is one more run */
    assert_int_equal(get(KV_STATS, 1, 200, &size), STATUS_OK);
    assert_int_equal(kv_begin(world.kv, &txn), STATUS_OK);
    assert_int_equal(kv_measure(&txn, &usage), STATUS_OK);
    kv_end(&txn);
    assert_int_equal(usage.entries[KV_STATS], 200);
    assert_true(usage.map_bytes >= 200 * 10000);
    assert_true(usage.used_bytes >= 200 * 10000);
    assert_true(usage.used_bytes <= usage.map_bytes);
}

static void test_kv__opens_with_room_for_what_is_there(void **state)
{
    struct work work = {.db = KV_STATS, .job = 2, .count = 1, .size = 5000};

    (void)state;
    assert_int_equal(put(KV_STATS, 1, 200, 10000), STATUS_OK);
    close_kv();
    assert_int_equal(open_kv(), STATUS_OK);
    assert_int_equal(kv_update(world.kv, put_all, &work), STATUS_OK);
    assert_int_equal(work.runs, 1);
}

/* The pages that an update frees are no longer used, and are used again. */
static void test_kv__counts_free_pages_as_free(void **state)
{
    struct kv_usage before;
    struct kv_usage after;
    struct kv_txn txn;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(put(KV_STATS, 1, 1, 500000), STATUS_OK);
    }
    assert_int_equal(kv_begin(world.kv, &txn), STATUS_OK);
    assert_int_equal(kv_measure(&txn, &before), STATUS_OK);
    kv_end(&txn);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(put(KV_STATS, 1, 1, 500000), STATUS_OK);
    }
    assert_int_equal(kv_begin(world.kv, &txn), STATUS_OK);
    assert_int_equal(kv_measure(&txn, &after), STATUS_OK);
    kv_end(&txn);
    assert_int_equal(before.map_bytes, after.map_bytes);
    assert_true(after.used_bytes < 700000);
}

static int grow_in_child(void)
{
    struct work work = {.db = KV_STATS, .job = 7, .count = 100, .size = 10000};
    struct kv *kv = NULL;
    enum status status = STATUS_OK;

    status = kv_open(&(struct kv_options){.dir = world.f->dir,
                                          .map_bytes = START_BYTES,
                                          .why = world.f->why,
                                          .why_size = sizeof(world.f->why)},
                     &kv);
    if (status == STATUS_OK) {
        status = kv_update(kv, put_all, &work);
    }
    kv_close(kv);
    return (int)status;
}

static void test_kv__follows_a_map_that_another_process_has_grown(void **state)
{
    size_t size = 0;
    int status = -1;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        _exit(grow_in_child());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    assert_int_equal(get(KV_STATS, 7, 100, &size), STATUS_OK);
    assert_int_equal(put(KV_STATS, 8, 200, 10000), STATUS_OK);
    assert_int_equal(get(KV_STATS, 8, 200, &size), STATUS_OK);
}

static void test_kv__is_busy_when_all_reader_slots_are_taken(void **state)
{
    struct kv_txn txns[READERS_MAX];
    struct kv_txn one_more;
    size_t size = 0;

    (void)state;
    for (int i = 0; i < READERS_MAX; i++) {
        assert_int_equal(kv_begin(world.kv, &txns[i]), STATUS_OK);
    }
    assert_int_equal(kv_begin(world.kv, &one_more), STATUS_BUSY);
    for (int i = 0; i < READERS_MAX; i++) {
        kv_end(&txns[i]);
    }
    assert_int_equal(get(KV_STATS, 1, 1, &size), STATUS_NOT_FOUND);
}

static void test_kv__a_reader_sees_its_own_moment(void **state)
{
    const struct key key = key_of_pair(1, 1);
    struct kv_txn txn;
    struct kv_value value;

    (void)state;
    /* Growing waits for readers, so first make room. */
    assert_int_equal(put(KV_STATS, 9, 1, 100000), STATUS_OK);
    assert_int_equal(kv_begin(world.kv, &txn), STATUS_OK);
    assert_int_equal(put(KV_STATS, 1, 1, 10), STATUS_OK);
    assert_int_equal(kv_get(&txn, KV_STATS, &key, &value), STATUS_NOT_FOUND);
    kv_end(&txn);
    assert_int_equal(kv_begin(world.kv, &txn), STATUS_OK);
    assert_int_equal(kv_get(&txn, KV_STATS, &key, &value), STATUS_OK);
    kv_end(&txn);
}

/* The format record as another release would have written it. */
static enum status put_format(struct kv_txn *txn, void *owner)
{
    const struct key key = key_of_name("format");

    return kv_put(txn, KV_META, &key, owner, 4);
}

static void assert_format_refused(unsigned char number, const char *wanted)
{
    unsigned char bytes[4] = {number, 0, 0, 0};

    assert_int_equal(kv_update(world.kv, put_format, bytes), STATUS_OK);
    close_kv();
    assert_int_equal(open_kv(), STATUS_UNSUPPORTED);
    assert_non_null(strstr(world.f->why, wanted));
    assert_null(world.kv);
}

static void test_kv__refuses_a_newer_format_by_both_numbers(void **state)
{
    (void)state;
    assert_int_equal(FORMAT_NUMBER, 3);
    assert_format_refused(9, "has format 9, written by release");
}

static void test_kv__refuses_a_file_without_a_format(void **state)
{
    (void)state;
    assert_format_refused(0, "not a store of Cajal");
}

static void write_file(const char *name, size_t size)
{
    char path[128];
    int fd = -1;

    fixture_path(world.f, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    fill(fixture_bytes, size, 1);
    assert_int_equal(write(fd, fixture_bytes, size), size);
    close(fd);
}

static void test_kv__refuses_a_file_that_is_not_lmdb(void **state)
{
    (void)state;
    close_kv();
    write_file("data.mdb", 40000);
    assert_int_equal(open_kv(), STATUS_CORRUPT);
    assert_non_null(strstr(world.f->why, "damaged"));
    write_file("data.mdb", 100);
    assert_int_equal(open_kv(), STATUS_CORRUPT);
}

static void test_kv__begins_anew_where_the_file_was_half_made(void **state)
{
    char path[128];
    size_t size = 0;

    (void)state;
    close_kv();
    fixture_path(world.f, "data.mdb", path);
    for (off_t bytes = 8191; bytes >= 0; bytes -= 63) {
        assert_int_equal(truncate(path, bytes), 0);
        assert_int_equal(open_kv(), STATUS_OK);
        assert_int_equal(get(KV_STATS, 1, 1, &size), STATUS_NOT_FOUND);
        close_kv();
    }
}

/* Whatever is missing, the process lives and a status says it. */
static void test_kv__survives_a_file_that_was_cut_short(void **state)
{
    char path[128];
    struct stat file;
    size_t size = 0;
    int corrupt = 0;

    (void)state;
    assert_int_equal(put(KV_STATS, 1, 100, 3000), STATUS_OK);
    fixture_path(world.f, "data.mdb", path);
    assert_int_equal(stat(path, &file), 0);
    for (off_t cut = file.st_size - 4096; cut >= 8192; cut -= 8192) {
        enum status status = STATUS_OK;

        close_kv();
        assert_int_equal(truncate(path, cut), 0);
        status = open_kv();
        if (status == STATUS_OK) {
            for (uint64_t i = 1; i <= 100; i++) {
                status = get(KV_STATS, 1, i, &size);
                corrupt += status == STATUS_CORRUPT;
            }
        } else {
            corrupt++;
        }
    }
    assert_true(corrupt > 0);
}

static void test_kv__finds_a_flipped_bit_in_a_record(void **state)
{
    size_t size = 0;

    (void)state;
    assert_int_equal(put(KV_STATS, 1, 3, 300), STATUS_OK);
    close_kv();
    fill(fixture_bytes, 300, 2);
    assert_true(damage(world.f, fixture_bytes, 300, 77) > 0);
    assert_int_equal(open_kv(), STATUS_OK);
    assert_int_equal(get(KV_STATS, 1, 1, &size), STATUS_OK);
    assert_int_equal(get(KV_STATS, 1, 2, &size), STATUS_CORRUPT);
    assert_int_equal(get(KV_STATS, 1, 3, &size), STATUS_OK);
}

static void test_kv__names_the_status_of_each_error(void **state)
{
    static const struct {
        int code;
        enum status status;
    } cases[] = {{ENOSPC, STATUS_FULL}, {EDQUOT, STATUS_FULL},
                 {EFBIG, STATUS_FULL},  {ENOMEM, STATUS_NO_MEMORY},
                 {EIO, STATUS_IO},      {EACCES, STATUS_IO}};
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fault_at(1, cases[i].code);
        assert_int_equal(put(KV_STATS, 1, 1, 10), cases[i].status);
        fault_at(1, cases[i].code);
        assert_int_equal(get(KV_STATS, 1, 1, &size), cases[i].status);
    }
    assert_int_equal(put(KV_STATS, 1, 1, 10), STATUS_OK);
}

static void test_kv__opens_after_any_failure_to_open(void **state)
{
    uint64_t n = 0;
    enum status status = STATUS_IO;

    (void)state;
    for (n = 1; status != STATUS_OK; n++) {
        close_kv();
        fault_at(n, EIO);
        status = open_kv();
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_IO);
            assert_true(strlen(world.f->why) > 0);
        }
    }
    assert_true(n > 10);
    fault_at(0, 0);
    close_kv();
    mem_fail_at(1);
    assert_int_equal(open_kv(), STATUS_NO_MEMORY);
    mem_fail_at(0);
    assert_int_equal(open_kv(), STATUS_OK);
}

/* Where the larger map cannot be had, the smaller one still serves. */
static void test_kv__stays_usable_where_the_map_cannot_grow(void **state)
{
    size_t size = 0;
    uint64_t n = 0;
    enum status status = STATUS_IO;

    (void)state;
    assert_int_equal(put(KV_STATS, 1, 1, 10), STATUS_OK);
    for (n = 1; status != STATUS_OK; n++) {
        fault_at(n, ENOMEM);
        status = put(KV_STATS, 2, 5, 100000);
        fault_at(0, 0);
        assert_int_equal(get(KV_STATS, 1, 1, &size), STATUS_OK);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(get(KV_STATS, 2, 1, &size), STATUS_NOT_FOUND);
        }
    }
    assert_true(n > 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_kv__gives_back_what_was_put),
        TEST(test_kv__holds_empty_records),
        TEST(test_kv__undoes_an_update_that_ends_with_a_status),
        TEST(test_kv__deletes),
        TEST(test_kv__scans_a_range_both_ways),
        TEST(test_kv__scans_nothing_in_an_empty_database),
        TEST(test_kv__grows_the_map_and_runs_the_update_again),
        TEST(test_kv__opens_with_room_for_what_is_there),
        TEST(test_kv__counts_free_pages_as_free),
        TEST(test_kv__follows_a_map_that_another_process_has_grown),
        TEST(test_kv__is_busy_when_all_reader_slots_are_taken),
        TEST(test_kv__a_reader_sees_its_own_moment),
        TEST(test_kv__refuses_a_newer_format_by_both_numbers),
        TEST(test_kv__refuses_a_file_without_a_format),
        TEST(test_kv__refuses_a_file_that_is_not_lmdb),
        TEST(test_kv__begins_anew_where_the_file_was_half_made),
        TEST(test_kv__survives_a_file_that_was_cut_short),
        TEST(test_kv__finds_a_flipped_bit_in_a_record),
        TEST(test_kv__names_the_status_of_each_error),
        TEST(test_kv__opens_after_any_failure_to_open),
        TEST(test_kv__stays_usable_where_the_map_cannot_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
