/* edit.h - one structural change, as a plan of a few hundred bytes.
 *
 * A plan names units and figures, never weights: every holder derives the same
 * new weights from the counter-based generator (base/rng.h). */
#ifndef PROTO_EDIT_H
#define PROTO_EDIT_H

#include "base/ids.h"
#include "proto/policy.h"
#include <stdint.h>

enum edit_kind {
    EDIT_ADD = 1, /* new units: random incoming, zero outgoing weights */
    EDIT_RENEW,   /* unit -> a new one in its place; mean x column goes into
                     the next layer's bias (bias transfer) */
    EDIT_LESION,  /* outputs its mean; row, bias and column stand still */
    EDIT_HEAL,    /* a lesion taken back: the unit lives again */
    EDIT_REMOVE   /* of a lesioned unit; mean x column into the next bias */
};

struct edit_unit {
    struct unit_id id;      /* ADD: the new unit; else the unit meant */
    struct unit_id renewed; /* RENEW: the new unit that takes its place */
    uint32_t shard;         /* ADD: the shard it joins (at its end) */
    float mean;             /* RENEW, LESION, REMOVE: mean activation */
};

struct edit {
    enum edit_kind kind;
    uint32_t layer;
    enum policy_id policy; /* who decided; POLICY_NONE: a person */
    uint32_t units_first;  /* into the grant's units */
    uint32_t units_count;
};

#endif /* PROTO_EDIT_H */
