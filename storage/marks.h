/* marks.h - a set of chunks, each with a number.
 *
 * Keyed by the first 8 bytes of the hash: two chunks that share them share a
 * mark, so that a chunk may be held for marked though it is not. Whoever uses
 * this spares what is marked, and sparing one chunk too many does no harm.
 * One thread at a time. */
#ifndef STORAGE_MARKS_H
#define STORAGE_MARKS_H

#include "base/hash.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mark {
    uint64_t key;    /* 0: free */
    uint64_t number; /* from 1 */
};

/* Zeroed is empty; a sparse table, never more than half full. */
struct marks {
    struct mark *slots;
    size_t room; /* 0, or a power of two */
    size_t count;
};

void marks_fini(struct marks *marks); /* accepts a zeroed one */

/* Puts or raises. Where the table must grow, marks below `floor` are left
 * out. NO_MEMORY. */
enum status marks_put(struct marks *marks,
                      const struct hash *hash,
                      uint64_t number,
                      uint64_t floor) MUST_CHECK;

/* 0: not there. */
uint64_t marks_get(const struct marks *marks, const struct hash *hash);

#endif /* STORAGE_MARKS_H */
