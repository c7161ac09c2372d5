/* retention.h - which versions of a job gc may take away.
 *
 * A pure function of the job's keep rules and of what names a version. What
 * stays, whatever the rules are:
 *
 *   - what is spared: the head, a tag, a version that is being read or that a
 *     slot of the core works from;
 *   - start, restore, manual and end: where the job came from and what a
 *     person asked for;
 *   - the newest version of each other cause, and the newest `last` of all;
 *   - the parents of a restore: where its line begins and where the head was
 *     before, which is what `undo` goes back to; and of the head.
 *
 * A probation needs no version: a guard takes an edit back by a further edit,
 * and what it waits for is in the head's policy state. */
#ifndef COORDINATOR_SHELL_GC_RETENTION_H
#define COORDINATOR_SHELL_GC_RETENTION_H

#include "proto/job.h"
#include "proto/version.h"

struct retained {
    uint64_t number;
    uint32_t cause; /* enum cause */
    uint32_t parents_count;
    uint64_t parents[VERSION_PARENTS_MAX];
    uint64_t bytes; /* of its tensors, shared or not */
    bool head;
    bool spared; /* something names it, or is using it */
    bool stays;  /* the answer */
};

/* versions: of one job, by number, upwards. Returns how many do not stay. */
size_t retention_decide(const struct keep_spec *keep,
                        struct retained *versions,
                        size_t count);

/* So many versions more than must stay make it worth a gc by itself; UINT32_MAX
 * where no keep.last is given: then only a person's gc takes versions away. */
uint32_t retention_slack(const struct keep_spec *keep);

#endif /* COORDINATOR_SHELL_GC_RETENTION_H */
