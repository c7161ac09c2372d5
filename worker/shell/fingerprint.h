/* fingerprint.h - what two workers must have in common for the same bits.
 *
 * The build, the BLAS and its kernel type, and the hash of a probe: some
 * training steps that go through every kernel, activation, optimiser and
 * library function that touches training. */
#ifndef WORKER_SHELL_FINGERPRINT_H
#define WORKER_SHELL_FINGERPRINT_H

#include "base/hash.h"
#include "base/limits.h"
#include "base/status.h"

struct fingerprint {
    struct hash hash;
    char kernels[NAME_BYTES_MAX]; /* "OpenBLAS 0.3.21 Haswell" */
};

/* Takes some ten milliseconds. NO_MEMORY. */
enum status fingerprint_take(struct fingerprint *out) MUST_CHECK;

#endif /* WORKER_SHELL_FINGERPRINT_H */
