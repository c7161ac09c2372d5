/* filesystem.h - what a directory lies on, and whether LMDB can live there.
 *
 * LMDB needs a memory map that shows what write() wrote, and locks that hold
 * between processes. A network filesystem gives neither for sure, and the
 * damage comes months later; so it is refused by name. */
#ifndef STORAGE_FILESYSTEM_H
#define STORAGE_FILESYSTEM_H

#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct filesystem {
    uint32_t type; /* f_type of statfs(2) */
    char name[32]; /* as in mountinfo, for FUSE alone: "fuse.sshfs"; or "" */
};

/* IO: the directory cannot be looked at; errno tells why, for the caller to
 * log. */
enum status filesystem_of(const char *dir, struct filesystem *out) MUST_CHECK;

/* Takes the name from a line of /proc/self/mountinfo,
 *     36 35 98:0 /root /mount options tags - TYPE source options
 * if it is of the device with these numbers. */
bool filesystem_parse_mount(const char *line,
                            unsigned major_number,
                            unsigned minor_number,
                            struct filesystem *out);

/* The name of the network filesystem that it is ("NFS"), static; NULL: it is
 * none that we know of. */
const char *filesystem_network(const struct filesystem *filesystem);

#endif /* STORAGE_FILESYSTEM_H */
