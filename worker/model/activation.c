#include "worker/model/activation.h"

#include "base/check.h"
#include "worker/model/vector.h"
#include <math.h>
#include <string.h>

bool activation_keeps_z(enum activation activation)
{
    return activation == ACTIVATION_GELU;
}

VECTOR static void relu(size_t n, const float *z, float *h)
{
    for (size_t i = 0; i < n; i++) {
        h[i] = z[i] < 0.0f ? 0.0f : z[i]; /* NaN stays NaN */
    }
}

VECTOR static void relu_gradient(size_t n, const float *h, float *d)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = h[i] > 0.0f ? d[i] : 0.0f;
    }
}

/* GELU, exact: z Phi(z) with the normal distribution function Phi
 * (Hendrycks and Gimpel 2016). */
static float normal_below(float z)
{
    const float root_half = 0.70710678118654752f;

    return 0.5f * (1.0f + erff(z * root_half));
}

static float gelu_slope(float z)
{
    const float density_at_zero = 0.39894228040143268f; /* 1 / sqrt(2 pi) */

    return normal_below(z) + z * density_at_zero * expf(-0.5f * z * z);
}

void activation_apply(enum activation activation,
                      size_t n,
                      const float *z,
                      float *h)
{
    switch (activation) {
    case ACTIVATION_RELU:
        relu(n, z, h);
        break;
    case ACTIVATION_TANH:
        for (size_t i = 0; i < n; i++) {
            h[i] = tanhf(z[i]);
        }
        break;
    case ACTIVATION_GELU:
        for (size_t i = 0; i < n; i++) {
            h[i] = z[i] * normal_below(z[i]);
        }
        break;
    case ACTIVATION_LINEAR:
        if (h != z) {
            memcpy(h, z, n * sizeof(float));
        }
        break;
    }
}

void activation_gradient(enum activation activation,
                         size_t n,
                         const float *z,
                         const float *h,
                         float *d)
{
    switch (activation) {
    case ACTIVATION_RELU:
        relu_gradient(n, h, d);
        break;
    case ACTIVATION_TANH:
        for (size_t i = 0; i < n; i++) {
            d[i] *= 1.0f - h[i] * h[i];
        }
        break;
    case ACTIVATION_GELU:
        for (size_t i = 0; i < n; i++) {
            d[i] *= gelu_slope(z[i]);
        }
        break;
    case ACTIVATION_LINEAR:
        break;
    }
}

double activation_gain(enum activation activation)
{
    switch (activation) {
    case ACTIVATION_RELU:
    case ACTIVATION_GELU:
        return 1.4142135623730951;
    case ACTIVATION_TANH:
        return 5.0 / 3.0;
    case ACTIVATION_LINEAR:
        break;
    }
    CHECK(activation == ACTIVATION_LINEAR);
    return 1.0;
}
