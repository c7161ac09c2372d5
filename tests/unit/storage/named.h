/* named.h - versions whose manifests can be read, and name two chunks. */
#ifndef TESTS_UNIT_STORAGE_NAMED_H
#define TESTS_UNIT_STORAGE_NAMED_H

#include "storage/sweep.h"
#include "tests/unit/proto/samples.h"
#include "tests/unit/storage/fixture.h"

enum { NAMED_JOB = 2 };

static inline enum status try_named(struct fixture *f,
                                    uint64_t number,
                                    const struct hash chunks[2])
{
    struct sample *sample = calloc(1, sizeof(*sample));
    struct batch *batch = NULL;
    unsigned char *manifest = NULL;
    size_t size = 0;
    enum status status = STATUS_OK;

    assert_non_null(sample);
    sample_init(sample);
    sample->version.job = NAMED_JOB;
    sample->version.number = number;
    sample->chunks[0] = chunks[0];
    sample->chunks[1] = chunks[1];
    status = version_encode(&sample->version, &manifest, &size);
    if (status == STATUS_OK) {
        status = batch_open(&batch);
    }
    if (status == STATUS_OK) {
        status = batch_put_version(batch, NAMED_JOB, number, manifest, size,
                                   "summary", 7, chunks, 2);
    }
    if (status == STATUS_OK) {
        status = batch_set_ref(batch, NAMED_JOB, "head", number, 1, "ada");
    }
    if (status == STATUS_OK) {
        status = store_apply(f->store, batch);
    }
    batch_close(batch);
    mem_free(manifest);
    free(sample);
    return status;
}

static inline void commit_named(struct fixture *f,
                                uint64_t number,
                                struct hash a,
                                struct hash b)
{
    const struct hash chunks[2] = {a, b};

    assert_int_equal(try_named(f, number, chunks), STATUS_OK);
}

/* Version n names the chunk of seed 0, which all share, and that of seed n. */
static inline void commit_versions(struct fixture *f, uint64_t count)
{
    struct hash shared = put_chunk(f, 0, 3000);

    for (uint64_t n = 1; n <= count; n++) {
        commit_named(f, n, shared, put_chunk(f, (uint32_t)n, 5000));
    }
}

static inline struct hash hash_of(uint32_t seed, size_t size)
{
    return make_chunk(seed, size).hash;
}

static inline bool has_chunk(struct fixture *f, struct hash hash)
{
    static unsigned char out[CHUNK_BYTES_MAX];
    size_t size = 0;
    enum status status = store_get_chunk(f->store, &hash, out, &size);

    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK;
}

/* All cuts are over: what was put until now is young no more. */
static inline void settle(struct fixture *f)
{
    store_young_floor(f->store, store_tick(f->store) + 1);
}

static inline void mark_all(struct sweep *sweep)
{
    bool done = false;

    while (!done) {
        assert_int_equal(sweep_mark(sweep, &done), STATUS_OK);
    }
}

/* A whole sweep; closes it. */
static inline struct sweep_result finish_sweep(struct sweep *sweep)
{
    struct sweep_result result;
    bool done = false;

    while (!done) {
        assert_int_equal(sweep_delete(sweep, &done), STATUS_OK);
    }
    result = *sweep_result(sweep);
    sweep_close(sweep);
    return result;
}

static inline struct sweep_result sweep_store(struct fixture *f)
{
    struct sweep *sweep = NULL;

    assert_int_equal(sweep_open(f->store, NULL, NULL, &sweep), STATUS_OK);
    mark_all(sweep);
    return finish_sweep(sweep);
}

#endif /* TESTS_UNIT_STORAGE_NAMED_H */
