/* ration.h - one log line per cause and minute, however often it happens.
 *
 * A peer that misbehaves must not fill the disk with what we write about it,
 * nor push out the lines about others; and many peers are one attacker, too.
 * Pure; one owner, one thread. */
#ifndef BASE_RATION_H
#define BASE_RATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Causes that are told apart; of more, the one silent for longest goes. */
    RATION_CAUSES_MAX = 64,
    /* Lines of all causes together in one period. */
    RATION_LINES_MAX = 120,
    RATION_PERIOD_MS = 60000
};

struct ration_cause {
    uint64_t cause; /* 0: free */
    bool told;
    uint64_t told_ms;
    uint64_t used_ms;
    uint64_t count; /* since it was told */
};

/* Zero is empty. */
struct ration {
    uint64_t lines_ms; /* when the period of lines_count began */
    uint32_t lines_count;
    struct ration_cause causes[RATION_CAUSES_MAX];
};

/* A number for bytes (FNV-1a), never 0; seed tells kinds of causes apart. */
uint64_t ration_cause(uint64_t seed, const void *bytes, size_t size);

/* It has happened. True: say so; *out_count times since it was last said. */
bool ration_take(struct ration *ration,
                 uint64_t cause,
                 uint64_t now_ms,
                 uint64_t *out_count);

#endif /* BASE_RATION_H */
