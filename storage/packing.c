#include "storage/packing.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <string.h>
#include <zstd.h>

enum { LEVEL = 1, MAGIC_BYTES = 4 };

static bool is_packed(const void *bytes, size_t size)
{
    struct reader reader;

    if (size < MAGIC_BYTES) {
        return false;
    }
    reader_init(&reader, bytes, MAGIC_BYTES);
    return read_u32(&reader) == ZSTD_MAGICNUMBER;
}

/* What looks like a frame already would be unpacked when it is read, so it is
 * packed whatever that gains. */
enum status packing_pack(const void *bytes,
                         size_t size,
                         unsigned char **out_memory,
                         struct kv_value *out)
{
    size_t room = ZSTD_compressBound(size);
    unsigned char *memory = mem_new(room);
    size_t packed = 0;

    if (memory == NULL) {
        return STATUS_NO_MEMORY;
    }
    packed = ZSTD_compress(memory, room, bytes, size, LEVEL);
    if (ZSTD_isError(packed) || (packed >= size && !is_packed(bytes, size))) {
        mem_free(memory);
        *out_memory = NULL;
        *out = (struct kv_value){bytes, size};
        return STATUS_OK;
    }
    *out_memory = memory;
    *out = (struct kv_value){memory, packed};
    return STATUS_OK;
}

enum status packing_unpack(const struct kv_value *stored,
                           size_t limit,
                           unsigned char **out_memory,
                           struct kv_value *out)
{
    unsigned long long size = 0;
    unsigned char *memory = NULL;
    size_t count = 0;

    if (!is_packed(stored->bytes, stored->size)) {
        *out_memory = NULL;
        *out = *stored;
        return STATUS_OK;
    }
    size = ZSTD_getFrameContentSize(stored->bytes, stored->size);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        size > limit) {
        return STATUS_CORRUPT;
    }
    memory = mem_new((size_t)size);
    if (memory == NULL) {
        return STATUS_NO_MEMORY;
    }
    count = ZSTD_decompress(memory, (size_t)size, stored->bytes, stored->size);
    if (count != size) { /* also where it is an error */
        mem_free(memory);
        return STATUS_CORRUPT;
    }
    *out_memory = memory;
    *out = (struct kv_value){memory, (size_t)size};
    return STATUS_OK;
}
