/* scenario.h - what a seed means: a job, a cluster, and what befalls it. */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "proto/job.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    SIM_HOSTS_MAX = 5,
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
    uint32_t frame_loss; /* odds */
    uint32_t frame_twice;
    uint32_t delay_us; /* most that a message or frame takes */
    bool may_set;
    bool may_restore;
    bool may_cancel;
    bool may_shut_down;
};

/* A fault that is put in on purpose, in the simulation's shells, to see that
 * the invariants find it. */
enum plant {
    PLANT_NONE = 0,
    PLANT_EARLY_STORED, /* a request is told stored before it is */
    PLANT_STALE_TERM,   /* frames of an old term are made to look new */
    PLANT_REPORT_TWICE, /* a report comes again as another shard's */
    PLANT_EDIT_TWICE,   /* one shard applies a grant's edits twice */
    PLANTS_COUNT
};

struct scenario {
    uint64_t seed;
    enum plant plant;
    struct job_spec spec;
    struct data_shape shape;
    uint64_t evaluate_rows[SIM_TASKS_MAX];
    uint64_t guard_rows[SIM_TASKS_MAX];
    uint32_t hosts_count;
    uint32_t workers; /* that the job asks for */
    uint32_t slots;   /* operations at once in one worker */
    struct troubles troubles;
    uint64_t calm_us; /* no trouble begins from here on */
    uint64_t end_us;  /* the job must have ended by then */
};

void scenario_make(struct scenario *s, uint64_t seed);

/* The same job on one host, and nothing ever happens to it. */
void scenario_quiet(const struct scenario *from, struct scenario *to);

/* From now on this is true of the run: its end need not equal the quiet
 * one's. */
const char *plant_name(enum plant plant);

#endif /* TESTS_SIM_SCENARIO_H */
