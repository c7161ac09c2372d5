#include "tests/unit/worker/model/plain.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 6, OUTPUTS = 4, ROWS = 8 };

/* Float sums of a few dozen terms below 4: some dozens of half ulps. */
static const double KERNEL_TOLERANCE = 5e-6;
/* The double reference's central difference is good to 1e-9; the gradient
 * under test was taken out of float weights of size 1 (6e-8) and summed in
 * float over the batch. */
static const double GRADIENT_TOLERANCE = 2e-6;
static const double DIFFERENCE = 1e-5;

struct data {
    float x[ROWS * INPUTS];
    uint32_t labels[ROWS];
    struct batch batch;
};

static void draw_data(struct data *data)
{
    net_draw(11, data->x, ROWS * INPUTS);
    net_draw_labels(11, OUTPUTS, data->labels, ROWS);
    data->batch = (struct batch){ROWS, data->x, data->labels};
}

static struct job_spec deep_spec(enum activation activation,
                                 enum loss_kind loss)
{
    struct job_spec spec = net_spec();

    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){9, activation};
    spec.model.hidden[1] = (struct layer_spec){7, activation};
    spec.loss = loss;
    return spec;
}

/* Biases start at zero, which would hide an error in them. */
static void draw_biases(struct net *net)
{
    float values[16];

    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        net_draw(100 + l, values, 16);
        net_set_tensor(net, l, "bias", values);
    }
}

static void compare_forward(enum activation activation, uint32_t rows)
{
    struct job_spec spec = deep_spec(activation, LOSS_CROSS_ENTROPY);
    struct net net;
    struct plain plain;
    struct data data;
    float logits[ROWS * OUTPUTS];
    double expected[16];
    double loss;

    draw_data(&data);
    net_open(&net, &spec, INPUTS, OUTPUTS);
    draw_biases(&net);
    plain_open(&plain, &net);
    data.batch.rows = rows;

    loss = net_evaluate(&net, &data.batch, logits);

    for (uint32_t r = 0; r < rows; r++) {
        plain_forward(&plain, 2, data.x + r * INPUTS, expected);
        for (uint32_t o = 0; o < OUTPUTS; o++) {
            assert_true(fabs((double)logits[r * OUTPUTS + o] - expected[o]) <
                        KERNEL_TOLERANCE);
        }
    }
    assert_true(fabs(loss / rows - plain_loss(&plain, &data.batch)) <
                KERNEL_TOLERANCE);
    plain_close(&plain);
    net_close(&net);
}

static void test_dense__forward_agrees_with_plain_loops(void **state)
{
    (void)state;
    for (int a = ACTIVATION_RELU; a <= ACTIVATION_LINEAR; a++) {
        compare_forward((enum activation)a, ROWS);
        compare_forward((enum activation)a, 1); /* gemv */
        compare_forward((enum activation)a, 3);
    }
}

static double central_difference(struct plain *plain,
                                 double *parameter,
                                 const struct batch *batch)
{
    double kept = *parameter;
    double above;
    double below;

    *parameter = kept + DIFFERENCE;
    above = plain_loss(plain, batch);
    *parameter = kept - DIFFERENCE;
    below = plain_loss(plain, batch);
    *parameter = kept;
    return (above - below) / (2 * DIFFERENCE);
}

/* With plain SGD at rate 1 a step takes the gradient off the weights. */
static void compare_tensor(const struct net *net,
                           struct plain *plain,
                           uint32_t layer,
                           bool bias,
                           const struct batch *batch)
{
    struct plain_layer *of = &plain->layers[layer];
    double *parameters = bias ? of->bias : of->weight;
    uint32_t count = bias ? of->units : of->units * of->inputs;
    float *after = net_tensor(net, layer, bias ? "bias" : "weight");

    for (uint32_t i = 0; i < count; i++) {
        double gradient = parameters[i] - (double)after[i];
        double expected = central_difference(plain, &parameters[i], batch);

        if (!(fabs(gradient - expected) < GRADIENT_TOLERANCE)) {
            fail_msg("layer %u %s %u: %g, not %g", layer,
                     bias ? "bias" : "weight", i, gradient, expected);
        }
    }
    free(after);
}

static void compare_gradient(const struct job_spec *spec, uint32_t rows)
{
    struct net net;
    struct plain plain;
    struct data data;

    draw_data(&data);
    net_open(&net, spec, INPUTS, OUTPUTS);
    draw_biases(&net);
    plain_open(&plain, &net);
    data.batch.rows = rows;

    net_step(&net, &data.batch, 1.0);

    for (uint32_t l = 0; l < plain.layers_count; l++) {
        compare_tensor(&net, &plain, l, false, &data.batch);
        compare_tensor(&net, &plain, l, true, &data.batch);
    }
    plain_close(&plain);
    net_close(&net);
}

static void compare_gradients(enum loss_kind loss)
{
    for (int a = ACTIVATION_RELU; a <= ACTIVATION_LINEAR; a++) {
        struct job_spec spec = deep_spec((enum activation)a, loss);

        compare_gradient(&spec, ROWS);
        compare_gradient(&spec, 1);
        spec.model.shards = 3;
        spec.train.microbatches = 2;
        compare_gradient(&spec, ROWS - 1);
    }
}

static void test_dense__cross_entropy_gradient_is_the_difference(void **state)
{
    (void)state;
    compare_gradients(LOSS_CROSS_ENTROPY);
}

static void test_dense__squared_error_gradient_is_the_difference(void **state)
{
    (void)state;
    compare_gradients(LOSS_MEAN_SQUARED_ERROR);
}

/* The squared norm is what the differences between weights say. */
static void test_dense__norm_is_that_of_the_gradient(void **state)
{
    struct job_spec spec = deep_spec(ACTIVATION_TANH, LOSS_CROSS_ENTROPY);
    struct net net;
    struct net clipped;
    struct data data;
    double sum = 0;
    float *w;
    float *before;

    (void)state;
    draw_data(&data);
    spec.train.clip = 1e-3;
    net_open(&clipped, &spec, INPUTS, OUTPUTS);
    spec.train.clip = 0;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    before = net_tensor(&net, 1, "weight");

    net_step(&net, &data.batch, 1.0);
    net_step(&clipped, &data.batch, 1.0);

    for (uint32_t l = 0; l < 3; l++) {
        sum += shard_gradient_norm(net.shards[l][0]);
    }
    w = net_tensor(&net, 1, "weight");
    for (int i = 0; i < 9 * 7; i++) {
        float *c = net_tensor(&clipped, 1, "weight");
        double full = (double)before[i] - (double)w[i];
        double less = (double)before[i] - (double)c[i];

        assert_true(fabs(full * 1e-3 / sqrt(sum) - less) < 1e-7);
        free(c);
    }
    free(before);
    free(w);
    net_close(&clipped);
    net_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense__forward_agrees_with_plain_loops),
        cmocka_unit_test(test_dense__cross_entropy_gradient_is_the_difference),
        cmocka_unit_test(test_dense__squared_error_gradient_is_the_difference),
        cmocka_unit_test(test_dense__norm_is_that_of_the_gradient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
