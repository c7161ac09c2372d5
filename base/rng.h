/* rng.h - counter-based random numbers, Philox-4x32-10.
 *
 * Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011. A number is a pure function of the job's seed, a purpose and up to
 * three keys (births of units, task and position), never of order,
 * worker, line or array index. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* Never change or reuse a number: runs must stay reproducible. */
enum rng_purpose {
    RNG_WEIGHT = 1,      /* a: birth of the unit, b: birth of its input */
    RNG_ORDER = 2,       /* a: task, b: pass, c: index */
    RNG_PERMUTATION = 3, /* a: task, b: index */
    RNG_LABELS = 4,      /* a: task, b: index */
    RNG_CLASSES = 5,     /* a: index */
    RNG_GUARD = 6,       /* a: index: which examples are set aside */
    RNG_TEST = 255
};

struct rng_block {
    uint32_t v[4];
};

/* The raw generator: 10 rounds over counter with key. */
struct rng_block philox4x32(const uint32_t counter[4], const uint32_t key[2]);

/* One block of four numbers. a and b below 2^48, c any 32 bits. The counter is
 * (a lo32, b lo32, (a hi16 << 16 | b hi16) , c) and purpose is mixed into the
 * key: key = (seed lo32, seed hi32 xor purpose << 24). */
struct rng_block rng_draw(uint64_t seed,
                          enum rng_purpose purpose,
                          uint64_t a,
                          uint64_t b,
                          uint32_t c);

/* Uniform in [0, 1): the top 24 bits, so exact in float. */
float rng_unit(uint32_t bits);

/* Uniform in [0, bound) by multiply and shift; bound below 2^32. The bias is
 * below bound / 2^64 since two words are used. */
uint32_t rng_below(struct rng_block block, uint32_t bound);

#endif /* BASE_RNG_H */
