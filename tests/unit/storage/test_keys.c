#include "storage/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* As LMDB compares: bytes first, then the shorter one is the smaller. */
static int compare(struct key a, struct key b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.b, b.b, size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static void test_keys__sort_as_their_numbers_do(void **state)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 255, 256, 65535, 65536, UINT32_MAX, 1ULL << 32, UINT64_MAX};
    const size_t count = sizeof(numbers) / sizeof(numbers[0]);

    (void)state;
    for (size_t i = 0; i + 1 < count; i++) {
        assert_true(
            compare(key_of_job(numbers[i]), key_of_job(numbers[i + 1])) < 0);
        assert_true(compare(key_of_pair(7, numbers[i]),
                            key_of_pair(7, numbers[i + 1])) < 0);
        assert_true(compare(key_of_pair(numbers[i], UINT64_MAX),
                            key_of_pair(numbers[i + 1], 0)) < 0);
    }
}

static void test_keys__have_the_bytes_of_the_format(void **state)
{
    static const unsigned char pair[] = {0,    0, 0, 0, 0, 0, 1, 2,
                                         0x80, 0, 0, 0, 0, 0, 0, 3};
    static const unsigned char ref[] = {0, 0, 0,   0,   0,   0,
                                        0, 9, 'h', 'e', 'a', 'd'};
    struct key key = key_of_pair(258, 0x8000000000000003);

    (void)state;
    assert_int_equal(key.size, sizeof(pair));
    assert_memory_equal(key.b, pair, sizeof(pair));
    key = key_of_ref(9, "head");
    assert_int_equal(key.size, sizeof(ref));
    assert_memory_equal(key.b, ref, sizeof(ref));
    key = key_of_name("life");
    assert_int_equal(key.size, 4);
    assert_memory_equal(key.b, "life", 4);
}

static void test_keys__give_their_numbers_back(void **state)
{
    const struct key key = key_of_pair(5, UINT64_MAX - 1);

    (void)state;
    assert_true(key_number(&key, 0) == 5);
    assert_true(key_number(&key, KEY_NUMBER_BYTES) == UINT64_MAX - 1);
    assert_true(key_number(&key, 9) == 0); /* ends behind the key */
}

static void test_keys__hold_the_longest_name(void **state)
{
    char name[NAME_BYTES_MAX];
    struct key key;

    (void)state;
    memset(name, 'n', sizeof(name));
    name[NAME_BYTES_MAX - 1] = '\0';
    key = key_of_ref(1, name);
    assert_int_equal(key.size, KEY_NUMBER_BYTES + NAME_BYTES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys__sort_as_their_numbers_do),
        cmocka_unit_test(test_keys__have_the_bytes_of_the_format),
        cmocka_unit_test(test_keys__give_their_numbers_back),
        cmocka_unit_test(test_keys__hold_the_longest_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
