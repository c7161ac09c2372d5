/* pins.h - until when chunks that were written ahead may be wanted.
 *
 * Nothing in the store says which cut a chunk was put for. But cuts end: what
 * was put before a certain tick (storage/store.h) and is in no version when
 * all cuts are over that were open at that tick will be in none. So a round
 * notes the tick and the open cuts, and ends when the last of these is gone;
 * then the floor is the tick. Works also where some cut is always open. Pure.
 */
#ifndef COORDINATOR_SHELL_GC_PINS_H
#define COORDINATOR_SHELL_GC_PINS_H

#include "base/limits.h"
#include "coordinator/core/job.h"

/* A cut that is under way. One that is begun again after a rollback has
 * another term: its chunks are put again. */
struct open_cut {
    uint64_t job;
    uint64_t term;
    uint64_t version;
};

enum { OPEN_CUTS_MAX = JOBS_MAX * CUTS_MAX };

struct pins {
    uint64_t tick;  /* at the round's beginning; 0: no round yet */
    uint64_t floor; /* what was put before it is wanted no more */
    uint32_t open_count;
    struct open_cut open[OPEN_CUTS_MAX]; /* of the round, not over yet */
};

/* now: the cuts that are open; tick: of the store, read just before. Returns
 * the floor. */
uint64_t pins_turn(struct pins *pins,
                   const struct open_cut *now,
                   uint32_t now_count,
                   uint64_t tick);

/* The cuts that a core has open; out holds OPEN_CUTS_MAX. */
uint32_t pins_open_cuts(const struct job *jobs, struct open_cut *out);

#endif /* COORDINATOR_SHELL_GC_PINS_H */
