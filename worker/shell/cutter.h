/* cutter.h - takes copies of shards to the coordinator's store, in the
 * background.
 *
 * A copy is cut into chunks of CHUNK_BYTES_MAX; each is hashed on a thread of
 * its own and put over the chunk link, a few at a time. When all chunks of a
 * copy are durable, its record is told. Copies are served in the order given.
 * The store finds out which chunks it has already. */
#ifndef WORKER_SHELL_CUTTER_H
#define WORKER_SHELL_CUTTER_H

#include "base/jobs.h"
#include "proto/version.h"
#include "worker/shell/chunks.h"
#include "worker/shell/copy.h"

struct cutter;

/* Chunks that are being hashed or stored: hides the store's latency, and
 * bounds the memory beside the copies. */
enum { CUTTER_WINDOW = 4 };

/* One of these per call: all chunks are durable (OK, with the record, borrowed
 * for the call), or the copy is given up. Called from a later turn. */
typedef void cutter_done_fn(void *owner,
                            enum status status,
                            const struct copy *copy,
                            const struct shard_record *record);

/* Borrows both for its life; background is a pool of at least one thread. */
enum status cutter_open(struct chunks *chunks,
                        struct jobs *background,
                        struct cutter **out) MUST_CHECK;
/* Accepts NULL. After jobs_join of the pool. */
void cutter_close(struct cutter *cutter);

/* Takes copy on success. NO_MEMORY. */
enum status cutter_add(struct cutter *cutter,
                       struct copy *copy,
                       cutter_done_fn *done,
                       void *owner) MUST_CHECK;

/* Copies of this owner are given up without a call. */
void cutter_forget(struct cutter *cutter, const void *owner);

#endif /* WORKER_SHELL_CUTTER_H */
