/* host.h - one worker process: the agent, its sessions, and their time.
 *
 * The counterpart of worker/shell/host.c. A host that dies is started again
 * under its name, as a supervisor does; so is one that ends by itself. */
#ifndef TESTS_SIM_HOST_H
#define TESTS_SIM_HOST_H

#include "tests/sim/network.h"
#include "tests/sim/session.h"
#include "worker/core/agent.h"

struct host {
    uint32_t index;
    struct agent agent;
    struct session *sessions[SESSIONS_MAX];
    uint64_t timer_us;    /* of the tick that is posted; 0: none */
    uint64_t steps_ended; /* of sessions that are gone */
    uint64_t turns;       /* operations computed */
    struct vault vault;
    const struct letter *letter; /* being handled */
    const struct wire *message;
};

void host_open(struct world *w, uint32_t index);
void host_close(struct world *w, uint32_t index);

/* SIGTERM. */
void host_leave(struct world *w, uint32_t index);
/* kill -9; it comes back after so long. */
void host_crash(struct world *w, uint32_t index, uint64_t back_us);

/* --- For the network and the store --- */

void host_take(struct world *w, const struct letter *letter);
void host_take_frame(struct world *w,
                     uint32_t index,
                     const struct parcel *parcel);
void host_stored(struct world *w,
                 uint32_t index,
                 uint64_t birth,
                 uint64_t put,
                 enum status status);

/* --- For sessions --- */

void host_notice(struct world *w,
                 struct session *session,
                 enum agent_event_type type,
                 enum status status);
/* Its shards are loaded from copies, or not. */
void host_loaded(struct world *w, struct session *session, enum status status);
void host_compute(struct world *w, struct session *session, uint32_t local);
void host_put(struct world *w,
              struct session *session,
              struct session_put *put);
void host_tell_cut(struct world *w,
                   struct session *session,
                   const struct session_put *put);

#endif /* TESTS_SIM_HOST_H */
