/* arrivals.h - which copies are on their way to this host, and whose place the
 * next one takes.
 *
 * A buddy brings a copy in pieces, some copies at a time. A first piece always
 * finds a place: a copy that stands still because its sender died must not keep
 * others out. Pure: the pieces are the owner's, in an array of its own with the
 * same places. */
#ifndef WORKER_CORE_ARRIVALS_H
#define WORKER_CORE_ARRIVALS_H

#include "worker/core/holdings.h"

struct arrival {
    bool used;
    uint64_t begun; /* the count of the table: the oldest gives way */
    struct holding_key key;
};

struct arrivals {
    uint32_t max;
    uint64_t begun;
    struct arrival *items; /* [max], lent */
};

void arrivals_init(struct arrivals *arrivals,
                   struct arrival *items,
                   uint32_t max);

/* The place of a copy; max: it is not on its way. */
uint32_t arrivals_find(const struct arrivals *arrivals,
                       const struct holding_key *key);

/* A first piece has come: the copy begins, in the place that it has already,
 * else in a free one, else in that of the copy that began first. What the owner
 * has there is of no use any more. */
uint32_t arrivals_begin(struct arrivals *arrivals,
                        const struct holding_key *key);

/* The copy is whole, or given up: its place is free. */
void arrivals_end(struct arrivals *arrivals, uint32_t at);

/* Ends one copy that does not stay, and tells its place; false: there is none
 * (any more). */
bool arrivals_drop(struct arrivals *arrivals,
                   const struct holdings_rule *rule,
                   uint32_t *out_at);

#endif /* WORKER_CORE_ARRIVALS_H */
