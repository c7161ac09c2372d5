/* gcplan.h - which versions of a job there are, and which of them may go.
 *
 * Read on a reader's thread, decided on the loop: only there is it known what
 * is being read, loaded or restored at this moment. */
#ifndef COORDINATOR_SHELL_GC_GCPLAN_H
#define COORDINATOR_SHELL_GC_GCPLAN_H

#include "coordinator/shell/gc/retention.h"
#include "storage/store.h"

enum {
    /* A job of that many keeps the rest for the next gc. */
    PLAN_VERSIONS_MAX = 1 << 20
};

struct gcplan {
    uint64_t job;
    struct keep_spec keep;
    size_t count;
    size_t room;
    struct retained *versions; /* by number */
    size_t refs_count;
    size_t refs_room;
    uint64_t *refs; /* versions that a name points to */
    uint64_t head;
    size_t doomed_count;
    uint64_t *doomed; /* by number */
    enum status status;
};

void gcplan_fini(struct gcplan *plan); /* accepts a zeroed one */

/* Fills versions and refs of plan->job; NO_MEMORY, CORRUPT, IO. */
enum status gcplan_read(struct gcplan *plan, struct store *store) MUST_CHECK;

/* true: the version must stay for now. */
typedef bool gcplan_spares_fn(void *owner, uint64_t job, uint64_t number);

/* Fills doomed. NO_MEMORY. */
enum status gcplan_decide(struct gcplan *plan,
                          gcplan_spares_fn *spares,
                          void *owner) MUST_CHECK;

bool gcplan_dooms(const struct gcplan *plan, uint64_t job, uint64_t number);

#endif /* COORDINATOR_SHELL_GC_GCPLAN_H */
