#include "worker/model/slab.h"

#include "worker/model/shape.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TENSORS = 3 };

static float value(uint32_t tensor, uint32_t row, uint32_t column)
{
    return (float)(tensor * 1000000 + row * 1000 + column + 1);
}

static void fill(struct slab *slab, uint32_t rows, uint32_t columns)
{
    const struct slab_shape shape = {TENSORS, rows, columns, rows, columns};

    assert_int_equal(slab_init(slab, &shape), STATUS_OK);
    for (uint32_t t = 0; t < TENSORS; t++) {
        for (uint32_t r = 0; r < rows; r++) {
            for (uint32_t c = 0; c < columns; c++) {
                slab_row(slab, t, r)[c] = value(t, r, c);
            }
        }
    }
}

static uint32_t source(const struct order *order, uint32_t to)
{
    for (uint32_t i = 0; i < order->runs_count; i++) {
        const struct run *run = &order->runs[i];

        if (to >= run->to && to < run->to + run->count) {
            return run->from + to - run->to;
        }
    }
    return UINT32_MAX;
}

/* Every element is what the order says, new ones and the padding are zero. */
static void check(const struct slab *slab,
                  const struct order *rows,
                  const struct order *columns)
{
    assert_int_equal(slab->rows, rows->count);
    assert_int_equal(slab->columns, columns->count);
    assert_int_equal(slab->stride % STRIDE_FLOATS, 0);
    for (uint32_t t = 0; t < TENSORS; t++) {
        for (uint32_t r = 0; r < slab->rows; r++) {
            uint32_t row = source(rows, r);

            for (uint32_t c = 0; c < slab->stride; c++) {
                uint32_t column = source(columns, c);
                float expected = 0;

                if (row != UINT32_MAX && column != UINT32_MAX) {
                    expected = value(t, row, column);
                }
                assert_true(slab_row(slab, t, r)[c] == expected);
            }
        }
    }
}

static void reorder(uint32_t old_rows,
                    uint32_t old_columns,
                    const struct order *rows,
                    const struct order *columns)
{
    struct slab slab;

    fill(&slab, old_rows, old_columns);
    assert_int_equal(slab_reserve(&slab, rows->count, columns->count),
                     STATUS_OK);
    slab_reorder(&slab, rows, columns);
    check(&slab, rows, columns);
    slab_fini(&slab);
}

static void test_slab__grows_rows_and_columns(void **state)
{
    const struct run all_rows[] = {{0, 0, 7}};
    const struct run all_columns[] = {{0, 0, 15}};
    const struct run spread[] = {{0, 0, 4}, {4, 6, 5}, {9, 20, 6}};
    const struct run late[] = {{0, 5, 15}};
    const struct order same_rows = {all_rows, 1, 7, false};
    const struct order more_rows = {all_rows, 1, 12, true};
    const struct order same_columns = {all_columns, 1, 15, false};
    const struct order more_columns = {spread, 3, 30, true};
    const struct order late_columns = {late, 1, 40, true};
    const struct order new_columns = {NULL, 0, 9, true};

    (void)state;
    reorder(7, 15, &more_rows, &same_columns);
    reorder(7, 15, &same_rows, &more_columns);
    reorder(7, 15, &same_rows, &late_columns);
    reorder(7, 0, &same_rows, &new_columns);
    reorder(0, 15, &(struct order){NULL, 0, 3, true}, &same_columns);
}

static void test_slab__shrinks_rows_and_columns(void **state)
{
    const struct run all_rows[] = {{0, 0, 7}};
    const struct run some_rows[] = {{1, 0, 2}, {5, 2, 1}};
    const struct run all_columns[] = {{0, 0, 40}};
    const struct run some_columns[] = {{0, 0, 3}, {5, 3, 10}, {39, 13, 1}};
    const struct order same_rows = {all_rows, 1, 7, false};
    const struct order fewer_rows = {some_rows, 2, 3, false};
    const struct order same_columns = {all_columns, 1, 40, false};
    const struct order fewer_columns = {some_columns, 3, 14, false};
    const struct order none = {NULL, 0, 0, false};

    (void)state;
    reorder(7, 40, &fewer_rows, &same_columns);
    reorder(7, 40, &same_rows, &fewer_columns);
    reorder(7, 40, &none, &same_columns);
    reorder(7, 40, &same_rows, &none);
}

static void test_slab__memory_is_kept_while_it_suffices(void **state)
{
    const struct run rows[] = {{0, 0, 4}};
    const struct run columns[] = {{0, 0, 10}};
    const struct order more = {rows, 1, 5, true};
    const struct order same = {columns, 1, 10, false};
    struct slab slab;
    float *data;

    (void)state;
    fill(&slab, 4, 10);
    assert_int_equal(slab_reserve(&slab, 5, 10), STATUS_OK);
    slab_reorder(&slab, &more, &same);
    data = slab.data;
    assert_int_equal(slab_reserve(&slab, 7, 10), STATUS_OK);

    assert_ptr_equal(slab.data, data);
    slab_fini(&slab);
}

static void test_slab__reorders_plain_arrays(void **state)
{
    int values[10] = {1, 2, 3, 4, 5};
    const struct run apart[] = {{0, 1, 2}, {2, 6, 3}};
    const struct run kept[] = {{1, 0, 2}, {6, 2, 3}};
    const struct order grown = {apart, 2, 10, true};
    const struct order shrunk = {kept, 2, 5, false};
    const int middle[] = {0, 1, 2, 0, 0, 0, 3, 4, 5, 0};
    const int end[] = {1, 2, 3, 4, 5, 0, 0, 0, 0, 0};

    (void)state;
    array_reorder(values, sizeof(int), 5, &grown);
    assert_memory_equal(values, middle, sizeof(values));
    array_reorder(values, sizeof(int), 10, &shrunk);
    assert_memory_equal(values, end, sizeof(values));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slab__grows_rows_and_columns),
        cmocka_unit_test(test_slab__shrinks_rows_and_columns),
        cmocka_unit_test(test_slab__memory_is_kept_while_it_suffices),
        cmocka_unit_test(test_slab__reorders_plain_arrays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
