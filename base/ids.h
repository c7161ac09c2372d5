/* ids.h - numbers that must not be mixed up are one-member structs. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stdbool.h>
#include <stdint.h>

struct job_id {
    uint64_t v; /* 1, 2, ...; 0 is none; printed as j1 */
};

struct worker_id {
    uint32_t v; /* 0, 1, ...; printed as w0; one per name, never reused */
};

/* One neuron. Births are counted per job over all layers, on from the version
 * that a line begins at, and are never reused within a line. Inputs are units
 * too: births 0 .. inputs-1 of line 0. */
struct unit_id {
    uint32_t line;
    uint64_t birth; /* below 2^48, see rng.h */
};

static inline bool unit_id_equal(struct unit_id a, struct unit_id b)
{
    return a.line == b.line && a.birth == b.birth;
}

#endif /* BASE_IDS_H */
