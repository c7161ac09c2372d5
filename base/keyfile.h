/* keyfile.h - files that decide who may come in, read with suspicion.
 *
 * A private key that others can read is no secret any more, and a list of
 * roles that others can write is no list: such files are refused, with a
 * sentence that says how to mend it. Sizes are bounded before anything is
 * read. What is in the directory of keys is told in SECURITY.md. */
#ifndef BASE_KEYFILE_H
#define BASE_KEYFILE_H

#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* A certificate of ours has 700 bytes, a chain of some has 10 kB. */
    KEYFILE_BYTES_MAX = 64 << 10,
    /* Roles and tokens: ACCESS_MAX lines of up to 200 bytes. */
    KEYFILE_LIST_BYTES_MAX = 256 << 10
};

enum keyfile_kind {
    KEYFILE_PUBLIC = 1, /* nobody else may write it */
    KEYFILE_SECRET      /* and nobody else may read it */
};

struct keyfile {
    char *text; /* size bytes and a NUL; keyfile_free */
    size_t size;
};

/* The whole file, if it is one that we may rely on. NOT_FOUND; REFUSED: of
 * another user (root is trusted), or its mode is too open; INVALID: no regular
 * file, more than bytes_max, or with a NUL in it; IO; NO_MEMORY. why gets a
 * sentence. */
enum status keyfile_read(const char *path,
                         enum keyfile_kind kind,
                         size_t bytes_max,
                         struct keyfile *out,
                         char *why,
                         size_t why_size) MUST_CHECK;

/* Overwrites what was read before it goes back to the heap. */
void keyfile_free(struct keyfile *file);

/* DIR/NAME. INVALID: too long. */
enum status keyfile_path(const char *dir,
                         const char *name,
                         char out[PATH_BYTES_MAX]) MUST_CHECK;

/* Where keys are by default: $XDG_CONFIG_HOME/cajal/keys, else
 * ~/.config/cajal/keys. NOT_FOUND: neither is an absolute path. */
enum status keyfile_default_dir(char out[PATH_BYTES_MAX]) MUST_CHECK;

/* When the file last changed, as a number that differs with every change (time
 * of change, size and inode, mixed); 0: it is not there. */
uint64_t keyfile_stamp(const char *path);

#endif /* BASE_KEYFILE_H */
