/* test_tails.c - chunks in two parts are as one. */
#include "storage/tails.h"

#include "tests/unit/storage/named.h"

static const size_t sizes[] = {
    0,    1,    1900, 4079, 4080,  4081,  4096,   5980,    5981,
    8175, 8176, 8177, 8192, 65536, 37632, 200704, 1048560, CHUNK_BYTES_MAX};
enum { SIZES_COUNT = sizeof(sizes) / sizeof(sizes[0]) };

static void test_tails__leave_full_pages_behind(void **state)
{
    (void)state;
    assert_int_equal(tails_cut(4080), 4080);
    assert_int_equal(tails_cut(4081), 4080);
    assert_int_equal(tails_cut(4080 + TAIL_BYTES_MAX), 4080);
    assert_int_equal(tails_cut(4081 + TAIL_BYTES_MAX), 4081 + TAIL_BYTES_MAX);
    assert_int_equal(tails_cut(100), 100);
    assert_int_equal(tails_cut(65536), 65520);
    assert_int_equal(tails_cut(CHUNK_BYTES_MAX), CHUNK_BYTES_MAX - 16);
}

static void test_tails__give_all_bytes_back(void **state)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct fixture *f = *state;
    struct store_usage usage;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SIZES_COUNT; i++) {
        put_chunk(f, i, sizes[i]);
        put_chunk(f, i, sizes[i]); /* is there already */
        sum += sizes[i];
    }
    for (uint32_t i = 0; i < SIZES_COUNT; i++) {
        struct chunk chunk = make_chunk(i, sizes[i]);
        size_t size = 1;

        assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &size),
                         STATUS_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(out, chunk.bytes, size);
    }
    assert_int_equal(store_usage(f->store, &usage), STATUS_OK);
    assert_int_equal(usage.chunks_count, SIZES_COUNT);
    assert_int_equal(usage.chunk_bytes, sum);
}

/* As formats before 3 have it, also where it ends with a page. */
static enum status put_whole(struct kv_txn *txn, void *owner)
{
    const struct chunk *chunk = owner;
    const struct key key = key_of_hash(&chunk->hash);

    return kv_put(txn, KV_CHUNKS, &key, chunk->bytes, chunk->size);
}

static void test_tails__are_not_missed_in_older_chunks(void **state)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct fixture *f = *state;

    for (uint32_t i = 0; i < SIZES_COUNT; i++) {
        struct chunk chunk = make_chunk(i, sizes[i]);
        size_t size = 1;

        assert_int_equal(kv_update(f->store->kv, put_whole, &chunk), STATUS_OK);
        assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &size),
                         STATUS_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(out, chunk.bytes, size);
        put_chunk(f, i, sizes[i]);
    }
}

static void test_tails__of_a_damaged_chunk_are_healed(void **state)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct fixture *f = *state;
    struct chunk chunk = make_chunk(1, 65536);
    size_t size = 0;

    put_chunk(f, 1, 65536);
    fixture_close(f);
    fill(fixture_bytes, 65536, 1);
    assert_int_equal(damage(f, fixture_bytes + 65520, 16, 3), 1);
    fixture_open(f);
    assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &size),
                     STATUS_CORRUPT);
    put_chunk(f, 1, 65536);
    assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &size),
                     STATUS_OK);
}

struct tails_count {
    uint64_t entries;
};

static enum status count_tails(struct fixture *f, struct tails_count *out)
{
    struct kv_usage usage;
    struct kv_txn txn;
    enum status status = kv_begin(f->store->kv, &txn);

    if (status == STATUS_OK) {
        status = kv_measure(&txn, &usage);
        kv_end(&txn);
        out->entries = usage.entries[KV_TAILS];
    }
    return status;
}

static void test_tails__are_swept_with_their_chunks(void **state)
{
    struct fixture *f = *state;
    struct tails_count tails = {.entries = 9};
    struct hash kept = put_chunk(f, 1, 65536);
    struct sweep_result result;

    put_chunk(f, 2, 65536);
    put_chunk(f, 3, 37632);
    commit_named(f, 1, kept, kept);
    assert_int_equal(count_tails(f, &tails), STATUS_OK);
    assert_int_equal(tails.entries, 3);
    settle(f);
    result = sweep_store(f);
    assert_int_equal(result.chunks, 2);
    assert_int_equal(result.bytes, 65536 + 37632);
    assert_int_equal(count_tails(f, &tails), STATUS_OK);
    assert_int_equal(tails.entries, 1);
    assert_true(has_chunk(f, kept));
}

/* What 64 kB takes: 16 full pages and a little. */
static void test_tails__save_a_page_of_each_power_of_two(void **state)
{
    struct fixture *f = *state;
    struct store_usage usage;

    for (uint32_t i = 0; i < 200; i++) {
        put_chunk(f, i, 65536);
    }
    assert_int_equal(store_usage(f->store, &usage), STATUS_OK);
    assert_true((double)usage.used_bytes < 1.02 * 200 * 65536);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_tails__leave_full_pages_behind),
        TEST(test_tails__give_all_bytes_back),
        TEST(test_tails__are_not_missed_in_older_chunks),
        TEST(test_tails__of_a_damaged_chunk_are_healed),
        TEST(test_tails__are_swept_with_their_chunks),
        TEST(test_tails__save_a_page_of_each_power_of_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
