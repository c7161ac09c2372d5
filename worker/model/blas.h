/* blas.h - the three matrix products of training, from a BLAS.
 *
 * The one file of ours that includes cblas.h. Every call is single-threaded,
 * so its bits depend on the shapes, the data and the BLAS kernel type alone;
 * not on alignment, strides or what other threads do. An empty matrix is fine.
 * One row goes through gemv, which is much faster there than gemm. */
#ifndef WORKER_MODEL_BLAS_H
#define WORKER_MODEL_BLAS_H

#include <stddef.h>
#include <stdint.h>

/* Row-major; element (r, c) is at[r * stride + c]. Borrowed memory. */
struct matrix {
    float *at;
    uint32_t rows;
    uint32_t columns;
    size_t stride; /* at least columns */
};

/* Sets BLAS to one thread for the process. Idempotent. */
void blas_init(void);

/* Sets the calling thread's floating-point control word to the one that all
 * threads share: round to nearest, and results too small for a normal float
 * become zero (the momentum of a unit that never fires decays into that range
 * and would stay there, at a hundred times the cost of a normal addition).
 * Cheap when it is set already; it stays set. */
void blas_enter(void);

/* c = a b^T: a [m, k], b [n, k], c [m, n]. */
void blas_nt(const struct matrix *a,
             const struct matrix *b,
             const struct matrix *c);

/* c = a b: a [m, k], b [k, n], c [m, n]. */
void blas_nn(const struct matrix *a,
             const struct matrix *b,
             const struct matrix *c);

/* c = alpha a^T b + beta c: a [k, m], b [k, n], c [m, n]. */
void blas_tn(float alpha,
             const struct matrix *a,
             const struct matrix *b,
             float beta,
             const struct matrix *c);

#endif /* WORKER_MODEL_BLAS_H */
