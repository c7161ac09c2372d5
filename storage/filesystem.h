/* filesystem.h - what a directory lies on, and whether LMDB can live there.
 *
 * LMDB needs a memory map that shows what write() wrote, and locks that hold
 * between processes. A network filesystem gives neither for sure, and the
 * damage comes months later; so it is refused by name. */
#ifndef STORAGE_FILESYSTEM_H
#define STORAGE_FILESYSTEM_H

#include "base/status.h"
#include <stdint.h>

struct filesystem {
    uint32_t type; /* f_type of statfs(2) */
    char name[32]; /* as in mountinfo, for FUSE alone: "fuse.sshfs"; or "" */
};

/* IO: the directory cannot be looked at; errno tells why, for the caller to
 * log. */
enum status filesystem_of(const char *dir, struct filesystem *out) MUST_CHECK;

/* The name of the network filesystem that it is ("NFS"), static; NULL: it is
 * none that we know of. */
const char *filesystem_network(const struct filesystem *filesystem);

#endif /* STORAGE_FILESYSTEM_H */
