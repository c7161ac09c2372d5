/* rebuild.c - a store made from mirrors. */
#include "storage/inside.h"

#include "base/bytes.h"
#include "storage/batchcode.h"
#include "storage/mirror.h"

struct rebuild {
    struct store *store;
    struct store_rebuilt *out;
};

static enum status raise_life(struct kv_txn *txn, void *owner)
{
    const struct key key = key_of_name("life");
    unsigned char bytes[sizeof(uint64_t)];
    struct writer writer;

    writer_init(&writer, bytes, sizeof(bytes));
    write_u64(&writer, *(const uint64_t *)owner);
    return kv_put(txn, KV_COUNTERS, &key, bytes, sizeof(bytes));
}

static enum status apply_batch(struct rebuild *rebuild,
                               const void *bytes,
                               size_t size)
{
    struct store_rebuilt *out = rebuild->out;
    struct batchcode_origin origin = {.life = 0};
    struct batch *batch = NULL;
    enum status status = batch_open(&batch);

    if (status == STATUS_OK) {
        status = batchcode_decode(bytes, size, batch, &origin);
    }
    if (status == STATUS_OK) {
        status = store_apply(rebuild->store, batch);
    }
    if (status == STATUS_OK && origin.life > out->life) {
        status = kv_update(rebuild->store->kv, raise_life, &origin.life);
        out->life = origin.life;
    }
    batch_close(batch);
    out->job = origin.job;
    out->batches++;
    return status;
}

static enum status apply_entry(void *owner,
                               enum mirror_kind kind,
                               const struct hash *hash,
                               const unsigned char *payload,
                               size_t size)
{
    struct rebuild *rebuild = owner;

    if (kind == MIRROR_BATCH) {
        return apply_batch(rebuild, payload, size);
    }
    rebuild->out->chunks++;
    return store_put_chunks(
        rebuild->store,
        &(struct chunk){.hash = *hash, .bytes = payload, .size = size}, 1);
}

/* What is behind it is cut off when the job goes on with this mirror. */
static enum status put_end(struct kv_txn *txn, void *owner)
{
    const struct store_rebuilt *rebuilt = owner;

    return mirrors_put_position(txn, rebuilt->job, rebuilt->bytes);
}

enum status store_rebuild(struct store *store,
                          const char *path,
                          struct store_rebuilt *out)
{
    struct rebuild rebuild = {.store = store, .out = out};
    enum status status = STATUS_OK;

    *out = (struct store_rebuilt){.job = 0};
    status = mirror_scan(path, apply_entry, &rebuild, &out->bytes, &out->lost);
    if (status == STATUS_OK && out->job != 0) {
        status = kv_update(store->kv, put_end, out);
    }
    return status;
}

/* Ends the scan at the first transaction, by a status that no scan has. */
static enum status find_job(void *owner,
                            enum mirror_kind kind,
                            const struct hash *hash,
                            const unsigned char *payload,
                            size_t size)
{
    struct batchcode_origin origin = {.life = 0};
    struct batch *batch = NULL;
    enum status status = STATUS_OK;

    (void)hash;
    if (kind != MIRROR_BATCH) {
        return STATUS_OK;
    }
    status = batch_open(&batch);
    if (status == STATUS_OK) {
        status = batchcode_decode(payload, size, batch, &origin);
    }
    batch_close(batch);
    *(uint64_t *)owner = origin.job;
    return status == STATUS_OK ? STATUS_DEADLINE : status;
}

enum status store_mirror_job(const char *path, uint64_t *out_job)
{
    uint64_t end = 0;
    uint64_t left = 0;
    enum status status = STATUS_OK;

    *out_job = 0;
    status = mirror_scan(path, find_job, out_job, &end, &left);
    return status == STATUS_DEADLINE ? STATUS_OK : status;
}
