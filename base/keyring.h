/* keyring.h - the CURVE keys of a process, and of those it lets in.
 *
 *     DIR/coordinator/curve.pub curve.key      the coordinator's DIR
 *     DIR/workers/NAME.pub                     who may come in, by key
 *
 *     DIR/curve.pub curve.key coordinator.pub  a worker's DIR
 *
 * Each file is one key, as curvekey.h has it, and a line's end; a .key must be
 * readable by its owner alone. The files of workers are read again when one of
 * them has changed, come or gone: that is how a key is given, changed and
 * revoked without a restart. One owner, one thread. */
#ifndef BASE_KEYRING_H
#define BASE_KEYRING_H

#include "base/curvekey.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Names that may come in: each worker, and many that are not there. */
    KEYRING_NAMES_MAX = 1024,
    /* How often keyring_refresh should be called. */
    KEYRING_REFRESH_MS = 1000
};

struct keyring;

enum keyring_side { KEYRING_COORDINATOR = 1, KEYRING_WORKER };

/* NOT_FOUND, REFUSED (a secret that others can read), INVALID, IO, NO_MEMORY;
 * why gets a sentence. A file of a worker that is bad is logged, and nobody
 * comes in by it. */
enum status keyring_open(const char *dir,
                         enum keyring_side side,
                         char *why,
                         size_t why_size,
                         struct keyring **out) MUST_CHECK;
void keyring_close(struct keyring *keyring); /* accepts NULL */

const struct curvekey_pair *keyring_own(const struct keyring *keyring);
/* For a worker: the coordinator's key; zero for the coordinator. */
const struct curvekey *keyring_coordinator(const struct keyring *keyring);

/* The name that a key stands for, borrowed until the next refresh; NULL: it
 * may not come in. */
const char *keyring_name(const struct keyring *keyring,
                         const struct curvekey *key);
uint32_t keyring_count(const struct keyring *keyring);
/* All keys that may come in; keys holds KEYRING_NAMES_MAX. Returns how many. */
uint32_t keyring_keys(const struct keyring *keyring, struct curvekey *keys);

/* Looks at the files. True: who may come in has changed. */
bool keyring_refresh(struct keyring *keyring);

/* One key and nothing else but a line's end. INVALID. */
enum status keyring_parse(const char *text,
                          size_t size,
                          struct curvekey *out) MUST_CHECK;

#endif /* BASE_KEYRING_H */
