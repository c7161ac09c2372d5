#include "storage/seal.h"

#include "base/check.h"
#include "base/hash.h"

#include <string.h>

/* The hash of  | db 1 | key | hash of the bytes 32 |, cut to its start: the
 * bytes are hashed where they lie, and no copy is made to join the parts. */
struct seal seal_of(unsigned db,
                    const struct key *key,
                    const void *bytes,
                    size_t size)
{
    unsigned char joined[1 + KEY_BYTES_MAX + HASH_BYTES];
    struct hash hash;
    struct seal seal;

    CHECK(db < 256);
    hash_bytes(bytes, size, &hash);
    joined[0] = (unsigned char)db;
    memcpy(joined + 1, key->b, key->size);
    memcpy(joined + 1 + key->size, hash.b, HASH_BYTES);
    hash_bytes(joined, 1 + key->size + HASH_BYTES, &hash);
    memcpy(seal.b, hash.b, SEAL_BYTES);
    return seal;
}

bool seal_matches(unsigned db,
                  const struct key *key,
                  const void *sealed,
                  size_t sealed_size)
{
    const unsigned char *bytes = sealed;
    struct seal wanted;

    if (sealed_size < SEAL_BYTES) {
        return false;
    }
    wanted = seal_of(db, key, bytes + SEAL_BYTES, sealed_size - SEAL_BYTES);
    return memcmp(bytes, wanted.b, SEAL_BYTES) == 0;
}
