#include "coordinator/shell/gc/leases.h"

#include "base/check.h"

#include <stddef.h>

void leases_take(struct leases *leases,
                 struct lease *lease,
                 uint64_t job,
                 uint64_t from,
                 uint64_t to)
{
    CHECK(lease->leases == NULL);
    lease->leases = leases;
    lease->job = job;
    atomic_store(&lease->from, from);
    lease->to = to;
    lease->next = leases->first;
    leases->first = lease;
}

void lease_drop(struct lease *lease)
{
    struct lease **at = NULL;

    if (lease->leases == NULL) {
        return;
    }
    at = &lease->leases->first;
    while (*at != lease) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = lease->next;
    lease->leases = NULL;
}

bool leases_hold(const struct leases *leases, uint64_t job, uint64_t number)
{
    for (const struct lease *l = leases->first; l != NULL; l = l->next) {
        if (l->job == job && number >= atomic_load(&l->from) &&
            number <= l->to) {
            return true;
        }
    }
    return false;
}
