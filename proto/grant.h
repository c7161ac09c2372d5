/* grant.h - the leave to run one interval, and what happens at its start.
 *
 * Order at the boundary: evaluate held-out tasks, guard evaluation, edits in
 * list order, guard evaluation, cut, (hold until released), then `steps`
 * training steps, then every shard reports. An interval never spans two tasks.
 * A closing grant has no steps. */
#ifndef PROTO_GRANT_H
#define PROTO_GRANT_H

#include "base/limits.h"
#include "proto/edit.h"
#include <stdbool.h>
#include <stdint.h>

struct grant_setting {
    uint32_t setting; /* see job_find_setting */
    double value;
};

struct grant {
    uint64_t term;
    uint32_t line;
    uint64_t interval;
    uint64_t first_step; /* of the job; steps count from 0 */
    uint32_t steps;      /* 0 in a closing grant */
    uint32_t task;
    uint64_t position;      /* examples of the task before first_step */
    uint64_t task_examples; /* where the task ends: a batch ends short there */
    /* Held-out evaluation before the edits: tasks first .. first + count. */
    uint32_t evaluate_first;
    uint32_t evaluate_count;
    bool guard; /* evaluate the guard examples before and after the edits */
    uint64_t version; /* cut under this number; 0: no cut */
    /* Also keep a copy of the state in memory, and one on a buddy, after the
     * edits: a point that the job can go back to. Never journaled: how often is
     * a matter of time, and changes no bit. `kept` is interval + 1 of the point
     * that is complete, 0: none; copies of all others may go. */
    bool keep;
    uint64_t kept;
    bool hold;    /* wait for a release after the cut */
    bool closing; /* the last grant of the job */
    bool resumed; /* boundary work was done before the version restored:
                     skip evaluations, edits and cut */
    uint32_t settings_count;
    struct grant_setting settings[GRANT_SETTINGS_MAX];
    uint32_t edits_count;
    struct edit edits[GRANT_EDITS_MAX];
    uint32_t units_count;
    struct edit_unit units[GRANT_UNITS_MAX];
};

#endif /* PROTO_GRANT_H */
