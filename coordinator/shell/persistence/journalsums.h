/* journalsums.h - sums of what the journal holds beyond a state, by interval.
 *
 * A replay decides again what was decided; its records must have the same
 * sums, or the bits differ. Filled by the loader, looked at while the replay
 * lasts. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_JOURNALSUMS_H
#define COORDINATOR_SHELL_PERSISTENCE_JOURNALSUMS_H

#include "base/status.h"
#include "coordinator/shell/records/journalcode.h"
#include <stdint.h>

/* Zeroed: empty. Intervals come in order; one that is left out has no sum. */
struct journalsums {
    uint64_t first;
    uint32_t count;
    uint32_t room;
    uint64_t *sums; /* [room]; 0: none */
};

void journalsums_fini(struct journalsums *sums);

/* The first one of an interval counts. NO_MEMORY; BUSY: more than 16 million,
 * the rest is not compared. */
enum status journalsums_add(struct journalsums *sums,
                            uint64_t interval,
                            uint64_t sum) MUST_CHECK;

uint64_t journalsums_at(const struct journalsums *sums,
                        uint64_t interval); /* 0: none */

/* What has been decided again, with what the journal has of its interval.
 * CORRUPT: they differ. OK also where the journal had none when the replay
 * began: of a release before hashes, or not taken by the disk. NO_MEMORY. */
enum status journalsums_compare(const struct journalsums *sums,
                                const struct journal_entry *entry) MUST_CHECK;

#endif /* COORDINATOR_SHELL_PERSISTENCE_JOURNALSUMS_H */
