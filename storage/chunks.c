/* chunks.c - tensor bytes under their own hash, each once. */
#include "storage/inside.h"

#include "base/log.h"
#include "storage/tails.h"

#include <string.h>

struct chunk_list {
    const struct chunk *chunks;
    size_t count;
};

static void log_chunk(const char *event, const struct hash *hash)
{
    char hex[17];

    hash_hex(hash, 8, hex);
    log_line(LOG_ERROR, "storage", event, "chunk=%s", hex);
}

static bool is_its_hash(const struct hash *hash, const void *bytes, size_t size)
{
    struct hash found;

    hash_bytes(bytes, size, &found);
    return hash_equal(&found, hash);
}

static bool is_same(const struct chunk_parts *stored, const struct chunk *chunk)
{
    const unsigned char *bytes = chunk->bytes;

    return stored->size == chunk->size &&
           (stored->head.size == 0 ||
            memcmp(stored->head.bytes, bytes, stored->head.size) == 0) &&
           (stored->tail.size == 0 ||
            memcmp(stored->tail.bytes, bytes + stored->head.size,
                   stored->tail.size) == 0);
}

/* What is there is compared, not believed: a chunk that has rotted since is
 * replaced, or the new version would rest on it. Comparing costs a fifth of
 * hashing, so a chunk that is there already is the cheapest of all. */
static enum status put_chunk(struct kv_txn *txn, const struct chunk *chunk)
{
    const struct key key = key_of_hash(&chunk->hash);
    struct chunk_parts stored;
    enum status status = tails_find(txn, &key, &stored);
    bool is_there = status == STATUS_OK;

    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    if (is_there && is_same(&stored, chunk)) {
        return STATUS_OK;
    }
    if (!is_its_hash(&chunk->hash, chunk->bytes, chunk->size)) {
        log_chunk("chunk_refused", &chunk->hash);
        return STATUS_CORRUPT;
    }
    if (is_there) {
        log_chunk("chunk_healed", &chunk->hash);
    }
    return tails_put(txn, &key, chunk->bytes, chunk->size);
}

static enum status put_chunks(struct kv_txn *txn, void *owner)
{
    const struct chunk_list *list = owner;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < list->count && status == STATUS_OK; i++) {
        status = put_chunk(txn, &list->chunks[i]);
    }
    return status;
}

enum status store_put_chunks(struct store *store,
                             const struct chunk *chunks,
                             size_t count)
{
    struct chunk_list list = {.chunks = chunks, .count = count};

    for (size_t i = 0; i < count; i++) {
        if (chunks[i].size > CHUNK_BYTES_MAX) {
            log_chunk("chunk_too_large", &chunks[i].hash);
            return STATUS_INVALID;
        }
    }
    /* Before it is there, so that no sweep finds it unmarked. */
    for (size_t i = 0; i < count; i++) {
        enum status status = young_add(store, &chunks[i].hash, 1);

        if (status != STATUS_OK) {
            return status;
        }
    }
    return kv_update(store->kv, put_chunks, &list);
}

/* Hashes the copy, after the transaction: what the caller gets is what was
 * checked, and the reader's slot is held no longer than a memcpy. */
enum status store_get_chunk(struct store *store,
                            const struct hash *hash,
                            void *out,
                            size_t *out_size)
{
    const struct key key = key_of_hash(hash);
    struct kv_txn txn;
    struct chunk_parts parts = {.size = 0};
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = tails_find(&txn, &key, &parts);
    if (status == STATUS_OK && parts.size > 0 &&
        parts.size <= CHUNK_BYTES_MAX) {
        memcpy(out, parts.head.bytes, parts.head.size);
        memcpy((unsigned char *)out + parts.head.size, parts.tail.bytes,
               parts.tail.size);
    }
    kv_end(&txn);
    if (status != STATUS_OK) {
        return status;
    }
    if (parts.size > CHUNK_BYTES_MAX || !is_its_hash(hash, out, parts.size)) {
        log_chunk("chunk_damaged", hash);
        return STATUS_CORRUPT;
    }
    *out_size = parts.size;
    return STATUS_OK;
}
