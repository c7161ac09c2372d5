/* store.h - everything that is kept, in one LMDB environment.
 *
 * journal   what was decided, per job, in order
 * events    what happened, per job, in order
 * jobs      one record a job
 * points    one manifest a job: the newest state that workers keep in memory
 * versions  one manifest a version, and a short summary beside it
 * chunks    tensor bytes by content hash, at most CHUNK_BYTES_MAX, once
 * dropped   what is left of versions that gc has taken away
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
#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Opens or creates the store in dir. why gets one sentence. CONFLICT: another
 * process has it open; why names its pid. UNSUPPORTED: a network filesystem, or
 * a format of another release. CORRUPT: the file is damaged or no store's.
 * INVALID: a path that is too long. IO, FULL, NO_MEMORY. Once per process and
 * directory; the handle must not be used after fork. */
enum status store_open(const char *dir,
                       char *why,
                       size_t why_size,
                       struct store **out) MUST_CHECK;
/* The same to read only, beside the process that owns it or without one: for a
 * process of its own, which damage may end. Nothing may be written through it.
 * NOT_FOUND: there is none. */
enum status store_open_reader(const char *dir,
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

/* All take copies. NO_MEMORY. BUSY: 16384 operations are there. INVALID: a
 * record of more than 64 MB. A record appended gets the next number of its
 * job and log; a batch that is applied twice appends twice. */
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
/* number 0 deletes the name. Moves are logged with wall time and actor; a name
 * that points there already has not moved. INVALID: a name that has not 1 to
 * NAME_BYTES_MAX - 1 bytes, or an actor of REASON_BYTES_MAX or more. The
 * transaction fails with NOT_FOUND, and nothing of the batch is kept, where
 * the version is neither in the store nor in the batch. */
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

/* A manifest without tensors, which are in the memory of workers; it replaces
 * the one before. size 0: the job has none any more. */
enum status batch_put_point(struct batch *batch,
                            uint64_t job,
                            const void *bytes,
                            size_t size) MUST_CHECK;

/* All or nothing, on the disk when it returns. FULL: the disk is full (the
 * store is as before, and works on). IO: else. The map grows by itself. The
 * batch stays the caller's and may be applied again after a failure. */
enum status store_apply(struct store *store,
                        const struct batch *batch) MUST_CHECK;

/* From the next store_apply on, what it does to job is also written to a file
 * at path, with the chunks that its versions name, and is there before it
 * returns (see mirror.h); a mirror that cannot be written fails the batch. The
 * path of a job is for the caller to choose, once and for all. A mirror that
 * there was and that is gone, while its directory is there, is written anew
 * from the store, which takes as long as copying the job. CONFLICT: the
 * file holds another mirror. CORRUPT: it has been touched. BUSY: JOBS_MAX jobs
 * have one. IO, FULL, INVALID, NO_MEMORY. why gets one sentence. On the
 * writer's thread. */
enum status store_mirror(struct store *store,
                         uint64_t job,
                         const char *path,
                         char *why,
                         size_t why_size) MUST_CHECK;
void store_unmirror(struct store *store, uint64_t job); /* or none */

/* The same by rule, for whoever cannot foresee which jobs will be written to:
 * from then on, the first batch that touches a job asks fn where its mirror
 * is, by the job's record (of the batch, else of the store). A mirror that
 * cannot be opened fails the batch, and the next one tries again. NOT_FOUND:
 * that job has none, ever; any other status fails the batch. rests: nothing
 * more will come for now, the file is closed after each batch. fn runs on the
 * writer's thread. */
struct store_mirror_place {
    char path[PATH_BYTES_MAX];
    bool rests;
};
typedef enum status store_mirror_fn(void *owner,
                                    uint64_t job,
                                    const void *record,
                                    size_t size,
                                    struct store_mirror_place *out);
void store_mirror_by(struct store *store, store_mirror_fn *fn, void *owner);

/* After a batch that failed: a sentence about the mirror that failed it, and
 * whose; NULL: no mirror did. On the writer's thread, until the next batch. */
const char *store_mirror_fault(const struct store *store, uint64_t *out_job);

/* The job that a mirror is of. 0: nothing is in it yet. NOT_FOUND: no such
 * file. CORRUPT: not a mirror. NO_MEMORY, IO. */
enum status store_mirror_job(const char *path, uint64_t *out_job) MUST_CHECK;

/* Applies a mirror to a store that has nothing of its job. Its tail may be
 * torn: what is behind the last whole transaction is lost, and told; the
 * mirror goes on from there. NOT_FOUND: no such file. CORRUPT: not a mirror.
 * Else as store_apply. */
struct store_rebuilt {
    uint64_t job;
    uint64_t life; /* the highest that was */
    uint64_t batches;
    uint64_t chunks;
    uint64_t bytes;
    uint64_t lost; /* bytes at the end that could not be used */
};
enum status store_rebuild(struct store *store,
                          const char *path,
                          struct store_rebuilt *out) MUST_CHECK;

/* Writes chunks ahead, in one transaction. CORRUPT: bytes are not what hash
 * says. INVALID: more than CHUNK_BYTES_MAX. A chunk that is there already is
 * compared and not written; one that has rotted there is replaced. */
struct chunk {
    struct hash hash;
    const void *bytes;
    size_t size;
};
enum status store_put_chunks(struct store *store,
                             const struct chunk *chunks,
                             size_t count) MUST_CHECK;

/* --- Dropping what may go --- */

enum { DROPS_MAX = 64 };

/* Takes versions away, in one transaction, all but those that a ref names or
 * that are not there. Their chunks stay until a sweep (sweep.h). count: at
 * most DROPS_MAX. CORRUPT: a ref of the job is damaged. */
enum status store_drop_versions(struct store *store,
                                uint64_t job,
                                const uint64_t *numbers,
                                size_t count,
                                uint64_t wall_ms,
                                uint64_t *out_dropped) MUST_CHECK;

/* When a version was dropped, and the summary that it had (mem_free).
 * NOT_FOUND: it is there, or never was. */
enum status store_get_dropped(struct store *store,
                              uint64_t job,
                              uint64_t number,
                              uint64_t *out_wall_ms,
                              unsigned char **out,
                              size_t *out_size) MUST_CHECK;

/* Chunks that were put, or named by a new version, since this tick are young:
 * no sweep takes them, though no version may name them. Raised by whoever
 * knows that all cuts which were open at that tick are over; a chunk must be
 * put again by every cut that counts on it. Both from any thread. */
uint64_t store_tick(struct store *store);
void store_young_floor(struct store *store, uint64_t tick);

/* A copy of the whole store in dir, which is made, or is there and empty.
 * Consistent, whatever is written meanwhile, compact, on the disk when it
 * returns; until then nothing has that name. why gets one sentence. CONFLICT:
 * something is in dir, or another backup writes there. INVALID: a path that is
 * no path. CORRUPT, FULL, IO. On any filesystem. Holds up the growth of the
 * map as long as it runs: in a process of its own, on a store opened to read,
 * it holds up nobody. */
enum status store_backup(struct store *store,
                         const char *dir,
                         char *why,
                         size_t why_size,
                         uint64_t *out_bytes) MUST_CHECK;
/* How much of a backup to dir is written, and taking away what one that was
 * ended in the middle has left. From any process. */
uint64_t store_backup_bytes(const char *dir);
void store_backup_forget(const char *dir);

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
enum status store_get_point(struct store *store,
                            uint64_t job,
                            unsigned char **out,
                            size_t *out_size) MUST_CHECK;
enum status store_get_ref(struct store *store,
                          uint64_t job,
                          const char *name,
                          uint64_t *out_number) MUST_CHECK;
/* Highest numbers used, also by what was dropped; 0 where there is none. */
enum status store_last_job(struct store *store, uint64_t *out) MUST_CHECK;
enum status store_last_version(struct store *store,
                               uint64_t job,
                               uint64_t *out) MUST_CHECK;

/* A scan calls fn for each record in order until fn returns false. bytes are
 * borrowed for the call. No other store call may be made inside fn: it would
 * wait for itself when the map must grow. CORRUPT: a damaged record; those
 * before it have been told. */
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
    uint64_t used_bytes; /* pages that hold something, not free ones */
    uint64_t map_bytes;  /* grows by itself; says nothing about the disk */
    uint64_t file_bytes; /* on the disk; free pages inside are used again */
    uint64_t chunks_count;
    uint64_t chunk_bytes; /* payload, each chunk once */
};
enum status store_usage(struct store *store,
                        struct store_usage *out) MUST_CHECK;
/* The same without the chunks, which takes no time. */
enum status store_disk(struct store *store, struct store_usage *out) MUST_CHECK;

/* Reads everything: every chunk against its hash, every record against its
 * seal, every manifest decoded, every chunk that a manifest names present and
 * of the right size, every ref to a version that is there, the logs without
 * gaps. Stops at no fault; each is told to fn with a sentence. IO, NO_MEMORY:
 * it could not go on, *out is untouched. Reads in slices: other threads may
 * read and write meanwhile, fn must not call the store. */
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
