#include "tests/unit/worker/model/plain.h"

#include "base/check.h"
#include <math.h>
#include <stdlib.h>

enum { WIDTH_MAX = 1024 };

static double *doubles_of(const struct net *net,
                          uint32_t layer,
                          const char *name)
{
    uint32_t units = net->arch.layers[layer].units_count;
    size_t count = (size_t)units * (arch_layer_inputs(&net->arch, layer) + 1);
    float *values = net_tensor(net, layer, name);
    double *doubles = malloc(count * sizeof(*doubles));

    for (size_t i = 0; i < count; i++) {
        doubles[i] = (double)values[i];
    }
    free(values);
    return doubles;
}

void plain_open(struct plain *plain, const struct net *net)
{
    plain->loss = net->spec.loss;
    plain->layers_count = net->arch.layers_count;
    for (uint32_t l = 0; l < plain->layers_count; l++) {
        plain->layers[l] = (struct plain_layer){
            .activation = net->arch.layers[l].activation,
            .units = net->arch.layers[l].units_count,
            .inputs = arch_layer_inputs(&net->arch, l),
            .weight = doubles_of(net, l, "weight"),
            .bias = doubles_of(net, l, "bias"),
        };
        CHECK(plain->layers[l].units <= WIDTH_MAX);
        CHECK(plain->layers[l].inputs <= WIDTH_MAX);
    }
}

void plain_close(struct plain *plain)
{
    for (uint32_t l = 0; l < plain->layers_count; l++) {
        free(plain->layers[l].bias);
        free(plain->layers[l].weight);
    }
}

static double normal_below(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

double plain_activation(enum activation activation, double z)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return z > 0 ? z : 0;
    case ACTIVATION_TANH:
        return tanh(z);
    case ACTIVATION_GELU:
        return z * normal_below(z);
    case ACTIVATION_LINEAR:
        break;
    }
    return z;
}

double plain_slope(enum activation activation, double z)
{
    const double pi = 3.14159265358979323846;

    switch (activation) {
    case ACTIVATION_RELU:
        return z > 0 ? 1 : 0;
    case ACTIVATION_TANH:
        return 1 - tanh(z) * tanh(z);
    case ACTIVATION_GELU:
        return normal_below(z) + z * exp(-z * z / 2) / sqrt(2 * pi);
    case ACTIVATION_LINEAR:
        break;
    }
    return 1;
}

void plain_forward(const struct plain *plain,
                   uint32_t layer,
                   const float *x,
                   double *h)
{
    double in[WIDTH_MAX];

    for (uint32_t k = 0; k < plain->layers[0].inputs; k++) {
        in[k] = (double)x[k];
    }
    for (uint32_t l = 0; l <= layer; l++) {
        const struct plain_layer *of = &plain->layers[l];

        for (uint32_t u = 0; u < of->units; u++) {
            double z = of->bias[u];

            for (uint32_t k = 0; k < of->inputs; k++) {
                z += of->weight[u * of->inputs + k] * in[k];
            }
            h[u] = plain_activation(of->activation, z);
        }
        for (uint32_t u = 0; u < of->units; u++) {
            in[u] = h[u];
        }
    }
}

static double example_loss(enum loss_kind kind,
                           const double *z,
                           uint32_t n,
                           uint32_t label)
{
    double sum = 0;

    for (uint32_t o = 0; o < n; o++) {
        double error = z[o] - (o == label);

        sum += kind == LOSS_CROSS_ENTROPY ? exp(z[o] - z[label])
                                          : error * error / n;
    }
    return kind == LOSS_CROSS_ENTROPY ? log(sum) : sum;
}

double plain_loss(const struct plain *plain, const struct batch *batch)
{
    uint32_t last = plain->layers_count - 1;
    double h[WIDTH_MAX];
    double sum = 0;

    for (uint32_t r = 0; r < batch->rows; r++) {
        plain_forward(plain, last,
                      batch->x + (size_t)r * plain->layers[0].inputs, h);
        sum += example_loss(plain->loss, h, plain->layers[last].units,
                            batch->labels[r]);
    }
    return sum / batch->rows;
}
