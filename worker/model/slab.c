#include "worker/model/slab.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/model/shape.h"
#include <string.h>

uint32_t slab_stride(uint32_t columns)
{
    return (columns + STRIDE_FLOATS - 1) / STRIDE_FLOATS * STRIDE_FLOATS;
}

static size_t floats_needed(const struct slab *slab,
                            uint32_t rows,
                            uint32_t columns)
{
    return (size_t)slab->tensors_count * rows * slab_stride(columns);
}

enum status slab_init(struct slab *slab, const struct slab_shape *shape)
{
    struct slab made = {.tensors_count = shape->tensors_count,
                        .rows = shape->rows,
                        .columns = shape->columns,
                        .stride = slab_stride(shape->columns)};

    CHECK(shape->rows_room >= shape->rows);
    CHECK(shape->columns_room >= shape->columns);
    made.capacity = floats_needed(&made, shape->rows_room, shape->columns_room);
    made.data = mem_slab(made.capacity * sizeof(float));
    if (made.data == NULL) {
        return STATUS_NO_MEMORY;
    }
    *slab = made;
    return STATUS_OK;
}

void slab_fini(struct slab *slab)
{
    mem_free(slab->data);
    *slab = (struct slab){0};
}

float *slab_row(const struct slab *slab, uint32_t tensor, uint32_t row)
{
    return slab->data + ((size_t)tensor * slab->rows + row) * slab->stride;
}

/* Half as much again, so that growth by small steps copies each weight a
 * bounded number of times. */
enum status slab_reserve(struct slab *slab, uint32_t rows, uint32_t columns)
{
    size_t needed = floats_needed(slab, rows, columns);
    size_t capacity = needed + needed / 2;
    float *data;

    if (needed <= slab->capacity) {
        return STATUS_OK;
    }
    data = mem_slab(capacity * sizeof(float));
    if (data == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(data, slab->data,
           floats_needed(slab, slab->rows, slab->columns) * sizeof(float));
    mem_free(slab->data);
    slab->data = data;
    slab->capacity = capacity;
    return STATUS_OK;
}

/* Copies runs of src into dst, both in one array, and clears what lies between
 * and behind them up to `count`. Upwards moves go from the last element to the
 * first and downwards from the first to the last, so that nothing is
 * overwritten before it has been moved. */
static void move_runs(unsigned char *dst,
                      const unsigned char *src,
                      size_t size,
                      const struct order *order,
                      uint32_t count)
{
    uint32_t end = order->grows ? count : 0;

    if (order->grows) {
        for (uint32_t i = order->runs_count; i-- > 0;) {
            const struct run *run = &order->runs[i];
            uint32_t after = run->to + run->count;

            memmove(dst + run->to * size, src + run->from * size,
                    run->count * size);
            memset(dst + after * size, 0, (end - after) * size);
            end = run->to;
        }
        memset(dst, 0, end * size);
        return;
    }
    for (uint32_t i = 0; i < order->runs_count; i++) {
        const struct run *run = &order->runs[i];

        CHECK(run->to == end); /* a shrinking order has no gaps */
        memmove(dst + run->to * size, src + run->from * size,
                run->count * size);
        end = run->to + run->count;
    }
    memset(dst + end * size, 0, (count - end) * size);
}

void array_reorder(void *array,
                   size_t size,
                   uint32_t old_count,
                   const struct order *order)
{
    uint32_t count = order->count > old_count ? order->count : old_count;

    move_runs(array, array, size, order, count);
}

static void move_row(struct slab *slab,
                     const struct slab *old,
                     const struct order *columns,
                     size_t to,
                     size_t from)
{
    move_runs((unsigned char *)(slab->data + to * slab->stride),
              (const unsigned char *)(old->data + from * old->stride),
              sizeof(float), columns, slab->stride);
}

/* From the last row to the first: every destination lies at or behind its
 * source. */
static void grow(struct slab *slab,
                 const struct slab *old,
                 const struct order *rows,
                 const struct order *columns)
{
    for (uint32_t t = slab->tensors_count; t-- > 0;) {
        size_t old_base = (size_t)t * old->rows;
        size_t base = (size_t)t * slab->rows;
        uint32_t end = slab->rows;

        for (uint32_t i = rows->runs_count; i-- > 0;) {
            const struct run *run = &rows->runs[i];
            uint32_t after = run->to + run->count;

            memset(slab->data + (base + after) * slab->stride, 0,
                   (size_t)(end - after) * slab->stride * sizeof(float));
            for (uint32_t r = run->count; r-- > 0;) {
                move_row(slab, old, columns, base + run->to + r,
                         old_base + run->from + r);
            }
            end = run->to;
        }
        memset(slab->data + base * slab->stride, 0,
               (size_t)end * slab->stride * sizeof(float));
    }
}

static void shrink(struct slab *slab,
                   const struct slab *old,
                   const struct order *rows,
                   const struct order *columns)
{
    for (uint32_t t = 0; t < slab->tensors_count; t++) {
        size_t old_base = (size_t)t * old->rows;
        size_t base = (size_t)t * slab->rows;

        for (uint32_t i = 0; i < rows->runs_count; i++) {
            const struct run *run = &rows->runs[i];

            for (uint32_t r = 0; r < run->count; r++) {
                move_row(slab, old, columns, base + run->to + r,
                         old_base + run->from + r);
            }
        }
    }
}

void slab_reorder(struct slab *slab,
                  const struct order *rows,
                  const struct order *columns)
{
    struct slab old = *slab;

    CHECK(floats_needed(slab, rows->count, columns->count) <= slab->capacity);
    slab->rows = rows->count;
    slab->columns = columns->count;
    slab->stride = slab_stride(columns->count);
    if (rows->grows || columns->grows) {
        CHECK(rows->count >= old.rows);
        CHECK(columns->count >= old.columns);
        grow(slab, &old, rows, columns);
    } else {
        CHECK(rows->count <= old.rows);
        CHECK(columns->count <= old.columns);
        shrink(slab, &old, rows, columns);
    }
}
