#include "worker/shell/copy.h"

#include "base/mem.h"

#include <string.h>

enum status copy_open(const struct shard *shard, struct copy **out)
{
    struct copy *copy = mem_new(sizeof(*copy));
    size_t bytes = 0;

    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    copy->tensors_count = shard_tensors(shard, copy->tensors);
    for (uint32_t i = 0; i < copy->tensors_count; i++) {
        bytes += copy->tensors[i].bytes;
        if (strcmp(copy->tensors[i].name, "evaluations") == 0) {
            copy->evaluations_count = copy->tensors[i].rows;
        }
    }
    copy->block = mem_new(bytes); /* not mem_slab: its zeroing costs a copy */
    if (copy->block == NULL) {
        copy_close(copy);
        return STATUS_NO_MEMORY;
    }
    bytes = 0;
    for (uint32_t i = 0; i < copy->tensors_count; i++) {
        copy->bytes[i] = copy->block + bytes;
        shard_save(shard, i, copy->bytes[i]);
        bytes += copy->tensors[i].bytes;
    }
    *out = copy;
    return STATUS_OK;
}

void copy_close(struct copy *copy)
{
    if (copy == NULL) {
        return;
    }
    mem_free(copy->block);
    mem_free(copy);
}
