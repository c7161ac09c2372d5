#include "client/keypair.h"

#include "base/check.h"
#include "base/curvekey.h"

#include <sodium.h>

_Static_assert(crypto_box_PUBLICKEYBYTES == CURVEKEY_BYTES, "CURVE25519");
_Static_assert(crypto_box_SECRETKEYBYTES == CURVEKEY_BYTES, "CURVE25519");

void keypair_make(struct keypair *out)
{
    struct curvekey_pair pair;
    int code = 0;

    CHECK(sodium_init() >= 0); /* no randomness: nothing secret can be made */
    code = crypto_box_keypair(pair.shown.b, pair.secret.b);
    CHECK(code == 0);
    curvekey_text(&pair.shown, out->public_text);
    curvekey_text(&pair.secret, out->secret_text);
    sodium_memzero(&pair, sizeof(pair));
}

void keypair_token(char out[RANDOM_TOKEN_BYTES])
{
    unsigned char bytes[(RANDOM_TOKEN_BYTES - 1) / 2];

    CHECK(sodium_init() >= 0);
    randombytes_buf(bytes, sizeof(bytes));
    (void)sodium_bin2hex(out, RANDOM_TOKEN_BYTES, bytes, sizeof(bytes));
    sodium_memzero(bytes, sizeof(bytes));
}

void keypair_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}
