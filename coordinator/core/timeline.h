/* timeline.h - how a job's steps, tasks and intervals lie.
 *
 * Pure arithmetic on the job spec and the data's shape: where an interval
 * begins never depends on the machine or the moment. Batches and intervals end
 * short at a task's end. */
#ifndef COORDINATOR_CORE_TIMELINE_H
#define COORDINATOR_CORE_TIMELINE_H

#include "proto/grant.h"
#include "proto/job.h"

/* Where the next interval begins. */
struct cursor {
    uint64_t interval;
    uint64_t step;     /* of the job */
    uint32_t task;     /* tasks_count: past the end */
    uint64_t position; /* examples of the task already used */
};

/* Steps of the whole job; `stop: {steps: n}` cuts it short. */
uint64_t timeline_total_steps(const struct job_spec *spec,
                              const struct data_shape *shape);

/* Fills the place and length of the interval at cursor (steps 0 and closing
 * set where the job is over) and moves the cursor behind it. Other fields of
 * grant are not touched. */
void timeline_next(const struct job_spec *spec,
                   const struct data_shape *shape,
                   struct cursor *cursor,
                   struct grant *grant);

#endif /* COORDINATOR_CORE_TIMELINE_H */
