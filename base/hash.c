#include "base/hash.h"

#include "base/check.h"

#include <sodium.h>

#include <string.h>

_Static_assert(HASH_BYTES == crypto_generichash_BYTES,
               "BLAKE2b-256 is the length that libsodium recommends");

/* libsodium chooses its fastest code (AVX2) only when initialised; further
 * calls are a lock and a test. It fails only where the system has no source of
 * randomness at all, and then nothing that is secret may be done. */
static void prepare(void)
{
    CHECK(sodium_init() >= 0);
}

void hash_bytes(const void *bytes, size_t count, struct hash *out)
{
    int code = 0;

    CHECK(bytes != NULL || count == 0);
    prepare();
    code = crypto_generichash(out->b, HASH_BYTES, bytes, count, NULL, 0);
    CHECK(code == 0);
}

/* Content hashes are no secrets, so the time that this takes may tell. */
bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, HASH_BYTES) == 0;
}

bool hash_equal_secret(const struct hash *a, const struct hash *b)
{
    return sodium_memcmp(a->b, b->b, HASH_BYTES) == 0;
}

void hash_hex(const struct hash *hash, size_t bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    CHECK(bytes <= HASH_BYTES);
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[hash->b[i] >> 4];
        out[2 * i + 1] = digits[hash->b[i] & 15];
    }
    out[2 * bytes] = '\0';
}
