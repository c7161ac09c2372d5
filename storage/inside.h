/* inside.h - what the files behind store.h share.
 *
 * store.c owns the handle; batch.c collects operations; each other file keeps
 * one kind of record: how it lies in its database, how it is put inside an
 * update, and the reads of store.h that belong to it. */
#ifndef STORAGE_INSIDE_H
#define STORAGE_INSIDE_H

#include "proto/version.h"
#include "storage/filesystem.h"
#include "storage/kv.h"
#include "storage/marks.h"
#include "storage/store.h"
#include <stdatomic.h>

/* A manifest of LAYERS_MAX layers of UNITS_MAX units is about 40 MB. */
enum { RECORD_BYTES_MAX = 64 << 20 };

/* A job and its mirror; of mirrors.c. */
struct mirror;
struct mirrored {
    struct mirror *mirror; /* NULL: a free place */
    uint64_t job;
    uint64_t before; /* its position before the batch being applied */
    uint64_t used;   /* the batch that last wrote to its job */
    bool touched;    /* by the batch being applied */
    bool rests;      /* is closed after each batch */
    bool failed;     /* in the batch being applied; is opened anew */
};
enum {
    MIRRORS_MAX = JOBS_MAX,
    /* Jobs of which it is remembered that they have no mirror. */
    PLAIN_JOBS_MAX = 64
};

struct store {
    struct kv *kv;
    int lock; /* of place.h; -1: none */
    uint64_t life;
    uint64_t dropped; /* versions, by the batch applied last; the writer's */

    /* mirrors.c; all the writer's */
    struct mirrored mirrors[MIRRORS_MAX];
    store_mirror_fn *mirror_rule; /* NULL: none */
    void *mirror_owner;
    uint64_t plain_jobs[PLAIN_JOBS_MAX]; /* by job % PLAIN_JOBS_MAX */
    uint64_t batches;                    /* applied, or tried */
    uint64_t fault_job;                  /* whose mirror has failed the last */
    char fault[ERROR_BYTES_MAX];

    /* young.c */
    struct marks young; /* the writer's */
    atomic_uint_least64_t tick;
    atomic_uint_least64_t young_floor;
    uint64_t sweeping_since; /* tick; 0: no sweep is open; the writer's */
};

/* store_open with what a test wants otherwise. */
struct store_options {
    const char *dir;
    uint64_t map_bytes;                  /* at start */
    const struct filesystem *filesystem; /* NULL: ask the system */
    bool read_only;                      /* beside its owner, without lock */
    char *why;
    size_t why_size; /* at least 1 */
};
enum status store_open_with(const struct store_options *options,
                            struct store **out) MUST_CHECK;

/* --- Reading, in store.c --- */

/* Whole transactions: begin, read, end. */
enum status store_copy(struct store *store,
                       enum kv_db db,
                       const struct key *key,
                       unsigned char **out, /* mem_free */
                       size_t *out_size) MUST_CHECK;
/* Calls fn with the number at the end of each key (see keys.h). Stops with
 * CORRUPT at a damaged record. */
enum status store_scan_range(struct store *store,
                             const struct kv_range *range,
                             store_scan_fn *fn,
                             void *owner) MUST_CHECK;
/* The highest number of job in a database of (job, number) keys; 0: none.
 * In the caller's transaction, which may be an update. */
enum status last_number(struct kv_txn *txn,
                        enum kv_db db,
                        uint64_t job,
                        uint64_t *out) MUST_CHECK;

/* --- Writing, inside an update --- */

/* What a batch holds. Which fields count depends on the kind; all pointers go
 * into memory, one block. */
enum operation_kind {
    OPERATION_APPEND = 1,
    OPERATION_PUT_JOB,
    OPERATION_PUT_VERSION,
    OPERATION_SET_REF,
    OPERATION_PUT_STAT,
    OPERATION_PUT_POINT,
    OPERATION_DROP_VERSIONS /* bytes: numbers, u64 little-endian */
};

struct operation {
    enum operation_kind kind;
    enum record_log log; /* append */
    uint64_t job;
    uint64_t number;  /* of the version, or the stat's key */
    uint64_t wall_ms; /* set_ref, drop_versions */
    void *memory;
    struct hash *chunks; /* put_version */
    size_t chunks_count;
    unsigned char *bytes; /* the record, the manifest, or the ref's name */
    size_t size;          /* a name's NUL is not counted */
    unsigned char *more;  /* the summary, or the actor */
    size_t more_size;
};

/* What batchcode.c reads and fills. draft: job, kind and what goes with it;
 * copied. As the batch_ functions of store.h. */
const struct operation *batch_operation(const struct batch *batch, size_t i);
enum status batch_add(struct batch *batch,
                      const struct operation *draft) MUST_CHECK;

/* Before the transaction of a batch, in it, and where it has failed. */
enum status mirrors_write(struct store *store,
                          const struct batch *batch) MUST_CHECK;
enum status mirrors_put_position(struct kv_txn *txn,
                                 uint64_t job,
                                 uint64_t position) MUST_CHECK;
enum status mirrors_put_positions(struct kv_txn *txn,
                                  struct store *store) MUST_CHECK;
void mirrors_take_back(struct store *store);
void mirrors_settle(struct store *store, const struct batch *batch); /* or came
                                                                through */
void mirrors_close(struct store *store);

enum status logs_append(struct kv_txn *txn,
                        const struct operation *operation) MUST_CHECK;
enum status records_put_job(struct kv_txn *txn,
                            const struct operation *operation) MUST_CHECK;
enum status records_put_stat(struct kv_txn *txn,
                             const struct operation *operation) MUST_CHECK;
enum status records_put_point(struct kv_txn *txn,
                              const struct operation *operation) MUST_CHECK;
enum status versions_put(struct kv_txn *txn,
                         const struct operation *operation) MUST_CHECK;
enum status refs_set(struct kv_txn *txn,
                     const struct operation *operation) MUST_CHECK;
/* After all operations of a batch: the ref's version must be there. */
enum status refs_check(struct kv_txn *txn,
                       const struct operation *operation) MUST_CHECK;

/* A manifest as it was found. CORRUPT, NO_MEMORY. */
enum status versions_decode(const struct kv_item *item,
                            struct version **out) MUST_CHECK;

/* --- Chunks that no manifest names yet, in young.c --- */

uint64_t young_next(struct store *store); /* a new tick, from 1 */
/* Ticks from here on are young. On the writer's thread. */
uint64_t young_floor(const struct store *store);
enum status young_add(struct store *store,
                      const struct hash *hashes,
                      size_t count) MUST_CHECK;

/* --- What is gone, in drops.c --- */

/* CONFLICT: the version was there once and has been dropped. */
enum status drops_apply(struct kv_txn *txn,
                        const struct operation *operation,
                        uint64_t *dropped) MUST_CHECK; /* counts up */
enum status drops_check(struct kv_txn *txn, const struct key *key) MUST_CHECK;

/* A ref as it lies in the store; name and actor end in NUL. */
struct ref_record {
    char name[NAME_BYTES_MAX];
    char actor[REASON_BYTES_MAX];
    uint64_t number;
    uint64_t wall_ms;
};
/* false: the bytes are no ref. */
bool refs_decode(const struct kv_value *value, struct ref_record *out);

#endif /* STORAGE_INSIDE_H */
