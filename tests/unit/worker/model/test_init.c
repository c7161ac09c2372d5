#include "worker/model/init.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { K = 200 };

static void draw(uint64_t seed, uint64_t birth, uint32_t line, float *weights)
{
    struct unit inputs[K];
    struct init_source source = {seed, ACTIVATION_RELU, inputs, K};
    struct unit unit = {.id = {line, birth}, .fan_in = 50};

    for (uint32_t k = 0; k < K; k++) {
        inputs[k] = (struct unit){.id = {line, 3 * k}};
    }
    init_row(&source, &unit, weights);
}

static void test_init__fills_the_kaiming_range(void **state)
{
    const double bound = sqrt(2.0) * sqrt(3.0 / 50);
    float w[K];
    double sum = 0;
    double squares = 0;

    (void)state;
    draw(1, 1000, 0, w);
    for (uint32_t k = 0; k < K; k++) {
        assert_true(fabs((double)w[k]) <= bound);
        sum += (double)w[k];
        squares += (double)w[k] * (double)w[k];
    }
    /* Four standard errors of 200 uniform draws. */
    assert_true(fabs(sum / K) < 4 * bound / sqrt(3.0 * K));
    assert_true(fabs(squares / K / (bound * bound / 3) - 1) < 0.26);
}

static void test_init__depends_on_seed_and_births_alone(void **state)
{
    float a[K];
    float b[K];

    (void)state;
    draw(1, 1000, 0, a);
    draw(1, 1000, 7, b); /* another line */
    assert_memory_equal(a, b, sizeof(a));
    draw(1, 1001, 0, b);
    assert_memory_not_equal(a, b, sizeof(a));
    draw(2, 1000, 0, b);
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init__fills_the_kaiming_range),
        cmocka_unit_test(test_init__depends_on_seed_and_births_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
