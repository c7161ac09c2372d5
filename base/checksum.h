/* checksum.h - XXH64 by Yann Collet: 64 bits over some bytes, as fast as memory
 * can be read.
 *
 * It finds damage and mix-ups, not malice: where somebody may want to deceive,
 * hash.h is for that. Sums chain: the sum of what came before is the seed of
 * what comes after. */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum_bytes(uint64_t seed, const void *bytes, size_t count);

#endif /* BASE_CHECKSUM_H */
