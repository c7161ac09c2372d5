#include "base/checksum.h"

#include <string.h>

/* The algorithm reads little-endian words; so does this machine. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "words are read as they lie in memory");

static const uint64_t prime_1 = UINT64_C(0x9E3779B185EBCA87);
static const uint64_t prime_2 = UINT64_C(0xC2B2AE3D27D4EB4F);
static const uint64_t prime_3 = UINT64_C(0x165667B19E3779F9);
static const uint64_t prime_4 = UINT64_C(0x85EBCA77C2B2AE63);
static const uint64_t prime_5 = UINT64_C(0x27D4EB2F165667C5);

enum { LANES = 4, WORD_BYTES = 8, STRIPE_BYTES = LANES * WORD_BYTES };

static uint64_t turn(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word = 0;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

static uint64_t add_word(uint64_t sum, uint64_t word)
{
    return turn(sum + word * prime_2, 31) * prime_1;
}

/* Four sums side by side, so that a multiplication need not wait for the one
 * before it. */
static uint64_t sum_stripes(uint64_t seed,
                            const unsigned char *bytes,
                            size_t stripes)
{
    uint64_t lanes[LANES] = {seed + prime_1 + prime_2, seed + prime_2, seed,
                             seed - prime_1};
    uint64_t sum = 0;

    for (size_t s = 0; s < stripes; s++, bytes += STRIPE_BYTES) {
        lanes[0] = add_word(lanes[0], word_at(bytes));
        lanes[1] = add_word(lanes[1], word_at(bytes + 8));
        lanes[2] = add_word(lanes[2], word_at(bytes + 16));
        lanes[3] = add_word(lanes[3], word_at(bytes + 24));
    }
    sum = turn(lanes[0], 1) + turn(lanes[1], 7) + turn(lanes[2], 12) +
          turn(lanes[3], 18);
    for (int i = 0; i < LANES; i++) {
        sum = (sum ^ add_word(0, lanes[i])) * prime_1 + prime_4;
    }
    return sum;
}

/* Less than a stripe. */
static uint64_t sum_rest(uint64_t sum, const unsigned char *bytes, size_t count)
{
    for (; count >= WORD_BYTES; bytes += WORD_BYTES, count -= WORD_BYTES) {
        sum = turn(sum ^ add_word(0, word_at(bytes)), 27) * prime_1 + prime_4;
    }
    if (count >= 4) {
        uint32_t half = 0;

        memcpy(&half, bytes, sizeof(half));
        sum = turn(sum ^ half * prime_1, 23) * prime_2 + prime_3;
        bytes += 4;
        count -= 4;
    }
    for (; count > 0; bytes++, count--) {
        sum = turn(sum ^ *bytes * prime_5, 11) * prime_1;
    }
    return sum;
}

uint64_t checksum_bytes(uint64_t seed, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    size_t stripes = count / STRIPE_BYTES;
    uint64_t sum =
        stripes > 0 ? sum_stripes(seed, at, stripes) : seed + prime_5;

    sum = sum_rest(sum + count, at + stripes * STRIPE_BYTES,
                   count % STRIPE_BYTES);
    sum = (sum ^ sum >> 33) * prime_2;
    sum = (sum ^ sum >> 29) * prime_3;
    return sum ^ sum >> 32;
}
