/* curvekey.h - CURVE25519 keys of 0MQ links, as bytes and as text.
 *
 * The text is Z85 (rfc.zeromq.org/spec/32): 40 characters, as the files of
 * keys, 0MQ's tools and its ZAP have it. Pure. */
#ifndef BASE_CURVEKEY_H
#define BASE_CURVEKEY_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    CURVEKEY_BYTES = 32,
    CURVEKEY_TEXT = 40 /* characters, without a NUL */
};

/* Zero: none. No key is zero, since nothing would be secret under it. */
struct curvekey {
    unsigned char b[CURVEKEY_BYTES];
};

struct curvekey_pair {
    struct curvekey shown;  /* the public one: who this process is */
    struct curvekey secret; /* what proves it */
};

/* INVALID: not just CURVEKEY_TEXT characters of Z85, or none at all. */
enum status curvekey_parse(const char *text,
                           size_t size,
                           struct curvekey *out) MUST_CHECK;
void curvekey_text(const struct curvekey *key, char out[CURVEKEY_TEXT + 1]);

bool curvekey_given(const struct curvekey *key); /* not zero */
/* For public keys: its time tells where they differ. */
bool curvekey_equal(const struct curvekey *a, const struct curvekey *b);

#endif /* BASE_CURVEKEY_H */
