/* typepolicy.h - a role of plasticity: one policy or a list of them.
 *
 * Which policies there are and which keys each takes is policy.c's affair.
 * Internal to the job file's reader. */
#ifndef PROTO_TYPEPOLICY_H
#define PROTO_TYPEPOLICY_H

#include "proto/typing.h"

void typing_policies(struct typing *typing,
                     const struct schema_key *row,
                     const struct typing_at *at);

#endif /* PROTO_TYPEPOLICY_H */
