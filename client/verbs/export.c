/* export: a version's weights as a file that says its own shape. */
#include "client/json.h"
#include "client/safetensors.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TENSORS_MAX = 2 * LAYERS_MAX, ACTIVATION_BYTES = 32 };

/* What the file is made from: the version's summary, then its tensors. */
struct export
{
    struct tool *tool;
    char job[NAME_BYTES_MAX];
    char version[NAME_BYTES_MAX];
    uint64_t step;
    uint64_t inputs;
    size_t layers_count;
    char names[LAYERS_MAX][NAME_BYTES_MAX];
    uint64_t units[LAYERS_MAX];
    char activations[LAYERS_MAX][ACTIVATION_BYTES];
    struct safetensor tensors[TENSORS_MAX]; /* weight, bias of each layer */
    struct safetensors *file;
    enum status status; /* of writing */
};

static void take_summary(void *owner, const void *message)
{
    struct export *e = owner;
    const Cajal__V1__ShowReply *reply = message;
    const Cajal__V1__VersionSummary *m = reply->summary;

    if (m == NULL || m->n_layers > LAYERS_MAX) {
        return;
    }
    (void)snprintf(e->job, sizeof(e->job), "%s", m->job);
    (void)snprintf(e->version, sizeof(e->version), "%s", m->version);
    e->step = m->step;
    e->inputs = m->inputs;
    e->layers_count = m->n_layers;
    for (size_t i = 0; i < m->n_layers; i++) {
        (void)snprintf(e->names[i], sizeof(e->names[i]), "%s",
                       m->layers[i]->name);
        e->units[i] = m->layers[i]->units;
    }
}

/* "@" may move while we pull, so the version is named once and for all. */
static int find_version(struct export *e)
{
    Cajal__V1__ShowRequest request = CAJAL__V1__SHOW_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    int code = EXIT_DONE;

    request.version = (char *)e->tool->cli.arguments[0];
    request.job = (char *)tool_job(e->tool, 2);
    if (cajal_show(e->tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(e->tool);
    }
    code = tool_each(e->tool, stream, take_summary, e);
    if (code == EXIT_DONE && e->layers_count == 0) {
        return tool_fail(e->tool, STATUS_INVALID,
                         "the coordinator does not tell the shape of %s.",
                         request.version);
    }
    return code;
}

/* Shapes follow from the widths alone. */
static void lay_out(struct export *e)
{
    uint64_t inputs = e->inputs;

    for (size_t i = 0; i < e->layers_count; i++) {
        struct safetensor *weight = &e->tensors[2 * i];
        struct safetensor *bias = &e->tensors[2 * i + 1];

        *weight =
            (struct safetensor){.shape = {e->units[i], inputs}, .rank = 2};
        *bias = (struct safetensor){.shape = {e->units[i]}, .rank = 1};
        (void)snprintf(weight->name, sizeof(weight->name), "%.48s.weight",
                       e->names[i]);
        (void)snprintf(bias->name, sizeof(bias->name), "%.48s.bias",
                       e->names[i]);
        inputs = e->units[i];
    }
}

static size_t find_tensor(const struct export *e, const char *name)
{
    size_t i = 0;

    while (i < 2 * e->layers_count && strcmp(e->tensors[i].name, name) != 0) {
        i++;
    }
    return i;
}

static int pull(struct export *e,
                const char *layer,
                uint32_t units,
                tool_message_fn *fn)
{
    Cajal__V1__PullRequest request = CAJAL__V1__PULL_REQUEST__INIT;
    struct cajal_stream *stream = NULL;

    request.version = e->version;
    request.job = e->job;
    request.layer = (char *)layer;
    request.units = units;
    if (cajal_pull(e->tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(e->tool);
    }
    return tool_each(e->tool, stream, fn, e);
}

static void take_activation(void *owner, const void *message)
{
    struct export *e = owner;
    const Cajal__V1__TensorPart *part = message;
    size_t i = find_tensor(e, part->name);

    if (i < 2 * e->layers_count && part->activation[0] != '\0') {
        (void)snprintf(e->activations[i / 2], sizeof(e->activations[i / 2]),
                       "%s", part->activation);
    }
}

/* The header stands before the data and holds the activations, which come
 * with a bias: so one unit of each layer is asked for first. */
static int find_activations(struct export *e)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < e->layers_count && code == EXIT_DONE; i++) {
        if (e->units[i] > 0) {
            code = pull(e, e->names[i], 1, take_activation);
        }
    }
    return code;
}

/* {"kind":"mlp","inputs":784,"layers":[{"name":..,"units":..,"activation":..}]};
 * cJSON_free. */
static char *arch_text(const struct export *e)
{
    cJSON *arch = cJSON_CreateObject();
    cJSON *layers = NULL;
    char *text = NULL;

    json_add_text(arch, "kind", "mlp");
    json_add_number(arch, "inputs", (double)e->inputs);
    layers = json_array(arch, "layers");
    for (size_t i = 0; i < e->layers_count; i++) {
        cJSON *layer = cJSON_CreateObject();

        json_add_text(layer, "name", e->names[i]);
        json_add_number(layer, "units", (double)e->units[i]);
        json_add_text(layer, "activation", e->activations[i]);
        (void)cJSON_AddItemToArray(layers, layer);
    }
    text = cJSON_PrintUnformatted(arch);
    cJSON_Delete(arch);
    return text;
}

static enum status open_file(struct export *e)
{
    char step[24];
    char *arch = arch_text(e);
    const struct safetensors_text texts[] = {
        {"format", "pt"},
        {"cajal.arch", arch},
        {"cajal.version", e->version},
        {"cajal.job", e->job},
        {"cajal.step", step},
    };
    const struct safetensors_options options = {
        .tensors = e->tensors,
        .tensors_count = 2 * e->layers_count,
        .texts = texts,
        .texts_count = sizeof(texts) / sizeof(texts[0]),
    };
    enum status status = STATUS_OK;

    (void)snprintf(step, sizeof(step), "%" PRIu64, e->step);
    status = safetensors_open(e->tool->cli.arguments[1], &options, &e->file);
    cJSON_free(arch);
    return status;
}

static bool shape_is_right(const struct safetensor *tensor,
                           const Cajal__V1__TensorPart *part)
{
    if (part->n_shape != tensor->rank) {
        return false;
    }
    for (size_t d = 0; d < part->n_shape; d++) {
        if (part->shape[d] != tensor->shape[d]) {
            return false;
        }
    }
    return true;
}

static void take_part(void *owner, const void *message)
{
    struct export *e = owner;
    const Cajal__V1__TensorPart *part = message;
    size_t i = find_tensor(e, part->name);

    if (e->status != STATUS_OK) {
        return; /* the rest of the stream is let go by */
    }
    if (i == 2 * e->layers_count ||
        (part->offset == 0 && !shape_is_right(&e->tensors[i], part))) {
        e->status = STATUS_INVALID;
        return;
    }
    e->status = safetensors_write(e->file, i, part->offset, part->data.data,
                                  part->data.len);
}

static int write_file(struct export *e)
{
    const char *path = e->tool->cli.arguments[1];
    enum status status = open_file(e);
    int code = EXIT_DONE;

    if (status != STATUS_OK) {
        return tool_fail(e->tool, status, "cannot write %s: %s.", path,
                         status_text(status));
    }
    code = pull(e, "", 0, take_part);
    if (code != EXIT_DONE) {
        return code;
    }
    status = e->status;
    if (status == STATUS_OK) {
        status = safetensors_finish(e->file);
    }
    if (status == STATUS_INVALID) {
        return tool_fail(e->tool, STATUS_CORRUPT,
                         "the tensors of %s do not match its shape; %s was not "
                         "written.",
                         e->version, path);
    }
    if (status != STATUS_OK) {
        return tool_fail(e->tool, status, "cannot write %s: %s.", path,
                         status_text(status));
    }
    return EXIT_DONE;
}

static void render(struct print *print, const cJSON *document)
{
    char bytes[40];
    char shape[256];

    look_bytes(json_number(document, "bytes"), bytes);
    print_shape(&print->look, document, shape, sizeof(shape));
    (void)fprintf(print->out, "%s  %s, %.0f tensors, %s, %s of %s\n",
                  json_text(document, "file"), bytes,
                  json_number(document, "tensor_count"), shape,
                  json_text(document, "version"), json_text(document, "job"));
}

static cJSON *describe(const struct export *e)
{
    cJSON *document = json_document("Export");
    cJSON *shape = NULL;

    json_add_text(document, "file", e->tool->cli.arguments[1]);
    json_add_text(document, "job", e->job);
    json_add_text(document, "version", e->version);
    json_add_number(document, "step", (double)e->step);
    json_add_number(document, "bytes", (double)safetensors_bytes(e->file));
    json_add_number(document, "tensor_count", (double)(2 * e->layers_count));
    shape = json_array(document, "shape");
    (void)cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)e->inputs));
    for (size_t i = 0; i < e->layers_count; i++) {
        (void)cJSON_AddItemToArray(shape,
                                   cJSON_CreateNumber((double)e->units[i]));
    }
    return document;
}

int verb_export(struct tool *tool)
{
    struct export *e = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    e = mem_new(sizeof(*e));
    if (e == NULL) {
        return tool_fail(tool, STATUS_NO_MEMORY, "out of memory.");
    }
    e->tool = tool;
    code = find_version(e);
    if (code == EXIT_DONE) {
        lay_out(e);
        code = find_activations(e);
    }
    if (code == EXIT_DONE) {
        code = write_file(e);
    }
    if (code == EXIT_DONE) {
        document = describe(e);
    }
    safetensors_close(e->file);
    mem_free(e);
    return code == EXIT_DONE ? tool_print(tool, document, render) : code;
}
