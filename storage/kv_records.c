/* kv_records.c - records and their seals, inside a transaction. */
#include "storage/kv_inside.h"

#include "base/check.h"
#include "base/log.h"
#include "storage/fault.h"
#include "storage/seal.h"

#include <inttypes.h>
#include <string.h>

/* Takes the seal off raw; false where it does not match. Never touches the
 * bytes of an unsealed record: who only counts them need not read them. */
static bool unseal(enum kv_db db,
                   const struct key *key,
                   MDB_val raw,
                   struct kv_value *out)
{
    const unsigned char *bytes = raw.mv_data;
    size_t seal_size = kv_tables[db].sealed ? SEAL_BYTES : 0;

    if (raw.mv_size < seal_size) {
        *out = (struct kv_value){bytes, 0};
        return false;
    }
    *out = (struct kv_value){bytes + seal_size, raw.mv_size - seal_size};
    return seal_size == 0 || seal_matches(db, key, bytes, raw.mv_size);
}

/* LMDB does not write to keys and values that it is given. */
static MDB_val borrow(const void *bytes, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)(uintptr_t)bytes};
}

/* --- Records --- */

enum status kv_get(struct kv_txn *txn,
                   enum kv_db db,
                   const struct key *key,
                   struct kv_value *out)
{
    MDB_val name = borrow(key->b, key->size);
    MDB_val raw = borrow(NULL, 0);
    struct kv_value value;
    int code = fault_now();

    if (code == 0) {
        code = mdb_get(txn->handle, txn->kv->dbs[db], &name, &raw);
    }
    if (code != 0) {
        return kv_result("get", code);
    }
    if (!unseal(db, key, raw, &value)) {
        log_line(LOG_ERROR, "storage", "record_damaged",
                 "db=%s job=%" PRIu64 " number=%" PRIu64, kv_tables[db].name,
                 key_number(key, 0), key_number(key, KEY_NUMBER_BYTES));
        return STATUS_CORRUPT;
    }
    *out = value;
    return STATUS_OK;
}

enum status kv_put(struct kv_txn *txn,
                   enum kv_db db,
                   const struct key *key,
                   const void *bytes,
                   size_t size)
{
    size_t seal_size = kv_tables[db].sealed ? SEAL_BYTES : 0;
    MDB_val name = borrow(key->b, key->size);
    MDB_val raw = borrow(NULL, seal_size + size);
    unsigned char *place = NULL;
    struct seal seal;
    int code = fault_now();

    CHECK(key->size > 0);
    if (code == 0) {
        /* LMDB makes room and we fill it: no copy of a copy. */
        code = mdb_put(txn->handle, txn->kv->dbs[db], &name, &raw, MDB_RESERVE);
    }
    if (code != 0) {
        return kv_update_result(txn, "put", code);
    }
    place = raw.mv_data;
    if (seal_size > 0) {
        seal = seal_of(db, key, bytes, size);
        memcpy(place, seal.b, SEAL_BYTES);
    }
    if (size > 0) {
        memcpy(place + seal_size, bytes, size);
    }
    return STATUS_OK;
}

enum status kv_delete(struct kv_txn *txn, enum kv_db db, const struct key *key)
{
    MDB_val name = borrow(key->b, key->size);
    int code = fault_now();

    if (code == 0) {
        code = mdb_del(txn->handle, txn->kv->dbs[db], &name, NULL);
    }
    return kv_update_result(txn, "delete", code);
}

/* --- Scans --- */

static int cursor_move(MDB_cursor *cursor,
                       MDB_val *name,
                       MDB_val *raw,
                       MDB_cursor_op op)
{
    int code = fault_now();

    return code != 0 ? code : mdb_cursor_get(cursor, name, raw, op);
}

/* Puts the cursor on the first record of the range, if that is not empty. */
static int cursor_start(MDB_cursor *cursor,
                        const struct kv_range *range,
                        MDB_val *name,
                        MDB_val *raw)
{
    int code = 0;

    *name = borrow(range->from.b, range->from.size);
    code = cursor_move(cursor, name, raw, MDB_SET_RANGE);
    if (!range->down) {
        return code;
    }
    if (code == MDB_NOTFOUND) {
        return cursor_move(cursor, name, raw, MDB_LAST);
    }
    if (code == 0 && (name->mv_size != range->from.size ||
                      memcmp(name->mv_data, range->from.b, name->mv_size))) {
        return cursor_move(cursor, name, raw, MDB_PREV);
    }
    return code;
}

/* A key that is longer than any of ours ends the range like a strange one. */
static bool in_range(const struct kv_range *range, const MDB_val *name)
{
    return name->mv_size >= range->prefix_size &&
           name->mv_size <= KEY_BYTES_MAX &&
           memcmp(name->mv_data, range->from.b, range->prefix_size) == 0;
}

static bool tell(const struct kv_range *range,
                 const MDB_val *name,
                 const MDB_val *raw,
                 kv_scan_fn *fn,
                 void *owner)
{
    struct kv_item item = {.damaged = false};

    memcpy(item.key.b, name->mv_data, name->mv_size);
    item.key.size = name->mv_size;
    item.damaged = !unseal(range->db, &item.key, *raw, &item.value);
    return fn(owner, &item);
}

enum status kv_scan(struct kv_txn *txn,
                    const struct kv_range *range,
                    kv_scan_fn *fn,
                    void *owner)
{
    MDB_cursor_op next = range->down ? MDB_PREV : MDB_NEXT;
    MDB_cursor *cursor = NULL;
    MDB_val name;
    MDB_val raw;
    int code = fault_now();

    CHECK(range->prefix_size <= range->from.size);
    CHECK(range->from.size > 0);
    if (code == 0) {
        code = mdb_cursor_open(txn->handle, txn->kv->dbs[range->db], &cursor);
    }
    if (code != 0) {
        return kv_result("cursor_open", code);
    }
    code = cursor_start(cursor, range, &name, &raw);
    while (code == 0 && in_range(range, &name)) {
        if (!tell(range, &name, &raw, fn, owner)) {
            break;
        }
        code = cursor_move(cursor, &name, &raw, next);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? STATUS_OK : kv_result("cursor_get", code);
}

/* Each record of the free list is a page count and so many page numbers. */
static int count_free_pages(struct kv_txn *txn, uint64_t *out)
{
    MDB_cursor *cursor = NULL;
    MDB_val name;
    MDB_val raw;
    size_t pages = 0;
    uint64_t sum = 0;
    int code = mdb_cursor_open(txn->handle, KV_FREE_DBI, &cursor);

    if (code != 0) {
        return code;
    }
    code = cursor_move(cursor, &name, &raw, MDB_FIRST);
    while (code == 0 && raw.mv_size >= sizeof(pages)) {
        memcpy(&pages, raw.mv_data, sizeof(pages));
        sum += pages;
        code = cursor_move(cursor, &name, &raw, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *out = sum;
    return code == MDB_NOTFOUND ? 0 : code;
}

enum status kv_measure(struct kv_txn *txn, struct kv_usage *out)
{
    struct kv_usage usage = {.map_bytes = 0};
    uint64_t free_pages = 0;
    MDB_envinfo info;
    MDB_stat stat = {.ms_psize = 0};
    int code = count_free_pages(txn, &free_pages);

    for (int i = 0; i < KV_DBS_COUNT && code == 0; i++) {
        code = mdb_stat(txn->handle, txn->kv->dbs[i], &stat);
        usage.entries[i] = stat.ms_entries;
    }
    if (code == 0) {
        code = mdb_env_info(txn->kv->env, &info);
    }
    if (code != 0) {
        return kv_result("measure", code);
    }
    usage.map_bytes = info.me_mapsize;
    usage.file_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
    usage.used_bytes = usage.file_bytes - free_pages * stat.ms_psize;
    *out = usage;
    return STATUS_OK;
}
