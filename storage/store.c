#include "storage/store.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/datafile.h"
#include "storage/inside.h"
#include "storage/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- Opening and closing --- */

static enum status claim(const struct store_options *options, int *out)
{
    return place_claim(
        &(struct place_options){.dir = options->dir,
                                .filesystem = options->filesystem,
                                .why = options->why,
                                .why_size = options->why_size},
        out);
}

/* The lock comes first: until it is ours, nothing in the directory may be
 * touched. The sync comes last: it puts the names of new files on the disk. */
static enum status open_parts(struct store *store,
                              const struct store_options *options)
{
    bool owner = !options->read_only;
    enum status status = owner ? claim(options, &store->lock) : STATUS_OK;

    if (status == STATUS_OK) {
        status = kv_open(&(struct kv_options){.dir = options->dir,
                                              .map_bytes = options->map_bytes,
                                              .read_only = options->read_only,
                                              .why = options->why,
                                              .why_size = options->why_size},
                         &store->kv);
    }
    if (status == STATUS_OK && owner) {
        status = place_sync(options->dir);
    }
    return status;
}

enum status store_open_with(const struct store_options *options,
                            struct store **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct store *store = mem_new(sizeof(*store));

    CHECK(options->why_size > 0);
    options->why[0] = '\0';
    if (store != NULL) {
        store->lock = -1;
        status = open_parts(store, options);
    }
    if (status == STATUS_OK) {
        *out = store;
        return STATUS_OK;
    }
    if (options->why[0] == '\0') {
        snprintf(options->why, options->why_size,
                 "cannot open the store in %s: %s", options->dir,
                 status_text(status));
    }
    store_close(store);
    return status;
}

enum status store_open(const char *dir,
                       char *why,
                       size_t why_size,
                       struct store **out)
{
    return store_open_with(
        &(struct store_options){.dir = dir,
                                .map_bytes = KV_MAP_BYTES_START,
                                .why = why,
                                .why_size = why_size},
        out);
}

enum status store_open_reader(const char *dir,
                              char *why,
                              size_t why_size,
                              struct store **out)
{
    if (datafile_bytes(dir) == 0) {
        snprintf(why, why_size, "there is no store in %s", dir);
        return STATUS_NOT_FOUND;
    }
    return store_open_with(
        &(struct store_options){
            .dir = dir, .read_only = true, .why = why, .why_size = why_size},
        out);
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    mirrors_close(store);
    CHECK(store->sweeping_since == 0);
    marks_fini(&store->young);
    kv_close(store->kv);
    /* Last, so that the next owner finds all files closed. */
    place_release(store->lock);
    mem_free(store);
}

/* --- The life --- */

static enum status next_life(struct kv_txn *txn, void *owner)
{
    const struct key key = key_of_name("life");
    uint64_t *life = owner;
    unsigned char bytes[sizeof(uint64_t)];
    struct kv_value value = {.bytes = NULL, .size = 0};
    struct writer writer;
    struct reader reader;
    enum status status = kv_get(txn, KV_COUNTERS, &key, &value);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    reader_init(&reader, value.bytes, value.size);
    *life = read_u64(&reader) + 1; /* 0 where there was none */
    writer_init(&writer, bytes, sizeof(bytes));
    write_u64(&writer, *life);
    return kv_put(txn, KV_COUNTERS, &key, bytes, sizeof(bytes));
}

enum status store_next_life(struct store *store, uint64_t *out)
{
    uint64_t life = 0;
    enum status status = kv_update(store->kv, next_life, &life);

    if (status == STATUS_OK) {
        store->life = life;
        *out = life;
    }
    return status;
}

/* --- Reading --- */

enum status store_copy(struct store *store,
                       enum kv_db db,
                       const struct key *key,
                       unsigned char **out,
                       size_t *out_size)
{
    struct kv_txn txn;
    struct kv_value value;
    unsigned char *copy = NULL;
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = kv_get(&txn, db, key, &value);
    if (status == STATUS_OK) {
        copy = mem_new(value.size);
        status = copy != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        memcpy(copy, value.bytes, value.size);
        *out = copy;
        *out_size = value.size;
    }
    kv_end(&txn);
    return status;
}

struct scan {
    const struct kv_range *range;
    store_scan_fn *fn;
    void *owner;
    bool damaged;
};

static bool tell(void *owner, const struct kv_item *item)
{
    struct scan *scan = owner;
    uint64_t number = 0;

    if (item->damaged || item->key.size < KEY_NUMBER_BYTES) {
        scan->damaged = true;
        log_line(LOG_ERROR, "storage", "record_damaged",
                 "db=%s job=%" PRIu64 " number=%" PRIu64,
                 kv_db_name(scan->range->db), key_number(&item->key, 0),
                 key_number(&item->key, KEY_NUMBER_BYTES));
        return false;
    }
    number = key_number(&item->key, item->key.size - KEY_NUMBER_BYTES);
    return scan->fn(scan->owner, number, item->value.bytes, item->value.size);
}

enum status store_scan_range(struct store *store,
                             const struct kv_range *range,
                             store_scan_fn *fn,
                             void *owner)
{
    struct scan scan = {.range = range, .fn = fn, .owner = owner};
    struct kv_txn txn;
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = kv_scan(&txn, range, tell, &scan);
    kv_end(&txn);
    if (status == STATUS_OK && scan.damaged) {
        return STATUS_CORRUPT;
    }
    return status;
}

static bool keep_number(void *owner, const struct kv_item *item)
{
    uint64_t *number = owner;

    *number = key_number(&item->key, KEY_NUMBER_BYTES);
    return false;
}

/* Looks at the key alone: a damaged record still has its number. */
enum status last_number(struct kv_txn *txn,
                        enum kv_db db,
                        uint64_t job,
                        uint64_t *out)
{
    const struct kv_range range = {.db = db,
                                   .from = key_of_pair(job, UINT64_MAX),
                                   .prefix_size = KEY_NUMBER_BYTES,
                                   .down = true};
    uint64_t number = 0;
    enum status status = kv_scan(txn, &range, keep_number, &number);

    if (status == STATUS_OK) {
        *out = number;
    }
    return status;
}

static bool add_size(void *owner, const struct kv_item *item)
{
    uint64_t *sum = owner;

    *sum += item->value.size;
    return true;
}

/* The sizes of chunks are in the leaves of the tree, beside their keys; the
 * bytes themselves are not read. */
enum status store_usage(struct store *store, struct store_usage *out)
{
    const struct key first = key_of_hash(&(struct hash){{0}});
    const struct kv_range heads = {.db = KV_CHUNKS, .from = first};
    const struct kv_range tails = {.db = KV_TAILS, .from = first};
    struct kv_usage usage;
    struct kv_txn txn;
    uint64_t chunk_bytes = 0;
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = kv_measure(&txn, &usage);
    if (status == STATUS_OK) {
        status = kv_scan(&txn, &heads, add_size, &chunk_bytes);
    }
    if (status == STATUS_OK) {
        status = kv_scan(&txn, &tails, add_size, &chunk_bytes);
    }
    kv_end(&txn);
    if (status == STATUS_OK) {
        *out = (struct store_usage){.used_bytes = usage.used_bytes,
                                    .map_bytes = usage.map_bytes,
                                    .file_bytes = usage.file_bytes,
                                    .chunks_count = usage.entries[KV_CHUNKS],
                                    .chunk_bytes = chunk_bytes};
    }
    return status;
}

enum status store_disk(struct store *store, struct store_usage *out)
{
    struct kv_usage usage;
    struct kv_txn txn;
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = kv_measure(&txn, &usage);
    kv_end(&txn);
    if (status == STATUS_OK) {
        *out = (struct store_usage){.used_bytes = usage.used_bytes,
                                    .map_bytes = usage.map_bytes,
                                    .file_bytes = usage.file_bytes,
                                    .chunks_count = usage.entries[KV_CHUNKS]};
    }
    return status;
}
