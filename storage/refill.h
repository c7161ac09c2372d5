/* refill.h - a mirror that was lost is written anew from its store.
 *
 * What a rebuild gives is what the store has now: the job's record, versions,
 * refs with all their moves, what gc has dropped, journal, events and stats, in
 * as few transactions as batches allow. A dropped version is written as one
 * without a manifest and then dropped again, so that refs which once pointed to
 * it can be moved as they were. */
#ifndef STORAGE_REFILL_H
#define STORAGE_REFILL_H

#include "storage/mirror.h"
#include "storage/store.h"

/* Appends all of job to mirror, which is empty, and syncs it. CORRUPT: a record
 * or a manifest is damaged. NO_MEMORY, IO, FULL. On the writer's thread. */
enum status refill_write(struct store *store,
                         uint64_t job,
                         struct mirror *mirror) MUST_CHECK;

#endif /* STORAGE_REFILL_H */
