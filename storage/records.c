/* records.c - jobs, points and stats: plain records under a number. */
#include "storage/inside.h"

enum status records_put_job(struct kv_txn *txn,
                            const struct operation *operation)
{
    const struct key key = key_of_job(operation->job);

    return kv_put(txn, KV_JOBS, &key, operation->bytes, operation->size);
}

enum status records_put_stat(struct kv_txn *txn,
                             const struct operation *operation)
{
    const struct key key = key_of_pair(operation->job, operation->number);

    return kv_put(txn, KV_STATS, &key, operation->bytes, operation->size);
}

enum status records_put_point(struct kv_txn *txn,
                              const struct operation *operation)
{
    const struct key key = key_of_job(operation->job);
    enum status status = STATUS_OK;

    if (operation->size > 0) {
        return kv_put(txn, KV_POINTS, &key, operation->bytes, operation->size);
    }
    status = kv_delete(txn, KV_POINTS, &key);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status store_get_point(struct store *store,
                            uint64_t job,
                            unsigned char **out,
                            size_t *out_size)
{
    const struct key key = key_of_job(job);

    return store_copy(store, KV_POINTS, &key, out, out_size);
}

enum status store_get_job(struct store *store,
                          uint64_t job,
                          unsigned char **out,
                          size_t *out_size)
{
    const struct key key = key_of_job(job);

    return store_copy(store, KV_JOBS, &key, out, out_size);
}

static bool keep_job(void *owner, const struct kv_item *item)
{
    uint64_t *job = owner;

    *job = key_number(&item->key, 0);
    return false;
}

enum status store_last_job(struct store *store, uint64_t *out)
{
    const struct kv_range range = {.db = KV_JOBS,
                                   .from = key_of_job(UINT64_MAX),
                                   .prefix_size = 0,
                                   .down = true};
    struct kv_txn txn;
    uint64_t job = 0;
    enum status status = kv_begin(store->kv, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = kv_scan(&txn, &range, keep_job, &job);
    kv_end(&txn);
    if (status == STATUS_OK) {
        *out = job;
    }
    return status;
}

enum status store_scan_jobs(struct store *store,
                            uint64_t from,
                            store_scan_fn *fn,
                            void *owner)
{
    const struct kv_range range = {
        .db = KV_JOBS, .from = key_of_job(from), .prefix_size = 0};

    return store_scan_range(store, &range, fn, owner);
}

enum status store_scan_stats(struct store *store,
                             uint64_t job,
                             uint64_t from,
                             store_scan_fn *fn,
                             void *owner)
{
    const struct kv_range range = {.db = KV_STATS,
                                   .from = key_of_pair(job, from),
                                   .prefix_size = KEY_NUMBER_BYTES};

    return store_scan_range(store, &range, fn, owner);
}
