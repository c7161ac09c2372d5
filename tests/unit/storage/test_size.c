/* test_size.c - how much larger than its tensors a store is.
 *
 * The short form: CAJAL_SIZE_VERSIONS=1000 is the long one. */
#include "storage/store.h"

#include "tests/unit/storage/fixture.h"

enum { SHARDS = 13, SHARD_CHUNKS = 2, MANIFEST_BYTES = 40000 };

/* What a shard has beside its weights: bias, figures, progress. */
static const size_t small_bytes[] = {2000, 40000, 56};
enum { SMALL_COUNT = 3 };

struct growth {
    uint32_t seed;
    uint64_t unique_bytes;
    struct hash hashes[SHARDS][SHARD_CHUNKS + SMALL_COUNT];
};

static struct hash put_new(struct fixture *f, struct growth *g, size_t size)
{
    g->unique_bytes += size;
    return put_chunk(f, g->seed++, size);
}

/* Lists of consecutive ids, as a manifest is for the most part, and hashes. */
static void make_manifest(unsigned char *out, const struct growth *g)
{
    for (size_t i = 0; i < MANIFEST_BYTES; i++) {
        out[i] = (unsigned char)(i % 8 == 0 ? i / 8 : i % 8);
    }
    memcpy(out + 8, g->hashes, sizeof(g->hashes));
}

static void commit(struct fixture *f, struct growth *g, uint64_t version)
{
    static unsigned char manifest[MANIFEST_BYTES];
    struct batch *batch = make_batch();

    for (uint32_t s = 0; s < SHARDS; s++) {
        bool changes = version == 1 || version % SHARDS == s;

        for (uint32_t c = 0; changes && c < SHARD_CHUNKS; c++) {
            g->hashes[s][c] = put_new(f, g, CHUNK_BYTES_MAX);
        }
        for (uint32_t t = 0; t < SMALL_COUNT; t++) {
            if (changes || t == SMALL_COUNT - 1) {
                g->hashes[s][SHARD_CHUNKS + t] = put_new(f, g, small_bytes[t]);
            }
        }
    }
    make_manifest(manifest, g);
    assert_int_equal(batch_put_version(batch, 1, version, manifest,
                                       sizeof(manifest), manifest, 300,
                                       g->hashes[0],
                                       SHARDS * (SHARD_CHUNKS + SMALL_COUNT)),
                     STATUS_OK);
    add_ref(batch, 1, "head", version);
    assert_int_equal(apply(f, batch), STATUS_OK);
}

static void test_size__stays_within_a_twentieth_of_the_unique_bytes(
    void **state)
{
    static struct growth g;
    struct fixture *f = *state;
    const char *text = getenv("CAJAL_SIZE_VERSIONS");
    uint64_t versions = text != NULL ? strtoull(text, NULL, 10) : 60;
    struct store_usage usage;

    g.seed = 1;
    for (uint64_t v = 1; v <= versions; v++) {
        commit(f, &g, v);
    }
    assert_int_equal(store_usage(f->store, &usage), STATUS_OK);
    assert_int_equal(usage.chunk_bytes, g.unique_bytes);
    printf("%llu versions: %.1f MB unique, in use %.4f, on disk %.4f of it\n",
           (unsigned long long)versions, (double)g.unique_bytes / 1e6,
           (double)usage.used_bytes / (double)g.unique_bytes,
           (double)usage.file_bytes / (double)g.unique_bytes);
    assert_true((double)usage.used_bytes < 1.05 * (double)g.unique_bytes);
    assert_true((double)usage.file_bytes < 1.05 * (double)g.unique_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_size__stays_within_a_twentieth_of_the_unique_bytes,
            fixture_setup_open, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
