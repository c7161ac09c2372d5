/* session.h - one job on one simulated worker: the scheduler, with shards that
 * hash. The counterpart of worker/shell/session.c and slot.c. */
#ifndef TESTS_SIM_SESSION_H
#define TESTS_SIM_SESSION_H

#include "base/arena.h"
#include "tests/sim/network.h"
#include "tests/sim/shard.h"

enum { PUTS_MAX = 2 * SIM_LAYERS_MAX * SIM_SHARDS_MAX };

/* A cut on its way to the store. */
struct session_put {
    uint64_t id; /* 0: free */
    uint32_t local;
    uint64_t version;
    uint64_t life;
    struct shard_state state;
};

/* From copies, one shard after the other. */
struct session_loading {
    bool under_way;
    uint32_t local;
    uint32_t count; /* pieces of its copy that are here */
    uint64_t asked; /* names the newest question */
};

struct session {
    uint64_t id; /* never used twice: events name it */
    uint32_t host;
    uint32_t worker; /* the id that the coordinator gave */
    void *memory;    /* of the assignment */
    struct wire_assign assign;
    bool made;
    bool stopped;
    bool failed;
    bool reading; /* asks the store for its shards' state */
    uint64_t reading_life;
    uint64_t links_until_us;
    struct session_loading loading;
    enum fault_kind fault;
    char why[ERROR_BYTES_MAX];
    uint32_t running;
    uint32_t peers[WORKERS_MAX]; /* host of each peer */
    uint64_t births[WORKERS_MAX];
    struct arch *archs[GRANTS_MAX]; /* of interval % GRANTS_MAX */
    struct shard shards[SIM_LAYERS_MAX * SIM_SHARDS_MAX];
    uint64_t norms[SIM_LAYERS_MAX][SIM_SHARDS_MAX];
    struct session_put puts[PUTS_MAX];
    struct sched sched;
};

/* Keeps the assignment, decoded anew from its bytes. */
struct session *session_open(struct world *w,
                             uint32_t host,
                             uint32_t worker,
                             const struct letter *letter);
void session_close(struct session *session);

/* Makes the scheduler and fresh shards. */
void session_make(struct world *w, struct session *session);
/* Puts the states that the assignment names into the shards. NOT_FOUND. */
enum status session_fetch(struct world *w, struct session *session);
/* Where a peer's vault is. */
void session_peer(const struct wire_peer *peer,
                  uint32_t *out_host,
                  uint64_t *out_birth);
/* Are all peers within reach? */
bool session_linked(struct world *w, const struct session *session);

void session_grant(struct world *w,
                   struct session *session,
                   const struct grant *grant);
/* Goes on beyond a boundary that stops it. */
void session_release(struct world *w, struct session *session);
void session_frame(struct world *w,
                   struct session *session,
                   const struct parcel *parcel);
/* An operation has come to its end. */
void session_done(struct world *w, struct session *session, uint32_t local);
/* A cut is in the store, or not. */
void session_stored(struct world *w,
                    struct session *session,
                    uint64_t put,
                    enum status status);

void session_fail(struct world *w,
                  struct session *session,
                  enum fault_kind kind,
                  const char *why);

#endif /* TESTS_SIM_SESSION_H */
