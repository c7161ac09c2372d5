#include "base/arena.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void test_arena__aligns_whatever_memory_it_was_given(void **state)
{
    unsigned char memory[300];

    (void)state;

    for (size_t offset = 0; offset < 20; offset++) {
        struct arena arena;

        arena_init(&arena, memory + offset, 200);
        for (size_t size = 1; size < 6; size++) {
            void *object = arena_new(&arena, size);

            assert_non_null(object);
            assert_int_equal((uintptr_t)object % 16, 0);
        }
    }
}

static void test_arena__gives_zeroed_memory_after_a_reset(void **state)
{
    _Alignas(16) unsigned char memory[64];
    struct arena arena;
    unsigned char *object = NULL;

    (void)state;
    memset(memory, 0xff, sizeof(memory));
    arena_init(&arena, memory, sizeof(memory));

    object = arena_new(&arena, 64);
    assert_non_null(object);
    memset(object, 0xff, 64);
    arena_reset(&arena);
    object = arena_new(&arena, 64);

    assert_ptr_equal(object, memory);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(object[i], 0);
    }
}

static void test_arena__is_full_exactly_at_its_size(void **state)
{
    _Alignas(16) unsigned char memory[64];
    struct arena arena;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));

    assert_non_null(arena_new(&arena, 40));
    assert_null(arena_new(&arena, 17)); /* 48 .. 65 */
    assert_non_null(arena_new(&arena, 16));
    assert_null(arena_new(&arena, 1));
    assert_null(arena_new(&arena, 0));
}

static void test_arena__is_full_where_not_even_the_padding_fits(void **state)
{
    _Alignas(16) unsigned char memory[64];
    struct arena arena;

    (void)state;
    arena_init(&arena, memory + 1, 3);

    assert_null(arena_new(&arena, 1));
    assert_int_equal(arena.used, 0);
}

static void test_arena__refuses_a_size_that_overflows(void **state)
{
    unsigned char memory[64];
    struct arena arena;

    (void)state;
    arena_init(&arena, memory + 1, 63);

    assert_null(arena_new(&arena, SIZE_MAX));
    assert_null(arena_new(&arena, SIZE_MAX - 15));
    assert_int_equal(arena.used, 0);
}

static void test_arena__gives_empty_objects_their_own_addresses(void **state)
{
    unsigned char memory[64];
    struct arena arena;
    void *first = NULL;
    void *second = NULL;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));

    first = arena_new(&arena, 0);
    second = arena_new(&arena, 0);

    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
}

static void test_arena__checks_that_it_has_memory(void **state)
{
    struct arena arena;

    (void)state;

    expect_assert_failure(arena_init(&arena, NULL, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__aligns_whatever_memory_it_was_given),
        cmocka_unit_test(test_arena__gives_zeroed_memory_after_a_reset),
        cmocka_unit_test(test_arena__is_full_exactly_at_its_size),
        cmocka_unit_test(test_arena__is_full_where_not_even_the_padding_fits),
        cmocka_unit_test(test_arena__refuses_a_size_that_overflows),
        cmocka_unit_test(test_arena__gives_empty_objects_their_own_addresses),
        cmocka_unit_test(test_arena__checks_that_it_has_memory),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
