#include "proto/policy.h"

#include "base/limits.h"
#include "proto/job.h"
#include <math.h>

/* NaN marks a key without a default; the macro is a constant, no call. */
#define MUST_BE_GIVEN ((double)NAN)

/* A window is a fixed table in the policy's state, so it has a maximum; a line
 * through fewer than three points has no confidence bound. */
#define WINDOW_INTERVALS_MAX 128
#define COOLDOWN_INTERVALS_MAX 1e6
#define STEPS_AT_MOST 1e9

static const struct policy_key continual_backprop_keys[] = {
    [CBP_RATE] = {"rate", VALUE_NUMBER, 1e-4, 0, 1,
                  "share of the mature units renewed per step"},
    [CBP_MATURITY] = {"maturity", VALUE_STEPS, 100, 1, STEPS_AT_MOST,
                      "age before a unit may be renewed"},
    [CBP_DECAY] = {"decay", VALUE_NUMBER, 0.99, 0, 0.999999,
                   "of the utility's moving average, per step"},
    {NULL, VALUE_NUMBER, 0, 0, 0, NULL},
};

static const struct policy_key schedule_keys[] = {
    [SCHEDULE_EVERY] = {"every", VALUE_INTERVALS, MUST_BE_GIVEN, 1,
                        COOLDOWN_INTERVALS_MAX, "time between two additions"},
    [SCHEDULE_ADD] = {"add", VALUE_UNITS, MUST_BE_GIVEN, 1, GRANT_UNITS_MAX,
                      "units added to each hidden layer at a time"},
    [SCHEDULE_MAX_UNITS] = {"max_units", VALUE_UNITS, 512, 1, UNITS_MAX,
                            "width at which a layer stops growing"},
    {NULL, VALUE_NUMBER, 0, 0, 0, NULL},
};

static const struct policy_key plateau_keys[] = {
    [PLATEAU_WINDOW] = {"window", VALUE_INTERVALS, 5, 3, WINDOW_INTERVALS_MAX,
                        "intervals over which the loss must have improved"},
    [PLATEAU_MIN_GAIN] = {"min_gain", VALUE_RATIO, 0.01, 0, 1,
                          "relative improvement of the loss that is enough"},
    [PLATEAU_ADD] = {"add", VALUE_UNITS, 16, 1, GRANT_UNITS_MAX,
                     "units added at a plateau"},
    [PLATEAU_MAX_UNITS] = {"max_units", VALUE_UNITS, 512, 1, UNITS_MAX,
                           "width at which a layer stops growing"},
    [PLATEAU_COOLDOWN] = {"cooldown", VALUE_INTERVALS, 10, 0,
                          COOLDOWN_INTERVALS_MAX,
                          "rest of a layer after it grew"},
    {NULL, VALUE_NUMBER, 0, 0, 0, NULL},
};

static const struct policy_key contribution_keys[] = {
    [CONTRIBUTION_BELOW] = {"below", VALUE_OF_MEAN, 0.01, 0, 1,
                            "utility, as a share of the layer's mean, under "
                            "which a unit is pruned"},
    [CONTRIBUTION_PROBATION] = {"probation", VALUE_INTERVALS, 2, 1,
                                COOLDOWN_INTERVALS_MAX,
                                "time between lesion and removal"},
    [CONTRIBUTION_MATURITY] = {"maturity", VALUE_STEPS, 100, 1, STEPS_AT_MOST,
                               "age before a unit may be pruned"},
    [CONTRIBUTION_MIN_UNITS] = {"min_units", VALUE_UNITS, 8, 1, UNITS_MAX,
                                "width under which a layer is not pruned"},
    [CONTRIBUTION_COOLDOWN] = {"cooldown", VALUE_INTERVALS, 5, 0,
                               COOLDOWN_INTERVALS_MAX,
                               "rest of a layer after a removal"},
    {NULL, VALUE_NUMBER, 0, 0, 0, NULL},
};

static const struct policy_entry table[] = {
    {"continual-backprop", POLICY_CONTINUAL_BACKPROP, ROLE_RENEW,
     "Dohare et al., Loss of plasticity in deep continual learning, "
     "Nature 632 (2024)",
     continual_backprop_keys},
    {"schedule", POLICY_SCHEDULE, ROLE_GROW,
     "none: adds so many units every so many intervals", schedule_keys},
    {"plateau", POLICY_PLATEAU, ROLE_GROW,
     "Ash, Dynamic node creation in backpropagation networks, "
     "Connection Science 1 (1989)",
     plateau_keys},
    {"contribution", POLICY_CONTRIBUTION, ROLE_PRUNE,
     "Dohare et al. (2024) for the utility; Mozer and Smolensky, "
     "Skeletonization, NIPS 1 (1988) for pruning by it",
     contribution_keys},
};

enum { TABLE_COUNT = sizeof(table) / sizeof(table[0]) };

const struct policy_entry *policy_table(size_t *out_count)
{
    *out_count = TABLE_COUNT;
    return table;
}

const struct policy_entry *policy_find(enum policy_id id)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].id == id) {
            return &table[i];
        }
    }
    return NULL;
}
