#include "worker/model/loss.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct evaluation apply(enum loss_kind kind,
                               const float *z,
                               uint32_t label,
                               float *gradient)
{
    struct evaluation sums = {0};
    struct loss_input input = {.rows = 1,
                               .outputs = 3,
                               .batch = 1,
                               .z = z,
                               .labels = &label,
                               .gradient = gradient};

    loss_apply(kind, &input, &sums);
    return sums;
}

static void test_loss__cross_entropy_stands_large_logits(void **state)
{
    const float z[] = {1000, 0, -1000};
    float g[3];
    struct evaluation right = apply(LOSS_CROSS_ENTROPY, z, 0, g);
    struct evaluation wrong = apply(LOSS_CROSS_ENTROPY, z, 2, g);

    (void)state;
    assert_true(right.loss_sum == 0);
    assert_int_equal(right.correct, 1);
    assert_true(wrong.loss_sum == 2000);
    assert_int_equal(wrong.correct, 0);
    assert_true(g[0] == 1);
    assert_true(g[1] == 0);
    assert_true(g[2] == -1);
}

static void test_loss__squared_error_is_the_mean_over_outputs(void **state)
{
    const float z[] = {0.5f, -1, 2};
    float g[3];
    struct evaluation sums = apply(LOSS_MEAN_SQUARED_ERROR, z, 0, g);

    (void)state;
    assert_true(fabs(sums.loss_sum - (0.25 + 1 + 4) / 3) < 1e-12);
    assert_true(fabsf(g[0] + 1.0f / 3) < 1e-6f);
    assert_true(fabsf(g[2] - 4.0f / 3) < 1e-6f);
}

static void test_loss__lowest_index_wins_ties(void **state)
{
    const float z[] = {1, 2, 2};

    (void)state;
    assert_int_equal(apply(LOSS_CROSS_ENTROPY, z, 1, NULL).correct, 1);
    assert_int_equal(apply(LOSS_CROSS_ENTROPY, z, 2, NULL).correct, 0);
}

static void test_loss__overflow_shows(void **state)
{
    const float z[] = {NAN, 0, 0};

    (void)state;
    assert_true(!isfinite(apply(LOSS_CROSS_ENTROPY, z, 1, NULL).loss_sum));
    assert_true(!isfinite(apply(LOSS_MEAN_SQUARED_ERROR, z, 1, NULL).loss_sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss__cross_entropy_stands_large_logits),
        cmocka_unit_test(test_loss__squared_error_is_the_mean_over_outputs),
        cmocka_unit_test(test_loss__lowest_index_wins_ties),
        cmocka_unit_test(test_loss__overflow_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
