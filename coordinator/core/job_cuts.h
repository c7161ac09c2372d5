/* job_cuts.h - versions in the making.
 *
 * A cut is opened when its grant is decided (the architecture is then as it
 * will be behind that boundary), gets its pending grant and policy state when
 * the next grant is decided, and may be committed when every shard's tensors
 * are in the store. Cuts are committed in the order of their numbers. */
#ifndef COORDINATOR_CORE_JOB_CUTS_H
#define COORDINATOR_CORE_JOB_CUTS_H

#include "coordinator/core/job.h"

/* The closed state behind grant's boundary, as far as it is known when the
 * grant is decided; keeps the memory of cut's architecture. */
void job_fill_cut(const struct job *job,
                  const struct grant *grant,
                  struct cut *cut);

/* CHECK: a slot is free (job_cut_room). Gives the grant its version number. */
void job_open_cut(struct job *job, struct grant *grant, uint32_t cause);

/* `pending` has just been decided: the cut of the interval before it, if there
 * is one, and the point in the making, if it is of that interval, now have all
 * that the future depends on. A closing grant's own cut needs none and is
 * complete when it is opened. */
void job_complete_cut(struct job *job, const struct grant *pending);

bool job_cut_room(const struct job *job);

/* The cut that may be committed now, or CUTS_MAX. */
uint32_t job_cut_ready(const struct job *job);

/* The cut that is being committed as `version`, or CUTS_MAX. */
uint32_t job_cut_committing(const struct job *job, uint64_t version);

/* An interval's numbers overflowed: cuts behind it are not wanted. */
void job_cuts_drop_after(struct job *job, uint64_t interval);

bool job_cuts_empty(const struct job *job);

#endif /* COORDINATOR_CORE_JOB_CUTS_H */
