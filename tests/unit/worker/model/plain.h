/* plain.h - the model as obvious loops in double: the reference of the tests.
 *
 * One process, no shards, no BLAS, no fusing. Slow on purpose. */
#ifndef TESTS_UNIT_WORKER_MODEL_PLAIN_H
#define TESTS_UNIT_WORKER_MODEL_PLAIN_H

#include "tests/unit/worker/model/net.h"

struct plain_layer {
    enum activation activation;
    uint32_t units;
    uint32_t inputs;
    double *weight; /* [units, inputs] */
    double *bias;   /* [units] */
};

struct plain {
    enum loss_kind loss;
    uint32_t layers_count;
    struct plain_layer layers[LAYERS_MAX];
};

/* The same weights as net has now. */
void plain_open(struct plain *plain, const struct net *net);
void plain_close(struct plain *plain);

double plain_activation(enum activation activation, double z);
double plain_slope(enum activation activation, double z);

/* h of layer for one example x; h [units] of that layer. */
void plain_forward(const struct plain *plain,
                   uint32_t layer,
                   const float *x,
                   double *h);
/* The mean loss of a batch. */
double plain_loss(const struct plain *plain, const struct batch *batch);

#endif /* TESTS_UNIT_WORKER_MODEL_PLAIN_H */
