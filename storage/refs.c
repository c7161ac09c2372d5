/* refs.c - names that move, and a log of every move.
 *
 * A ref and its log entry are the same bytes, so that the log alone could
 * rebuild the refs. Little-endian:
 *
 *     | number 8 | wall_ms 8 | name size 2 | actor size 2 | name | actor | */
#include "storage/inside.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

enum { REF_BYTES_MAX = 8 + 8 + 2 + 2 + NAME_BYTES_MAX + REASON_BYTES_MAX };

static size_t encode(const struct operation *operation,
                     unsigned char out[REF_BYTES_MAX])
{
    struct writer writer;

    writer_init(&writer, out, REF_BYTES_MAX);
    write_u64(&writer, operation->number);
    write_u64(&writer, operation->wall_ms);
    write_u16(&writer, (uint16_t)operation->size);
    write_u16(&writer, (uint16_t)operation->more_size);
    write_bytes(&writer, operation->bytes, operation->size);
    write_bytes(&writer, operation->more, operation->more_size);
    CHECK(!writer.failed); /* batch.c has checked both sizes */
    return writer.at;
}

static bool read_text(struct reader *reader, char *out, size_t max, size_t size)
{
    const unsigned char *bytes = NULL;

    if (size >= max) {
        return false;
    }
    bytes = read_bytes(reader, size);
    if (bytes == NULL && size > 0) {
        return false;
    }
    if (size > 0) {
        memcpy(out, bytes, size);
    }
    out[size] = '\0';
    return true;
}

bool refs_decode(const struct kv_value *value, struct ref_record *out)
{
    struct reader reader;
    size_t name_size = 0;
    size_t actor_size = 0;

    reader_init(&reader, value->bytes, value->size);
    out->number = read_u64(&reader);
    out->wall_ms = read_u64(&reader);
    name_size = read_u16(&reader);
    actor_size = read_u16(&reader);
    if (reader.failed) {
        return false;
    }
    return read_text(&reader, out->name, sizeof(out->name), name_size) &&
           read_text(&reader, out->actor, sizeof(out->actor), actor_size);
}

static enum status append_move(struct kv_txn *txn,
                               const struct operation *operation)
{
    unsigned char bytes[REF_BYTES_MAX];
    size_t size = encode(operation, bytes);
    uint64_t last = 0;
    struct key key;
    enum status status = last_number(txn, KV_REF_LOG, operation->job, &last);

    if (status != STATUS_OK) {
        return status;
    }
    key = key_of_pair(operation->job, last + 1);
    return kv_put(txn, KV_REF_LOG, &key, bytes, size);
}

/* What a name points to, 0 where it is not there or is damaged: the move that
 * follows repairs it. */
static enum status read_number(struct kv_txn *txn,
                               const struct key *key,
                               uint64_t *out)
{
    struct ref_record record = {.number = 0};
    struct kv_value value;
    enum status status = kv_get(txn, KV_REFS, key, &value);

    *out = 0;
    if (status == STATUS_OK && refs_decode(&value, &record)) {
        *out = record.number;
    }
    if (status == STATUS_NOT_FOUND || status == STATUS_CORRUPT) {
        return STATUS_OK;
    }
    return status;
}

/* A name that is already where it should go has not moved: a batch that is
 * applied twice leaves one entry in the log. */
enum status refs_set(struct kv_txn *txn, const struct operation *operation)
{
    const struct key key =
        key_of_ref(operation->job, (const char *)operation->bytes);
    unsigned char bytes[REF_BYTES_MAX];
    size_t size = encode(operation, bytes);
    uint64_t present = 0;
    enum status status = read_number(txn, &key, &present);

    if (status != STATUS_OK) {
        return status;
    }
    if (present == operation->number) {
        return STATUS_OK;
    }
    if (operation->number == 0) {
        status = kv_delete(txn, KV_REFS, &key);
    } else {
        status = kv_put(txn, KV_REFS, &key, bytes, size);
    }
    return status == STATUS_OK ? append_move(txn, operation) : status;
}

enum status refs_check(struct kv_txn *txn, const struct operation *operation)
{
    const struct key key = key_of_pair(operation->job, operation->number);
    struct kv_value value;
    enum status status = STATUS_OK;

    if (operation->number == 0) {
        return STATUS_OK;
    }
    status = kv_get(txn, KV_VERSIONS, &key, &value);
    if (status == STATUS_NOT_FOUND) {
        log_line(LOG_ERROR, "storage", "ref_refused",
                 "job=%" PRIu64 " ref=%s version=%" PRIu64, operation->job,
                 (const char *)operation->bytes, operation->number);
    }
    return status;
}

/* --- Reading --- */

enum status store_get_ref(struct store *store,
                          uint64_t job,
                          const char *name,
                          uint64_t *out_number)
{
    struct ref_record record;
    struct kv_value value;
    struct kv_txn txn;
    struct key key;
    enum status status = STATUS_OK;

    /* A name from outside that none can have is just not there. */
    if (name[0] == '\0' || strlen(name) >= NAME_BYTES_MAX) {
        return STATUS_NOT_FOUND;
    }
    key = key_of_ref(job, name);
    status = kv_begin(store->kv, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    status = kv_get(&txn, KV_REFS, &key, &value);
    if (status == STATUS_OK && !refs_decode(&value, &record)) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        *out_number = record.number;
    }
    kv_end(&txn);
    return status;
}

struct ref_scan {
    store_ref_fn *fn;
    void *owner;
    bool damaged;
};

static bool tell(void *owner, const struct kv_item *item)
{
    struct ref_scan *scan = owner;
    struct ref_record record;

    if (item->damaged || !refs_decode(&item->value, &record)) {
        log_line(LOG_ERROR, "storage", "ref_damaged", "job=%" PRIu64,
                 key_number(&item->key, 0));
        scan->damaged = true;
        return false;
    }
    return scan->fn(scan->owner, record.name, record.number, record.wall_ms,
                    record.actor);
}

static enum status scan_range(struct store *store,
                              const struct kv_range *range,
                              store_ref_fn *fn,
                              void *owner)
{
    struct ref_scan scan = {.fn = fn, .owner = owner};
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

enum status store_scan_refs(struct store *store,
                            uint64_t job,
                            store_ref_fn *fn,
                            void *owner)
{
    const struct kv_range range = {.db = KV_REFS,
                                   .from = key_of_job(job),
                                   .prefix_size = KEY_NUMBER_BYTES};

    return scan_range(store, &range, fn, owner);
}

enum status store_scan_ref_log(struct store *store,
                               uint64_t job,
                               store_ref_fn *fn,
                               void *owner)
{
    const struct kv_range range = {.db = KV_REF_LOG,
                                   .from = key_of_pair(job, UINT64_MAX),
                                   .prefix_size = KEY_NUMBER_BYTES,
                                   .down = true};

    return scan_range(store, &range, fn, owner);
}
