/* pull.c - the parameter service: tensors of versions, as layers.
 *
 * Shards are put together in unit order. A lesioned unit is folded away: its
 * outgoing column is zero and mean x column is in the next layer's bias, so
 * that whoever pulls need not know of lesions. The sum is in double and
 * rounded once. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/queries/tensor.h"
#include "coordinator/shell/records/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum pulling { PULL_WEIGHT = 0, PULL_BIAS };

/* One version on its way to a client. */
struct pull {
    struct tensor_reader *reader;
    struct version *version;         /* NULL: none is being pulled */
    char layer_name[NAME_BYTES_MAX]; /* "": all */
    uint32_t first_wanted;           /* units of the one layer asked for */
    uint32_t units_wanted;           /* 0: to the end */
    uint32_t layer;
    uint32_t layers_end;
    uint32_t first; /* units of this layer: first .. first + count */
    uint32_t count;
    uint32_t row; /* of count: sent so far */
    enum pulling what;
    double *fold; /* [count] mean x column of lesioned units */
};

static void end_version(struct pull *pull)
{
    version_free(pull->version);
    mem_free(pull->fold);
    pull->version = NULL;
    pull->fold = NULL;
}

static void pull_fini(struct pull *pull)
{
    end_version(pull);
    tensor_close(pull->reader);
}

static enum status open_layer(struct query *query, struct pull *pull)
{
    uint32_t units = pull->version->arch->layers[pull->layer].units_count;

    mem_free(pull->fold);
    pull->fold = NULL;
    if (pull->first_wanted > units) {
        (void)snprintf(query_why(query), ERROR_BYTES_MAX, "%s has %u units",
                       pull->layer_name, (unsigned)units);
        return STATUS_INVALID;
    }
    pull->first = pull->first_wanted;
    pull->count = units - pull->first;
    if (pull->units_wanted != 0 && pull->units_wanted < pull->count) {
        pull->count = pull->units_wanted;
    }
    pull->row = 0;
    pull->what = PULL_WEIGHT;
    pull->fold = mem_array(pull->count, sizeof(*pull->fold));
    return pull->fold != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Chooses the layers. NOT_FOUND: the version has no such layer. */
static enum status choose_layers(struct query *query, struct pull *pull)
{
    const struct arch *arch = pull->version->arch;
    char name[NAME_BYTES_MAX];

    if (pull->layer_name[0] == '\0') {
        pull->layer = 0;
        pull->layers_end = arch->layers_count;
        return open_layer(query, pull);
    }
    for (uint32_t l = 0; l < arch->layers_count; l++) {
        arch_layer_name(arch, l, name);
        if (strcmp(name, pull->layer_name) == 0) {
            pull->layer = l;
            pull->layers_end = l + 1;
            return open_layer(query, pull);
        }
    }
    (void)snprintf(query_why(query), ERROR_BYTES_MAX,
                   "there is no layer \"%s\". The layers are hidden1, ... and "
                   "output",
                   pull->layer_name);
    return STATUS_NOT_FOUND;
}

static enum status begin_version(struct query *query,
                                 struct pull *pull,
                                 uint64_t job,
                                 uint64_t number)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = STATUS_OK;

    if (pull->reader == NULL) {
        status = tensor_open(query_store(query), &pull->reader);
    }
    if (status == STATUS_OK) {
        status =
            store_get_version(query_store(query), job, number, &bytes, &size);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = version_decode(bytes, size, &pull->version);
    mem_free(bytes);
    return status == STATUS_OK ? choose_layers(query, pull) : status;
}

/* One row without what lesioned units say, which goes to the fold. */
static enum status read_row(struct pull *pull, uint32_t row, float *out)
{
    const struct arch *arch = pull->version->arch;
    enum status status = tensor_weights(pull->reader, pull->version,
                                        pull->layer, pull->first + row, out);

    if (status != STATUS_OK || pull->layer == 0) {
        return status;
    }

    const struct arch_layer *before = &arch->layers[pull->layer - 1];

    pull->fold[row] = 0;
    for (uint32_t k = 0; k < before->units_count; k++) {
        if (before->units[k].state == UNIT_LESIONED) {
            pull->fold[row] += (double)before->units[k].mean * (double)out[k];
            out[k] = 0;
        }
    }
    return STATUS_OK;
}

/* A part and what it points to. */
struct tensor_part {
    Cajal__V1__TensorPart message;
    char version[NUMBER_BYTES_MAX];
    char name[NAME_BYTES_MAX + 8];
    uint64_t shape[2];
};

static void begin_part(const struct pull *pull, struct tensor_part *part)
{
    const struct arch *arch = pull->version->arch;
    uint32_t inputs = arch_layer_inputs(arch, pull->layer);
    char layer[NAME_BYTES_MAX];
    bool weight = pull->what == PULL_WEIGHT;

    cajal__v1__tensor_part__init(&part->message);
    arch_layer_name(arch, pull->layer, layer);
    (void)snprintf(part->name, sizeof(part->name), "%s.%s", layer,
                   weight ? "weight" : "bias");
    (void)names_version(pull->version->number, part->version);
    part->shape[0] = pull->count;
    part->shape[1] = inputs;
    part->message.version = part->version;
    part->message.name = part->name;
    part->message.n_shape = weight ? 2 : 1;
    part->message.shape = part->shape;
    part->message.bytes =
        (weight ? (uint64_t)inputs : 1) * pull->count * sizeof(float);
    part->message.step = pull->version->step;
}

static enum status emit_weights(struct query *query, struct pull *pull)
{
    size_t row_bytes =
        sizeof(float) * arch_layer_inputs(pull->version->arch, pull->layer);
    uint32_t rows = (uint32_t)(CHUNK_BYTES_MAX / row_bytes);
    float *values = NULL;
    struct tensor_part part;
    enum status status = STATUS_OK;

    if (rows == 0) {
        rows = 1;
    }
    if (rows > pull->count - pull->row) {
        rows = pull->count - pull->row;
    }
    values = mem_array(rows, row_bytes);
    if (values == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t r = 0; r < rows && status == STATUS_OK; r++) {
        status = read_row(pull, pull->row + r,
                          values + r * (row_bytes / sizeof(float)));
    }
    if (status == STATUS_OK) {
        begin_part(pull, &part);
        part.message.offset = pull->row * row_bytes;
        part.message.data.data = (unsigned char *)values;
        part.message.data.len = rows * row_bytes;
        status = query_emit(query, &part.message.base);
    }
    mem_free(values);
    pull->row += rows;
    if (pull->row == pull->count) {
        pull->what = PULL_BIAS;
    }
    return status;
}

static const char *activation_name(enum activation activation)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return "relu";
    case ACTIVATION_TANH:
        return "tanh";
    case ACTIVATION_GELU:
        return "gelu";
    case ACTIVATION_LINEAR:
        return "linear";
    }
    return "?";
}

struct unit_names {
    char **pointers;
    char (*texts)[UNIT_BYTES_MAX];
};

static enum status name_units(const struct pull *pull, struct unit_names *out)
{
    const struct arch_layer *layer = &pull->version->arch->layers[pull->layer];

    out->pointers = mem_array(pull->count, sizeof(*out->pointers));
    out->texts = mem_array(pull->count, sizeof(*out->texts));
    if (out->pointers == NULL || out->texts == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t u = 0; u < pull->count; u++) {
        (void)names_unit(layer->units[pull->first + u].id, out->texts[u]);
        out->pointers[u] = out->texts[u];
    }
    return STATUS_OK;
}

static enum status read_biases(struct pull *pull, float *values)
{
    for (uint32_t u = 0; u < pull->count; u++) {
        enum status status =
            tensor_bias(pull->reader, pull->version, pull->layer,
                        pull->first + u, &values[u]);

        if (status != STATUS_OK) {
            return status;
        }
        values[u] = (float)((double)values[u] + pull->fold[u]);
    }
    return STATUS_OK;
}

static enum status emit_bias(struct query *query, struct pull *pull)
{
    const struct arch_layer *layer = &pull->version->arch->layers[pull->layer];
    float *values = mem_array(pull->count, sizeof(*values));
    struct unit_names names = {.pointers = NULL};
    struct tensor_part part;
    enum status status = STATUS_NO_MEMORY;

    if (values != NULL) {
        status = name_units(pull, &names);
    }
    if (status == STATUS_OK) {
        status = read_biases(pull, values);
    }
    if (status == STATUS_OK) {
        begin_part(pull, &part);
        part.message.data.data = (unsigned char *)values;
        part.message.data.len = pull->count * sizeof(float);
        part.message.n_unit_ids = pull->count;
        part.message.unit_ids = names.pointers;
        part.message.activation =
            (char *)(uintptr_t)activation_name(layer->activation);
        part.message.last = pull->layer + 1 == pull->layers_end;
        status = query_emit(query, &part.message.base);
    }
    mem_free(names.pointers);
    mem_free(names.texts);
    mem_free(values);
    return status;
}

/* Emits the next parts; *out_done: the whole version has been told. */
static enum status pull_step(struct query *query,
                             struct pull *pull,
                             bool *out_done)
{
    enum status status = STATUS_OK;

    *out_done = false;
    while (status == STATUS_OK && !query_full(query)) {
        if (pull->layer == pull->layers_end) {
            *out_done = true;
            return STATUS_OK;
        }
        if (pull->what == PULL_WEIGHT) {
            status = emit_weights(query, pull);
            continue;
        }
        status = emit_bias(query, pull);
        pull->layer++;
        if (status == STATUS_OK && pull->layer < pull->layers_end) {
            status = open_layer(query, pull);
        }
    }
    return status;
}

/* The same, and a damaged version is called by its name. */
static enum status pull_on(struct query *query,
                           struct pull *pull,
                           uint64_t number,
                           bool *out_done)
{
    enum status status = pull_step(query, pull, out_done);

    if (status == STATUS_CORRUPT && query_why(query)[0] == '\0') {
        (void)snprintf(query_why(query), ERROR_BYTES_MAX,
                       "v%" PRIu64 " is damaged: what the disk gives does not "
                       "match its hash. See what else is: cajal verify",
                       number);
    }
    return status;
}

/* --- Pull --- */

struct pull_one {
    struct pull pull;
    struct version_name name;
    struct lease lease;
};

static enum status step_pull(struct query *query, void *state)
{
    struct pull_one *one = state;
    enum status status = STATUS_OK;
    bool done = false;

    if (one->pull.version == NULL) {
        status =
            begin_version(query, &one->pull, one->name.job, one->name.number);
    }
    if (status == STATUS_OK) {
        status = pull_on(query, &one->pull, one->name.number, &done);
    }
    if (done) {
        query_end(query);
    }
    return status;
}

static void fini_pull(void *state)
{
    struct pull_one *one = state;

    lease_drop(&one->lease);
    pull_fini(&one->pull);
}

static bool take_layer(struct call *call,
                       const char *layer,
                       char out[NAME_BYTES_MAX])
{
    if (strlen(layer) >= NAME_BYTES_MAX) {
        call_finish(call, STATUS_INVALID,
                    "layers are named hidden1, hidden2, ... and output");
        return false;
    }
    memcpy(out, layer, strlen(layer) + 1);
    return true;
}

void answer_pull(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__PullRequest *request)
{
    static const struct query_kind kind = {.step = step_pull,
                                           .fini = fini_pull,
                                           .state_bytes =
                                               sizeof(struct pull_one)};
    struct query *query = NULL;
    struct pull_one *one = NULL;
    char layer[NAME_BYTES_MAX];
    struct version_name name;

    if (request->layer[0] == '\0' &&
        (request->first_unit != 0 || request->units != 0)) {
        call_finish(call, STATUS_INVALID,
                    "a range of units needs the name of a layer");
        return;
    }
    if (!take_layer(call, request->layer, layer) ||
        !shell_find_version(shell, call, request->job, request->version,
                            &name)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    one = query_state(query);
    one->name = name;
    memcpy(one->pull.layer_name, layer, sizeof(layer));
    one->pull.first_wanted = request->first_unit;
    one->pull.units_wanted = request->units;
    leases_take(&shell->leases, &one->lease, name.job, name.number,
                name.number);
    query_start(query);
}

/* --- Follow --- */

struct follow {
    struct pull pull;
    uint64_t job;
    uint64_t told; /* newest version that was sent, or there at the start */
    uint64_t found;
    struct lease lease; /* all that it has not sent yet */
};

static bool find_next(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct follow *follow = owner;

    (void)bytes;
    (void)size;
    follow->found = key;
    return false;
}

static enum status find_version(struct query *query, struct follow *follow)
{
    enum status status;

    follow->found = 0;
    status = store_scan_versions(query_store(query), follow->job,
                                 follow->told + 1, false, find_next, follow);
    if (status != STATUS_OK || follow->found == 0) {
        return status;
    }
    follow->told = follow->found;
    return begin_version(query, &follow->pull, follow->job, follow->found);
}

static enum status step_follow(struct query *query, void *state)
{
    struct follow *follow = state;
    enum status status = STATUS_OK;
    bool done = false;

    if (follow->pull.version == NULL) {
        status = find_version(query, follow);
    }
    if (status == STATUS_OK && follow->pull.version == NULL) {
        query_park(query, follow->job);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = pull_on(query, &follow->pull, follow->found, &done);
    }
    if (done) {
        end_version(&follow->pull);
        atomic_store(&follow->lease.from, follow->told + 1);
    }
    return status;
}

static void fini_follow(void *state)
{
    struct follow *follow = state;

    lease_drop(&follow->lease);
    pull_fini(&follow->pull);
}

void answer_follow(struct shell *shell,
                   struct call *call,
                   const Cajal__V1__FollowRequest *request)
{
    static const struct query_kind kind = {.step = step_follow,
                                           .fini = fini_follow,
                                           .state_bytes =
                                               sizeof(struct follow)};
    struct query *query = NULL;
    struct follow *follow = NULL;
    char layer[NAME_BYTES_MAX];
    uint64_t job = 0;

    if (!take_layer(call, request->layer, layer) ||
        !shell_find_job(shell, call, request->job, &job)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    follow = query_state(query);
    follow->job = job;
    memcpy(follow->pull.layer_name, layer, sizeof(layer));
    if (store_last_version(shell->store, job, &follow->told) != STATUS_OK) {
        query_fail(query, STATUS_IO, "the job's versions cannot be read");
        return;
    }
    leases_take(&shell->leases, &follow->lease, job, follow->told + 1,
                UINT64_MAX);
    query_start(query);
}
