#include "storage/store.h"

#include "tests/unit/storage/fixture.h"

static uint64_t chunks_count(struct fixture *f)
{
    struct store_usage usage;

    assert_int_equal(store_usage(f->store, &usage), STATUS_OK);
    return usage.chunks_count;
}

static void assert_chunk(struct fixture *f, uint32_t seed, size_t size)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct chunk chunk = make_chunk(seed, size);
    size_t out_size = SIZE_MAX;

    assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &out_size),
                     STATUS_OK);
    assert_int_equal(out_size, size);
    assert_memory_equal(out, chunk.bytes, size);
}

static void test_chunks__give_their_bytes_back(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4096, CHUNK_BYTES_MAX};
    struct fixture *f = *state;
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);

    for (uint32_t i = 0; i < count; i++) {
        put_chunk(f, i, sizes[i]);
    }
    fixture_close(f);
    fixture_open(f);
    for (uint32_t i = 0; i < count; i++) {
        assert_chunk(f, i, sizes[i]);
    }
}

static void test_chunks__of_the_same_bytes_are_stored_once(void **state)
{
    struct fixture *f = *state;
    struct chunk chunk = make_chunk(1, 50000);
    struct chunk twice[2] = {chunk, chunk};
    struct store_usage before;
    struct store_usage after;

    assert_int_equal(store_put_chunks(f->store, twice, 2), STATUS_OK);
    assert_int_equal(store_usage(f->store, &before), STATUS_OK);
    assert_int_equal(before.chunks_count, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(store_put_chunks(f->store, twice, 2), STATUS_OK);
    }
    assert_int_equal(store_usage(f->store, &after), STATUS_OK);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void test_chunks__that_are_not_their_hash_keep_out_the_rest(void **state)
{
    static unsigned char good_bytes[100];
    struct fixture *f = *state;
    struct chunk chunks[2] = {make_chunk(1, 100), make_chunk(2, 100)};

    fill(good_bytes, 100, 1);
    chunks[0].bytes = good_bytes;
    fixture_bytes[50] ^= 1;
    assert_int_equal(store_put_chunks(f->store, chunks, 2), STATUS_CORRUPT);
    assert_int_equal(chunks_count(f), 0);
    fixture_bytes[50] ^= 1;
    assert_int_equal(store_put_chunks(f->store, chunks, 2), STATUS_OK);
    assert_int_equal(chunks_count(f), 2);
}

static void test_chunks__have_a_largest_size(void **state)
{
    struct fixture *f = *state;
    struct chunk chunk = make_chunk(1, CHUNK_BYTES_MAX);

    chunk.size++;
    assert_int_equal(store_put_chunks(f->store, &chunk, 1), STATUS_INVALID);
}

static void test_chunks__that_are_not_there_are_not_found(void **state)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct fixture *f = *state;
    struct chunk chunk = make_chunk(1, 100);
    size_t size = 7;

    assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &size),
                     STATUS_NOT_FOUND);
    assert_int_equal(size, 7);
    assert_int_equal(store_put_chunks(f->store, NULL, 0), STATUS_OK);
}

static void test_chunks__that_rot_are_found_and_healed(void **state)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    struct fixture *f = *state;
    struct chunk chunk = make_chunk(1, 30000);
    size_t size = 0;

    put_chunk(f, 1, 30000);
    put_chunk(f, 2, 30000);
    fixture_close(f);
    chunk = make_chunk(1, 30000);
    assert_true(damage(f, chunk.bytes, 1000, 999) > 0);
    fixture_open(f);

    assert_int_equal(store_get_chunk(f->store, &chunk.hash, out, &size),
                     STATUS_CORRUPT);
    assert_int_equal(size, 0);
    assert_chunk(f, 2, 30000);
    put_chunk(f, 1, 30000); /* a later version has the same bytes */
    assert_chunk(f, 1, 30000);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_chunks__give_their_bytes_back),
        TEST(test_chunks__of_the_same_bytes_are_stored_once),
        TEST(test_chunks__that_are_not_their_hash_keep_out_the_rest),
        TEST(test_chunks__have_a_largest_size),
        TEST(test_chunks__that_are_not_there_are_not_found),
        TEST(test_chunks__that_rot_are_found_and_healed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
