/* record.h - what is known of a job whether or not it runs.
 *
 * The store keeps one record a job, rewritten whenever its state changes; a
 * coordinator that starts reads them. coordinator/shell turns records into
 * bytes. */
#ifndef COORDINATOR_CORE_RECORD_H
#define COORDINATOR_CORE_RECORD_H

#include "base/ids.h"
#include "proto/job.h"
#include "proto/version.h"

enum job_state {
    JOB_QUEUED = 1, /* accepted; not yet looked at */
    JOB_WAITING,    /* for workers */
    JOB_RUNNING,
    JOB_PAUSED,
    JOB_FINISHED,
    JOB_FAILED,
    JOB_CANCELLED
};
const char *job_state_name(enum job_state state);

enum { LINES_MAX = 256 };

/* Where a line left another one: the restores of a job's life. */
struct line_start {
    uint32_t parent;
    uint64_t interval; /* first interval that belongs to this line */
};

struct worker_share {
    uint32_t worker;
    uint32_t shards;
    uint64_t shard_steps;
    uint64_t bytes_sent;
};

struct job_record {
    uint64_t job;
    enum job_state state;
    char reason[ERROR_BYTES_MAX];
    struct job_spec spec;
    bool shape_known;
    struct data_shape shape;
    uint32_t workers_wanted; /* at most so many ... */
    uint32_t workers_min;    /* ... and at least so many; 0: no fewer */
    uint64_t created_ms;     /* wall */
    uint64_t ended_ms;       /* wall; 0: not ended */
    uint64_t head;           /* version; 0: none yet */
    uint64_t last_version;
    uint32_t line;
    uint32_t lines_count; /* at least 1: line 0 */
    struct line_start lines[LINES_MAX];
    uint64_t interval; /* newest reported whole */
    uint64_t step;     /* steps done */
    uint64_t total_steps;
    uint32_t task;
    uint64_t examples; /* used since the run began, for the rate */
    uint64_t run_ms;   /* from the first step to the last */
    uint64_t replayed_steps;
    double loss; /* online, newest interval */
    double accuracy;
    uint64_t grows;
    uint64_t renews;
    uint64_t prunes;
    uint64_t decisions;
    char last_decision[REASON_BYTES_MAX];
    uint64_t parameters;
    uint32_t layers_count;
    uint32_t widths[LAYERS_MAX];
    uint32_t shares_count;
    struct worker_share shares[WORKERS_MAX];
};

/* What becomes of a record when `restored` has been put back as version
 * `number` on a new line: head, line, place and shape; one that had ended is
 * paused. The writer stores this
 * in the same transaction as the version; the core does it when that is on the
 * disk. CHECK: lines_count < LINES_MAX. */
void record_after_restore(struct job_record *record,
                          const struct version *restored,
                          uint64_t number);

#endif /* COORDINATOR_CORE_RECORD_H */
