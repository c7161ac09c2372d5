/* center.h - the coordinator's process: the core, and a shell that carries out
 * its actions with the simulated network and disk. The counterpart of
 * coordinator/shell. It is started again when it dies or has shut down. */
#ifndef TESTS_SIM_CENTER_H
#define TESTS_SIM_CENTER_H

#include "coordinator/core/coord.h"
#include "tests/sim/network.h"

enum { CENTER_CUTS_MAX = 64, CENTER_PEERS_MAX = 256 };

struct center_peer {
    uint32_t number; /* 0: free */
    uint32_t host;
    uint64_t birth;
};

/* What the shards of a cut have said, as coordinator/shell/persistence/cuts.c
 * keeps it. */
struct center_cut {
    uint64_t term; /* 0: free */
    uint64_t job;
    uint64_t version;
    uint64_t names[SIM_LAYERS_MAX][SIM_SHARDS_MAX];
    uint32_t evaluations[SIM_LAYERS_MAX][SIM_SHARDS_MAX];
};

struct center {
    struct coord *core; /* NULL: not running */
    struct actions *actions;
    uint64_t timer_us;
    uint32_t last_peer;
    struct center_peer peers[CENTER_PEERS_MAX];
    struct center_cut cuts[CENTER_CUTS_MAX];
    void *memory[JOBS_MAX];
    bool stepping;
};

void center_open(struct world *w);
void center_close(struct world *w);

/* kill -9; it comes back after so long. */
void center_crash(struct world *w, uint64_t back_us);

/* A training job's place in the core; NULL: not there. */
const struct job *center_job(const struct world *w, uint32_t which);

/* What comes */
void center_take(struct world *w, const struct letter *letter);
void center_stored(struct world *w,
                   uint64_t token,
                   enum status status,
                   const struct version *restored);
/* A journal record without a token is not durable. */
void center_unjournaled(struct world *w,
                        uint32_t which,
                        uint64_t interval,
                        enum status status);
void center_loaded(struct world *w,
                   uint64_t token,
                   enum status status,
                   const struct version *version);
void center_request(struct world *w, const struct request *request);
/* A host's process has ended: its link may say so. */
void center_peer_ended(struct world *w, uint32_t host);
/* A cut that a host sends to the store by way of this process. */
void center_put(struct world *w,
                const struct shard_state *state,
                uint32_t host,
                uint64_t put);

#endif /* TESTS_SIM_CENTER_H */
