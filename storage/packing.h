/* packing.h - manifests made small.
 *
 * A manifest is lists of units and hashes: of 12.8 KB that a small model's has,
 * 2.4 KB are left. Chunks are not packed: floats give a few percent and each
 * read would pay.
 *
 *     | zstd frame |      beginning with its magic number, which no manifest
 *                         does: field 1 of a message begins with 8
 *     | manifest |        as format 1 had it, and where packing gains nothing
 */
#ifndef STORAGE_PACKING_H
#define STORAGE_PACKING_H

#include "base/status.h"
#include "storage/kv.h"

/* What is to be stored: bytes themselves, or *out_memory (mem_free; NULL: it
 * is bytes). NO_MEMORY. */
enum status packing_pack(const void *bytes,
                         size_t size,
                         unsigned char **out_memory,
                         struct kv_value *out) MUST_CHECK;

/* The other way. CORRUPT: no frame, or one of more than limit bytes. */
enum status packing_unpack(const struct kv_value *stored,
                           size_t limit,
                           unsigned char **out_memory,
                           struct kv_value *out) MUST_CHECK;

#endif /* STORAGE_PACKING_H */
