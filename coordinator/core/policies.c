#include "coordinator/core/policies.h"

/* One line a policy. */
static const struct policy_kind *const kinds[] = {
    &policy_continual_backprop,
    &policy_schedule,
    &policy_plateau,
    &policy_contribution,
};

const struct policy_kind *policy_kind_find(enum policy_id id)
{
    for (uint32_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if (kinds[k]->id == id) {
            return kinds[k];
        }
    }
    return NULL;
}
