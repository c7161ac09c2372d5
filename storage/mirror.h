/* mirror.h - a second copy of one job, on any filesystem.
 *
 * One append-only file, from which the job can be rebuilt where the disk of
 * its store is lost. An entry is a chunk, or the operations of one transaction
 * on the job; a version's chunks come before the transaction that names them:
 *
 *     u32 magic | u32 kind | u64 size | hash, 32: of the payload | payload
 *
 * The store keeps beside its records how far the mirror is; what lies behind
 * that is of a transaction that did not come through, and is cut off. A
 * network filesystem will do: nothing is mapped, nothing is locked, and what
 * is torn by a lost host is found by its hash.
 *
 * Calls from the writer's thread alone. IO and FULL are logged here. */
#ifndef STORAGE_MIRROR_H
#define STORAGE_MIRROR_H

#include "base/hash.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mirror;

enum mirror_kind { MIRROR_CHUNK = 1, MIRROR_BATCH = 2 };

enum {
    /* A batch as batchcode.h writes it: one transaction's records of one job,
     * each of which the store holds to 64 MB. */
    MIRROR_PAYLOAD_BYTES_MAX = 256 << 20
};

/* position 0 makes the file and the directory above it where they are not
 * there; else cuts off what lies behind position, and reads which chunks it
 * has. CORRUPT: shorter than position, or not made of entries. CONFLICT:
 * position is 0, but it holds something. STALE: more lies behind than a crash
 * leaves, so another store goes on with it. INVALID: a path too long. IO, FULL,
 * NO_MEMORY. why gets one sentence. */
struct mirror_options {
    const char *path;
    uint64_t position; /* what of it counts; 0: a new mirror */
    char *why;
    size_t why_size;
};
enum status mirror_open(const struct mirror_options *options,
                        struct mirror **out) MUST_CHECK;
void mirror_close(struct mirror *mirror); /* accepts NULL */

/* Nothing is at path, or an empty file, but the directory is there: who made it
 * wants a mirror in it. Without the directory the disk may not be mounted. */
bool mirror_is_gone(const char *path);
/* Gives the file another name, in the same directory; it is on the disk when
 * this returns OK. IO. */
enum status mirror_rename(struct mirror *mirror, const char *path) MUST_CHECK;

/* Bytes written; what mirror_open wants when all of them count. */
uint64_t mirror_position(const struct mirror *mirror);

const char *mirror_path(const struct mirror *mirror);
/* Why the last call failed, in the system's words. */
const char *mirror_error(const struct mirror *mirror);

bool mirror_has_chunk(const struct mirror *mirror, const struct hash *hash);

/* Appends one entry. hash: of the payload. After a failure the file is as
 * before, or every further call fails until it is. IO, FULL, NO_MEMORY. */
enum status mirror_put(struct mirror *mirror,
                       enum mirror_kind kind,
                       const struct hash *hash,
                       const void *payload,
                       size_t size) MUST_CHECK;
/* On the disk when it returns OK. IO: also where the file has no name any
 * more. */
enum status mirror_sync(struct mirror *mirror) MUST_CHECK;
/* The transaction did not come through: back to an earlier position. */
void mirror_take_back(struct mirror *mirror, uint64_t position);

/* Calls fn for each entry until it does not return OK, which is then the
 * result. An entry that is torn or damaged ends the scan: *out_end is where it
 * begins, *out_left how many bytes lie behind. CORRUPT: not a mirror. */
typedef enum status mirror_scan_fn(void *owner,
                                   enum mirror_kind kind,
                                   const struct hash *hash,
                                   const unsigned char *payload,
                                   size_t size);
enum status mirror_scan(const char *path,
                        mirror_scan_fn *fn,
                        void *owner,
                        uint64_t *out_end,
                        uint64_t *out_left) MUST_CHECK;

#endif /* STORAGE_MIRROR_H */
