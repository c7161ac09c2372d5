#include "worker/shell/copy.h"

#include "base/clock.h"
#include "base/mem.h"

uint32_t copy_pieces(const struct copy *copy, uint32_t tensor)
{
    return (uint32_t)((copy->tensors[tensor].bytes + CHUNK_BYTES_MAX - 1) /
                      CHUNK_BYTES_MAX);
}

enum status copy_open(const struct shard *shard, struct copy **out)
{
    uint64_t begin_us = clock_now_us();
    struct copy *copy = mem_new(sizeof(*copy));
    uint32_t at = 0;

    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    copy->tensors_count = shard_tensors(shard, copy->tensors);
    for (uint32_t i = 0; i < copy->tensors_count; i++) {
        copy->first[i] = at;
        at += copy_pieces(copy, i);
    }
    if (pieces_save(shard, &copy->pieces) != STATUS_OK) {
        copy_close(copy);
        return STATUS_NO_MEMORY;
    }
    copy->cost_us = clock_now_us() - begin_us;
    *out = copy;
    return STATUS_OK;
}

void copy_close(struct copy *copy)
{
    if (copy == NULL) {
        return;
    }
    pieces_close(&copy->pieces);
    mem_free(copy);
}
