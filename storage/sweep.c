#include "storage/sweep.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/version.h"
#include "storage/inside.h"
#include "storage/tails.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* Of one step: some milliseconds, so that a commit never waits long. A
     * chunk that goes costs a look at its pages' header alone. */
    MARK_MANIFESTS = 16,
    MARK_BYTES = 4 << 20,
    LOOK_CHUNKS = 4096,
    DELETE_CHUNKS = 128
};

struct sweep {
    struct store *store;
    sweep_skip_fn *skip;
    void *owner;
    uint64_t since; /* tick: what is touched from here on stays */
    struct marks named;
    bool marked;
    struct key last; /* walked so far; size 0: none */
    struct sweep_result result;

    /* While a step runs: */
    struct kv_txn *txn; /* to read */
    size_t seen;
    size_t seen_bytes;
    enum status status;
    size_t doomed_count;
    uint64_t doomed_bytes;
    struct key doomed[DELETE_CHUNKS];
};

enum status sweep_open(struct store *store,
                       sweep_skip_fn *skip,
                       void *owner,
                       struct sweep **out)
{
    struct sweep *sweep = NULL;

    if (store->sweeping_since != 0) {
        return STATUS_CONFLICT;
    }
    sweep = mem_new(sizeof(*sweep));
    if (sweep == NULL) {
        return STATUS_NO_MEMORY;
    }
    sweep->store = store;
    sweep->skip = skip;
    sweep->owner = owner;
    sweep->since = young_next(store);
    store->sweeping_since = sweep->since;
    *out = sweep;
    return STATUS_OK;
}

void sweep_close(struct sweep *sweep)
{
    if (sweep == NULL) {
        return;
    }
    sweep->store->sweeping_since = 0;
    marks_fini(&sweep->named);
    mem_free(sweep);
}

const struct sweep_result *sweep_result(const struct sweep *sweep)
{
    return &sweep->result;
}

/* --- Marking --- */

static enum status mark_tensor(struct sweep *sweep,
                               const struct tensor_record *tensor)
{
    enum status status = STATUS_OK;

    for (uint32_t c = 0; c < tensor->chunks_count && status == STATUS_OK; c++) {
        status = marks_put(&sweep->named, &tensor->chunks[c], 1, 0);
    }
    return status;
}

static enum status mark_version(struct sweep *sweep,
                                const struct version *version)
{
    enum status status = STATUS_OK;

    for (uint32_t s = 0; s < version->shards_count; s++) {
        const struct shard_record *shard = &version->shards[s];

        for (uint32_t t = 0; t < shard->tensors_count; t++) {
            if (status == STATUS_OK) {
                status = mark_tensor(sweep, &shard->tensors[t]);
            }
        }
    }
    return status;
}

static enum status mark_item(struct sweep *sweep, const struct kv_item *item)
{
    uint64_t job = key_number(&item->key, 0);
    uint64_t number = key_number(&item->key, KEY_NUMBER_BYTES);
    struct version *version = NULL;
    enum status status = STATUS_OK;

    if (sweep->skip != NULL && sweep->skip(sweep->owner, job, number)) {
        return STATUS_OK;
    }
    status = versions_decode(item, &version);
    if (status == STATUS_OK) {
        status = mark_version(sweep, version);
    }
    if (status == STATUS_CORRUPT) {
        log_line(LOG_ERROR, "storage", "sweep_refused",
                 "job=%" PRIu64 " version=%" PRIu64 " why=\"manifest damaged\"",
                 job, number);
    }
    version_free(version);
    return status;
}

/* True where the step has had enough. */
static bool note_seen(struct sweep *sweep,
                      const struct kv_item *item,
                      size_t count_max,
                      size_t bytes_max)
{
    sweep->last = item->key;
    sweep->seen++;
    sweep->seen_bytes += item->value.size;
    return sweep->seen >= count_max || sweep->seen_bytes >= bytes_max;
}

/* A step begins at the last record of the one before. */
static bool is_known(const struct sweep *sweep, const struct kv_item *item)
{
    return item->key.size == sweep->last.size &&
           memcmp(item->key.b, sweep->last.b, item->key.size) == 0;
}

static bool visit_version(void *owner, const struct kv_item *item)
{
    struct sweep *sweep = owner;

    if (is_known(sweep, item)) {
        return true;
    }
    sweep->status = mark_item(sweep, item);
    return sweep->status == STATUS_OK &&
           !note_seen(sweep, item, MARK_MANIFESTS, MARK_BYTES);
}

/* One read transaction from where the last step ended. */
static enum status walk(struct sweep *sweep, enum kv_db db, kv_scan_fn *visit)
{
    struct kv_range range = {.db = db, .from = sweep->last};
    struct kv_txn txn;
    enum status status = STATUS_OK;

    if (range.from.size == 0) {
        range.from.size = 1; /* the byte 0: no key of ours is less */
    }
    sweep->seen = 0;
    sweep->seen_bytes = 0;
    sweep->status = STATUS_OK;
    status = kv_begin(sweep->store->kv, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    sweep->txn = &txn;
    status = kv_scan(&txn, &range, visit, sweep);
    kv_end(&txn);
    return status == STATUS_OK ? sweep->status : status;
}

enum status sweep_mark(struct sweep *sweep, bool *out_done)
{
    enum status status = STATUS_OK;

    CHECK(!sweep->marked);
    status = walk(sweep, KV_VERSIONS, visit_version);
    if (status != STATUS_OK) {
        return status;
    }
    if (sweep->seen == 0) {
        sweep->marked = true;
        sweep->last = (struct key){.size = 0};
    }
    *out_done = sweep->marked;
    return STATUS_OK;
}

/* --- Sweeping --- */

static bool may_go(struct sweep *sweep, const struct kv_item *item)
{
    struct hash hash;
    uint64_t touched = 0;

    if (item->key.size != HASH_BYTES) {
        return false; /* verify tells */
    }
    memcpy(hash.b, item->key.b, HASH_BYTES);
    if (marks_get(&sweep->named, &hash) != 0) {
        return false;
    }
    touched = marks_get(&sweep->store->young, &hash);
    if (touched != 0 && touched >= young_floor(sweep->store)) {
        sweep->result.young_chunks++;
        return false;
    }
    return true;
}

/* A tail that cannot be read is none: the chunk goes all the same. */
static uint64_t size_of(struct sweep *sweep, const struct kv_item *item)
{
    struct chunk_parts parts;

    return tails_follow(sweep->txn, &item->key, &item->value, &parts) ==
                   STATUS_OK
               ? parts.size
               : item->value.size;
}

static bool visit_to_count(void *owner, const struct kv_item *item)
{
    struct sweep *sweep = owner;

    if (is_known(sweep, item)) {
        return true;
    }
    if (may_go(sweep, item)) {
        sweep->result.chunks++;
        sweep->result.bytes += size_of(sweep, item);
    }
    return !note_seen(sweep, item, LOOK_CHUNKS, SIZE_MAX);
}

enum status sweep_count(struct sweep *sweep, bool *out_done)
{
    enum status status = STATUS_OK;

    CHECK(sweep->marked);
    status = walk(sweep, KV_CHUNKS, visit_to_count);
    if (status == STATUS_OK) {
        *out_done = sweep->seen == 0;
    }
    return status;
}

static bool visit_to_delete(void *owner, const struct kv_item *item)
{
    struct sweep *sweep = owner;

    if (is_known(sweep, item)) {
        return true;
    }
    if (may_go(sweep, item)) {
        sweep->doomed[sweep->doomed_count++] = item->key;
        sweep->doomed_bytes += size_of(sweep, item);
    }
    return !note_seen(sweep, item, LOOK_CHUNKS, SIZE_MAX) &&
           sweep->doomed_count < DELETE_CHUNKS;
}

static enum status delete_doomed(struct kv_txn *txn, void *owner)
{
    const struct sweep *sweep = owner;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sweep->doomed_count && status == STATUS_OK; i++) {
        status = tails_delete(txn, &sweep->doomed[i]);
    }
    return status;
}

/* What is doomed is looked for in a transaction of its own: the writer is this
 * thread, so nothing comes between. */
enum status sweep_delete(struct sweep *sweep, bool *out_done)
{
    struct key before = sweep->last;
    struct sweep_result result = sweep->result;
    enum status status = STATUS_OK;

    CHECK(sweep->marked);
    sweep->doomed_count = 0;
    sweep->doomed_bytes = 0;
    status = walk(sweep, KV_CHUNKS, visit_to_delete);
    if (status == STATUS_OK && sweep->doomed_count > 0) {
        status = kv_update(sweep->store->kv, delete_doomed, sweep);
    }
    if (status != STATUS_OK) { /* so that the step may be repeated */
        sweep->last = before;
        sweep->result = result;
        return status;
    }
    sweep->result.chunks += sweep->doomed_count;
    sweep->result.bytes += sweep->doomed_bytes;
    *out_done = sweep->seen == 0;
    return STATUS_OK;
}
