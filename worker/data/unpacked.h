/* unpacked.h - files that were packed, kept unpacked in a directory.
 *
 * Inflating a data set costs a new process most of the time that it needs to
 * begin. So whoever has inflated a file leaves the bytes in a file of its own,
 * and other processes of the host, or the next one of this name, map that and
 * share its pages. All of this is a convenience: whatever fails, the caller has
 * its own bytes and nobody is told.
 *
 * A kept file is named and bound by what its source was when it was read
 * (device, inode, size, times), and ends in a checksum over that and all
 * bytes, which is looked at before a byte is used. It is written under another
 * name and moved, so nobody sees half of one. It counts only where it belongs
 * to this user and nobody else may write it. */
#ifndef WORKER_DATA_UNPACKED_H
#define WORKER_DATA_UNPACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum {
    /* Two data sets; the oldest gives way. */
    UNPACKED_FILES_MAX = 8,
    /* At most so much of what is free, as it may be memory (tmpfs). */
    UNPACKED_FREE_SHARE = 4
};

/* Pages of a kept file, read only. */
struct unpacked {
    uint8_t *bytes; /* NULL: none */
    size_t size;    /* without what stands behind them */
    size_t mapped;
};

/* False: there is none, or it is not sound (it is removed then). dir may be
 * NULL; source is what fstat said of the packed file. */
bool unpacked_map(const char *dir,
                  const struct stat *source,
                  struct unpacked *out);
void unpacked_unmap(struct unpacked *unpacked); /* legal on a zeroed one */

/* False: nothing is kept. Not where the source was written in the last two
 * seconds: a clock too coarse to tell a second write from the first would hide
 * it. Nor where there is little room. */
bool unpacked_keep(const char *dir,
                   const struct stat *source,
                   const void *bytes,
                   size_t size);

/* Removes all that is kept in dir. Who has it mapped is not disturbed. */
void unpacked_clear(const char *dir);

#endif /* WORKER_DATA_UNPACKED_H */
