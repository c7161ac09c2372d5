/* elastic.h - a job in two worlds: one whose workers come and go, and one
 * where it runs undisturbed on a single worker. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_ELASTIC_H
#define TESTS_UNIT_COORDINATOR_CORE_ELASTIC_H

#include "tests/unit/coordinator/core/fakeworld.h"

enum { ENOUGH = 1000000, SETTLED_MS = 600 };

struct elastic {
    struct fakeworld w;
    struct fakeworld quiet; /* the same job, undisturbed, on one worker */
};

/* A world with `workers` of them and a job on least to most, under way. */
struct elastic *begin(uint32_t workers, uint32_t least, uint32_t most);
/* Moving, and its point is not on the disk yet. */
struct elastic *begin_moving(uint32_t workers);
void end(struct elastic *e);

/* Everything is over, nothing was computed twice, and no decision differs. */
void end_undisturbed(struct elastic *e);

/* A request that concerns a worker. */
void ask(struct elastic *e,
         uint64_t id,
         enum request_kind kind,
         uint32_t worker);
/* A worker says that it wants to go. */
void leave(struct elastic *e, uint32_t worker);
/* The store stores the points that it held back. */
void answer_points(struct elastic *e);

#endif /* TESTS_UNIT_COORDINATOR_CORE_ELASTIC_H */
