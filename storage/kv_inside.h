/* kv_inside.h - what the files behind kv.h share: the handle, and how a code of
 * LMDB becomes a status.
 *
 * kv.c has transactions and the map, kv_records.c what is in them, kv_open.c
 * the beginning and the end. These alone know LMDB. */
#ifndef STORAGE_KV_INSIDE_H
#define STORAGE_KV_INSIDE_H

#include "base/limits.h"
#include "storage/gate.h"
#include "storage/kv.h"

#include <lmdb.h>

enum {
    KV_FREE_DBI = 0, /* LMDB's own list of free pages */
    KV_MAIN_DBI = 1  /* LMDB's list of named databases */
};

struct kv {
    MDB_env *env; /* NULL: it could not be opened anew */
    MDB_dbi dbs[KV_DBS_COUNT];
    struct gate gate;
    uint64_t updates_count;
    bool broken; /* the map was lost while it grew; nothing may be touched */
    char dir[PATH_BYTES_MAX];
    uint64_t map_bytes; /* at start */
};

struct kv_table {
    const char *name;
    bool sealed; /* its records begin with a seal */
};
extern const struct kv_table kv_tables[KV_DBS_COUNT];

/* An LMDB code or an errno as a status. */
enum status kv_status_of(int code);
/* The same, logged where it is a failure. */
enum status kv_result(const char *call, int code);
/* The same inside an update, where a full map is no failure yet. */
enum status kv_update_result(struct kv_txn *txn, const char *call, int code);

/* Ends an update, or a read that opens databases: commits where status is OK,
 * else undoes. */
enum status kv_finish(struct kv_txn *txn, enum status status);

/* Closes the environment and opens it anew, on the thread that writes. The
 * owner's lock stays. */
enum status kv_reopen(struct kv *kv);

#endif /* STORAGE_KV_INSIDE_H */
