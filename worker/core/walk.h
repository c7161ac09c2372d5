/* walk.h - where one shard stands in its session's program.
 *
 * An interval is walked phase by phase; a phase without work is passed over.
 * Some phases exchange frames with other shards and count as passes: each
 * group of evaluation microbatches, each training step, and the report of an
 * interval that had steps. Every shard of a job counts the same passes, from
 * 0 in each term, so the number names a pass everywhere. Pure.
 *
 *   IDLE -> EVALUATE -> GUARD_BEFORE -> EDIT -> GUARD_AFTER -> CUT -> HOLD
 *     ^                                                                 |
 *     +--------------------- REPORT <--------- TRAIN <-----------------+
 */
#ifndef WORKER_CORE_WALK_H
#define WORKER_CORE_WALK_H

#include "worker/core/program.h"

enum walk_phase {
    WALK_IDLE = 0, /* the interval is not granted yet */
    WALK_EVALUATE,
    WALK_GUARD_BEFORE,
    WALK_EDIT,
    WALK_GUARD_AFTER,
    WALK_CUT,
    WALK_HOLD,
    WALK_TRAIN,
    WALK_REPORT,
    WALK_PHASES_COUNT
};

struct walk {
    enum walk_phase phase;
    uint64_t interval;
    uint64_t pass; /* the present pass, or where in_pass is false the next */
    bool in_pass;
    bool clip; /* as of the edits passed: gradients are clipped */
    /* Within the phase: tasks evaluated (EVALUATE), steps done (TRAIN), work
     * done (EDIT, CUT, REPORT: 0 or 1). */
    uint64_t done;
    uint64_t rows_done;    /* of the set that is being evaluated */
    uint32_t rows;         /* of the present pass */
    uint32_t microbatches; /* of the present pass; 0 in a report */
};

void walk_init(struct walk *walk, bool clip);

/* Goes on until there is work, a wait or a pass to do. Call after a grant, a
 * release, and after each walk_did. */
void walk_settle(struct walk *walk, const struct program *program);

/* The work of EDIT, CUT or REPORT, or the present pass, is complete. */
void walk_did(struct walk *walk, const struct program *program);

/* Is the present pass, or would a pass of the present phase be, one of
 * forward and backward microbatches? */
bool walk_in_training(const struct walk *walk);
bool walk_in_evaluation(const struct walk *walk);

/* What is evaluated now, and how many rows that set has. */
uint32_t walk_evaluated_task(const struct walk *walk,
                             const struct program *program);
uint64_t walk_evaluated_rows(const struct walk *walk,
                             const struct program *program);

const char *walk_phase_name(enum walk_phase phase); /* for traces */

#endif /* WORKER_CORE_WALK_H */
