/* vector.h - for functions whose loops are worth vector registers.
 *
 * The compiler makes two of each and the loader takes the one that the CPU can
 * run. Both give the same bits: a vector does to each element what the scalar
 * would, nothing is fused (-ffp-contract=off) and no sum is reordered. */
#ifndef WORKER_MODEL_VECTOR_H
#define WORKER_MODEL_VECTOR_H

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) &&                    \
    !defined(__SANITIZE_ADDRESS__)
#define VECTOR __attribute__((target_clones("avx2", "default")))
#else
/* A sanitizer is not up yet when the loader chooses. */
#define VECTOR
#endif

#endif /* WORKER_MODEL_VECTOR_H */
