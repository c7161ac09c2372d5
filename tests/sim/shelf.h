/* shelf.h - the least store that a coordinator's core can live with: of each
 * job the head, the newest point, and what the journal says of intervals. In
 * memory, at once, and without faults: for the scale run. */
#ifndef TESTS_SIM_SHELF_H
#define TESTS_SIM_SHELF_H

#include "coordinator/core/coord.h"

enum { SHELF_INTERVALS_MAX = 4096 };

struct shelf_job {
    uint64_t job; /* 0: free */
    struct version *head;
    struct version *point;
    struct version *lent; /* to the core, with the memory */
    void *memory;
    uint64_t journaled;
    uint64_t hashes[SHELF_INTERVALS_MAX]; /* of reports, by interval */
};

struct shelf {
    struct shelf_job jobs[JOBS_MAX]; /* by slot */
    uint64_t commits;
    uint64_t points;
    uint64_t checks; /* intervals decided again, and compared */
    uint64_t lent_bytes;
};

void shelf_init(struct shelf *shelf);
void shelf_fini(struct shelf *shelf);

/* Memory for a job whose data have been opened; lent to the core. */
void *shelf_lend(struct shelf *shelf,
                 uint32_t slot,
                 const struct job_spec *spec,
                 const struct data_shape *shape);

/* Does a STORE_*, COMMIT, CHECK_JOURNAL or FORGET. True: the core waits for
 * *out_event, the answer. */
bool shelf_store(struct shelf *shelf,
                 const struct coord *core,
                 const struct action *action,
                 struct coord_event *out_event);

/* Answers a LOAD. Call when the event is given to the core: what the one
 * before has lent is taken back. */
void shelf_load(struct shelf *shelf,
                const struct action *action,
                const struct data_shape *shape,
                struct coord_event *out_event);

#endif /* TESTS_SIM_SHELF_H */
