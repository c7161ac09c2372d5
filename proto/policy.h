/* policy.h - the plasticity policies by name, and the keys that each takes.
 *
 * The job file's schema and the coordinator's policies share this table, so
 * that a policy's keys are declared once. The formulas and sources are in
 * coordinator/core/policy_*.c. */
#ifndef PROTO_POLICY_H
#define PROTO_POLICY_H

#include <stddef.h>
#include <stdint.h>

/* Never change or reuse a number: it is stored. */
enum policy_id {
    POLICY_NONE = 0,
    POLICY_CONTINUAL_BACKPROP = 1, /* renew */
    POLICY_SCHEDULE = 2,           /* grow */
    POLICY_PLATEAU = 3,            /* grow */
    POLICY_CONTRIBUTION = 4        /* prune */
};

enum cbp_key { CBP_RATE = 0, CBP_MATURITY, CBP_DECAY };
enum schedule_key { SCHEDULE_EVERY = 0, SCHEDULE_ADD, SCHEDULE_MAX_UNITS };
enum plateau_key {
    PLATEAU_WINDOW = 0,
    PLATEAU_MIN_GAIN,
    PLATEAU_ADD,
    PLATEAU_MAX_UNITS,
    PLATEAU_COOLDOWN
};
enum contribution_key {
    CONTRIBUTION_BELOW = 0,
    CONTRIBUTION_PROBATION,
    CONTRIBUTION_MATURITY,
    CONTRIBUTION_MIN_UNITS,
    CONTRIBUTION_COOLDOWN
};

/* How a value is written in a job file. */
enum value_kind {
    VALUE_NUMBER = 1, /* 1e-3 */
    VALUE_RATIO,      /* 1% or 0.01 */
    VALUE_OF_MEAN,    /* 1% of mean */
    VALUE_STEPS,      /* 100 steps */
    VALUE_INTERVALS,  /* 5 intervals */
    VALUE_UNITS       /* 16 units; a bare number is allowed for max_units */
};

struct policy_key {
    const char *name; /* NULL ends the list */
    enum value_kind kind;
    double initial; /* NaN: must be given */
    double least;   /* range, both ends allowed */
    double most;
    const char *help;
};

struct policy_entry {
    const char *name; /* as in `policy: NAME` */
    enum policy_id id;
    int role;           /* enum role */
    const char *source; /* the paper */
    const struct policy_key *keys;
};

const struct policy_entry *policy_table(size_t *out_count);
const struct policy_entry *policy_find(enum policy_id id); /* NULL: unknown */

#endif /* PROTO_POLICY_H */
