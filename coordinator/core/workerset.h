/* workerset.h - a set of the workers that the coordinator knows, by number.
 *
 * One bit a member. A job's own parts are few (WORKERS_MAX) and its masks of
 * one word, where it has any, are of places in a table of its own. */
#ifndef COORDINATOR_CORE_WORKERSET_H
#define COORDINATOR_CORE_WORKERSET_H

#include "base/limits.h"
#include <stdbool.h>
#include <stdint.h>

enum { WORKER_SET_WORDS = MEMBERS_MAX / 64 };

static const uint32_t NO_WORKER = UINT32_MAX; /* none of them */

/* All zero: nobody. */
struct worker_set {
    uint64_t words[WORKER_SET_WORDS];
};

/* CHECK: worker < MEMBERS_MAX, in all of them. */
void worker_set_add(struct worker_set *set, uint32_t worker);
void worker_set_drop(struct worker_set *set, uint32_t worker);
bool worker_set_has(const struct worker_set *set, uint32_t worker);

void worker_set_clear(struct worker_set *set);
void worker_set_join(struct worker_set *set, const struct worker_set *other);
bool worker_set_is_empty(const struct worker_set *set);
bool worker_set_meets(const struct worker_set *a, const struct worker_set *b);
bool worker_set_equal(const struct worker_set *a, const struct worker_set *b);
uint32_t worker_set_count(const struct worker_set *set);

/* The lowest number in it that is at least `from`, or NO_WORKER. */
uint32_t worker_set_next(const struct worker_set *set, uint32_t from);

#endif /* COORDINATOR_CORE_WORKERSET_H */
