#include "worker/model/optimizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N = 37, STEPS = 50 };

/* 50 steps in float against double. */
static const double TOLERANCE = 2e-5;

/* One weight as PyTorch 1.13 moves it, in double. */
struct plain_weight {
    double w;
    double m;
    double v;
    uint64_t n; /* steps */
};

static void plain_step(const struct optimizer_spec *spec,
                       struct plain_weight *p,
                       double g)
{
    const double rate = 0.01;

    p->n++;
    if (spec->kind == OPTIMIZER_SGD) {
        g += spec->weight_decay * p->w;
        p->m = spec->momentum * p->m + g;
        p->w -= rate * (spec->momentum != 0 ? p->m : g);
        return;
    }
    if (spec->kind == OPTIMIZER_ADAM) {
        g += spec->weight_decay * p->w;
    } else {
        p->w *= 1 - rate * spec->weight_decay;
    }
    p->m = spec->beta1 * p->m + (1 - spec->beta1) * g;
    p->v = spec->beta2 * p->v + (1 - spec->beta2) * g * g;
    p->w -=
        rate / (1 - pow(spec->beta1, (double)p->n)) * p->m /
        (sqrt(p->v) / sqrt(1 - pow(spec->beta2, (double)p->n)) + spec->epsilon);
}

static double gradient_at(int step, int k)
{
    return sin(0.7 * step + k) * 0.5;
}

/* Columns are born at step k mod 5, the row at step `row_born`: a weight
 * begins with the younger of the two. */
static void compare(const struct optimizer_spec *spec, int row_born)
{
    struct plain_weight plain[N] = {0};
    float w[N];
    float m[N] = {0};
    float v[N] = {0};
    float g[N];
    float steps[N] = {0};
    float roots[N] = {0};
    struct optimizer_row row = {.n = N,
                                .w = w,
                                .g = g,
                                .m = m,
                                .v = v,
                                .scale = 0.5f,
                                .rate = 0.01f,
                                .steps = steps,
                                .roots = roots};

    for (int k = 0; k < N; k++) {
        w[k] = (float)cos(k);
        plain[k].w = (double)w[k];
    }
    for (int step = 5; step < 5 + STEPS; step++) {
        for (int k = 0; k < N; k++) {
            struct correction c =
                optimizer_correction(spec, 0.01, (uint64_t)(step - k % 5 + 1));
            int younger = row_born > k % 5 ? row_born : k % 5;

            steps[k] = c.step;
            roots[k] = c.root;
            g[k] = (float)gradient_at(step, k);
            plain[k].n = (uint64_t)(step - younger);
            plain_step(spec, &plain[k], 0.5 * (double)g[k]);
        }
        row.row =
            optimizer_correction(spec, 0.01, (uint64_t)(step - row_born + 1));
        optimizer_apply(spec, &row);
    }
    for (int k = 0; k < N; k++) {
        assert_true(fabs((double)w[k] - plain[k].w) < TOLERANCE);
    }
}

static struct optimizer_spec spec_of(enum optimizer_kind kind, double decay)
{
    return (struct optimizer_spec){.kind = kind,
                                   .beta1 = 0.9,
                                   .beta2 = 0.999,
                                   .epsilon = 1e-8,
                                   .weight_decay = decay};
}

static void test_optimizer__agrees_with_the_plain_formulas(void **state)
{
    (void)state;
    for (int kind = OPTIMIZER_SGD; kind <= OPTIMIZER_ADAMW; kind++) {
        struct optimizer_spec spec = spec_of((enum optimizer_kind)kind, 0);

        compare(&spec, 0);
        compare(&spec, 3);
        spec.weight_decay = 0.1;
        compare(&spec, 2);
        spec.momentum = 0.9;
        compare(&spec, 0);
    }
}

static void test_optimizer__powers_are_those_of_pow(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 2000; n++) {
        double expected = pow(0.999, (double)n);

        assert_true(fabs(power(0.999, n) / expected - 1) < 1e-12);
    }
    assert_true(power(0, 0) == 1);
    assert_true(power(0, 5) == 0);
    assert_true(power(0.9, UINT64_MAX) == 0);
}

/* In the first step a weight's bias correction undoes the decay of m. */
static void test_optimizer__first_step_of_adam_is_the_rate(void **state)
{
    struct optimizer_spec spec = spec_of(OPTIMIZER_ADAM, 0);
    struct correction c = optimizer_correction(&spec, 0.01, 1);
    float w = 1;
    float g = -3;
    float m = 0;
    float v = 0;
    struct optimizer_row row = {.n = 1,
                                .w = &w,
                                .g = &g,
                                .m = &m,
                                .v = &v,
                                .scale = 1,
                                .rate = 0.01f,
                                .row = c,
                                .steps = &c.step,
                                .roots = &c.root};

    (void)state;
    optimizer_apply(&spec, &row);

    assert_true(fabsf(w - 1.01f) < 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer__agrees_with_the_plain_formulas),
        cmocka_unit_test(test_optimizer__powers_are_those_of_pow),
        cmocka_unit_test(test_optimizer__first_step_of_adam_is_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
