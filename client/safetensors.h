/* safetensors.h - writes float32 tensors in the safetensors format.
 *
 *   u64 header size N | N bytes of JSON, padded with spaces | data
 *
 * N is a multiple of 8. The JSON maps "__metadata__" to texts and each tensor's
 * name to {"dtype", "shape", "data_offsets"}; offsets count from the end of the
 * header, touch each other and end with the file (format of huggingface's
 * safetensors, src/tensor.rs). So sizes must be known first, and the bytes may
 * then come in parts: nothing of a tensor is kept in memory.
 *
 * The file appears under its name only when it is whole: it is written beside
 * itself as FILE.tmp, made durable, and renamed. */
#ifndef CLIENT_SAFETENSORS_H
#define CLIENT_SAFETENSORS_H

#include "base/limits.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_RANK_MAX = 4 };

struct safetensor {
    char name[NAME_BYTES_MAX];
    uint64_t shape[SAFETENSORS_RANK_MAX]; /* rows first, C order */
    unsigned rank;
};

struct safetensors_text {
    const char *key;
    const char *value;
};

struct safetensors_options {
    const struct safetensor *tensors; /* in the order of the file */
    size_t tensors_count;
    const struct safetensors_text *texts; /* of __metadata__ */
    size_t texts_count;                   /* 0: no __metadata__ */
};

struct safetensors;

/* Opens path.tmp and writes the header. Copies what it needs of options.
 * INVALID: path too long, sizes that overflow; IO, FULL, NO_MEMORY. */
enum status safetensors_open(const char *path,
                             const struct safetensors_options *options,
                             struct safetensors **out) MUST_CHECK;

/* The next bytes of one tensor, little-endian. INVALID: offset is not where
 * the tensor's last bytes ended, or there are too many. */
enum status safetensors_write(struct safetensors *file,
                              size_t tensor,
                              uint64_t offset,
                              const void *bytes,
                              size_t size) MUST_CHECK;

/* INVALID: some tensor is not complete. Makes the file durable and gives it
 * its name. */
enum status safetensors_finish(struct safetensors *file) MUST_CHECK;

/* Removes path.tmp unless finished; accepts NULL. */
void safetensors_close(struct safetensors *file);

uint64_t safetensors_bytes(const struct safetensors *file); /* whole size */

#endif /* CLIENT_SAFETENSORS_H */
