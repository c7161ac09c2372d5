/* logs.c - the journal and the events: records in order, never changed. */
#include "storage/inside.h"

#include "base/check.h"

static enum kv_db db_of(enum record_log log)
{
    CHECK(log == LOG_JOURNAL || log == LOG_EVENTS);
    return log == LOG_JOURNAL ? KV_JOURNAL : KV_EVENTS;
}

/* The next number is read inside the update that uses it, so that there are
 * no gaps and no two records take the same. */
enum status logs_append(struct kv_txn *txn, const struct operation *operation)
{
    enum kv_db db = db_of(operation->log);
    uint64_t last = 0;
    struct key key;
    enum status status = last_number(txn, db, operation->job, &last);

    if (status != STATUS_OK) {
        return status;
    }
    CHECK(last < UINT64_MAX);
    key = key_of_pair(operation->job, last + 1);
    return kv_put(txn, db, &key, operation->bytes, operation->size);
}

enum status store_scan_log(struct store *store,
                           enum record_log log,
                           uint64_t job,
                           uint64_t from,
                           store_scan_fn *fn,
                           void *owner)
{
    const struct kv_range range = {.db = db_of(log),
                                   .from = key_of_pair(job, from),
                                   .prefix_size = KEY_NUMBER_BYTES};

    return store_scan_range(store, &range, fn, owner);
}
