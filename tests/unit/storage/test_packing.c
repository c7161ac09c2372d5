#include "storage/packing.h"

#include "tests/unit/storage/fixture.h"

static void assert_comes_back(const unsigned char *bytes, size_t size)
{
    unsigned char *packed_memory = NULL;
    unsigned char *memory = NULL;
    struct kv_value packed;
    struct kv_value back;

    assert_int_equal(packing_pack(bytes, size, &packed_memory, &packed),
                     STATUS_OK);
    assert_int_equal(packing_unpack(&packed, size, &memory, &back), STATUS_OK);
    assert_int_equal(back.size, size);
    assert_memory_equal(back.bytes, bytes, size);
    mem_free(memory);
    mem_free(packed_memory);
}

static void test_packing__gives_back_what_was_packed(void **state)
{
    static unsigned char same[20000];
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3};

    (void)state;
    memset(same, 7, sizeof(same));
    fill(fixture_bytes, 20000, 1);
    assert_comes_back(same, sizeof(same));
    assert_comes_back(fixture_bytes, 20000); /* does not get smaller */
    assert_comes_back(same, 1);
    assert_comes_back(same, 0);
    assert_comes_back(frame, sizeof(frame)); /* looks packed, and is not */
}

static void test_packing__reads_what_was_never_packed(void **state)
{
    const struct kv_value old = {(const unsigned char *)"\x08\x02\x10", 3};
    unsigned char *memory = NULL;
    struct kv_value back;

    (void)state;
    assert_int_equal(packing_unpack(&old, 100, &memory, &back), STATUS_OK);
    assert_null(memory);
    assert_ptr_equal(back.bytes, old.bytes);
}

/* Every length, and every byte turned: a status, and never more memory. */
static void test_packing__refuses_what_is_damaged(void **state)
{
    unsigned char bytes[500];
    unsigned char *packed_memory = NULL;
    unsigned char *memory = NULL;
    struct kv_value packed;
    struct kv_value back;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i / 7);
    }
    assert_int_equal(
        packing_pack(bytes, sizeof(bytes), &packed_memory, &packed), STATUS_OK);
    assert_true(packed.size < 200);
    assert_int_equal(packing_unpack(&packed, 499, &memory, &back),
                     STATUS_CORRUPT);
    for (size_t size = 4; size < packed.size; size++) {
        const struct kv_value cut = {packed.bytes, size};

        assert_int_equal(packing_unpack(&cut, 500, &memory, &back),
                         STATUS_CORRUPT);
    }
    for (size_t i = 4; i < packed.size; i++) {
        enum status status = STATUS_OK;

        packed_memory[i] ^= 0x55;
        memory = NULL;
        status = packing_unpack(&packed, 500, &memory, &back);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        mem_free(memory);
        packed_memory[i] ^= 0x55;
    }
    mem_free(packed_memory);
    assert_int_equal(mem_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packing__gives_back_what_was_packed),
        cmocka_unit_test(test_packing__reads_what_was_never_packed),
        cmocka_unit_test(test_packing__refuses_what_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
