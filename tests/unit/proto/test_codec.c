#include "proto/codec.h"

#include "proto/cajal/v1/model.pb-c.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_codec__a_region_keeps_to_its_budget(void **state)
{
    struct region region;
    size_t taken = 0;

    (void)state;
    region_init(&region, 100000);

    while (region_new(&region, 500) != NULL) {
        taken += 500;
    }

    assert_in_range(taken, 90000, 100000);
    assert_int_equal(region_status(&region), STATUS_INVALID);
    region_fini(&region);
    assert_int_equal(mem_live(), 0);
}

static void test_codec__a_region_tells_a_full_heap_from_a_spent_budget(
    void **state)
{
    struct region region;

    (void)state;
    region_init(&region, SIZE_MAX);
    mem_fail_at(1);

    assert_null(region_new(&region, 1));
    assert_int_equal(region_status(&region), STATUS_NO_MEMORY);
    region_fini(&region);
}

static void test_codec__a_region_gives_aligned_zeroed_memory(void **state)
{
    struct region region;

    (void)state;
    region_init(&region, 1 << 20);

    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *memory = region_new(&region, size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xff, size);
    }
    region_fini(&region);
}

static void test_codec__a_region_survives_sizes_that_overflow(void **state)
{
    struct region region;

    (void)state;
    region_init(&region, SIZE_MAX);

    assert_null(region_new(&region, SIZE_MAX));
    assert_null(region_array(&region, SIZE_MAX / 2, 3));
    region_fini(&region);
}

static void test_codec__lent_memory_is_all_there_is(void **state)
{
    _Alignas(16) unsigned char memory[256];
    struct region region;
    unsigned count = 0;

    (void)state;
    region_init_lent(&region, memory, sizeof(memory));
    mem_fail_at(1);

    while (region_new(&region, 8) != NULL) {
        count++;
    }

    assert_int_equal(count, 16);
    assert_null(mem_new(1)); /* the failure is still planned */
}

static void test_codec__a_strict_schema_refuses_unknown_fields(void **state)
{
    static const unsigned char bytes[] = {0x08, 0x01, 0x1a,
                                          0x00}; /* UnitId.line, and field 3 */
    struct codec_schema schema = {.descriptor = &cajal__v1__unit_id__descriptor,
                                  .bytes_max = 100};
    struct ProtobufCMessage *message = NULL;
    struct region region;

    (void)state;
    region_init(&region, 1 << 20);

    assert_int_equal(
        codec_unpack(&schema, bytes, sizeof(bytes), &region, &message),
        STATUS_OK);
    schema.strict = true;
    assert_int_equal(
        codec_unpack(&schema, bytes, sizeof(bytes), &region, &message),
        STATUS_INVALID);
    assert_int_equal(codec_unpack(&schema, bytes, 2, &region, &message),
                     STATUS_OK);
    region_fini(&region);
}

static void test_codec__copies_texts_only_where_they_fit(void **state)
{
    char field[4] = "abc";

    (void)state;

    assert_true(codec_get_text("xyz", field, sizeof(field)));
    assert_string_equal(field, "xyz");
    assert_true(codec_get_text("", field, sizeof(field)));
    assert_memory_equal(field, "\0\0\0", 4);
    assert_false(codec_get_text("four", field, sizeof(field)));
}

static void test_codec__decodes_into_an_arena_or_the_heap(void **state)
{
    unsigned char memory[64];
    struct arena arena;
    void *heap = NULL;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));

    assert_in_range((uintptr_t)codec_new(&arena, 16), (uintptr_t)memory,
                    (uintptr_t)memory + sizeof(memory));
    assert_null(codec_new(&arena, 64));
    assert_int_equal(mem_live(), 0);
    heap = codec_new(NULL, 16);
    assert_non_null(heap);
    assert_int_equal(mem_live(), 1);
    mem_free(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec__a_region_keeps_to_its_budget),
        cmocka_unit_test(
            test_codec__a_region_tells_a_full_heap_from_a_spent_budget),
        cmocka_unit_test(test_codec__a_region_gives_aligned_zeroed_memory),
        cmocka_unit_test(test_codec__a_region_survives_sizes_that_overflow),
        cmocka_unit_test(test_codec__lent_memory_is_all_there_is),
        cmocka_unit_test(test_codec__a_strict_schema_refuses_unknown_fields),
        cmocka_unit_test(test_codec__copies_texts_only_where_they_fit),
        cmocka_unit_test(test_codec__decodes_into_an_arena_or_the_heap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
