/* place.h - the directory of a store, claimed for one process.
 *
 *     DIR/data.mdb     the databases
 *     DIR/lock.mdb     LMDB's table of readers
 *     DIR/owner.lock   flock: held while a store is open; its text is the pid
 *
 * The lock goes with the process, however it ends; a text left behind means
 * nothing. */
#ifndef STORAGE_PLACE_H
#define STORAGE_PLACE_H

#include "base/status.h"
#include "storage/filesystem.h"
#include <stddef.h>

struct place_options {
    const char *dir;                     /* below PATH_BYTES_MAX bytes */
    const struct filesystem *filesystem; /* NULL: ask the system */
    char *why;                           /* one sentence on failure */
    size_t why_size;
};

/* Makes the directory where it is not there (and those above it), refuses a
 * network filesystem, and takes the lock; *out holds it. INVALID: a path too
 * long. UNSUPPORTED, CONFLICT, FULL, IO. */
enum status place_claim(const struct place_options *options,
                        int *out) MUST_CHECK;

/* Puts the names of the files on the disk, so that a store which was just
 * made is found after a power cut. */
enum status place_sync(const char *dir) MUST_CHECK;

void place_release(int lock); /* accepts -1 */

#endif /* STORAGE_PLACE_H */
