/* loader.h - reads a version or the record of a point, and what the journal
 * holds beyond it.
 *
 * The answer to ACTION_LOAD. Everything happens on a reader's thread. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_LOADER_H
#define COORDINATOR_SHELL_PERSISTENCE_LOADER_H

#include "base/jobs.h"
#include "coordinator/core/event.h"
#include "coordinator/shell/persistence/journalsums.h"
#include "storage/store.h"

struct loaded {
    enum status status;
    uint64_t token;
    uint32_t slot;
    struct version *version; /* the receiver's; NULL where status is not OK */
    bool point;              /* it is the record of a point */
    struct journalsums sums; /* of the journal; the receiver's, as above */
    uint64_t step;           /* steps that the journal shows to be reported */
    uint32_t inputs_count;   /* above INPUTS_MAX: the rest is not kept */
    struct input_setting inputs[INPUTS_MAX];
    uint64_t journaled; /* first interval of its line not in the journal */
};

struct load_order {
    struct store *store;
    uint64_t token;
    uint32_t slot;
    uint64_t job;
    uint64_t version;
    bool point;    /* the job's point, where it is of this line and newer */
    uint32_t line; /* POINT */
};

/* loaded is borrowed for the call. */
typedef void loader_fn(void *owner, struct loaded *loaded);

/* BUSY, NO_MEMORY: fn is not called. */
enum status loader_start(struct jobs *reader,
                         const struct load_order *order,
                         loader_fn *fn,
                         void *owner) MUST_CHECK;

/* The same on the caller's thread. */
void loader_read(const struct load_order *order, struct loaded *out);

/* The record of the job's point, where it is good to go back to: of the order's
 * line, and kept since the order's version became the head. Else NOT_FOUND; or
 * CORRUPT, IO, NO_MEMORY. */
enum status loader_read_point(const struct load_order *order,
                              struct version **out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_PERSISTENCE_LOADER_H */
