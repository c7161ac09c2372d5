/* trial.h - one seed: its jobs run undisturbed, then disturbed, and compared.
 */
#ifndef TESTS_SIM_TRIAL_H
#define TESTS_SIM_TRIAL_H

#include "tests/sim/scenario.h"
#include <stdbool.h>
#include <stdint.h>

struct trial {
    uint64_t seed;
    enum plant plant;
    uint64_t events_max; /* of the disturbed run */
    bool loud;
};

struct verdict {
    bool failed;
    char failure[512];
    uint64_t events;
    uint64_t virtual_ms;
    uint64_t versions;
    uint64_t lives;
    uint64_t replayed_steps;
    uint64_t points; /* that became durable */
    uint64_t copies; /* shards that were restored from one */
    uint64_t moves;
    uint64_t drains;
};

/* Prints the seed, the failure and the end of the transcript where it fails
 * and nothing was planted. */
void trial_run(const struct trial *trial, struct verdict *out);

#endif /* TESTS_SIM_TRIAL_H */
