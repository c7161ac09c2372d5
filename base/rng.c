#include "base/rng.h"

#include "base/check.h"

/* The constants of the published Philox-4x32; the key is bumped by the golden
 * ratio and by sqrt(3) - 1, both as 32-bit fractions (Weyl sequences). */
static const uint32_t MULTIPLY_0 = 0xD2511F53;
static const uint32_t MULTIPLY_1 = 0xCD9E8D57;
static const uint32_t BUMP_0 = 0x9E3779B9;
static const uint32_t BUMP_1 = 0xBB67AE85;

enum { ROUNDS = 10 };

/* Births fit in 48 bits: at a million births a second, 9 years of them. */
static const uint64_t BIRTH_MAX = (UINT64_C(1) << 48) - 1;

struct rng_block philox4x32(const uint32_t counter[4], const uint32_t key[2])
{
    struct rng_block x = {{counter[0], counter[1], counter[2], counter[3]}};
    uint32_t k0 = key[0];
    uint32_t k1 = key[1];

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)MULTIPLY_0 * x.v[0];
        uint64_t p1 = (uint64_t)MULTIPLY_1 * x.v[2];
        struct rng_block y = {{
            (uint32_t)(p1 >> 32) ^ x.v[1] ^ k0,
            (uint32_t)p1,
            (uint32_t)(p0 >> 32) ^ x.v[3] ^ k1,
            (uint32_t)p0,
        }};

        x = y;
        k0 += BUMP_0;
        k1 += BUMP_1;
    }
    return x;
}

struct rng_block rng_draw(
    uint64_t seed, enum rng_purpose purpose, uint64_t a, uint64_t b, uint32_t c)
{
    const uint32_t counter[4] = {
        (uint32_t)a,
        (uint32_t)b,
        (uint32_t)(a >> 32) << 16 | (uint32_t)(b >> 32),
        c,
    };
    const uint32_t key[2] = {
        (uint32_t)seed,
        (uint32_t)(seed >> 32) ^ (uint32_t)purpose << 24,
    };

    CHECK(a <= BIRTH_MAX);
    CHECK(b <= BIRTH_MAX);
    return philox4x32(counter, key);
}

float rng_unit(uint32_t bits)
{
    return (float)(bits >> 8) * 0x1p-24f;
}

/* The block's first two words are one 64-bit fraction, the first word its
 * upper half; this is the integer part of fraction x bound (Lemire, "Fast
 * random integer generation in an interval", 2019), without a 128-bit type.
 * The sum cannot overflow: (2^32-1)^2 + 2^32-1 < 2^64. */
uint32_t rng_below(struct rng_block block, uint32_t bound)
{
    uint64_t upper = (uint64_t)block.v[0] * bound;
    uint64_t lower = (uint64_t)block.v[1] * bound;

    CHECK(bound > 0);
    return (uint32_t)((upper + (lower >> 32)) >> 32);
}
