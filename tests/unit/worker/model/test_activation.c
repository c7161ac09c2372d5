#include "worker/model/activation.h"

#include "tests/unit/worker/model/plain.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N = 401 };

/* A few ulps of the values, which are below 10. */
static const double TOLERANCE = 2e-6;

static void test_activation__agrees_with_the_plain_formulas(void **state)
{
    float z[N];
    float h[N];
    float d[N];

    (void)state;
    for (int a = ACTIVATION_RELU; a <= ACTIVATION_LINEAR; a++) {
        enum activation activation = (enum activation)a;

        for (int i = 0; i < N; i++) {
            z[i] = (float)(i - N / 2) / 20;
            d[i] = 2;
        }
        activation_apply(activation, N, z, h);
        activation_gradient(activation, N, z, h, d);
        for (int i = 0; i < N; i++) {
            double x = (double)z[i];
            double expected = plain_activation(activation, x);

            assert_true(fabs((double)h[i] - expected) < TOLERANCE);
            expected = 2 * plain_slope(activation, x);
            assert_true(fabs((double)d[i] - expected) < TOLERANCE);
        }
        activation_apply(activation, N, z, z);
        assert_memory_equal(z, h, sizeof(z));
    }
}

static void test_activation__relu_has_no_slope_at_zero(void **state)
{
    const float h[2] = {0, 1};
    float d[2] = {3, 3};

    (void)state;
    activation_gradient(ACTIVATION_RELU, 2, NULL, h, d);

    assert_true(d[0] == 0);
    assert_true(d[1] == 3);
}

static void test_activation__overflow_shows(void **state)
{
    float h[1];
    const float z[1] = {NAN};

    (void)state;
    for (int a = ACTIVATION_RELU; a <= ACTIVATION_LINEAR; a++) {
        activation_apply((enum activation)a, 1, z, h);
        assert_true(isnan(h[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activation__agrees_with_the_plain_formulas),
        cmocka_unit_test(test_activation__relu_has_no_slope_at_zero),
        cmocka_unit_test(test_activation__overflow_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
