/* job_points.h - closed states kept in the memory of workers.
 *
 *     asked for > held by all shards, twice > its record stored > complete
 *
 * A point is what a version is, but its tensors lie with the workers: a
 * shard's own copy and one on a buddy. Its record in the store is the manifest
 * without tensors, one a job; it is written last, as a commit is, so what the
 * store names was whole in memory. A point is complete only when every version
 * of its own and of earlier boundaries is committed: a replay that begins at
 * it would not make them again. A version committed later supersedes it.
 *
 * How often is a matter of time and changes no bit: four hundred times as long
 * as training stood still for the last one. That is a quarter of a percent; its
 * sums, its way to the buddy and the buddy's copy that comes here take some
 * seven times as long (tests/bench/README.md), so all in all it is two. The
 * first two of a run count for a tenth: workers that have just started make
 * them in memory that the system gives them page by page, which says nothing of
 * those to come.
 */
#ifndef COORDINATOR_CORE_JOB_POINTS_H
#define COORDINATOR_CORE_JOB_POINTS_H

#include "coordinator/core/job.h"

enum {
    /* Recovery costs more than the steps of half a second. */
    KEEP_GAP_MS = 500,
    KEEP_COST_SHARE = 400,
    KEEP_FRESH_POINTS = 2, /* one is kept while the next is made */
    KEEP_FRESH_SHARE = 40,
    /* A second copy of 1 GB over 1 Gbit/s and a slow neighbour; then it is
     * given up, and another one asked for. */
    KEEP_PATIENCE_MS = 60000,
    /* Placements from one point: a state that brings its workers down must not
     * do so for ever. */
    POINT_TRIES_MAX = 4
};

/* A point may be asked for with the grant that is being decided. Gives up one
 * that has been in the making for too long. */
bool job_point_wanted(struct job *job);

/* Marks grant, the newest decided, and opens the point in the making, whose
 * pending grant comes with job_complete_cut. */
void job_open_point(struct job *job, struct grant *grant);

/* A worker has a copy. STALE: of no point that is known; INVALID: no such
 * shard. Twice is the same as once. */
enum status job_take_kept(struct job *job,
                          uint32_t worker,
                          const struct wire_kept *kept) MUST_CHECK;

/* Worker has a copy of the shard at `at`, counted as holders are. False: too
 * many others have copies, and this one is of no use. */
bool job_point_hold(struct point *point, uint32_t at, uint32_t worker);

/* Worker has a copy of any shard. */
bool job_point_has(const struct point *point, uint32_t worker);

/* All shards have at least `copies` copies, 1 or 2. */
bool job_point_held(const struct job *job,
                    const struct point *point,
                    uint32_t copies);

/* The record of the point in the making may be stored: the state is closed,
 * all copies are there, the versions up to it are committed. */
bool job_point_ready(const struct job *job);

/* The record is stored: it is the newest complete point. */
void job_take_point(struct job *job);

void job_drop_making(struct job *job);

/* A version of this boundary is committed. */
void job_supersede_points(struct job *job, uint64_t interval);

/* A worker, and what it held, is gone. */
void job_lose_copies(struct job *job, uint32_t worker);

/* The job can go back to its point. */
bool job_point_serves(const struct job *job);

/* Fills holders and sources for an assignment: the owner itself where it has a
 * copy, else one of the others, in turn. CHECK: job_point_serves. */
void job_choose_sources(struct job *job, const struct members *members);

/* Being placed, and the worker may be giving copies for it. */
bool job_draws_on(const struct job *job, uint32_t worker);

#endif /* COORDINATOR_CORE_JOB_POINTS_H */
