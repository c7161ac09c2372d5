#include "worker/core/arrivals.h"

#include "base/check.h"

void arrivals_init(struct arrivals *arrivals,
                   struct arrival *items,
                   uint32_t max)
{
    CHECK(max > 0);
    *arrivals = (struct arrivals){.max = max, .items = items};
    for (uint32_t i = 0; i < max; i++) {
        items[i] = (struct arrival){.used = false};
    }
}

uint32_t arrivals_find(const struct arrivals *arrivals,
                       const struct holding_key *key)
{
    uint32_t at = 0;

    while (at < arrivals->max &&
           !(arrivals->items[at].used &&
             holdings_same(&arrivals->items[at].key, key))) {
        at++;
    }
    return at;
}

static uint32_t place_for(const struct arrivals *arrivals,
                          const struct holding_key *key)
{
    uint32_t at = arrivals_find(arrivals, key);
    uint32_t oldest = 0;

    if (at < arrivals->max) {
        return at;
    }
    for (uint32_t i = 0; i < arrivals->max; i++) {
        if (!arrivals->items[i].used) {
            return i;
        }
        if (arrivals->items[i].begun < arrivals->items[oldest].begun) {
            oldest = i;
        }
    }
    return oldest;
}

uint32_t arrivals_begin(struct arrivals *arrivals,
                        const struct holding_key *key)
{
    uint32_t at = place_for(arrivals, key);

    arrivals->items[at] =
        (struct arrival){.used = true, .begun = ++arrivals->begun, .key = *key};
    return at;
}

void arrivals_end(struct arrivals *arrivals, uint32_t at)
{
    CHECK(at < arrivals->max);
    arrivals->items[at].used = false;
}

bool arrivals_drop(struct arrivals *arrivals,
                   const struct holdings_rule *rule,
                   uint32_t *out_at)
{
    for (uint32_t i = 0; i < arrivals->max; i++) {
        const struct arrival *arrival = &arrivals->items[i];

        if (arrival->used && !holdings_stays(rule, &arrival->key)) {
            arrivals_end(arrivals, i);
            *out_at = i;
            return true;
        }
    }
    return false;
}
