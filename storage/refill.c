#include "storage/refill.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "storage/batchcode.h"

#include <string.h>

/* Of one transaction of the mirror: some megabytes, or one large record. */
enum { FLUSH_OPERATIONS = 4096, FLUSH_BYTES = 4 << 20 };

struct refill {
    struct store *store;
    struct mirror *mirror;
    uint64_t job;
    struct batch *batch; /* waits to be written */
    size_t bytes;        /* in it */
    enum record_log log; /* being read */
    uint64_t next;       /* key to go on with */
    bool more;           /* the scan was stopped for a flush */
    enum status status;  /* of what a scan adds */
};

/* --- Into the mirror --- */

static enum status flush(struct refill *refill)
{
    const struct batchcode_origin origin = {.life = refill->store->life,
                                            .job = refill->job};
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct hash hash;
    enum status status = STATUS_OK;

    if (batch_count(refill->batch) == 0) {
        return STATUS_OK;
    }
    status = batchcode_encode(refill->batch, &origin, &bytes, &size);
    if (status != STATUS_OK) {
        return status;
    }
    hash_bytes(bytes, size, &hash);
    status = mirror_put(refill->mirror, MIRROR_BATCH, &hash, bytes, size);
    mem_free(bytes);
    batch_close(refill->batch);
    refill->batch = NULL;
    refill->bytes = 0;
    return status == STATUS_OK ? batch_open(&refill->batch) : status;
}

static bool is_full(const struct refill *refill)
{
    return refill->bytes >= FLUSH_BYTES ||
           batch_count(refill->batch) >= FLUSH_OPERATIONS;
}

static enum status put_chunk(struct refill *refill, const struct hash *hash)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = STATUS_NO_MEMORY;

    if (mirror_has_chunk(refill->mirror, hash)) {
        return STATUS_OK;
    }
    bytes = mem_new(CHUNK_BYTES_MAX);
    if (bytes != NULL) {
        status = store_get_chunk(refill->store, hash, bytes, &size);
    }
    if (status == STATUS_OK) {
        status = mirror_put(refill->mirror, MIRROR_CHUNK, hash, bytes, size);
    }
    mem_free(bytes);
    /* A version names it, so a store that has lost it is damaged. */
    return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

/* --- Versions --- */

static size_t count_chunks(const struct version *version, struct hash *out)
{
    size_t count = 0;

    for (uint32_t s = 0; s < version->shards_count; s++) {
        const struct shard_record *shard = &version->shards[s];

        for (uint32_t t = 0; t < shard->tensors_count; t++) {
            const struct tensor_record *tensor = &shard->tensors[t];

            if (out != NULL && tensor->chunks_count > 0) {
                memcpy(out + count, tensor->chunks,
                       tensor->chunks_count * sizeof(*out));
            }
            count += tensor->chunks_count;
        }
    }
    return count;
}

/* The chunks that a manifest names; mem_free. */
static enum status list_chunks(const unsigned char *manifest,
                               size_t size,
                               struct hash **out,
                               size_t *out_count)
{
    struct version *version = NULL;
    enum status status = version_decode(manifest, size, &version);

    if (status == STATUS_OK) {
        *out_count = count_chunks(version, NULL);
        *out = mem_array(*out_count, sizeof(**out));
        status = *out != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        (void)count_chunks(version, *out);
    }
    version_free(version);
    return status;
}

/* Chunks first, as everywhere. NOT_FOUND: there is no such version. */
static enum status add_version(struct refill *refill, uint64_t number)
{
    const struct key key = key_of_pair(refill->job, number);
    unsigned char *manifest = NULL;
    unsigned char *summary = NULL;
    struct hash *chunks = NULL;
    size_t size = 0;
    size_t summary_size = 0;
    size_t count = 0;
    enum status status =
        store_get_version(refill->store, refill->job, number, &manifest, &size);

    if (status != STATUS_OK) {
        return status;
    }
    status =
        store_copy(refill->store, KV_SUMMARIES, &key, &summary, &summary_size);
    if (status == STATUS_OK) {
        status = list_chunks(manifest, size, &chunks, &count);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = put_chunk(refill, &chunks[i]);
    }
    if (status == STATUS_OK) {
        status = batch_put_version(refill->batch, refill->job, number, manifest,
                                   size, summary, summary_size, chunks, count);
    }
    refill->bytes += size + summary_size;
    mem_free(manifest);
    mem_free(summary);
    mem_free(chunks);
    return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

/* As long as refs are moved it has to be there. NOT_FOUND: it never was. */
static enum status add_dropped(struct refill *refill, uint64_t number)
{
    unsigned char *summary = NULL;
    uint64_t wall_ms = 0;
    size_t size = 0;
    enum status status = store_get_dropped(refill->store, refill->job, number,
                                           &wall_ms, &summary, &size);

    if (status == STATUS_OK) {
        status = batch_put_version(refill->batch, refill->job, number, "", 0,
                                   summary, size, NULL, 0);
    }
    refill->bytes += size;
    mem_free(summary);
    return status;
}

static enum status add_drop(struct refill *refill, uint64_t number)
{
    unsigned char bytes[sizeof(number)];
    unsigned char *summary = NULL;
    uint64_t wall_ms = 0;
    size_t size = 0;
    struct writer writer;
    enum status status = store_get_dropped(refill->store, refill->job, number,
                                           &wall_ms, &summary, &size);

    mem_free(summary);
    if (status != STATUS_OK) {
        return status;
    }
    writer_init(&writer, bytes, sizeof(bytes));
    write_u64(&writer, number);
    return batch_add(refill->batch,
                     &(struct operation){.kind = OPERATION_DROP_VERSIONS,
                                         .job = refill->job,
                                         .wall_ms = wall_ms,
                                         .bytes = bytes,
                                         .size = writer.at});
}

static enum status add_any(struct refill *refill, uint64_t number)
{
    enum status status = add_version(refill, number);

    return status == STATUS_NOT_FOUND ? add_dropped(refill, number) : status;
}

typedef enum status add_fn(struct refill *refill, uint64_t number);

/* By number, up to the highest that was ever used. */
static enum status add_numbers(struct refill *refill, add_fn *add)
{
    uint64_t last = 0;
    enum status status = store_last_version(refill->store, refill->job, &last);

    for (uint64_t n = 1; n <= last && status == STATUS_OK; n++) {
        status = add(refill, n);
        if (status == STATUS_NOT_FOUND) {
            status = STATUS_OK; /* a number that was never given */
        }
        if (status == STATUS_OK && is_full(refill)) {
            status = flush(refill);
        }
    }
    return status == STATUS_OK ? flush(refill) : status;
}

/* --- Logs, refs and stats --- */

/* What a scan adds; false: enough for one transaction, or a failure. */
static bool note(struct refill *refill,
                 uint64_t key,
                 size_t size,
                 enum status status)
{
    refill->status = status;
    refill->next = key + 1;
    refill->bytes += size;
    refill->more = status == STATUS_OK && is_full(refill);
    return status == STATUS_OK && !refill->more;
}

static bool add_entry(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct refill *refill = owner;

    return note(
        refill, key, size,
        batch_append(refill->batch, refill->log, refill->job, bytes, size));
}

static bool add_stat(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct refill *refill = owner;

    return note(refill, key, size,
                batch_put_stat(refill->batch, refill->job, key, bytes, size));
}

static bool add_move(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct refill *refill = owner;
    const struct kv_value value = {bytes, size};
    struct ref_record move;
    enum status status = STATUS_CORRUPT;

    if (refs_decode(&value, &move)) {
        status = batch_set_ref(refill->batch, refill->job, move.name,
                               move.number, move.wall_ms, move.actor);
    }
    return note(refill, key, size, status);
}

/* In as many reads as there are transactions: nothing is written to the mirror
 * while a read keeps the store's pages. */
static enum status add_range(struct refill *refill,
                             enum kv_db db,
                             store_scan_fn *add)
{
    enum status status = STATUS_OK;

    refill->next = 0;
    do {
        const struct kv_range range = {
            .db = db,
            .from = key_of_pair(refill->job, refill->next),
            .prefix_size = KEY_NUMBER_BYTES};

        refill->more = false;
        refill->status = STATUS_OK;
        status = store_scan_range(refill->store, &range, add, refill);
        if (status == STATUS_OK) {
            status = refill->status;
        }
        if (status == STATUS_OK) {
            status = flush(refill);
        }
    } while (status == STATUS_OK && refill->more);
    return status;
}

static enum status add_logs(struct refill *refill)
{
    enum status status = STATUS_OK;

    refill->log = LOG_JOURNAL;
    status = add_range(refill, KV_JOURNAL, add_entry);
    if (status == STATUS_OK) {
        refill->log = LOG_EVENTS;
        status = add_range(refill, KV_EVENTS, add_entry);
    }
    return status;
}

/* A job that has nothing yet has no record either. */
static enum status add_job(struct refill *refill)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status =
        store_get_job(refill->store, refill->job, &bytes, &size);

    if (status == STATUS_OK) {
        status = batch_put_job(refill->batch, refill->job, bytes, size);
    }
    mem_free(bytes);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status refill_write(struct store *store,
                         uint64_t job,
                         struct mirror *mirror)
{
    struct refill refill = {.store = store, .mirror = mirror, .job = job};
    enum status status = batch_open(&refill.batch);

    if (status == STATUS_OK) {
        status = add_job(&refill);
    }
    if (status == STATUS_OK) {
        status = add_numbers(&refill, add_any);
    }
    if (status == STATUS_OK) {
        status = add_range(&refill, KV_REF_LOG, add_move);
    }
    if (status == STATUS_OK) {
        status = add_numbers(&refill, add_drop);
    }
    if (status == STATUS_OK) {
        status = add_logs(&refill);
    }
    if (status == STATUS_OK) {
        status = add_range(&refill, KV_STATS, add_stat);
    }
    if (status == STATUS_OK) {
        status = mirror_sync(mirror);
    }
    batch_close(refill.batch);
    return status;
}
