#include "worker/shell/fingerprint.h"

#include "base/mem.h"
#include "base/rng.h"
#include "proto/arch.h"
#include "worker/model/shard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of OpenBLAS. Its headers belong to one file of worker/model. */
char *openblas_get_config(void);
char *openblas_get_corename(void);

enum { INPUTS = 300, OUTPUTS = 10, STEPS = 3, SEED = 20, HASHES_MAX = 256 };

/* One small training run. */
struct probe {
    enum activation activation;
    enum optimizer_kind optimizer;
    enum loss_kind loss;
    uint32_t units;
    uint32_t batch; /* 1 goes through gemv */
    double clip;
};

static const struct probe probes[] = {
    {ACTIVATION_RELU, OPTIMIZER_SGD, LOSS_CROSS_ENTROPY, 100, 1, 0},
    {ACTIVATION_RELU, OPTIMIZER_SGD, LOSS_CROSS_ENTROPY, 100, 16, 0},
    {ACTIVATION_RELU, OPTIMIZER_SGD, LOSS_CROSS_ENTROPY, 700, 128, 0},
    {ACTIVATION_TANH, OPTIMIZER_ADAM, LOSS_CROSS_ENTROPY, 65, 7, 0.1},
    {ACTIVATION_GELU, OPTIMIZER_ADAMW, LOSS_MEAN_SQUARED_ERROR, 33, 32, 0.1},
};

/* Hashes one after the other; their list is hashed in the end. */
struct digest {
    struct hash hashes[HASHES_MAX];
    size_t count;
};

static void digest_add(struct digest *digest, const void *bytes, size_t size)
{
    if (digest->count < HASHES_MAX) {
        hash_bytes(bytes, size, &digest->hashes[digest->count++]);
    }
}

struct model {
    struct job_spec spec;
    struct arch arch;
    void *memory;
    struct shard *hidden;
    struct shard *output;
    float *x;         /* [batch, INPUTS] */
    uint32_t *labels; /* [batch] */
    float *h;         /* [batch, units] */
    float *gradient;  /* [batch, units] */
    float *z;         /* [batch, OUTPUTS] */
};

static void model_fini(struct model *model)
{
    mem_free(model->z);
    mem_free(model->gradient);
    mem_free(model->h);
    mem_free(model->labels);
    mem_free(model->x);
    shard_close(model->output);
    shard_close(model->hidden);
    mem_free(model->memory);
}

static void set_spec(struct job_spec *spec, const struct probe *probe)
{
    job_defaults(spec);
    spec->seed = SEED;
    spec->model.hidden_count = 1;
    spec->model.hidden[0] = (struct layer_spec){
        .units = probe->units, .activation = probe->activation};
    spec->model.outputs = OUTPUTS;
    spec->model.shards = 1;
    spec->loss = probe->loss;
    spec->train.batch = probe->batch;
    spec->train.microbatches = 1;
    spec->train.optimizer = (struct optimizer_spec){.kind = probe->optimizer,
                                                    .beta1 = 0.9,
                                                    .beta2 = 0.999,
                                                    .epsilon = 1e-8,
                                                    .weight_decay = 0.01};
    if (probe->optimizer == OPTIMIZER_SGD) {
        spec->train.optimizer.weight_decay = 0;
    }
    spec->train.clip = probe->clip;
}

static enum status model_init(struct model *model, const struct probe *probe)
{
    struct shard_place place = {.spec = &model->spec, .arch = &model->arch};
    size_t rows = probe->batch;
    enum status status = STATUS_NO_MEMORY;

    set_spec(&model->spec, probe);
    model->memory = mem_new(arch_memory_bytes(&model->spec, OUTPUTS));
    model->x = mem_slab(rows * INPUTS * sizeof(float));
    model->labels = mem_array(rows, sizeof(uint32_t));
    model->h = mem_slab(rows * probe->units * sizeof(float));
    model->gradient = mem_slab(rows * probe->units * sizeof(float));
    model->z = mem_slab(rows * OUTPUTS * sizeof(float));
    if (model->memory == NULL || model->x == NULL || model->labels == NULL ||
        model->h == NULL || model->gradient == NULL || model->z == NULL) {
        return status;
    }
    arch_begin(&model->arch, &model->spec, INPUTS, OUTPUTS, model->memory);
    status = shard_open(&place, &model->hidden);
    if (status == STATUS_OK) {
        place.layer = 1;
        status = shard_open(&place, &model->output);
    }
    return status;
}

static void draw_batch(struct model *model, uint32_t rows, uint64_t step)
{
    for (uint32_t r = 0; r < rows; r++) {
        struct rng_block label = rng_draw(SEED, RNG_TEST, step, r, 0);

        model->labels[r] = rng_below(label, OUTPUTS);
        for (uint32_t k = 0; k < INPUTS; k += 4) {
            struct rng_block block = rng_draw(SEED, RNG_TEST, step, r, 1 + k);

            for (uint32_t i = 0; i < 4; i++) {
                model->x[(size_t)r * INPUTS + k + i] =
                    2 * rng_unit(block.v[i]) - 1;
            }
        }
    }
}

static void train(struct model *model, uint32_t rows, uint64_t step)
{
    const float *gradients[1] = {model->gradient};
    float *const outs[1] = {model->gradient};
    struct evaluation unused = {0};
    double norm = 0;

    draw_batch(model, rows, step);
    shard_begin(model->hidden, PASS_TRAIN, step, rows);
    shard_begin(model->output, PASS_TRAIN, step, rows);
    shard_input(model->hidden, 0, rows, 0, model->x);
    shard_forward(model->hidden, 0, rows, model->h);
    shard_input(model->output, 0, rows, 0, model->h);
    shard_forward(model->output, 0, rows, model->z);
    shard_loss(model->output, 0, rows, model->labels, &unused);
    shard_backward(model->output, 0, rows, outs);
    shard_gradient(model->hidden, 0, rows, 1, gradients);
    shard_backward(model->hidden, 0, rows, NULL);
    if (model->spec.train.clip > 0) {
        norm = shard_gradient_norm(model->hidden) +
               shard_gradient_norm(model->output);
        norm = model->spec.train.clip / (sqrt(norm) + 1e-6);
    }
    norm = norm > 0 && norm < 1 ? norm : 1;
    shard_update(model->hidden, 0.05, norm);
    shard_update(model->output, 0.05, norm);
}

static enum status digest_shard(struct digest *digest,
                                const struct shard *shard)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(shard, tensors);

    for (uint32_t i = 0; i < count; i++) {
        void *bytes = mem_new(tensors[i].bytes);

        if (bytes == NULL) {
            return STATUS_NO_MEMORY;
        }
        shard_save(shard, i, bytes);
        digest_add(digest, bytes, tensors[i].bytes);
        mem_free(bytes);
    }
    return STATUS_OK;
}

static enum status run_probe(struct digest *digest, const struct probe *probe)
{
    struct model *model = mem_new(sizeof(*model));
    enum status status = STATUS_NO_MEMORY;

    if (model == NULL) {
        return status;
    }
    status = model_init(model, probe);
    for (uint64_t step = 0; status == STATUS_OK && step < STEPS; step++) {
        train(model, probe->batch, step);
    }
    if (status == STATUS_OK) {
        status = digest_shard(digest, model->hidden);
    }
    if (status == STATUS_OK) {
        status = digest_shard(digest, model->output);
    }
    model_fini(model);
    mem_free(model);
    return status;
}

/* What the data and the schedules use of the mathematical library. */
static void probe_functions(struct digest *digest)
{
    enum { POINTS = 64, FUNCTIONS = 5 };
    double values[POINTS][FUNCTIONS];
    volatile double x = 0; /* keeps the compiler from knowing the results */

    for (int i = 0; i < POINTS; i++) {
        x = 0.37 * (i - 20);
        values[i][0] = sin(x);
        values[i][1] = cos(x);
        values[i][2] = exp(x);
        values[i][3] = log(x * x + 0.01);
        values[i][4] = sqrt(x * x + 0.01);
    }
    digest_add(digest, values, sizeof(values));
}

/* "OpenBLAS 0.3.21 NO_LAPACKE ..." and the core type. */
static void name_kernels(char *out, size_t size)
{
    const char *config = openblas_get_config();
    const char *end = strchr(config, ' ');

    end = end != NULL ? strchr(end + 1, ' ') : NULL;
    (void)snprintf(out, size, "%.*s %s",
                   end != NULL ? (int)(end - config) : (int)strlen(config),
                   config, openblas_get_corename());
}

enum status fingerprint_take(struct fingerprint *out)
{
    struct digest *digest = mem_new(sizeof(*digest));
    enum status status = digest == NULL ? STATUS_NO_MEMORY : STATUS_OK;

    if (status != STATUS_OK) {
        return status;
    }
    name_kernels(out->kernels, sizeof(out->kernels));
    digest_add(digest, CAJAL_VERSION, strlen(CAJAL_VERSION));
    digest_add(digest, out->kernels, strlen(out->kernels));
    probe_functions(digest);
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(probes) / sizeof(probes[0]); i++) {
        status = run_probe(digest, &probes[i]);
    }
    hash_bytes(digest->hashes, digest->count * sizeof(digest->hashes[0]),
               &out->hash);
    mem_free(digest);
    return status;
}
