/* slab.h - one allocation that holds a tensor and its optimiser slots.
 *
 *   data -> | weight row 0 | weight row 1 | ... | m row 0 | ... | v row 0 | ...
 *             <- stride ->
 *
 * All tensors have one layout, so that editing, saving and updating are loops
 * over one array. Rows start at multiples of STRIDE_FLOATS floats; the padding
 * is zero. The memory is replaced only when its capacity ends. */
#ifndef WORKER_MODEL_SLAB_H
#define WORKER_MODEL_SLAB_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Elements from .. from+count of the old order become to .. to+count. */
struct run {
    uint32_t from;
    uint32_t to;
    uint32_t count;
};

/* A new order of elements, as ascending runs of old ones; what no run covers
 * is new and zero. An order only ever grows or only ever shrinks. */
struct order {
    const struct run *runs;
    uint32_t runs_count;
    uint32_t count; /* elements in the new order */
    bool grows;     /* either will do where nothing moves */
};

struct slab {
    float *data;
    size_t capacity; /* floats */
    uint32_t tensors_count;
    uint32_t rows;
    uint32_t columns;
    uint32_t stride; /* floats; columns rounded up */
};

uint32_t slab_stride(uint32_t columns);

struct slab_shape {
    uint32_t tensors_count;
    uint32_t rows;
    uint32_t columns;
    uint32_t rows_room; /* capacity for so many; at least rows, columns */
    uint32_t columns_room;
};

/* All zero. NO_MEMORY. slab_fini accepts a zeroed struct. */
enum status slab_init(struct slab *slab,
                      const struct slab_shape *shape) MUST_CHECK;
void slab_fini(struct slab *slab);

float *slab_row(const struct slab *slab, uint32_t tensor, uint32_t row);

/* Makes sure that slab_reorder to this shape finds room. NO_MEMORY: nothing
 * has changed. */
enum status slab_reserve(struct slab *slab,
                         uint32_t rows,
                         uint32_t columns) MUST_CHECK;

/* Moves every tensor into the new order of rows and columns, in place. */
void slab_reorder(struct slab *slab,
                  const struct order *rows,
                  const struct order *columns);

/* The same for a plain array of elements of `size` bytes, which has room. */
void array_reorder(void *array,
                   size_t size,
                   uint32_t old_count,
                   const struct order *order);

#endif /* WORKER_MODEL_SLAB_H */
