/* loader.h - reads a version, and what the journal holds beyond it.
 *
 * The answer to ACTION_LOAD. Everything happens on a reader's thread. */
#ifndef COORDINATOR_SHELL_LOADER_H
#define COORDINATOR_SHELL_LOADER_H

#include "base/jobs.h"
#include "coordinator/core/event.h"
#include "storage/store.h"

struct loaded {
    enum status status;
    uint64_t token;
    uint32_t slot;
    struct version *version; /* the receiver's; NULL where status is not OK */
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

#endif /* COORDINATOR_SHELL_LOADER_H */
