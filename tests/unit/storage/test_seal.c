#include "storage/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 20 };

static void make(unsigned db, const struct key *key, unsigned char *sealed)
{
    struct seal seal;

    memset(sealed + SEAL_BYTES, 'x', SIZE);
    seal = seal_of(db, key, sealed + SEAL_BYTES, SIZE);
    memcpy(sealed, seal.b, SEAL_BYTES);
}

static void test_seal__matches_what_it_was_made_for(void **state)
{
    const struct key key = key_of_pair(1, 2);
    const struct seal empty = seal_of(3, &key, "", 0);
    unsigned char sealed[SEAL_BYTES + SIZE];

    (void)state;
    make(3, &key, sealed);
    assert_true(seal_matches(3, &key, sealed, sizeof(sealed)));
    assert_true(seal_matches(3, &key, empty.b, SEAL_BYTES));
}

static void test_seal__sees_every_flipped_bit(void **state)
{
    const struct key key = key_of_pair(1, 2);
    unsigned char sealed[SEAL_BYTES + SIZE];

    (void)state;
    make(3, &key, sealed);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (unsigned char)(1U << (bit % 8));
        assert_false(seal_matches(3, &key, sealed, sizeof(sealed)));
        sealed[bit / 8] ^= (unsigned char)(1U << (bit % 8));
    }
}

static void test_seal__sees_every_cut(void **state)
{
    const struct key key = key_of_pair(1, 2);
    unsigned char sealed[SEAL_BYTES + SIZE];

    (void)state;
    make(3, &key, sealed);
    for (size_t size = 0; size < sizeof(sealed); size++) {
        assert_false(seal_matches(3, &key, sealed, size));
    }
}

static void test_seal__belongs_to_one_key_of_one_database(void **state)
{
    const struct key key = key_of_pair(1, 2);
    const struct key other = key_of_pair(1, 3);
    unsigned char sealed[SEAL_BYTES + SIZE];

    (void)state;
    make(3, &key, sealed);
    assert_false(seal_matches(4, &key, sealed, sizeof(sealed)));
    assert_false(seal_matches(3, &other, sealed, sizeof(sealed)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal__matches_what_it_was_made_for),
        cmocka_unit_test(test_seal__sees_every_flipped_bit),
        cmocka_unit_test(test_seal__sees_every_cut),
        cmocka_unit_test(test_seal__belongs_to_one_key_of_one_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
