/* holdings.h - which copies of shards this host holds in memory, and which of
 * them may go.
 *
 * A point is the state of a whole job at a boundary, kept as copies: one of
 * each shard where it lives, a second on another worker. The coordinator goes
 * back to the newest point that is complete. So a job needs two points at most
 * at any time: that one, and the one in the making. Everything older goes as
 * soon as a newer copy is made.
 *
 * Copies belong to the host, not to a session: they outlive it, since what
 * comes next may be loaded from them. Pure: where the bytes are is the
 * owner's. */
#ifndef WORKER_CORE_HOLDINGS_H
#define WORKER_CORE_HOLDINGS_H

#include "base/status.h"
#include "proto/piece.h"
#include "proto/wire.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    HOLDINGS_POINTS_MAX = 2, /* of one job: complete, and in the making */
    /* Copies on one host: as many as the largest job has shards, its own and
     * others', of two points. Usual jobs have a hundred times fewer. */
    HOLDINGS_MAX = 4 * LAYERS_MAX * SHARDS_MAX
};

/* The term is that of the session that made the copy: an interval that is
 * granted again in a later one may be another interval. */
struct holding_key {
    uint64_t job;
    uint64_t term;
    uint32_t line;
    uint64_t interval;
    uint32_t layer;
    uint32_t shard;
};

struct holding {
    struct holding_key key;
    bool own;         /* of a shard that lived here; else a buddy's */
    uint64_t cost_us; /* that the shard stood still for it; 0: a buddy's */
    void *bytes;      /* the owner's */
};

struct holdings {
    uint32_t max;
    uint32_t count;
    struct holding *items; /* [max], lent; in no order */
};

/* What stays of one job; all else of it may go. */
struct holdings_rule {
    uint64_t job;
    uint32_t line;
    uint32_t points_count;
    uint64_t points[HOLDINGS_POINTS_MAX]; /* intervals of that line */
    uint64_t term;                        /* of points[0] */
    bool later;                           /* and what is after points[0] */
};

/* A copy is being made or brought: what grant.kept names stays (interval + 1;
 * 0: there is no complete point), and that copy's own point. So does what is
 * newer: a buddy that is behind must not undo what others have gone on to. */
struct holdings_rule holdings_on_keep(const struct holding_key *key,
                                      uint64_t kept);
/* A session begins: only what it begins from stays. Copies that were made
 * after it belong to a course that is given up, and may differ from what is
 * computed now. */
struct holdings_rule holdings_on_assign(const struct wire_assign *assign);
struct holdings_rule holdings_on_forget(uint64_t job); /* nothing stays */

/* Of the copy that a piece belongs to. */
struct holding_key holdings_key(const struct piece_header *header);

bool holdings_same(const struct holding_key *a, const struct holding_key *b);

/* Of other jobs everything stays. */
bool holdings_stays(const struct holdings_rule *rule,
                    const struct holding_key *key);

void holdings_init(struct holdings *holdings,
                   struct holding *items,
                   uint32_t max);

/* NULL: not held. Valid until the next change. */
const struct holding *holdings_find(const struct holdings *holdings,
                                    const struct holding_key *key);

/* Adds a copy. An older one of the same key is replaced and handed out, else
 * *out_old is zero. BUSY: the table is full. */
enum status holdings_add(struct holdings *holdings,
                         const struct holding *holding,
                         struct holding *out_old) MUST_CHECK;

/* Takes out one copy that does not stay; false: there is none (any more). */
bool holdings_drop(struct holdings *holdings,
                   const struct holdings_rule *rule,
                   struct holding *out);

#endif /* WORKER_CORE_HOLDINGS_H */
