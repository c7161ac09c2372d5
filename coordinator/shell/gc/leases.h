/* leases.h - versions that are being read, which gc spares.
 *
 * A lease lies in the state of the query that holds it and is taken and given
 * back on the loop. Only `from` is moved by a reader's thread: whoever follows
 * a job raises it behind what it has read. */
#ifndef COORDINATOR_SHELL_GC_LEASES_H
#define COORDINATOR_SHELL_GC_LEASES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lease {
    struct lease *next;
    struct leases *leases; /* NULL: not taken */
    uint64_t job;
    atomic_uint_least64_t from; /* versions from .. to */
    uint64_t to;                /* UINT64_MAX: all that come */
};

struct leases {
    struct lease *first;
};

/* lease: zeroed; stays where it is until it is dropped. */
void leases_take(struct leases *leases,
                 struct lease *lease,
                 uint64_t job,
                 uint64_t from,
                 uint64_t to);
void lease_drop(struct lease *lease); /* accepts one that is not taken */

bool leases_hold(const struct leases *leases, uint64_t job, uint64_t number);

#endif /* COORDINATOR_SHELL_GC_LEASES_H */
