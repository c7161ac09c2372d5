#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void assert_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void test_mem__gives_zeroed_memory(void **state)
{
    unsigned char *block = mem_new(1000);
    unsigned char *array = mem_array(10, 100);
    unsigned char *slab = mem_slab(1000);

    (void)state;

    assert_zero(block, 1000);
    assert_zero(array, 1000);
    assert_zero(slab, 1000);
    mem_free(block);
    mem_free(array);
    mem_free(slab);
}

static void test_mem__zeroes_a_slab_that_was_used_before(void **state)
{
    (void)state;

    for (int i = 0; i < 10; i++) {
        unsigned char *slab = mem_slab(4096);

        assert_zero(slab, 4096);
        memset(slab, 0xff, 4096);
        mem_free(slab);
    }
}

static void test_mem__aligns_slabs_to_64_bytes(void **state)
{
    void *slabs[20];

    (void)state;

    for (size_t i = 0; i < 20; i++) {
        slabs[i] = mem_slab(i * 7 + 1);
        assert_non_null(slabs[i]);
        assert_int_equal((uintptr_t)slabs[i] % 64, 0);
    }
    for (size_t i = 0; i < 20; i++) {
        mem_free(slabs[i]);
    }
}

static void test_mem__refuses_a_product_that_overflows(void **state)
{
    (void)state;

    assert_null(mem_array(SIZE_MAX / 2, 3));
    assert_null(mem_array(2, SIZE_MAX));
    assert_null(mem_slab(SIZE_MAX));
    assert_null(mem_slab(SIZE_MAX - 10));
    assert_int_equal(mem_live(), 0);
}

static void test_mem__gives_empty_blocks_their_own_addresses(void **state)
{
    void *a = mem_new(0);
    void *b = mem_array(0, 8);
    void *c = mem_slab(0);

    (void)state;

    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    mem_free(a);
    mem_free(b);
    mem_free(c);
}

static void test_mem__keeps_the_bytes_when_it_resizes(void **state)
{
    char *block = mem_text("dendrite");

    (void)state;

    block = mem_resize(block, 10000);
    assert_non_null(block);
    assert_string_equal(block, "dendrite");
    assert_int_equal(mem_live(), 1);
    mem_free(block);
}

static void test_mem__resizes_nothing_into_a_new_block(void **state)
{
    void *block = mem_resize(NULL, 10);

    (void)state;

    assert_non_null(block);
    assert_int_equal(mem_live(), 1);
    mem_free(block);
    assert_int_equal(mem_live(), 0);
}

static void test_mem__keeps_the_old_block_when_a_resize_fails(void **state)
{
    char *block = mem_text("axon");

    (void)state;
    mem_fail_at(1);

    assert_null(mem_resize(block, 10000));

    assert_string_equal(block, "axon");
    assert_int_equal(mem_live(), 1);
    mem_free(block);
}

static void test_mem__copies_no_text_for_null(void **state)
{
    (void)state;

    assert_null(mem_text(NULL));
    assert_int_equal(mem_live(), 0);
}

static void test_mem__fails_the_nth_allocation_and_only_that(void **state)
{
    void *blocks[4];

    (void)state;
    mem_fail_at(3);

    blocks[0] = mem_new(1);
    blocks[1] = mem_slab(1);
    blocks[2] = mem_text("x");
    blocks[3] = mem_new(1);

    assert_non_null(blocks[0]);
    assert_non_null(blocks[1]);
    assert_null(blocks[2]);
    assert_non_null(blocks[3]);
    assert_int_equal(mem_live(), 3);
    for (int i = 0; i < 4; i++) {
        mem_free(blocks[i]);
    }
    assert_int_equal(mem_live(), 0);
}

static void test_mem__counts_what_was_asked_for(void **state)
{
    uint64_t before = mem_taken();
    char *text = NULL;

    (void)state;
    text = mem_text("soma");
    text = mem_resize(text, 100);
    mem_free(text);
    mem_fail_at(1);
    assert_null(mem_slab(1));

    assert_int_equal(mem_taken(), before + 3);
}

static void test_mem__can_take_back_a_planned_failure(void **state)
{
    void *block = NULL;

    (void)state;
    mem_fail_at(1);
    mem_fail_at(0);

    block = mem_new(1);

    assert_non_null(block);
    mem_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem__gives_zeroed_memory),
        cmocka_unit_test(test_mem__zeroes_a_slab_that_was_used_before),
        cmocka_unit_test(test_mem__aligns_slabs_to_64_bytes),
        cmocka_unit_test(test_mem__refuses_a_product_that_overflows),
        cmocka_unit_test(test_mem__gives_empty_blocks_their_own_addresses),
        cmocka_unit_test(test_mem__keeps_the_bytes_when_it_resizes),
        cmocka_unit_test(test_mem__resizes_nothing_into_a_new_block),
        cmocka_unit_test(test_mem__keeps_the_old_block_when_a_resize_fails),
        cmocka_unit_test(test_mem__copies_no_text_for_null),
        cmocka_unit_test(test_mem__fails_the_nth_allocation_and_only_that),
        cmocka_unit_test(test_mem__counts_what_was_asked_for),
        cmocka_unit_test(test_mem__can_take_back_a_planned_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
