#include "worker/model/loss.h"

#include "base/check.h"
#include <math.h>

/* Index of the largest value; the first one if several are equal. */
static uint32_t largest(const float *z, uint32_t n)
{
    uint32_t best = 0;

    for (uint32_t o = 1; o < n; o++) {
        if (z[o] > z[best]) {
            best = o;
        }
    }
    return best;
}

static double cross_entropy(const struct loss_input *input, uint32_t row)
{
    uint32_t n = input->outputs;
    const float *z = input->z + (size_t)row * n;
    uint32_t label = input->labels[row];
    float top = z[largest(z, n)];
    float *g = NULL;
    double sum = 0;

    if (input->gradient != NULL) {
        g = input->gradient + (size_t)row * n;
    }
    for (uint32_t o = 0; o < n; o++) {
        double e = exp((double)(z[o] - top));

        sum += e;
        if (g != NULL) {
            g[o] = (float)e;
        }
    }
    for (uint32_t o = 0; g != NULL && o < n; o++) {
        g[o] = (float)(((double)g[o] / sum - (o == label)) / input->batch);
    }
    return log(sum) - (double)(z[label] - top);
}

static double squared_error(const struct loss_input *input, uint32_t row)
{
    uint32_t n = input->outputs;
    const float *z = input->z + (size_t)row * n;
    double scale = 2.0 / ((double)n * input->batch);
    double sum = 0;

    for (uint32_t o = 0; o < n; o++) {
        double error = (double)z[o] - (o == input->labels[row]);

        sum += error * error;
        if (input->gradient != NULL) {
            input->gradient[(size_t)row * n + o] = (float)(scale * error);
        }
    }
    return sum / n;
}

void loss_apply(enum loss_kind kind,
                const struct loss_input *input,
                struct evaluation *sums)
{
    for (uint32_t row = 0; row < input->rows; row++) {
        const float *z = input->z + (size_t)row * input->outputs;

        CHECK(input->labels[row] < input->outputs);
        sums->examples++;
        sums->correct += largest(z, input->outputs) == input->labels[row];
        sums->loss_sum += kind == LOSS_CROSS_ENTROPY
                              ? cross_entropy(input, row)
                              : squared_error(input, row);
    }
}
