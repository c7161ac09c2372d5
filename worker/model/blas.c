#include "worker/model/blas.h"

#include "base/check.h"
#include "worker/model/vector.h"
#include <cblas.h>
#include <string.h>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

void blas_init(void)
{
    if (openblas_get_num_threads() != 1) {
        openblas_set_num_threads(1);
    }
}

void blas_enter(void)
{
#if defined(__SSE2__)
    /* All exceptions masked, flush to zero, denormals are zero. The low six
     * bits are sticky flags, which are not compared. */
    const unsigned wanted = 0x9fc0;

    if ((_mm_getcsr() & ~0x3fu) != wanted) {
        _mm_setcsr(wanted);
    }
#endif
}

static void set_zero(const struct matrix *c)
{
    for (uint32_t r = 0; r < c->rows; r++) {
        memset(c->at + r * c->stride, 0, c->columns * sizeof(float));
    }
}

void blas_nt(const struct matrix *a,
             const struct matrix *b,
             const struct matrix *c)
{
    CHECK(a->columns == b->columns);
    CHECK(a->rows == c->rows);
    CHECK(b->rows == c->columns);
    if (c->rows == 0 || c->columns == 0) {
        return;
    }
    if (a->columns == 0) {
        set_zero(c);
    } else if (a->rows == 1) {
        /* beta = 1 on zeros: whether beta = 0 reads c differs by release. */
        set_zero(c);
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)b->rows, (int)b->columns,
                    1.0f, b->at, (int)b->stride, a->at, 1, 1.0f, c->at, 1);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)c->rows,
                    (int)c->columns, (int)a->columns, 1.0f, a->at,
                    (int)a->stride, b->at, (int)b->stride, 0.0f, c->at,
                    (int)c->stride);
    }
}

VECTOR static void add_scaled(uint32_t n,
                              float a,
                              const float *restrict x,
                              float *restrict y)
{
    for (uint32_t i = 0; i < n; i++) {
        y[i] += a * x[i];
    }
}

/* c += row b, row by row of b: half of a ReLU net's gradients are zero, and
 * their rows are not even read. */
static void add_rows(const struct matrix *a,
                     const struct matrix *b,
                     const struct matrix *c)
{
    set_zero(c);
    for (uint32_t k = 0; k < b->rows; k++) {
        if (a->at[k] != 0.0f) {
            add_scaled(b->columns, a->at[k], b->at + k * b->stride, c->at);
        }
    }
}

void blas_nn(const struct matrix *a,
             const struct matrix *b,
             const struct matrix *c)
{
    CHECK(a->columns == b->rows);
    CHECK(a->rows == c->rows);
    CHECK(b->columns == c->columns);
    if (c->rows == 0 || c->columns == 0) {
        return;
    }
    if (a->columns == 0) {
        set_zero(c);
    } else if (a->rows == 1) {
        add_rows(a, b, c);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)c->rows,
                    (int)c->columns, (int)a->columns, 1.0f, a->at,
                    (int)a->stride, b->at, (int)b->stride, 0.0f, c->at,
                    (int)c->stride);
    }
}

VECTOR static void scale_rows(const struct matrix *c, float beta)
{
    for (uint32_t r = 0; r < c->rows; r++) {
        for (uint32_t k = 0; k < c->columns; k++) {
            c->at[r * c->stride + k] *= beta;
        }
    }
}

/* The outer product of one row each; rows of c with a zero factor are left
 * alone. */
static void outer(float alpha,
                  const struct matrix *a,
                  const struct matrix *b,
                  const struct matrix *c)
{
    for (uint32_t r = 0; r < c->rows; r++) {
        float factor = alpha * a->at[r];

        if (factor != 0.0f) {
            add_scaled(c->columns, factor, b->at, c->at + r * c->stride);
        }
    }
}

void blas_tn(float alpha,
             const struct matrix *a,
             const struct matrix *b,
             float beta,
             const struct matrix *c)
{
    CHECK(a->rows == b->rows);
    CHECK(a->columns == c->rows);
    CHECK(b->columns == c->columns);
    if (c->rows == 0 || c->columns == 0) {
        return;
    }
    if (a->rows > 1) {
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)c->rows,
                    (int)c->columns, (int)a->rows, alpha, a->at, (int)a->stride,
                    b->at, (int)b->stride, beta, c->at, (int)c->stride);
        return;
    }
    if (beta == 0.0f) {
        set_zero(c);
    } else if (beta != 1.0f) {
        scale_rows(c, beta);
    }
    if (a->rows == 1) {
        outer(alpha, a, b, c);
    }
}
