/* crowd.h - the coordinator's core with a thousand workers, and no mathematics.
 *
 * What a control plane costs, and that it keeps its promises at that size: jobs
 * of many shards are placed, reported, decided, cut and kept; workers are lost
 * and come back. A worker here is a row of a table that answers as a correct
 * one does, at once or after the time that an interval takes; the store is a
 * shelf. One virtual clock, no draws but by place: the same run each time. */
#ifndef TESTS_SIM_CROWD_H
#define TESTS_SIM_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crowd_options {
    uint32_t workers; /* at most MEMBERS_MAX */
    uint32_t shards;  /* of all jobs together, about */
    uint32_t intervals;
    uint32_t losses; /* workers that are lost, in two waves */
    uint32_t drains; /* that are drained, half way: their jobs move */
    bool timed;      /* measure what the core uses */
};

struct crowd_figures {
    char failure[256]; /* "": what was promised was kept */
    uint32_t jobs;
    uint32_t shards;
    uint32_t workers_hosting; /* the most at one time */
    uint64_t events;
    uint64_t reports;
    uint64_t intervals; /* of all jobs, reported whole */
    uint64_t decisions;
    uint64_t commits;
    uint64_t points;
    uint64_t moves;
    uint64_t drained; /* and told so */
    uint64_t losses;
    uint64_t recoveries; /* intervals decided again, and compared */
    uint64_t virtual_ms;
    uint32_t actions_most; /* of one step */
    uint64_t core_ns;      /* of the core, all events */
    uint64_t core_reports_ns;
    uint64_t core_bytes; /* struct coord */
    uint64_t lent_bytes; /* to it, for the jobs */
};

/* False: out->failure says what went wrong. */
bool crowd_run(const struct crowd_options *options, struct crowd_figures *out);

#endif /* TESTS_SIM_CROWD_H */
