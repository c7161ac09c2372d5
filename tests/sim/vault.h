/* vault.h - the copies of shards that a simulated host holds, and their way
 * from host to host. The counterpart of worker/shell/vault.c, courier.c and
 * pointloader.c, with the same worker/core/holdings.
 *
 * A copy travels in pieces, a few at a time, each answered. What is not
 * answered in time is sent anew from its first piece; what comes out of order
 * is refused, and then there is no second copy. A process that ends takes its
 * copies with it. */
#ifndef TESTS_SIM_VAULT_H
#define TESTS_SIM_VAULT_H

#include "proto/piece.h"
#include "tests/sim/shard.h"
#include "worker/core/arrivals.h"

struct session;

enum {
    VAULT_HOLDINGS = SIM_JOBS_MAX * 6 * SIM_LAYERS_MAX * SIM_SHARDS_MAX,
    VAULT_PARCELS = 4 * SIM_LAYERS_MAX * SIM_SHARDS_MAX,
    VAULT_INCOMING = 2 * SESSIONS_MAX
};

/* Between two vaults; the payload of its event. */
struct piece {
    struct piece_header header;
    uint64_t attempt; /* stands for the link that it comes by */
    uint32_t from;
    uint64_t from_birth;
    uint64_t to_birth;
    struct shard_state state;
};

/* A copy on its way to a buddy. */
struct vault_parcel {
    uint64_t id;                /* 0: free */
    struct piece_header header; /* of the piece to be sent next */
    uint64_t attempt;
    uint32_t to;
    uint64_t to_birth;
    uint32_t under_way;
    uint32_t stored;
    uint64_t deadline_us;
    struct shard_state state;
};

struct vault_incoming {
    uint32_t count;
    struct piece_header header;
};

struct vault {
    struct arrivals arrivals;
    struct arrival places[VAULT_INCOMING];
    struct holdings holdings;
    struct holding items[VAULT_HOLDINGS]; /* bytes: struct shard_state */
    struct vault_parcel parcels[VAULT_PARCELS];
    struct vault_incoming incoming[VAULT_INCOMING]; /* by place */
};

void vault_open(struct vault *vault);
void vault_close(struct vault *vault);

/* A copy of a session's shard has been made: held, told, and sent on. */
void vault_keep(struct world *w,
                struct session *session,
                const struct sched_cut *cut);
void vault_drop(struct vault *vault, const struct holdings_rule *rule);
/* Tells of every copy held. */
void vault_retell(struct world *w, uint32_t host);

/* Fills the session's shards; host_loaded is told. */
void vault_load(struct world *w, struct session *session);

/* For the network. */
void vault_take(struct world *w, uint32_t host, const struct piece *piece);

#endif /* TESTS_SIM_VAULT_H */
