/* store.h - everything that is kept, in one LMDB environment.
 *
 * journal   what was decided, per job, in order
 * events    what happened, per job, in order
 * jobs      one record a job
 * versions  one manifest a version, and a short summary beside it
 * chunks    tensor bytes by content hash, at most CHUNK_BYTES_MAX, once
 * refs      names that move ("head", tags), with a log of every move
 * stats     one record per job and interval (or evaluation)
 *
 * Records are bytes; who writes them knows what they mean (coordinator/shell).
 * Writes go through one thread; reads may run on another thread at the same
 * time (a read never waits). Nothing read points into LMDB: bytes are copied
 * out before a transaction ends. A write that returned OK is on the disk. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "base/hash.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Opens or creates the store in dir. why gets one sentence. CONFLICT: another
 * process has it open. UNSUPPORTED: a network filesystem, or a format of
 * another release. IO, FULL, NO_MEMORY. */
enum status store_open(const char *dir,
                       char *why,
                       size_t why_size,
                       struct store **out) MUST_CHECK;
void store_close(struct store *store); /* accepts NULL */

/* The number of this coordinator start: durable before it is returned. */
enum status store_next_life(struct store *store, uint64_t *out) MUST_CHECK;

/* --- Writing: operations are collected and applied in one transaction --- */

struct batch;

enum status batch_open(struct batch **out) MUST_CHECK;
void batch_close(struct batch *batch); /* accepts NULL */
size_t batch_count(const struct batch *batch);

enum record_log { LOG_JOURNAL = 1, LOG_EVENTS = 2 };

/* All take copies. NO_MEMORY. */
enum status batch_append(struct batch *batch,
                         enum record_log log,
                         uint64_t job,
                         const void *bytes,
                         size_t size) MUST_CHECK;
enum status batch_put_job(struct batch *batch,
                          uint64_t job,
                          const void *bytes,
                          size_t size) MUST_CHECK;
/* chunks: the hashes that the manifest names. The transaction fails with
 * NOT_FOUND, and nothing of the batch is kept, where one is not in the store.
 * CONFLICT: the number is taken by another manifest (the same bytes again are
 * fine: a repeated commit is one commit). */
enum status batch_put_version(struct batch *batch,
                              uint64_t job,
                              uint64_t number,
                              const void *manifest,
                              size_t manifest_size,
                              const void *summary,
                              size_t summary_size,
                              const struct hash *chunks,
                              size_t chunks_count) MUST_CHECK;
/* number 0 deletes the name. Moves are logged with wall time and actor. */
enum status batch_set_ref(struct batch *batch,
                          uint64_t job,
                          const char *name,
                          uint64_t number,
                          uint64_t wall_ms,
                          const char *actor) MUST_CHECK;
enum status batch_put_stat(struct batch *batch,
                           uint64_t job,
                           uint64_t key,
                           const void *bytes,
                           size_t size) MUST_CHECK;

/* All or nothing, on the disk when it returns. FULL: the disk is full (the
 * store is as before). IO: else. The map grows by itself. */
enum status store_apply(struct store *store,
                        const struct batch *batch) MUST_CHECK;

/* Writes chunks ahead, in one transaction. CORRUPT: bytes are not what hash
 * says. A chunk that is there already costs nothing. */
struct chunk {
    struct hash hash;
    const void *bytes;
    size_t size;
};
enum status store_put_chunks(struct store *store,
                             const struct chunk *chunks,
                             size_t count) MUST_CHECK;

/* --- Reading --- */

/* Copies the chunk into out [CHUNK_BYTES_MAX] and checks it against its hash.
 * NOT_FOUND, CORRUPT, IO. */
enum status store_get_chunk(struct store *store,
                            const struct hash *hash,
                            void *out,
                            size_t *out_size) MUST_CHECK;

/* *out is mem_free'd by the caller. */
enum status store_get_job(struct store *store,
                          uint64_t job,
                          unsigned char **out,
                          size_t *out_size) MUST_CHECK;
enum status store_get_version(struct store *store,
                              uint64_t job,
                              uint64_t number,
                              unsigned char **out, /* the manifest */
                              size_t *out_size) MUST_CHECK;
enum status store_get_ref(struct store *store,
                          uint64_t job,
                          const char *name,
                          uint64_t *out_number) MUST_CHECK;
/* Highest numbers used; 0 where there is none. */
enum status store_last_job(struct store *store, uint64_t *out) MUST_CHECK;
enum status store_last_version(struct store *store,
                               uint64_t job,
                               uint64_t *out) MUST_CHECK;

/* A scan calls fn for each record in order until fn returns false. bytes are
 * borrowed for the call. No other store call may be made inside fn. */
typedef bool store_scan_fn(void *owner,
                           uint64_t key,
                           const void *bytes,
                           size_t size);

enum status store_scan_jobs(struct store *store,
                            uint64_t from,
                            store_scan_fn *fn,
                            void *owner) MUST_CHECK;
enum status store_scan_log(struct store *store,
                           enum record_log log,
                           uint64_t job,
                           uint64_t from, /* sequence number, from 1 */
                           store_scan_fn *fn,
                           void *owner) MUST_CHECK;
/* Summaries, from number `from` on: upwards, or down where `down`. */
enum status store_scan_versions(struct store *store,
                                uint64_t job,
                                uint64_t from,
                                bool down,
                                store_scan_fn *fn,
                                void *owner) MUST_CHECK;
enum status store_scan_stats(struct store *store,
                             uint64_t job,
                             uint64_t from,
                             store_scan_fn *fn,
                             void *owner) MUST_CHECK;

typedef bool store_ref_fn(void *owner,
                          const char *name,
                          uint64_t number,
                          uint64_t wall_ms,
                          const char *actor);
enum status store_scan_refs(struct store *store,
                            uint64_t job,
                            store_ref_fn *fn,
                            void *owner) MUST_CHECK;
/* Every move there ever was, newest first. number 0: the name was deleted. */
enum status store_scan_ref_log(struct store *store,
                               uint64_t job,
                               store_ref_fn *fn,
                               void *owner) MUST_CHECK;

struct store_usage {
    uint64_t used_bytes; /* of the map */
    uint64_t map_bytes;
    uint64_t chunks_count;
    uint64_t chunk_bytes; /* payload, each chunk once */
};
enum status store_usage(struct store *store,
                        struct store_usage *out) MUST_CHECK;

/* Reads everything: every chunk against its hash, every manifest decoded,
 * every chunk that a manifest names present, every ref to a version that is
 * there. Stops at no error; each is told to fn with a sentence. */
typedef void store_fault_fn(void *owner, const char *sentence);
struct store_verdict {
    uint64_t chunks;
    uint64_t bytes;
    uint64_t versions;
    uint64_t faults;
};
enum status store_verify(struct store *store,
                         store_fault_fn *fn,
                         void *owner,
                         struct store_verdict *out) MUST_CHECK;

#endif /* STORAGE_STORE_H */
