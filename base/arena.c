#include "base/arena.h"

#include "base/check.h"

#include <stdint.h>
#include <string.h>

/* Enough for every type of C11 (max_align_t) on our machines. */
enum { ARENA_ALIGNMENT = 16 };

void arena_init(struct arena *arena, void *memory, size_t size)
{
    CHECK(memory != NULL);

    arena->data = memory;
    arena->size = size;
    arena->used = 0;
}

void *arena_new(struct arena *arena, size_t size)
{
    /* The address is aligned, not the offset: the memory may begin anywhere. */
    uintptr_t next = (uintptr_t)(arena->data + arena->used);
    size_t padding = (size_t)(-next % ARENA_ALIGNMENT);
    size_t left = arena->size - arena->used;
    unsigned char *memory = NULL;

    CHECK(arena->used <= arena->size);
    /* Two empty objects still have two addresses. */
    size = size > 0 ? size : 1;
    if (padding > left || size > left - padding) {
        return NULL;
    }
    memory = arena->data + arena->used + padding;
    memset(memory, 0, size);
    arena->used += padding + size;
    return memory;
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}
