#include "coordinator/shell/gc/gcplan.h"

#include "base/mem.h"
#include "coordinator/shell/records/summarycode.h"

#include <string.h>

void gcplan_fini(struct gcplan *plan)
{
    mem_free(plan->versions);
    mem_free(plan->refs);
    mem_free(plan->doomed);
    *plan = (struct gcplan){.job = 0};
}

/* *items: one of size bytes more than count. */
static bool make_room(void **items, size_t *room, size_t count, size_t size)
{
    size_t wanted = *room > 0 ? 2 * *room : 64;
    void *more = NULL;

    if (count < *room) {
        return true;
    }
    more = mem_resize(*items, wanted * size);
    if (more == NULL) {
        return false;
    }
    *items = more;
    *room = wanted;
    return true;
}

static bool take_ref(void *owner,
                     const char *name,
                     uint64_t number,
                     uint64_t wall_ms,
                     const char *actor)
{
    struct gcplan *plan = owner;
    void *refs = plan->refs;

    (void)wall_ms;
    (void)actor;
    if (strcmp(name, "head") == 0) {
        plan->head = number;
        return true;
    }
    if (!make_room(&refs, &plan->refs_room, plan->refs_count,
                   sizeof(*plan->refs))) {
        plan->status = STATUS_NO_MEMORY;
        return false;
    }
    plan->refs = refs;
    plan->refs[plan->refs_count++] = number;
    return true;
}

static bool take_version(void *owner,
                         uint64_t key,
                         const void *bytes,
                         size_t size)
{
    struct gcplan *plan = owner;
    void *versions = plan->versions;
    struct summary summary;
    struct retained *version = NULL;

    if (!make_room(&versions, &plan->room, plan->count,
                   sizeof(*plan->versions))) {
        plan->status = STATUS_NO_MEMORY;
        return false;
    }
    plan->versions = versions;
    version = &plan->versions[plan->count++];
    *version = (struct retained){.number = key};
    if (summarycode_decode(bytes, size, &summary) != STATUS_OK) {
        return plan->count < PLAN_VERSIONS_MAX; /* no cause: it stays */
    }
    version->cause = summary.cause;
    version->bytes = summary.bytes;
    version->parents_count = summary.parents_count;
    memcpy(version->parents, summary.parents, sizeof(version->parents));
    return plan->count < PLAN_VERSIONS_MAX;
}

/* Refs first: a head that moves meanwhile moves to a version that is newer
 * than all others, and such a one stays. */
enum status gcplan_read(struct gcplan *plan, struct store *store)
{
    enum status status = store_scan_refs(store, plan->job, take_ref, plan);

    if (status == STATUS_OK && plan->status == STATUS_OK) {
        status =
            store_scan_versions(store, plan->job, 0, false, take_version, plan);
    }
    if (status == STATUS_OK) {
        status = plan->status;
    }
    plan->status = status;
    return status;
}

static bool is_named(const struct gcplan *plan, uint64_t number)
{
    for (size_t r = 0; r < plan->refs_count; r++) {
        if (plan->refs[r] == number) {
            return true;
        }
    }
    return false;
}

enum status gcplan_decide(struct gcplan *plan,
                          gcplan_spares_fn *spares,
                          void *owner)
{
    size_t count = 0;

    for (size_t v = 0; v < plan->count; v++) {
        struct retained *version = &plan->versions[v];

        version->head = version->number == plan->head;
        version->spared = is_named(plan, version->number) ||
                          spares(owner, plan->job, version->number);
    }
    count = retention_decide(&plan->keep, plan->versions, plan->count);
    mem_free(plan->doomed);
    plan->doomed_count = 0;
    plan->doomed = mem_array(count, sizeof(*plan->doomed));
    if (plan->doomed == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t v = 0; v < plan->count; v++) {
        if (!plan->versions[v].stays) {
            plan->doomed[plan->doomed_count++] = plan->versions[v].number;
        }
    }
    return STATUS_OK;
}

bool gcplan_dooms(const struct gcplan *plan, uint64_t job, uint64_t number)
{
    size_t first = 0;
    size_t end = plan->job == job ? plan->doomed_count : 0;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (plan->doomed[middle] == number) {
            return true;
        }
        if (plan->doomed[middle] < number) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return false;
}
