#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One cache line, and the widest vector register that kernels load. */
enum { SLAB_ALIGNMENT = 64 };

static atomic_uint_least64_t live_count;
static atomic_uint_least64_t taken_count;
static atomic_uint_least64_t fail_countdown; /* 0: no failure is planned */

/* True for the one allocation that mem_fail_at has chosen. The countdown is
 * taken in one atomic step, so that of two threads just one can hit it. */
static bool must_fail(void)
{
    uint_least64_t left = atomic_load(&fail_countdown);

    atomic_fetch_add_explicit(&taken_count, 1, memory_order_relaxed);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1)) {
            return left == 1;
        }
    }
    return false;
}

static void *counted(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_add(&live_count, 1);
    }
    return memory;
}

void *mem_new(size_t size)
{
    if (must_fail()) {
        return NULL;
    }
    return counted(calloc(1, size > 0 ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return mem_new(count * size);
}

void *mem_slab(size_t size)
{
    void *memory = NULL;
    size_t rounded = 0;

    if (size > SIZE_MAX - SLAB_ALIGNMENT) {
        return NULL;
    }
    if (must_fail()) {
        return NULL;
    }
    /* C11 wants a size that is a multiple of the alignment. */
    rounded = (size + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT;
    rounded = rounded > 0 ? rounded : SLAB_ALIGNMENT;
    memory = aligned_alloc(SLAB_ALIGNMENT, rounded);
    if (memory == NULL) {
        return NULL;
    }
    memset(memory, 0, rounded);
    return counted(memory);
}

void *mem_resize(void *memory, size_t size)
{
    void *resized = NULL;

    if (must_fail()) {
        return NULL;
    }
    /* realloc to 0 bytes may free: that would break "NULL means failed". */
    resized = realloc(memory, size > 0 ? size : 1);
    if (memory == NULL) {
        return counted(resized);
    }
    return resized;
}

char *mem_text(const char *text)
{
    size_t size = 0;
    char *copy = NULL;

    if (text == NULL) {
        return NULL;
    }
    size = strlen(text) + 1;
    copy = mem_new(size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void mem_free(void *memory)
{
    if (memory == NULL) {
        return;
    }
    atomic_fetch_sub(&live_count, 1);
    free(memory);
}

void mem_fail_at(uint64_t n)
{
    atomic_store(&fail_countdown, n);
}

uint64_t mem_live(void)
{
    return atomic_load(&live_count);
}

uint64_t mem_taken(void)
{
    return atomic_load(&taken_count);
}
