/* sgemm.c - the machine's own limit: GFLOP/s of OpenBLAS's sgemm, one thread.
 *
 *   sgemm M N K SECONDS
 *
 * Prints one number. Two of them side by side show what two cores can do. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    int m = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 256;
    int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2000;
    int k = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 2000;
    double seconds = argc > 4 ? strtod(argv[4], NULL) : 2;
    float *a = calloc((size_t)m * (size_t)k, sizeof(float));
    float *b = calloc((size_t)k * (size_t)n, sizeof(float));
    float *c = calloc((size_t)m * (size_t)n, sizeof(float));
    double begin;
    double calls = 0;

    if (a == NULL || b == NULL || c == NULL) {
        return 1;
    }
    for (int warm = 0; warm < 3; warm++) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, a, k,
                    b, k, 0, c, n);
    }
    begin = now_s();
    while (now_s() - begin < seconds) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, a, k,
                    b, k, 0, c, n);
        calls++;
    }
    printf("%.1f\n", calls * 2e-9 * (double)m * (double)n * (double)k /
                         (now_s() - begin));
    free(a);
    free(b);
    free(c);
    return 0;
}
