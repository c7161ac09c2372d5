/* drops.c - versions that are gone, and what is left of them.
 *
 * A number is never used again, and it keeps a meaning: where the version was,
 * its summary stays with the date at which gc took it away. Little-endian:
 *
 *     | wall_ms 8 | summary | */
#include "storage/inside.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum { TIME_BYTES = 8 };

struct drop {
    uint64_t job;
    const uint64_t *numbers;
    size_t count;
    uint64_t wall_ms;
    uint64_t dropped;

    bool spared[DROPS_MAX]; /* a ref names it */
    bool damaged;           /* a ref that cannot be read may name any */
};

static bool note_ref(void *owner, const struct kv_item *item)
{
    struct drop *drop = owner;
    struct ref_record record;

    if (item->damaged || !refs_decode(&item->value, &record)) {
        drop->damaged = true;
        return false;
    }
    for (size_t i = 0; i < drop->count; i++) {
        drop->spared[i] = drop->spared[i] || drop->numbers[i] == record.number;
    }
    return true;
}

static enum status find_spared(struct kv_txn *txn, struct drop *drop)
{
    const struct kv_range refs = {.db = KV_REFS,
                                  .from = key_of_job(drop->job),
                                  .prefix_size = KEY_NUMBER_BYTES};
    enum status status = STATUS_OK;

    memset(drop->spared, 0, sizeof(drop->spared));
    drop->damaged = false;
    status = kv_scan(txn, &refs, note_ref, drop);
    if (status == STATUS_OK && drop->damaged) {
        log_line(LOG_ERROR, "storage", "drop_refused",
                 "job=%" PRIu64 " why=\"a ref is damaged\"", drop->job);
        return STATUS_CORRUPT;
    }
    return status;
}

/* The summary moves. A damaged one is no reason to keep the version: its
 * number and date are left. */
static enum status bury(struct kv_txn *txn,
                        const struct key *key,
                        uint64_t wall_ms)
{
    struct kv_value summary = {.size = 0};
    unsigned char *bytes = NULL;
    struct writer writer;
    enum status status = kv_get(txn, KV_SUMMARIES, key, &summary);

    if (status == STATUS_NOT_FOUND || status == STATUS_CORRUPT) {
        summary.size = 0;
        status = STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    bytes = mem_new(TIME_BYTES + summary.size); /* it lies in the map */
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    writer_init(&writer, bytes, TIME_BYTES + summary.size);
    write_u64(&writer, wall_ms);
    write_bytes(&writer, summary.bytes, summary.size);
    status = kv_put(txn, KV_DROPPED, key, bytes, writer.at);
    mem_free(bytes);
    if (status == STATUS_OK) {
        status = kv_delete(txn, KV_SUMMARIES, key);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status drop_one(struct kv_txn *txn,
                            struct drop *drop,
                            uint64_t number)
{
    const struct key key = key_of_pair(drop->job, number);
    enum status status = kv_delete(txn, KV_VERSIONS, &key);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK; /* gone already */
    }
    if (status == STATUS_OK) {
        status = bury(txn, &key, drop->wall_ms);
    }
    drop->dropped += status == STATUS_OK;
    return status;
}

enum status drops_apply(struct kv_txn *txn,
                        const struct operation *operation,
                        uint64_t *dropped)
{
    uint64_t numbers[DROPS_MAX];
    struct drop drop = {.job = operation->job,
                        .numbers = numbers,
                        .count = operation->size / sizeof(numbers[0]),
                        .wall_ms = operation->wall_ms};
    struct reader reader;
    enum status status = STATUS_OK;

    CHECK(drop.count <= DROPS_MAX);
    reader_init(&reader, operation->bytes, operation->size);
    for (size_t i = 0; i < drop.count; i++) {
        numbers[i] = read_u64(&reader);
    }
    status = find_spared(txn, &drop);
    for (size_t i = 0; i < drop.count && status == STATUS_OK; i++) {
        if (!drop.spared[i]) {
            status = drop_one(txn, &drop, numbers[i]);
        }
    }
    *dropped += drop.dropped;
    return status;
}

/* A batch, so that a mirror is told: a store made from it has the same gaps. */
enum status store_drop_versions(struct store *store,
                                uint64_t job,
                                const uint64_t *numbers,
                                size_t count,
                                uint64_t wall_ms,
                                uint64_t *out_dropped)
{
    unsigned char bytes[DROPS_MAX * sizeof(numbers[0])];
    struct batch *batch = NULL;
    struct writer writer;
    enum status status = batch_open(&batch);

    CHECK(count <= DROPS_MAX);
    writer_init(&writer, bytes, sizeof(bytes));
    for (size_t i = 0; i < count; i++) {
        write_u64(&writer, numbers[i]);
    }
    if (status == STATUS_OK && count > 0) {
        status = batch_add(batch,
                           &(struct operation){.kind = OPERATION_DROP_VERSIONS,
                                               .job = job,
                                               .wall_ms = wall_ms,
                                               .bytes = bytes,
                                               .size = writer.at});
    }
    if (status == STATUS_OK) {
        status = store_apply(store, batch);
    }
    batch_close(batch);
    if (status == STATUS_OK) {
        *out_dropped = store->dropped;
    }
    return status;
}

enum status drops_check(struct kv_txn *txn, const struct key *key)
{
    struct kv_value value;
    enum status status = kv_get(txn, KV_DROPPED, key, &value);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    return status == STATUS_OK ? STATUS_CONFLICT : status;
}

enum status store_get_dropped(struct store *store,
                              uint64_t job,
                              uint64_t number,
                              uint64_t *out_wall_ms,
                              unsigned char **out,
                              size_t *out_size)
{
    const struct key key = key_of_pair(job, number);
    struct reader reader;
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = store_copy(store, KV_DROPPED, &key, &bytes, &size);

    if (status != STATUS_OK) {
        return status;
    }
    if (size < TIME_BYTES) {
        mem_free(bytes);
        return STATUS_CORRUPT;
    }
    reader_init(&reader, bytes, size);
    *out_wall_ms = read_u64(&reader);
    memmove(bytes, bytes + TIME_BYTES, size - TIME_BYTES);
    *out = bytes;
    *out_size = size - TIME_BYTES;
    return STATUS_OK;
}
