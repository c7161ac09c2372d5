/* center_actions.h - what the coordinator's process does: it sends to its
 * peers, gives to the disk, tells the person. For center.c, which steps the
 * core, and whose events begin here. */
#ifndef TESTS_SIM_CENTER_ACTIONS_H
#define TESTS_SIM_CENTER_ACTIONS_H

#include "tests/sim/center.h"

/* Carries out one action, or begins to. */
void center_act(struct world *w, const struct action *action);

/* Steps the core by one event, and carries out what it asks for. */
void center_step(struct world *w, struct coord_event *event);

/* The far end of a link from that life of a host; found, or a new one. */
struct center_peer *center_peer(struct center *c,
                                uint32_t host,
                                uint64_t birth);

/* Frees what was lent to the job of a slot. */
void center_forget(struct world *w, uint32_t slot);

#endif /* TESTS_SIM_CENTER_ACTIONS_H */
