/* versions.c - one manifest a version, and a short summary beside it.
 *
 * A list of versions reads the summaries alone: 10,000 manifests of a large
 * model are gigabytes, their summaries a few megabytes. */
#include "storage/inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "storage/packing.h"

#include <inttypes.h>
#include <string.h>

/* A manifest must never be durable without what it names. */
static enum status check_chunks(struct kv_txn *txn,
                                const struct operation *operation)
{
    struct kv_value value;
    char hex[17];

    for (size_t i = 0; i < operation->chunks_count; i++) {
        const struct key key = key_of_hash(&operation->chunks[i]);
        enum status status = kv_get(txn, KV_CHUNKS, &key, &value);

        if (status == STATUS_NOT_FOUND) {
            hash_hex(&operation->chunks[i], 8, hex);
            log_line(LOG_ERROR, "storage", "chunk_missing",
                     "job=%" PRIu64 " version=%" PRIu64 " chunk=%s",
                     operation->job, operation->number, hex);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* Whoever is not sure that a commit came through may repeat it. */
static enum status compare(const struct operation *operation,
                           const struct kv_value *stored)
{
    unsigned char *memory = NULL;
    struct kv_value manifest;
    enum status status =
        packing_unpack(stored, RECORD_BYTES_MAX, &memory, &manifest);
    bool same = false;

    if (status != STATUS_OK) {
        return status;
    }
    same = manifest.size == operation->size &&
           memcmp(manifest.bytes, operation->bytes, manifest.size) == 0;
    mem_free(memory);
    if (same) {
        return STATUS_OK;
    }
    log_line(LOG_ERROR, "storage", "version_taken",
             "job=%" PRIu64 " version=%" PRIu64, operation->job,
             operation->number);
    return STATUS_CONFLICT;
}

static enum status put_manifest(struct kv_txn *txn,
                                const struct key *key,
                                const struct operation *operation)
{
    unsigned char *memory = NULL;
    struct kv_value packed;
    enum status status =
        packing_pack(operation->bytes, operation->size, &memory, &packed);

    if (status == STATUS_OK) {
        status = kv_put(txn, KV_VERSIONS, key, packed.bytes, packed.size);
    }
    mem_free(memory);
    return status;
}

enum status versions_put(struct kv_txn *txn, const struct operation *operation)
{
    const struct key key = key_of_pair(operation->job, operation->number);
    struct kv_value stored;
    enum status status = kv_get(txn, KV_VERSIONS, &key, &stored);

    if (status == STATUS_OK) {
        return compare(operation, &stored);
    }
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    status = drops_check(txn, &key);
    if (status == STATUS_OK) {
        status = check_chunks(txn, operation);
    }
    if (status == STATUS_OK) {
        status = put_manifest(txn, &key, operation);
    }
    if (status == STATUS_OK) {
        status = kv_put(txn, KV_SUMMARIES, &key, operation->more,
                        operation->more_size);
    }
    return status;
}

enum status store_get_version(struct store *store,
                              uint64_t job,
                              uint64_t number,
                              unsigned char **out,
                              size_t *out_size)
{
    const struct key key = key_of_pair(job, number);
    unsigned char *stored = NULL;
    unsigned char *memory = NULL;
    struct kv_value manifest;
    size_t size = 0;
    enum status status = store_copy(store, KV_VERSIONS, &key, &stored, &size);

    if (status != STATUS_OK) {
        return status;
    }
    status = packing_unpack(&(struct kv_value){stored, size}, RECORD_BYTES_MAX,
                            &memory, &manifest);
    if (status != STATUS_OK) {
        mem_free(stored);
        return status;
    }
    if (memory != NULL) {
        mem_free(stored);
    }
    *out = memory != NULL ? memory : stored;
    *out_size = manifest.size;
    return STATUS_OK;
}

enum status store_last_version(struct store *store, uint64_t job, uint64_t *out)
{
    struct kv_txn txn;
    uint64_t last = 0;
    uint64_t dropped = 0;
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = last_number(&txn, KV_VERSIONS, job, &last);
    if (status == STATUS_OK) {
        status = last_number(&txn, KV_DROPPED, job, &dropped);
    }
    kv_end(&txn);
    if (status == STATUS_OK) {
        *out = last > dropped ? last : dropped;
    }
    return status;
}

enum status store_scan_versions(struct store *store,
                                uint64_t job,
                                uint64_t from,
                                bool down,
                                store_scan_fn *fn,
                                void *owner)
{
    const struct kv_range range = {.db = KV_SUMMARIES,
                                   .from = key_of_pair(job, from),
                                   .prefix_size = KEY_NUMBER_BYTES,
                                   .down = down};

    return store_scan_range(store, &range, fn, owner);
}

enum status versions_decode(const struct kv_item *item, struct version **out)
{
    unsigned char *memory = NULL;
    struct kv_value manifest;
    enum status status = STATUS_CORRUPT;

    if (!item->damaged) {
        status =
            packing_unpack(&item->value, RECORD_BYTES_MAX, &memory, &manifest);
    }
    if (status == STATUS_OK) {
        status = version_decode(manifest.bytes, manifest.size, out);
    }
    mem_free(memory);
    return status;
}
