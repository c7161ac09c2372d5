/* idx.h - files of the IDX format, plain or packed with gzip.
 *
 * The format is LeCun's, of the MNIST page: two zero bytes, a type code, the
 * rank, then the dimensions as big-endian 32-bit numbers, then the items row
 * by row. Only bytes (type code 8) are read.
 *
 * A file is untrusted: nothing is allocated before its size has been bounded
 * and no more is unpacked than the header says, so a small file cannot cost
 * much memory. */
#ifndef WORKER_DATA_IDX_H
#define WORKER_DATA_IDX_H

#include "base/status.h"
#include "worker/data/unpacked.h"
#include "worker/data/why.h"
#include <stddef.h>
#include <stdint.h>

enum {
    /* Images in colour have four dimensions; nothing has more. */
    IDX_RANK_MAX = 4
};

/* Header and items together: what fits into a worker's memory four times. */
static const uint64_t IDX_BYTES_MAX = 4ULL << 30;

/* A view into the bytes that were parsed. */
struct idx {
    uint32_t rank;               /* 1 .. IDX_RANK_MAX */
    uint32_t dims[IDX_RANK_MAX]; /* those beyond rank are 1 */
    const uint8_t *items;        /* [dims[0], dims[1], ...] */
    uint64_t items_count;
};

/* The whole file, unpacked. */
struct idx_file {
    struct idx idx; /* points into bytes */
    uint8_t *bytes; /* owned, or those of kept */
    size_t size;
    struct unpacked kept;
};

/* Checks bytes, which must be exactly one plain file. name is for the
 * sentence only. Errors: CORRUPT, INVALID (larger than IDX_BYTES_MAX). out
 * borrows bytes. */
enum status idx_parse(const void *bytes,
                      size_t size,
                      const char *name,
                      struct why *why,
                      struct idx *out) MUST_CHECK;

/* The same for the bytes of a gzip file; they may be freed afterwards. Errors
 * as idx_parse, and NO_MEMORY. out is the caller's to idx_file_fini. */
enum status idx_unpack(const void *packed,
                       size_t size,
                       const char *name,
                       struct why *why,
                       struct idx_file *out) MUST_CHECK;

struct idx_place {
    const char *dir;
    const char *cache; /* where unpacked.h keeps files; NULL: nowhere */
};

/* Reads DIR/NAME or, only where that does not exist, DIR/NAME.gz, which is kept
 * unpacked in the cache. Errors as idx_unpack, and NOT_FOUND, IO. */
enum status idx_file_init(struct idx_file *file,
                          const struct idx_place *place,
                          const char *name,
                          struct why *why) MUST_CHECK;
void idx_file_fini(struct idx_file *file); /* legal on a zeroed one */

#endif /* WORKER_DATA_IDX_H */
