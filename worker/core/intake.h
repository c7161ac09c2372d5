/* intake.h - may a frame from another worker be taken now?
 *
 * Taken if and only if it bears the term of its session, comes from the owner
 * of the shard it names, is the next of that worker's frames, and is for the
 * present or the next pass of every local shard that it is for. Pure. */
#ifndef WORKER_CORE_INTAKE_H
#define WORKER_CORE_INTAKE_H

#include "worker/core/sched.h"

struct intake_verdict {
    /* OK: take it. STALE, CONFLICT (a duplicate), INVALID: refuse it. */
    enum status status;
    bool fault; /* a gap or a frame from the future: nothing can be right */
    const char *reason;
    uint32_t peer;     /* OK: index of the sender */
    uint64_t expected; /* fault: pass or sequence number */
    uint64_t found;
};

struct intake_verdict intake_judge(const struct sched *sched,
                                   const struct frame_header *frame);

/* The local shards that a frame is for, a run of locals: out[0] .. out[1]-1.
 * Both equal for a norm, which is for the session. */
void intake_receivers(const struct sched *sched,
                      const struct frame_header *frame,
                      uint32_t out[2]);

#endif /* WORKER_CORE_INTAKE_H */
