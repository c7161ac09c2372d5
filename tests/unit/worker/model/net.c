#include "tests/unit/worker/model/net.h"

#include "base/check.h"
#include "base/rng.h"
#include "worker/model/tree.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct job_spec net_spec(void)
{
    struct job_spec spec = {.seed = 7};

    spec.model.hidden_count = 1;
    spec.model.hidden[0] = (struct layer_spec){8, ACTIVATION_RELU};
    spec.model.shards = 1;
    spec.loss = LOSS_CROSS_ENTROPY;
    spec.train.optimizer = (struct optimizer_spec){
        .kind = OPTIMIZER_SGD, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    spec.train.rate =
        (struct rate_spec){.peak = 0.1, .schedule = SCHEDULE_CONSTANT};
    spec.train.batch = 8;
    spec.train.microbatches = 1;
    return spec;
}

static void open_shards(struct net *net)
{
    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        for (uint32_t s = 0; s < net->arch.layers[l].shards_count; s++) {
            struct shard_place place = {&net->spec, &net->arch, l, s};

            CHECK(shard_open(&place, &net->shards[l][s]) == STATUS_OK);
        }
    }
}

void net_open(struct net *net,
              const struct job_spec *spec,
              uint32_t inputs,
              uint32_t outputs)
{
    *net = (struct net){.spec = *spec};
    net->memory = calloc(1, arch_memory_bytes(spec, outputs));
    arch_begin(&net->arch, spec, inputs, outputs, net->memory);
    open_shards(net);
}

void net_close(struct net *net)
{
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        for (uint32_t s = 0; s < SHARDS_MAX; s++) {
            shard_close(net->shards[l][s]);
        }
    }
    free(net->memory);
}

static void copy_shard(struct shard *to, const struct shard *from)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(from, tensors);

    shard_expect_evaluations(to, tensors[count - 1].rows);
    for (uint32_t i = 0; i < count; i++) {
        void *bytes = malloc(tensors[i].bytes + 1);

        shard_save(from, i, bytes);
        CHECK(shard_load(to, i, bytes, tensors[i].bytes) == STATUS_OK);
        free(bytes);
    }
}

void net_copy(struct net *to, const struct net *from)
{
    uint32_t outputs =
        from->arch.layers[from->arch.layers_count - 1].units_count;

    *to = (struct net){.spec = from->spec, .step = from->step};
    to->memory = calloc(1, arch_memory_bytes(&from->spec, outputs));
    arch_lay_out(&to->arch, &from->spec, outputs, to->memory);
    arch_copy(&to->arch, &from->arch);
    open_shards(to);
    for (uint32_t l = 0; l < to->arch.layers_count; l++) {
        for (uint32_t s = 0; s < to->arch.layers[l].shards_count; s++) {
            copy_shard(to->shards[l][s], from->shards[l][s]);
        }
    }
}

void net_draw(uint64_t seed, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rng_block block = rng_draw(seed, RNG_TEST, i, 0, 0);

        values[i] = 2.0f * rng_unit(block.v[0]) - 1.0f;
    }
}

void net_draw_labels(uint64_t seed, uint32_t classes, uint32_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = rng_below(rng_draw(seed, RNG_TEST, i, 1, 0), classes);
    }
}

/* --- Passes --- */

/* One microbatch on its way: what shards send each other. */
struct flight {
    uint32_t first;
    uint32_t rows;
    const float *x;
    const uint32_t *labels;
    float *h[LAYERS_MAX][SHARDS_MAX];
};

static void release(struct flight *flight)
{
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        for (uint32_t s = 0; s < SHARDS_MAX; s++) {
            free(flight->h[l][s]);
        }
    }
}

static float *new_floats(size_t rows, size_t columns)
{
    return malloc((rows * columns + 1) * sizeof(float));
}

static void forward(struct net *net, struct flight *flight)
{
    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        for (uint32_t s = 0; s < net->arch.layers[l].shards_count; s++) {
            struct shard *shard = net->shards[l][s];

            for (uint32_t p = 0; p < shard_producers(shard); p++) {
                shard_input(shard, flight->first, flight->rows, p,
                            l == 0 ? flight->x : flight->h[l - 1][p]);
            }
            flight->h[l][s] = new_floats(flight->rows, shard_units(shard));
            shard_forward(shard, flight->first, flight->rows, flight->h[l][s]);
        }
    }
}

/* Sends layer l's gradients by its inputs back to layer l - 1. */
static void send_back(struct net *net, struct flight *flight, uint32_t l)
{
    uint32_t producers = net->arch.layers[l - 1].shards_count;
    uint32_t consumers = net->arch.layers[l].shards_count;
    float *out[SHARDS_MAX][SHARDS_MAX]; /* [consumer][producer] */

    for (uint32_t c = 0; c < consumers; c++) {
        struct shard *shard = net->shards[l][c];

        for (uint32_t p = 0; p < producers; p++) {
            out[c][p] =
                new_floats(flight->rows, shard_producer_units(shard, p));
        }
        shard_backward(shard, flight->first, flight->rows, out[c]);
    }
    for (uint32_t p = 0; p < producers; p++) {
        const float *values[SHARDS_MAX];

        for (uint32_t c = 0; c < consumers; c++) {
            values[c] = out[c][p];
        }
        shard_gradient(net->shards[l - 1][p], flight->first, flight->rows,
                       consumers, values);
        for (uint32_t c = 0; c < consumers; c++) {
            free(out[c][p]);
        }
    }
}

static void backward(struct net *net, struct flight *flight)
{
    uint32_t last = net->arch.layers_count - 1;

    shard_loss(net->shards[last][0], flight->first, flight->rows,
               flight->labels, NULL);
    for (uint32_t l = last; l > 0; l--) {
        send_back(net, flight, l);
    }
    for (uint32_t s = 0; s < net->arch.layers[0].shards_count; s++) {
        shard_backward(net->shards[0][s], flight->first, flight->rows, NULL);
    }
}

static void begin(struct net *net,
                  enum pass_kind kind,
                  const struct batch *batch)
{
    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        for (uint32_t s = 0; s < net->arch.layers[l].shards_count; s++) {
            shard_begin(net->shards[l][s], kind, net->step, batch->rows);
        }
    }
}

/* torch.nn.utils.clip_grad_norm_. */
static double clip_scale(struct net *net)
{
    double sum = 0;
    double scale;

    if (net->spec.train.clip == 0) {
        return 1;
    }
    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        for (uint32_t s = 0; s < net->arch.layers[l].shards_count; s++) {
            sum += shard_gradient_norm(net->shards[l][s]);
        }
    }
    scale = net->spec.train.clip / (sqrt(sum) + 1e-6);
    return scale < 1 ? scale : 1;
}

void net_step(struct net *net, const struct batch *batch, double rate)
{
    uint32_t parts = net->spec.train.microbatches;
    uint32_t each = batch->rows / parts;
    uint32_t rest = batch->rows % parts;
    uint32_t first = 0;
    double scale;

    begin(net, PASS_TRAIN, batch);
    for (uint32_t m = 0; m < parts; m++) {
        struct flight flight = {.first = first,
                                .rows = each + (m < rest ? 1 : 0),
                                .x = batch->x + first * net->arch.inputs,
                                .labels = batch->labels + first};

        if (flight.rows > 0) {
            forward(net, &flight);
            backward(net, &flight);
        }
        first += flight.rows;
        release(&flight);
    }
    scale = clip_scale(net);
    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        for (uint32_t s = 0; s < net->arch.layers[l].shards_count; s++) {
            shard_update(net->shards[l][s], rate, scale);
        }
    }
    net->step++;
}

void net_train(struct net *net, uint64_t seed, uint64_t steps, double rate)
{
    uint32_t rows = net->spec.train.batch;
    size_t count = (size_t)rows * net->arch.inputs;
    uint32_t outputs = net->arch.layers[net->arch.layers_count - 1].units_count;
    float *x = new_floats(1, count);
    uint32_t *labels = malloc(rows * sizeof(*labels));

    for (uint64_t i = 0; i < steps; i++) {
        struct batch batch = {rows, x, labels};

        net_draw(seed + net->step, x, count);
        net_draw_labels(seed + net->step, outputs, labels, rows);
        net_step(net, &batch, rate);
    }
    free(labels);
    free(x);
}

double net_evaluate(struct net *net, const struct batch *batch, float *logits)
{
    uint32_t last = net->arch.layers_count - 1;
    struct flight flight = {
        .rows = batch->rows, .x = batch->x, .labels = batch->labels};
    struct evaluation sums = {0};

    begin(net, PASS_EVALUATE, batch);
    forward(net, &flight);
    shard_loss(net->shards[last][0], 0, batch->rows, batch->labels, &sums);
    if (logits != NULL) {
        memcpy(logits, flight.h[last][0],
               (size_t)batch->rows * net->arch.layers[last].units_count *
                   sizeof(float));
    }
    release(&flight);
    return sums.loss_sum;
}

/* --- Edits, reports, tensors --- */

void net_edit(struct net *net,
              const struct edit *edit,
              const struct edit_unit *units)
{
    CHECK(arch_apply(&net->arch, edit, units, net->step) == STATUS_OK);
    for (uint32_t l = 0; l < net->arch.layers_count; l++) {
        for (uint32_t s = 0; s < net->arch.layers[l].shards_count; s++) {
            CHECK(shard_edit(net->shards[l][s], edit, units, net->step) ==
                  STATUS_OK);
        }
    }
}

static double *outgoing_of(const struct net *net, uint32_t layer)
{
    const struct arch_layer *next = &net->arch.layers[layer + 1];
    uint32_t units = net->arch.layers[layer].units_count;
    float *sums[SHARDS_MAX];
    const float *values[SHARDS_MAX];
    double *out = malloc((units + 1) * sizeof(*out));

    for (uint32_t c = 0; c < next->shards_count; c++) {
        values[c] = sums[c] = new_floats(1, units);
        shard_column_sums(net->shards[layer + 1][c], sums[c]);
    }
    tree_sum_double(values, next->shards_count, units, out);
    for (uint32_t c = 0; c < next->shards_count; c++) {
        free(sums[c]);
    }
    return out;
}

void net_report(struct net *net,
                uint32_t layer,
                uint64_t steps,
                struct report *out)
{
    const struct arch_layer *of = &net->arch.layers[layer];
    bool last = layer + 1 == net->arch.layers_count;
    double *outgoing = last ? NULL : outgoing_of(net, layer);

    for (uint32_t s = 0; s < of->shards_count; s++) {
        shard_report(net->shards[layer][s], steps,
                     last ? NULL : outgoing + arch_first_of_shard(of, s),
                     &out[s]);
    }
    free(outgoing);
}

static uint32_t find_tensor(const struct shard *shard,
                            const char *name,
                            struct tensor *out)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(shard, tensors);

    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(tensors[i].name, name) == 0) {
            *out = tensors[i];
            return i;
        }
    }
    CHECK(false);
    return 0;
}

float *net_tensor(const struct net *net, uint32_t layer, const char *name)
{
    const struct arch_layer *of = &net->arch.layers[layer];
    float *values =
        new_floats(of->units_count, arch_layer_inputs(&net->arch, layer) + 1);
    float *at = values;

    for (uint32_t s = 0; s < of->shards_count; s++) {
        const struct shard *shard = net->shards[layer][s];
        struct tensor tensor;
        uint32_t index = find_tensor(shard, name, &tensor);

        shard_save(shard, index, at);
        at += tensor.bytes / sizeof(float);
    }
    return values;
}

void net_set_tensor(struct net *net,
                    uint32_t layer,
                    const char *name,
                    const float *values)
{
    for (uint32_t s = 0; s < net->arch.layers[layer].shards_count; s++) {
        struct shard *shard = net->shards[layer][s];
        struct tensor tensor;
        uint32_t index = find_tensor(shard, name, &tensor);

        CHECK(shard_load(shard, index, values, tensor.bytes) == STATUS_OK);
        values += tensor.bytes / sizeof(float);
    }
}

static bool same_shard(const struct shard *a, const struct shard *b)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(a, tensors);
    bool same = true;

    for (uint32_t i = 0; i < count; i++) {
        unsigned char *left = malloc(tensors[i].bytes + 1);
        unsigned char *right = malloc(tensors[i].bytes + 1);

        shard_save(a, i, left);
        shard_save(b, i, right);
        same = same && memcmp(left, right, tensors[i].bytes) == 0;
        free(right);
        free(left);
    }
    return same;
}

bool net_same_bits(const struct net *a, const struct net *b)
{
    bool same = true;

    for (uint32_t l = 0; l < a->arch.layers_count; l++) {
        for (uint32_t s = 0; s < a->arch.layers[l].shards_count; s++) {
            same = same && same_shard(a->shards[l][s], b->shards[l][s]);
        }
    }
    return same;
}

float net_distance(const float *a, const float *b, size_t count)
{
    float most = 0;

    for (size_t i = 0; i < count; i++) {
        most = fmaxf(most, fabsf(a[i] - b[i]));
    }
    return most;
}
