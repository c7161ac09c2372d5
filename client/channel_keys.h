/* channel_keys.h - what a client proves who it is with, and knows the
 * coordinator by: files become gRPC credentials.
 *
 *     --keys DIR        a bundle (tls.crt tls.key ca.crt, or token ca.crt), or
 *                       a whole directory of keys: then its clients/admin
 *     --ca FILE         the authority, instead of DIR/ca.crt
 *     --token-file FILE a bearer token, instead of DIR/token
 *
 * Encrypted is what leaves this machine, and whatever keys were named for; a
 * unix socket never is. A token is never sent in plain text. */
#ifndef CLIENT_CHANNEL_KEYS_H
#define CLIENT_CHANNEL_KEYS_H

#include "client/cajal.h"

struct grpc_channel_credentials;

enum { TOKEN_BYTES_MAX = 4096 };

struct channel_keys {
    struct grpc_channel_credentials *credentials;
    bool encrypted;
    bool certified;              /* with a certificate of our own */
    char token[TOKEN_BYTES_MAX]; /* "Bearer ..."; "": none */
};

/* After grpc_init. options->address is set. INVALID: beyond this machine
 * without keys, or a file that is not what it should be; NOT_FOUND; REFUSED: a
 * secret that others can read. why gets a sentence. */
enum status channel_keys_load(const struct cajal_options *options,
                              struct channel_keys *out,
                              char *why,
                              size_t why_size) MUST_CHECK;

/* Overwrites the token, releases the credentials. */
void channel_keys_fini(struct channel_keys *keys);

#endif /* CLIENT_CHANNEL_KEYS_H */
