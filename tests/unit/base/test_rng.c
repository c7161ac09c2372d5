#include "base/rng.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void assert_block(struct rng_block block, const uint32_t expected[4])
{
    for (int i = 0; i < 4; i++) {
        assert_int_equal(block.v[i], expected[i]);
    }
}

/* From the Random123 distribution, file kat_vectors, philox4x32 10. */
static void test_rng__agrees_with_the_published_answers(void **state)
{
    static const struct {
        uint32_t counter[4];
        uint32_t key[2];
        uint32_t expected[4];
    } rows[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;

    for (int i = 0; i < 3; i++) {
        assert_block(philox4x32(rows[i].counter, rows[i].key),
                     rows[i].expected);
    }
}

/* Frozen: if this fails, no old run can be repeated any more. The numbers were
 * made by a second implementation of the layout that rng.h describes. */
static void test_rng__draws_the_same_for_ever(void **state)
{
    static const uint32_t weight[4] = {0x7b30f6b6, 0x663104f6, 0x494460eb,
                                       0xe0dc9d83};
    static const uint32_t test[4] = {0x143f963e, 0x52f2dab0, 0x68a05c89,
                                     0xe9bd2f25};
    const uint64_t seed = UINT64_C(0x0123456789abcdef);

    (void)state;

    assert_block(rng_draw(seed, RNG_WEIGHT, UINT64_C(0x123456789abc),
                          UINT64_C(0xfedcba987654), 7),
                 weight);
    assert_block(rng_draw(seed, RNG_TEST, 3, 5, UINT32_MAX), test);
}

static void test_rng__draws_differently_for_each_key(void **state)
{
    const uint64_t high = UINT64_C(1) << 47;
    struct rng_block blocks[8];

    (void)state;

    blocks[0] = rng_draw(1, RNG_WEIGHT, 2, 3, 4);
    blocks[1] = rng_draw(1 | UINT64_C(1) << 63, RNG_WEIGHT, 2, 3, 4);
    blocks[2] = rng_draw(1, RNG_ORDER, 2, 3, 4);
    blocks[3] = rng_draw(1, RNG_WEIGHT, 2 | high, 3, 4);
    blocks[4] = rng_draw(1, RNG_WEIGHT, 2, 3 | high, 4);
    blocks[5] = rng_draw(1, RNG_WEIGHT, 2, 3, 5);
    blocks[6] = rng_draw(1, RNG_WEIGHT, 3, 2, 4);
    blocks[7] = rng_draw(2, RNG_WEIGHT, 2, 3, 4);

    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(blocks[i].v[0] != blocks[j].v[0]);
        }
    }
}

static void test_rng__refuses_births_of_more_than_48_bits(void **state)
{
    const uint64_t large = UINT64_C(1) << 48;

    (void)state;

    expect_assert_failure((void)rng_draw(1, RNG_WEIGHT, large, 0, 0));
    expect_assert_failure((void)rng_draw(1, RNG_WEIGHT, 0, large, 0));
}

static void test_rng__unit_is_exact_and_below_one(void **state)
{
    (void)state;

    assert_true(rng_unit(0) == 0.0F);
    assert_true(rng_unit(0xff) == 0.0F);
    assert_true(rng_unit(0x80000000) == 0.5F);
    assert_true(rng_unit(UINT32_MAX) == 1.0F - 0x1p-24F);
}

static void test_rng__below_reaches_both_ends_only(void **state)
{
    const struct rng_block least = {{0, 0, 0, 0}};
    const struct rng_block most = {{UINT32_MAX, UINT32_MAX, 0, 0}};

    (void)state;

    assert_int_equal(rng_below(least, 10), 0);
    assert_int_equal(rng_below(most, 10), 9);
    assert_int_equal(rng_below(most, 1), 0);
    assert_int_equal(rng_below(most, UINT32_MAX), UINT32_MAX - 1);
    expect_assert_failure((void)rng_below(most, 0));
}

/* With bound 3 and the first word 2^32 / 3, the second word decides. */
static void test_rng__below_uses_both_words(void **state)
{
    const struct rng_block lower = {{0x55555555, 0x55555555, 0, 0}};
    const struct rng_block upper = {{0x55555555, 0x55555556, 0, 0}};

    (void)state;

    assert_int_equal(rng_below(lower, 3), 0);
    assert_int_equal(rng_below(upper, 3), 1);
}

/* 70,000 draws into 7 bins: 10,000 each, deviation 93; 5 deviations. */
static void test_rng__below_is_uniform(void **state)
{
    int bins[7] = {0};

    (void)state;

    for (uint32_t i = 0; i < 70000; i++) {
        bins[rng_below(rng_draw(9, RNG_TEST, 0, 0, i), 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(bins[i], 10000 - 465, 10000 + 465);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng__agrees_with_the_published_answers),
        cmocka_unit_test(test_rng__draws_the_same_for_ever),
        cmocka_unit_test(test_rng__draws_differently_for_each_key),
        cmocka_unit_test(test_rng__refuses_births_of_more_than_48_bits),
        cmocka_unit_test(test_rng__unit_is_exact_and_below_one),
        cmocka_unit_test(test_rng__below_reaches_both_ends_only),
        cmocka_unit_test(test_rng__below_uses_both_words),
        cmocka_unit_test(test_rng__below_is_uniform),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
