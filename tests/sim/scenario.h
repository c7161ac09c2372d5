/* scenario.h - what a seed means: jobs, a cluster, and what befalls it. */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "proto/job.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    SIM_HOSTS_MAX = 5,
    SIM_JOBS_MAX = 2,
    SIM_TASKS_MAX = 4,
    SIM_SHARDS_MAX = 4,
    SIM_LAYERS_MAX = 4
};

/* What may go wrong. The figures are odds (once in n) or times; 0: never. */
struct troubles {
    uint32_t host_crash_ms; /* mean time between two */
    uint32_t center_crash_ms;
    uint32_t hang_ms;
    uint32_t partition_ms;
    uint32_t slow_disk_ms;
    uint32_t failing_disk_ms;
    uint32_t request_ms;
    uint32_t leave_ms;   /* SIGTERM to a worker */
    uint32_t frame_loss; /* odds */
    uint32_t frame_twice;
    uint32_t piece_loss; /* of copies */
    uint32_t piece_twice;
    uint32_t delay_us; /* most that a message or frame takes */
    bool may_set;
    bool may_restore;
    bool may_cancel;
    bool may_shut_down;
    bool may_drain; /* and cordon, and uncordon */
};

/* A fault that is put in on purpose, in the simulation's shells, to see that
 * the invariants find it. */
enum plant {
    PLANT_NONE = 0,
    PLANT_EARLY_STORED, /* a request is told stored before it is */
    PLANT_STALE_TERM,   /* frames of an old term are made to look new */
    PLANT_REPORT_TWICE, /* a report comes again as another shard's */
    PLANT_EDIT_TWICE,   /* one shard applies a grant's edits twice */
    PLANT_STALE_POINT,  /* an older copy is held under a newer name */
    PLANT_SHORT_COPY,   /* a buddy's copy lacks one step */
    PLANT_EARLY_POINT,  /* a point is told stored before it is */
    PLANT_BITS_DIFFER,  /* computed again, a figure of a report differs */
    PLANT_LIVES_ON,     /* a session that is dropped goes on, and reports */
    PLANTS_COUNT
};

struct sim_job {
    struct job_spec spec; /* its name says which of them it is */
    struct data_shape shape;
    uint64_t evaluate_rows[SIM_TASKS_MAX];
    uint64_t guard_rows[SIM_TASKS_MAX];
    uint32_t workers;       /* that it asks for */
    uint32_t workers_min;   /* 0: no fewer */
    uint64_t overflow_step; /* a number is not finite from here on; 0: never */
};

struct scenario {
    uint64_t seed;
    enum plant plant;
    uint32_t jobs_count;
    struct sim_job jobs[SIM_JOBS_MAX];
    uint32_t hosts_count;
    uint32_t slots;        /* operations at once in one worker */
    uint32_t operation_us; /* the longest that one takes */
    struct troubles troubles;
    uint64_t calm_us; /* no trouble begins from here on */
    uint64_t end_us;  /* the jobs must have ended by then */
};

void scenario_make(struct scenario *s, uint64_t seed);

/* The same jobs, each on one host, and nothing ever happens to them. */
void scenario_quiet(const struct scenario *from, struct scenario *to);

/* Which of the jobs this is. */
uint32_t scenario_job(const struct job_spec *spec);

const char *plant_name(enum plant plant);

#endif /* TESTS_SIM_SCENARIO_H */
