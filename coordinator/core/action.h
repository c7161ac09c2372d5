/* action.h - putting actions into the list, in order. */
#ifndef COORDINATOR_CORE_ACTION_H
#define COORDINATOR_CORE_ACTION_H

#include "base/text.h"
#include "coordinator/core/event.h"

/* A further action of type, zeroed. CHECK: the list has room (ACTIONS_MAX is
 * above what one event can cause: two messages a worker and a few more). */
struct action *action_add(struct actions *out, enum action_type type);

/* An event whose text the caller goes on writing. */
struct text action_event(struct actions *out,
                         uint32_t slot,
                         const char *kind,
                         uint64_t version);

void action_reply(struct actions *out,
                  uint64_t request,
                  enum status status,
                  uint64_t job,
                  const char *text);

#endif /* COORDINATOR_CORE_ACTION_H */
