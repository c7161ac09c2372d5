/* hash.h - content hashes: BLAKE2b-256 (RFC 7693), from libsodium. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/limits.h"
#include <stddef.h>
#include <stdbool.h>

struct hash {
    unsigned char b[HASH_BYTES];
};

void hash_bytes(const void *bytes, size_t count, struct hash *out);
bool hash_equal(const struct hash *a, const struct hash *b);
/* The same in constant time, for hashes of secrets. */
bool hash_equal_secret(const struct hash *a, const struct hash *b);
/* Lower-case hexadecimal of the first `bytes` bytes; out holds 2*bytes+1. */
void hash_hex(const struct hash *hash, size_t bytes, char *out);

#endif /* BASE_HASH_H */
