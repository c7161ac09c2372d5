/* cuts.h - what shards have said of their cuts, and the versions made of it.
 * The counterpart of coordinator/shell/persistence/cuts.c and manifest.c. */
#ifndef TESTS_SIM_CUTS_H
#define TESTS_SIM_CUTS_H

#include "tests/sim/center.h"
#include "tests/sim/disk.h"

void cuts_keep(struct center *c, const struct wire_shard_cut *cut);

/* The version that is to be stored: the caller's. Of a point (version 0) all
 * but the shards, under the head's number. NULL: it is not whole, and the world
 * has failed. */
struct version *cuts_version(struct world *w,
                             const struct job *job,
                             const struct cut *cut);

/* This version and older ones are on their way to the store. */
void cuts_drop(struct center *c, uint64_t job, uint64_t version);

#endif /* TESTS_SIM_CUTS_H */
