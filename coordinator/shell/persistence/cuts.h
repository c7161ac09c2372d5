/* cuts.h - the records of shards whose tensors are in the store already.
 *
 * A version's manifest needs the record of every shard; they come one by one,
 * from several workers, some versions ahead of the commit. The core counts
 * them, here they are kept. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_CUTS_H
#define COORDINATOR_SHELL_PERSISTENCE_CUTS_H

#include "base/status.h"
#include "proto/wire.h"

struct cuts;

enum status cuts_open(struct cuts **out) MUST_CHECK;
void cuts_close(struct cuts *cuts); /* accepts NULL */

/* Keeps a copy. What an older term of the job left is dropped; a record of an
 * older term than what is there is ignored. NO_MEMORY. */
enum status cuts_take(struct cuts *cuts,
                      const struct wire_shard_cut *cut) MUST_CHECK;

/* All records of a cut by layer, then shard; borrowed until the next call.
 * NULL: none. */
struct shard_record *cuts_find(struct cuts *cuts,
                               uint64_t job,
                               uint64_t version,
                               uint32_t *out_count);

/* Of this version and older ones. */
void cuts_drop(struct cuts *cuts, uint64_t job, uint64_t version);

#endif /* COORDINATOR_SHELL_PERSISTENCE_CUTS_H */
