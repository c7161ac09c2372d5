/* watch.h - what the invariants have seen so far; theirs alone. */
#ifndef TESTS_SIM_WATCH_H
#define TESTS_SIM_WATCH_H

#include "tests/sim/invariants.h"

enum { TERMS_KEPT = 16, OVERFLOW_BYTES = 512 };

/* Who computes what in a term. */
struct owners {
    uint64_t term;
    uint64_t assignment;                         /* digest; 0: none seen */
    uint64_t by[SIM_LAYERS_MAX][SIM_SHARDS_MAX]; /* a process's name */
};

/* A term that a job has left by a move, and where. */
struct left {
    uint64_t term;
    uint64_t interval;
};

struct job_watch {
    struct owners owners[TERMS_KEPT];
    struct left left[TERMS_KEPT];
    uint64_t term;   /* the newest given out */
    uint64_t placed; /* mask of hosts in it */
    uint64_t sent_term[SIM_HOSTS_MAX];
    uint64_t sent_interval[SIM_HOSTS_MAX];
    uint64_t head;                  /* the newest durable */
    bool states[JOB_CANCELLED + 1]; /* that have been durable */
    uint64_t sent[SIM_LINES_MAX][INTERVALS_MAX];
    uint64_t journaled[SIM_LINES_MAX][INTERVALS_MAX];
    uint64_t stats[SIM_LINES_MAX][INTERVALS_MAX];
    bool points[SIM_LINES_MAX][INTERVALS_MAX]; /* that have been durable */
    uint64_t kept[SIM_LINES_MAX][INTERVALS_MAX][SIM_LAYERS_MAX]
                 [SIM_SHARDS_MAX]; /* what shards were when they were copied */
    uint64_t reached;              /* the latest step that was reported */
    uint64_t replayed;             /* as the record counted it, when placed */
    uint64_t life;                 /* of the coordinator, then */
    uint32_t loads;                /* since then */
    bool from_point;               /* the newest term begins at a point: */
    uint64_t point_interval;
    uint64_t point_step;
    bool moving;
    uint64_t moved_step;
    uint64_t moved_replayed;
    char overflow[OVERFLOW_BYTES]; /* what was said of it; "": nothing */
    struct figures figures;
};

struct watcher {
    struct tally tally;
    struct job_watch jobs[SIM_JOBS_MAX];
};

/* NULL: no training job that is durable. */
struct job_watch *watch_find(struct world *w, uint64_t job);

/* Is what the interval sets durable? */
bool watch_settings_durable(const struct ledger *d, const struct grant *g);

/* --- keeping.c: copies, points, moves --- */

/* The first grant of a placement, and what every grant says of points. */
void keeping_check_grant(struct world *w,
                         struct job_watch *watch,
                         uint32_t host,
                         const struct grant *g);
/* An assignment of a new term. */
void keeping_check_assign(struct world *w,
                          uint32_t which,
                          const struct wire_assign *a);
void keeping_check_event(struct world *w,
                         uint32_t which,
                         const struct action *action);
/* What was sent for this interval on is another future now. */
void keeping_begin_anew(struct job_watch *watch, const struct grant *g);

#endif /* TESTS_SIM_WATCH_H */
