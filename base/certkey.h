/* certkey.h - which key a certificate is of.
 *
 * A certificate is revoked by the hash of its public key, and not by that of
 * its bytes: an ECDSA signature (r, s) is as good as (r, n - s), and PEM and
 * BER can be written in several ways, so that there are many texts of one
 * certificate; of its SubjectPublicKeyInfo there is one, which TLS has proved
 * that the peer has the secret of. Rotation makes new keys, so nobody else is
 * revoked with it.
 *
 * Reads PEM (RFC 7468) and as much of DER as leads to the key (RFC 5280, 4.1).
 * Pure, and safe with any bytes. */
#ifndef BASE_CERTKEY_H
#define BASE_CERTKEY_H

#include "base/hash.h"
#include "base/status.h"
#include <stddef.h>

enum {
    /* gRPC and OpenSSL refuse longer ones; ours have below 1 kB. */
    CERTKEY_PEM_BYTES_MAX = 16384
};

/* BLAKE2b-256 of the first certificate's SubjectPublicKeyInfo. INVALID: it is
 * no certificate, or too long. */
enum status certkey_hash(const char *pem,
                         size_t size,
                         struct hash *out) MUST_CHECK;

#endif /* BASE_CERTKEY_H */
