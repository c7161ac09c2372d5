/* host_sessions.h - the sessions of one host, by number, since events outlive
 * them: opened, loaded, computing, cutting and closed, and the time that each
 * of these takes. For host.c, which has the agent. */
#ifndef TESTS_SIM_HOST_SESSIONS_H
#define TESTS_SIM_HOST_SESSIONS_H

#include "tests/sim/host.h"

/* Steps the agent by one event, and carries out what it asks for. */
void host_step(struct world *w, struct host *h, struct agent_event event);

/* Posts an event of the host's process. */
void host_later(struct world *w,
                const struct host *h,
                event_fn *fn,
                uint64_t after_us,
                uint64_t a,
                uint64_t b);

/* NULL: it is gone. */
struct session *host_session(struct host *h, uint64_t id, uint32_t *out_slot);

/* What the agent asks for; a notice tells it of the end of each. */
void host_open_session(struct world *w, struct host *h, uint32_t slot);
void host_load_session(struct world *w, struct host *h, struct session *s);
void host_close_session(struct world *w, struct host *h, struct session *s);

/* A new life of the coordinator has said who it is. */
void host_connect_chunks(struct world *w, struct host *h);

#endif /* TESTS_SIM_HOST_SESSIONS_H */
