/* activation.h - the functions between the layers, and their gradients. */
#ifndef WORKER_MODEL_ACTIVATION_H
#define WORKER_MODEL_ACTIVATION_H

#include "proto/job.h"
#include <stddef.h>

/* Whether the gradient needs z; the others make do with h. */
bool activation_keeps_z(enum activation activation);

/* h[i] = f(z[i]); h may be z. */
void activation_apply(enum activation activation,
                      size_t n,
                      const float *z,
                      float *h);

/* d[i] *= f'(z[i]). z counts for GELU alone (else it may be NULL). ReLU's
 * derivative at 0 is 0. */
void activation_gradient(enum activation activation,
                         size_t n,
                         const float *z,
                         const float *h,
                         float *d);

/* Kaiming's gain, by the kind: sqrt 2 for ReLU and GELU, 5/3 tanh, 1 linear. */
double activation_gain(enum activation activation);

#endif /* WORKER_MODEL_ACTIVATION_H */
