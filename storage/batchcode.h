/* batchcode.h - what a batch does to one job, as bytes, for its mirror.
 *
 *   u32 magic "CJBT" | u32 format | u64 life | u64 job | u32 count | operations
 *   operation: u32 kind | u32 log | u64 number | u64 wall_ms | u64 size |
 *              u64 more_size | u64 chunks_count | bytes | more | hashes
 *
 * Little-endian. The kinds' numbers are those of enum operation_kind. */
#ifndef STORAGE_BATCHCODE_H
#define STORAGE_BATCHCODE_H

#include "storage/inside.h"

/* Of this job, and to last: a point lies in the memory of workers and is
 * another one a second later. */
bool batchcode_takes(const struct operation *operation, uint64_t job);

/* Operations of other jobs, and what does not last, are left out; *out_count
 * may be 0. life: of the store, so that a rebuilt one does not begin with lives
 * that were. out is mem_free'd. NO_MEMORY. */
struct batchcode_origin {
    uint64_t life;
    uint64_t job;
};
enum status batchcode_encode(const struct batch *batch,
                             const struct batchcode_origin *origin,
                             unsigned char **out,
                             size_t *out_size) MUST_CHECK;

/* Adds the operations to a batch. CORRUPT: not such bytes. UNSUPPORTED: of a
 * newer format. NO_MEMORY, BUSY. */
enum status batchcode_decode(const void *bytes,
                             size_t size,
                             struct batch *batch,
                             struct batchcode_origin *out) MUST_CHECK;

#endif /* STORAGE_BATCHCODE_H */
