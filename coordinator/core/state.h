/* state.h - the plasticity state of a job as bytes, for versions.
 *
 * Everything that decisions depend on beside reports and architecture travels
 * in these bytes; a restored job decides as it would have. */
#ifndef COORDINATOR_CORE_STATE_H
#define COORDINATOR_CORE_STATE_H

#include "base/bytes.h"
#include "coordinator/core/policies.h"

void state_init(struct plasticity_state *state);

/* Sets writer->failed where it does not fit (POLICY_STATE_BYTES_MAX does). */
void state_encode(const struct plasticity_state *state, struct writer *writer);

/* CORRUPT: not such a state. */
enum status state_decode(struct reader *reader,
                         struct plasticity_state *state) MUST_CHECK;

#endif /* COORDINATOR_CORE_STATE_H */
