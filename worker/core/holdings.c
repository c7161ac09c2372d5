#include "worker/core/holdings.h"

#include "base/check.h"

struct holdings_rule holdings_on_keep(const struct holding_key *key,
                                      uint64_t kept)
{
    struct holdings_rule rule = {.job = key->job,
                                 .line = key->line,
                                 .points_count = 1,
                                 .points = {key->interval},
                                 .term = key->term,
                                 .later = true};

    if (kept > 0) {
        rule.points[rule.points_count++] = kept - 1;
    }
    return rule;
}

struct holdings_rule holdings_on_assign(const struct wire_assign *assign)
{
    return (struct holdings_rule){.job = assign->job,
                                  .line = assign->point_line,
                                  .points_count = assign->from_point ? 1 : 0,
                                  .points = {assign->point_interval},
                                  .term = assign->point_term};
}

struct holdings_rule holdings_on_forget(uint64_t job)
{
    return (struct holdings_rule){.job = job};
}

struct holding_key holdings_key(const struct piece_header *header)
{
    return (struct holding_key){.job = header->job,
                                .term = header->term,
                                .line = header->line,
                                .interval = header->interval,
                                .layer = header->layer,
                                .shard = header->shard};
}

bool holdings_stays(const struct holdings_rule *rule,
                    const struct holding_key *key)
{
    if (key->job != rule->job) {
        return true;
    }
    if (key->line != rule->line) {
        return false;
    }
    if (rule->later && key->interval > rule->points[0]) {
        return true;
    }
    for (uint32_t i = 0; i < rule->points_count; i++) {
        if (rule->points[i] == key->interval) {
            return i > 0 || rule->term == key->term;
        }
    }
    return false;
}

void holdings_init(struct holdings *holdings,
                   struct holding *items,
                   uint32_t max)
{
    *holdings = (struct holdings){.max = max, .items = items};
}

bool holdings_same(const struct holding_key *a, const struct holding_key *b)
{
    return a->job == b->job && a->term == b->term && a->line == b->line &&
           a->interval == b->interval && a->layer == b->layer &&
           a->shard == b->shard;
}

static uint32_t find(const struct holdings *holdings,
                     const struct holding_key *key)
{
    uint32_t i = 0;

    while (i < holdings->count &&
           !holdings_same(&holdings->items[i].key, key)) {
        i++;
    }
    return i;
}

const struct holding *holdings_find(const struct holdings *holdings,
                                    const struct holding_key *key)
{
    uint32_t i = find(holdings, key);

    return i < holdings->count ? &holdings->items[i] : NULL;
}

enum status holdings_add(struct holdings *holdings,
                         const struct holding *holding,
                         struct holding *out_old)
{
    uint32_t i = find(holdings, &holding->key);

    if (i == holdings->max) {
        return STATUS_BUSY;
    }
    *out_old = (struct holding){.own = false};
    if (i < holdings->count) {
        *out_old = holdings->items[i];
    } else {
        holdings->count++;
    }
    holdings->items[i] = *holding;
    return STATUS_OK;
}

bool holdings_drop(struct holdings *holdings,
                   const struct holdings_rule *rule,
                   struct holding *out)
{
    for (uint32_t i = 0; i < holdings->count; i++) {
        if (!holdings_stays(rule, &holdings->items[i].key)) {
            *out = holdings->items[i];
            holdings->count--;
            holdings->items[i] = holdings->items[holdings->count];
            return true;
        }
    }
    return false;
}
