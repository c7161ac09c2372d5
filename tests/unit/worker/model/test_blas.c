#include "worker/model/blas.h"

#include "tests/unit/worker/model/net.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 48 }; /* of every side in memory */

/* Sums of at most 45 products below 1, in another order. */
static const double TOLERANCE = 1e-5;

/* Element (r, c) of op(m). */
static double at(const struct matrix *m, bool turned, uint32_t r, uint32_t c)
{
    return (double)(turned ? m->at[c * m->stride + r]
                           : m->at[r * m->stride + c]);
}

struct product {
    struct matrix a;
    struct matrix b;
    struct matrix c;
    bool turn_a;
    bool turn_b;
    float alpha;
    float beta;
};

static void check(const struct product *p, const float *before)
{
    uint32_t inner = p->turn_a ? p->a.rows : p->a.columns;

    for (uint32_t r = 0; r < p->c.rows; r++) {
        for (uint32_t c = 0; c < p->c.columns; c++) {
            double sum = 0;

            for (uint32_t k = 0; k < inner; k++) {
                sum += at(&p->a, p->turn_a, r, k) * at(&p->b, p->turn_b, k, c);
            }
            sum *= (double)p->alpha;
            if (p->beta != 0) {
                sum += (double)p->beta * (double)before[r * SIZE + c];
            }
            assert_true(fabs(sum - at(&p->c, false, r, c)) < TOLERANCE);
        }
    }
}

/* Sides m, n, k; what c holds before must not leak in where beta is 0. */
static void compare(uint32_t m, uint32_t n, uint32_t k)
{
    static float a[SIZE * SIZE];
    static float b[SIZE * SIZE];
    static float c[SIZE * SIZE];
    static float before[SIZE * SIZE];
    const float betas[] = {0, 1, 0.5f};
    struct product p = {.alpha = 1};

    net_draw(1, a, SIZE * SIZE);
    net_draw(2, b, SIZE * SIZE);
    for (int i = 0; i < SIZE * SIZE; i++) {
        c[i] = NAN;
        a[i] = i % 7 == 0 ? 0 : a[i];
    }
    p.c = (struct matrix){c, m, n, SIZE};
    p.a = (struct matrix){a, m, k, SIZE};
    p.b = (struct matrix){b, n, k, SIZE};
    p.turn_b = true;
    blas_nt(&p.a, &p.b, &p.c);
    check(&p, before);

    p.b = (struct matrix){b, k, n, SIZE};
    p.turn_b = false;
    blas_nn(&p.a, &p.b, &p.c);
    check(&p, before);

    p.a = (struct matrix){a, k, m, SIZE};
    p.turn_a = true;
    p.alpha = -0.25f;
    for (int i = 0; i < 3; i++) {
        p.beta = betas[i];
        memcpy(before, c, sizeof(before));
        blas_tn(p.alpha, &p.a, &p.b, p.beta, &p.c);
        check(&p, before);
    }
}

static void test_blas__products_are_those_of_plain_loops(void **state)
{
    const uint32_t sides[] = {0, 1, 2, 5, 16, 45};

    (void)state;
    blas_init();
    for (int m = 0; m < 6; m++) {
        for (int n = 0; n < 6; n++) {
            for (int k = 0; k < 6; k++) {
                compare(sides[m], sides[n], sides[k]);
            }
        }
    }
}

static void test_blas__bits_do_not_depend_on_place(void **state)
{
    static float a[32 * 300];
    static float b[64 * 300];
    static float moved[64 * 320 + 16];
    static float one[32 * 64];
    static float two[32 * 80 + 1];
    struct matrix x = {a, 32, 300, 300};
    struct matrix w = {b, 64, 300, 300};
    struct matrix v = {moved + 3, 64, 300, 320};
    struct matrix y = {one, 32, 64, 64};
    struct matrix z = {two + 1, 32, 64, 80};

    (void)state;
    blas_init();
    net_draw(1, a, 32 * 300);
    net_draw(2, b, 64 * 300);
    for (uint32_t r = 0; r < 64; r++) {
        memcpy(moved + 3 + r * 320, b + r * 300, 300 * sizeof(float));
    }
    blas_nt(&x, &w, &y);
    blas_nt(&x, &v, &z);

    for (uint32_t r = 0; r < 32; r++) {
        assert_memory_equal(one + r * 64, two + 1 + r * 80, 64 * sizeof(float));
    }
}

static void test_blas__tiny_results_become_zero(void **state)
{
    volatile float tiny = 1e-38f;

    (void)state;
    blas_enter();
    assert_true(tiny * 0.5f == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blas__products_are_those_of_plain_loops),
        cmocka_unit_test(test_blas__bits_do_not_depend_on_place),
        cmocka_unit_test(test_blas__tiny_results_become_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
