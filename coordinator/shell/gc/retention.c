#include "coordinator/shell/gc/retention.h"

#include "proto/forecast.h"

/* NULL: there is none of that number. */
static struct retained *find(struct retained *versions,
                             size_t count,
                             uint64_t number)
{
    size_t first = 0;
    size_t end = count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (versions[middle].number == number) {
            return &versions[middle];
        }
        if (versions[middle].number < number) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return NULL;
}

/* Where the job came from, and what a person asked for. */
static bool is_lasting(uint32_t cause)
{
    return cause == CAUSE_START || cause == CAUSE_RESTORE ||
           cause == CAUSE_MANUAL || cause == CAUSE_END;
}

static void keep_parents(struct retained *versions,
                         size_t count,
                         const struct retained *version)
{
    for (uint32_t p = 0; p < version->parents_count; p++) {
        struct retained *parent = find(versions, count, version->parents[p]);

        if (parent != NULL) {
            parent->stays = true;
        }
    }
}

size_t retention_decide(const struct keep_spec *keep,
                        struct retained *versions,
                        size_t count)
{
    uint32_t seen = 0; /* bit (1 << cause) */
    size_t left = count;

    for (size_t v = count; v > 0; v--) {
        struct retained *version = &versions[v - 1];
        /* A cause that this release does not know is kept. */
        bool known =
            version->cause >= CAUSE_START && version->cause <= CAUSE_END;
        bool newest = !known || (seen & 1u << version->cause) == 0;

        version->stays = version->head || version->spared ||
                         is_lasting(version->cause) || newest ||
                         count - v < keep->last;
        seen |= known ? 1u << version->cause : 0;
    }
    for (size_t v = 0; v < count; v++) {
        if (versions[v].head || versions[v].cause == CAUSE_RESTORE) {
            keep_parents(versions, count, &versions[v]);
        }
    }
    for (size_t v = 0; v < count; v++) {
        left -= versions[v].stays;
    }
    return left;
}

uint32_t retention_slack(const struct keep_spec *keep)
{
    return keep->last == 0 ? UINT32_MAX : forecast_slack(keep->last);
}
