/* decide.h - from the reports of interval n to the grant of interval n + 2.
 *
 * The composition of a job's policies by role, in the order of remedies, and
 * of what else a boundary holds: evaluations, cuts, stopping rules. A pure
 * function of its input: decided again from the same reports it is the same
 * to the last bit. */
#ifndef COORDINATOR_CORE_DECIDE_H
#define COORDINATOR_CORE_DECIDE_H

#include "coordinator/core/policies.h"
#include "coordinator/core/timeline.h"

/* What decisions of one job are made from and move on. */
struct deciding {
    struct job_spec *spec;
    const struct data_shape *shape;
    struct arch *arch;
    struct plasticity_state *state;
    struct cursor *cursor;
};

/* The grants 0 and 1, which no report precedes: no edits. before: the one
 * before it; NULL: none. */
void decide_first(struct deciding *d,
                  const struct grant *before,
                  struct grant *out);

/* reports: [layer] -> [shard], all of one interval. */
struct interval_reports {
    const struct report *const *layers[LAYERS_MAX];
};

/* reported: the grant of the interval that reports cover; between: the one
 * after it, granted already. Fills out and the plan's decisions. */
void decide_next(struct deciding *d,
                 const struct grant *reported,
                 const struct grant *between,
                 const struct interval_reports *reports,
                 struct plan *plan,
                 struct grant *out);

/* The first cause that applies of a cut at this grant's boundary, or 0 where
 * the job's keep rules want none. between: the grant before it; NULL: none. */
uint32_t decide_cause(const struct job_spec *spec,
                      const struct grant *grant,
                      const struct grant *before);

#endif /* COORDINATOR_CORE_DECIDE_H */
