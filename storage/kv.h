/* kv.h - a thin layer over LMDB: sealed records in named databases.
 *
 * LMDB is known to kv.c, kv_records.c and kv_open.c alone. What they add:
 *
 *   - the map grows by itself: an update that finds it full is undone, the map
 *     doubled and the update run again from its start;
 *   - a record carries a seal (seal.h); one that does not match is CORRUPT.
 *     Chunks are named by their hash and have none;
 *   - a full disk is FULL, also where LMDB only sees a short write;
 *   - a test can fail the n-th call (fault.h).
 *
 * Threads: updates from one thread at a time; reads from any, at the same
 * time. A transaction belongs to the thread that began it, and inside one no
 * other may be begun. A value that was read points into the map: it is good
 * until its transaction ends, and in an update until the next put or delete.
 *
 * Errors of all calls that reach the disk: IO, FULL (no space left), CORRUPT
 * (LMDB met a damaged page), NO_MEMORY, BUSY (126 readers at once). Each is
 * logged here, once. */
#ifndef STORAGE_KV_H
#define STORAGE_KV_H

#include "base/status.h"
#include "storage/keys.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sparse: costs address space, not disk. Small enough for a login session
 * that limits it (ulimit -v), large enough to be doubled rarely. */
#define KV_MAP_BYTES_START (UINT64_C(1) << 30)
/* 1/8 of what the 47 bits of a process can address. */
#define KV_MAP_BYTES_MAX (UINT64_C(1) << 44)

/* The numbers are part of every seal: never change or reuse one. */
enum kv_db {
    KV_META = 0, /* the format number; not sealed, so that any release can */
    KV_COUNTERS = 1,
    KV_JOBS = 2,
    KV_JOURNAL = 3,
    KV_EVENTS = 4,
    KV_VERSIONS = 5,
    KV_SUMMARIES = 6,
    KV_CHUNKS = 7, /* not sealed */
    KV_REFS = 8,
    KV_REF_LOG = 9,
    KV_STATS = 10,
    KV_POINTS = 11,
    KV_DROPPED = 12, /* since format 2 */
    KV_TAILS = 13,   /* since format 3; not sealed */
    KV_DBS_COUNT = 14
};

/* "journal"; static. */
const char *kv_db_name(enum kv_db db);

struct kv;

struct kv_options {
    const char *dir;    /* exists */
    uint64_t map_bytes; /* at start; raised to fit what is there */
    bool read_only;     /* nothing is made, grown or repaired */
    char *why;          /* one sentence where kv_open fails */
    size_t why_size;
};

/* Opens or creates DIR/data.mdb and DIR/lock.mdb. At most once per directory
 * and process, and the handle must not be used after fork. UNSUPPORTED: the
 * format number is another, or it is no store. CORRUPT: no LMDB file. */
enum status kv_open(const struct kv_options *options,
                    struct kv **out) MUST_CHECK;
void kv_close(struct kv *kv); /* accepts NULL; after all transactions */

struct MDB_txn;

/* On the caller's stack; the fields are for kv*.c alone. */
struct kv_txn {
    struct kv *kv;
    struct MDB_txn *handle;
    bool map_full; /* the update must run again in a larger map */
};

struct kv_value {
    const unsigned char *bytes; /* never NULL */
    size_t size;
};

/* --- Reading --- */

/* One consistent view, whatever is written meanwhile. Keep it short: pages
 * that it may see are not used again, and the map cannot grow. */
enum status kv_begin(struct kv *kv, struct kv_txn *out) MUST_CHECK;
void kv_end(struct kv_txn *txn);

/* NOT_FOUND; CORRUPT: the seal does not match. */
enum status kv_get(struct kv_txn *txn,
                   enum kv_db db,
                   const struct key *key,
                   struct kv_value *out) MUST_CHECK;

struct kv_range {
    enum kv_db db;
    struct key from;    /* the first key wanted, whether it is there or not */
    size_t prefix_size; /* keys that share so many bytes with from */
    bool down;          /* from large to small */
};

struct kv_item {
    struct key key;
    struct kv_value value;
    bool damaged; /* the seal does not match: bytes are not to be trusted */
};

typedef bool kv_scan_fn(void *owner, const struct kv_item *item);

/* Calls fn for each record of the range until it returns false. */
enum status kv_scan(struct kv_txn *txn,
                    const struct kv_range *range,
                    kv_scan_fn *fn,
                    void *owner) MUST_CHECK;

struct kv_usage {
    uint64_t map_bytes;
    uint64_t used_bytes; /* pages in use; free ones inside the file are not */
    uint64_t file_bytes; /* the file up to its last page that was ever used */
    uint64_t entries[KV_DBS_COUNT];
};
enum status kv_measure(struct kv_txn *txn, struct kv_usage *out) MUST_CHECK;

/* --- Writing --- */

/* May run several times, so it changes nothing but the transaction. Any
 * status but OK undoes all it did. */
typedef enum status kv_update_fn(struct kv_txn *txn, void *owner);

/* All or nothing, on the disk when it returns OK. */
enum status kv_update(struct kv *kv, kv_update_fn *fn, void *owner) MUST_CHECK;

/* Puts or replaces. bytes must not point into the map. */
enum status kv_put(struct kv_txn *txn,
                   enum kv_db db,
                   const struct key *key,
                   const void *bytes,
                   size_t size) MUST_CHECK;
enum status kv_delete(struct kv_txn *txn,
                      enum kv_db db,
                      const struct key *key) MUST_CHECK; /* NOT_FOUND */

/* Writes one consistent view of all to fd, a new file, without the pages that
 * are free. As long as it runs, the map cannot grow and no page that is freed
 * is used again. CORRUPT: pages contradict each other. */
enum status kv_copy(struct kv *kv, int fd) MUST_CHECK;

#endif /* STORAGE_KV_H */
