/* keypair.h - key pairs for ZeroMQ's CURVE, from libsodium's randomness. */
#ifndef CLIENT_KEYPAIR_H
#define CLIENT_KEYPAIR_H

#include <stddef.h>

enum {
    KEYPAIR_TEXT_BYTES = 41, /* Z85 of 32 bytes, and a NUL */
    RANDOM_TOKEN_BYTES = 65  /* 256 bits in hexadecimal, and a NUL */
};

struct keypair {
    char public_text[KEYPAIR_TEXT_BYTES];
    char secret_text[KEYPAIR_TEXT_BYTES];
};

void keypair_make(struct keypair *out);

/* A bearer token: as many random bits as its hash has. */
void keypair_token(char out[RANDOM_TOKEN_BYTES]);

/* Overwrites a secret that is no longer needed. */
void keypair_wipe(void *secret, size_t size);

#endif /* CLIENT_KEYPAIR_H */
