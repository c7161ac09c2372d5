/* net.h - a whole model for tests: its shards driven by hand, in one process.
 *
 * What the workers do over their links is done here by loops. Shards of a net
 * may be looked at and edited by the tests. */
#ifndef TESTS_UNIT_WORKER_MODEL_NET_H
#define TESTS_UNIT_WORKER_MODEL_NET_H

#include "proto/arch.h"
#include "worker/model/shard.h"

struct net {
    struct job_spec spec;
    struct arch arch;
    void *memory;
    uint64_t step; /* the next one */
    struct shard *shards[LAYERS_MAX][SHARDS_MAX];
};

/* A batch; x [rows, inputs]. */
struct batch {
    uint32_t rows;
    const float *x;
    const uint32_t *labels;
};

/* 1 hidden layer of 8 ReLU units, cross-entropy, plain SGD at 0.1, batch 8. */
struct job_spec net_spec(void);

void net_open(struct net *net,
              const struct job_spec *spec,
              uint32_t inputs,
              uint32_t outputs);
void net_close(struct net *net);
/* A net of the same architecture and state, through shard_save and _load. */
void net_copy(struct net *to, const struct net *from);

/* Figures that look like data: reproducible, within (-1, 1). */
void net_draw(uint64_t seed, float *values, size_t count);
void net_draw_labels(uint64_t seed, uint32_t classes, uint32_t *out, size_t n);

/* One training step, microbatches and clipping as the spec says. */
void net_step(struct net *net, const struct batch *batch, double rate);
/* `steps` steps on drawn batches that depend on the net's step alone. */
void net_train(struct net *net, uint64_t seed, uint64_t steps, double rate);
/* logits [rows, outputs] may be NULL. Returns the sum of the losses. */
double net_evaluate(struct net *net, const struct batch *batch, float *logits);
/* Applies an edit to the architecture and to all shards at net->step. */
void net_edit(struct net *net,
              const struct edit *edit,
              const struct edit_unit *units);
/* Ends an interval: out[s] for the shards of layer. Call for every layer. */
void net_report(struct net *net,
                uint32_t layer,
                uint64_t steps,
                struct report *out);

/* The whole tensor of a layer, shards one below the other: "weight" [n, K],
 * "bias" [n], "weight.m", ... . The caller frees it. */
float *net_tensor(const struct net *net, uint32_t layer, const char *name);
void net_set_tensor(struct net *net,
                    uint32_t layer,
                    const char *name,
                    const float *values);
/* Whether all tensors of two nets of one architecture have the same bits. */
bool net_same_bits(const struct net *a, const struct net *b);
float net_distance(const float *a, const float *b, size_t count);

#endif /* TESTS_UNIT_WORKER_MODEL_NET_H */
