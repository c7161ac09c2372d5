#include "client/json.h"

#include "base/check.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A tool that prints half a document would be worse than one that ends. */
static void *take(size_t size)
{
    void *memory = mem_new(size);

    if (memory == NULL) {
        (void)fputs("error: out of memory.\n", stderr);
        exit(70);
    }
    return memory;
}

void json_start(void)
{
    cJSON_Hooks hooks = {take, mem_free};

    cJSON_InitHooks(&hooks);
}

cJSON *json_document(const char *name)
{
    char schema[NAME_BYTES_MAX];
    cJSON *document = cJSON_CreateObject();

    (void)snprintf(schema, sizeof(schema), "cajal.v1.%s", name);
    json_add_text(document, "schema", schema);
    return document;
}

cJSON *json_array(cJSON *object, const char *name)
{
    return cJSON_AddArrayToObject(object, name);
}

void json_add_text(cJSON *object, const char *name, const char *value)
{
    (void)cJSON_AddStringToObject(object, name, value);
}

/* JSON has no NaN and no infinity: what was not measured is null. */
void json_add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value)) {
        (void)cJSON_AddNumberToObject(object, name, value);
    } else {
        (void)cJSON_AddNullToObject(object, name);
    }
}

void json_add_flag(cJSON *object, const char *name, bool value)
{
    (void)cJSON_AddBoolToObject(object, name, value);
}

/* RFC 3339 in UTC; nothing where ms is 0. */
static void add_time(cJSON *object, const char *name, uint64_t wall_ms)
{
    char text[40];
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    if (wall_ms == 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return;
    }
    json_add_text(object, name, text);
}

static void add_u64(cJSON *object, const char *name, uint64_t value)
{
    json_add_number(object, name, (double)value);
}

static void add_texts(cJSON *object,
                      const char *name,
                      char *const *texts,
                      size_t count)
{
    cJSON *array = json_array(object, name);

    for (size_t i = 0; i < count; i++) {
        (void)cJSON_AddItemToArray(array, cJSON_CreateString(texts[i]));
    }
}

/* "units": {"hidden1": 116, "hidden2": 100}; the output layer is not among
 * them, its width is the data's. "outputs" has it. */
static void add_widths(cJSON *object,
                       uint32_t inputs,
                       Cajal__V1__LayerWidth *const *layers,
                       size_t count)
{
    cJSON *units = cJSON_AddObjectToObject(object, "units");
    cJSON *shape = json_array(object, "shape");

    if (inputs > 0) {
        (void)cJSON_AddItemToArray(shape, cJSON_CreateNumber(inputs));
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(layers[i]->name, "output") != 0) {
            add_u64(units, layers[i]->name, layers[i]->units);
        } else {
            add_u64(object, "outputs", layers[i]->units);
        }
        (void)cJSON_AddItemToArray(shape, cJSON_CreateNumber(layers[i]->units));
    }
}

static void fill_job(cJSON *object, const Cajal__V1__JobSummary *m)
{
    json_add_text(object, "job", m->job);
    json_add_text(object, "name", m->name);
    json_add_text(object, "state", m->state);
    json_add_text(object, "reason", m->reason);
    add_u64(object, "step", m->step);
    add_u64(object, "steps", m->steps);
    add_u64(object, "task", m->task);
    add_u64(object, "task_count", m->tasks);
    json_add_text(object, "head", m->head);
    add_u64(object, "inputs", m->inputs);
    add_widths(object, m->inputs, m->layers, m->n_layers);
    add_u64(object, "parameters", m->parameters);
    add_time(object, "created", m->created_ms);
}

cJSON *json_job(const Cajal__V1__JobSummary *m)
{
    cJSON *object = cJSON_CreateObject();

    fill_job(object, m);
    return object;
}

cJSON *json_status(const Cajal__V1__StatusReply *m)
{
    cJSON *object = json_document("Status");
    cJSON *workers = NULL;

    if (m->summary != NULL) {
        fill_job(object, m->summary);
    }
    json_add_number(object, "examples_per_second", m->examples_per_second);
    add_u64(object, "replayed_steps", m->replayed_steps);
    workers = json_array(object, "workers");
    for (size_t i = 0; i < m->n_workers; i++) {
        const Cajal__V1__WorkerShare *share = m->workers[i];
        cJSON *worker = cJSON_CreateObject();

        json_add_text(worker, "worker", share->worker);
        json_add_text(worker, "state", share->state);
        add_u64(worker, "shards", share->shards);
        add_u64(worker, "shard_steps", share->shard_steps);
        add_u64(worker, "bytes_sent", share->bytes_sent);
        (void)cJSON_AddItemToArray(workers, worker);
    }
    json_add_number(object, "loss", m->loss);
    json_add_number(object, "accuracy", m->accuracy);
    add_u64(object, "line", m->line);
    add_u64(object, "term", m->term);
    add_u64(object, "versions", m->versions);
    add_u64(object, "grows", m->grows);
    add_u64(object, "renews", m->renews);
    add_u64(object, "prunes", m->prunes);
    add_u64(object, "decisions", m->decisions);
    json_add_text(object, "last_decision", m->last_decision);
    add_u64(object, "store_used_bytes", m->store_used_bytes);
    add_u64(object, "store_file_bytes", m->store_file_bytes);
    add_u64(object, "version_bytes", m->version_bytes);
    add_u64(object, "forecast_bytes", m->forecast_bytes);
    return object;
}

cJSON *json_event(const Cajal__V1__Event *m)
{
    cJSON *object = json_document("Event");

    add_u64(object, "sequence", m->sequence);
    add_time(object, "time", m->wall_ms);
    json_add_text(object, "job", m->job);
    json_add_text(object, "kind", m->kind);
    json_add_text(object, "text", m->text);
    json_add_text(object, "state", m->state);
    add_u64(object, "step", m->step);
    add_u64(object, "steps", m->steps);
    add_u64(object, "task", m->task);
    add_u64(object, "task_count", m->tasks);
    json_add_number(object, "loss", m->loss);
    json_add_number(object, "accuracy", m->accuracy);
    json_add_text(object, "version", m->version);
    add_widths(object, 0, m->layers, m->n_layers);
    add_u64(object, "worker_count", m->workers);
    json_add_number(object, "examples_per_second", m->examples_per_second);
    return object;
}

static void fill_version(cJSON *object, const Cajal__V1__VersionSummary *m)
{
    json_add_text(object, "version", m->version);
    add_texts(object, "parents", m->parents, m->n_parents);
    add_u64(object, "step", m->step);
    add_u64(object, "task", m->task);
    json_add_text(object, "cause", m->cause);
    json_add_text(object, "reason", m->reason);
    add_u64(object, "inputs", m->inputs);
    add_widths(object, m->inputs, m->layers, m->n_layers);
    add_u64(object, "parameters", m->parameters);
    if (m->evaluated) {
        json_add_number(object, "accuracy", m->accuracy);
    } else {
        (void)cJSON_AddNullToObject(object, "accuracy");
    }
    add_time(object, "time", m->wall_ms);
    json_add_text(object, "hash", m->hash);
    add_texts(object, "tags", m->tags, m->n_tags);
    json_add_flag(object, "head", m->head);
    add_u64(object, "line", m->line);
    add_u64(object, "bytes", m->bytes);
    json_add_text(object, "job", m->job);
}

cJSON *json_version(const Cajal__V1__VersionSummary *m)
{
    cJSON *object = cJSON_CreateObject();

    fill_version(object, m);
    return object;
}

cJSON *json_metrics(const Cajal__V1__TaskMetrics *m)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *held_out = NULL;

    add_u64(object, "task", m->task);
    add_u64(object, "examples", m->examples);
    json_add_number(object, "online_accuracy", m->online_accuracy);
    json_add_number(object, "online_loss", m->online_loss);
    json_add_number(object, "dormant", m->dormant);
    held_out = json_array(object, "held_out");
    for (size_t i = 0; i < m->n_held_out; i++) {
        cJSON *one = cJSON_CreateObject();

        add_u64(one, "task", m->held_out[i]->task);
        json_add_number(one, "accuracy", m->held_out[i]->accuracy);
        json_add_number(one, "loss", m->held_out[i]->loss);
        (void)cJSON_AddItemToArray(held_out, one);
    }
    return object;
}

cJSON *json_worker(const Cajal__V1__WorkerSummary *m)
{
    cJSON *object = cJSON_CreateObject();

    json_add_text(object, "worker", m->worker);
    json_add_text(object, "name", m->name);
    json_add_text(object, "host", m->host);
    add_u64(object, "pid", m->pid);
    json_add_text(object, "state", m->state);
    json_add_text(object, "job", m->job);
    add_u64(object, "shards", m->shards);
    add_u64(object, "shard_steps", m->shard_steps);
    add_u64(object, "bytes_sent", m->bytes_sent);
    add_u64(object, "kept_bytes", m->kept_bytes);
    add_u64(object, "buddy_bytes", m->buddy_bytes);
    json_add_number(object, "seen_seconds", (double)m->seen_ms / 1000);
    add_u64(object, "lag", m->lag);
    json_add_text(object, "reason", m->reason);
    add_u64(object, "threads", m->threads);
    json_add_text(object, "kernels", m->kernels);
    json_add_text(object, "endpoint", m->endpoint);
    return object;
}

cJSON *json_change(const Cajal__V1__ChangeReply *m)
{
    cJSON *object = json_document("Change");

    json_add_text(object, "job", m->job);
    json_add_text(object, "text", m->text);
    json_add_text(object, "version", m->version);
    json_add_text(object, "state", m->state);
    return object;
}

cJSON *json_about(const Cajal__V1__AboutReply *m)
{
    cJSON *object = cJSON_CreateObject();

    json_add_text(object, "version", m->version);
    add_u64(object, "protocol", m->protocol);
    add_u64(object, "life", m->life);
    json_add_text(object, "store", m->store);
    add_u64(object, "store_used_bytes", m->store_used_bytes);
    add_u64(object, "store_map_bytes", m->store_map_bytes);
    json_add_text(object, "control_endpoint", m->control_endpoint);
    add_u64(object, "pid", m->pid);
    add_u64(object, "workers", m->workers);
    add_u64(object, "chunks", m->chunks);
    add_u64(object, "chunk_bytes", m->chunk_bytes);
    json_add_flag(object, "transient", m->transient);
    add_u64(object, "calls_refused", m->calls_refused);
    add_u64(object, "handshakes_refused", m->handshakes_refused);
    add_u64(object, "connections_refused", m->connections_refused);
    add_u64(object, "keys_refused", m->keys_refused);
    add_u64(object, "messages_refused", m->messages_refused);
    add_u64(object, "messages_stale", m->messages_stale);
    return object;
}

cJSON *json_probe(const Cajal__V1__ProbeReply *m)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *tasks = NULL;

    add_u64(object, "inputs", m->inputs);
    add_u64(object, "classes", m->classes);
    add_u64(object, "train_examples", m->train_examples);
    add_u64(object, "guard_examples", m->guard_examples);
    add_u64(object, "evaluate_examples", m->evaluate_examples);
    tasks = json_array(object, "task_examples");
    for (size_t i = 0; i < m->n_task_examples; i++) {
        (void)cJSON_AddItemToArray(
            tasks, cJSON_CreateNumber((double)m->task_examples[i]));
    }
    json_add_text(object, "hash", m->hash);
    add_u64(object, "steps", m->steps);
    add_u64(object, "parameters", m->parameters);
    add_u64(object, "parameters_max", m->parameters_max);
    return object;
}

static cJSON *unit_of(const Cajal__V1__UnitInfo *m)
{
    cJSON *object = cJSON_CreateObject();

    json_add_text(object, "id", m->id);
    add_u64(object, "born_step", m->born_step);
    json_add_text(object, "state", m->state);
    add_u64(object, "shard", m->shard);
    return object;
}

/* Where the array's last element is of that name, it goes on there. */
static cJSON *last_named(cJSON *array, const char *name)
{
    int count = cJSON_GetArraySize(array);
    cJSON *last = count > 0 ? cJSON_GetArrayItem(array, count - 1) : NULL;

    return last != NULL && strcmp(json_text(last, "name"), name) == 0 ? last
                                                                      : NULL;
}

static cJSON *array_of(cJSON *object, const char *name)
{
    cJSON *array = cJSON_GetObjectItemCaseSensitive(object, name);

    return array != NULL ? array : json_array(object, name);
}

static void append_texts(cJSON *object,
                         const char *name,
                         char *const *texts,
                         size_t count)
{
    cJSON *array = array_of(object, name);

    for (size_t i = 0; i < count; i++) {
        (void)cJSON_AddItemToArray(array, cJSON_CreateString(texts[i]));
    }
}

void json_add_diff(cJSON *document, const Cajal__V1__LayerDiff *m)
{
    cJSON *layers = NULL;
    cJSON *layer = NULL;

    if (!json_has(document, "from")) {
        json_add_text(document, "from", m->from);
        json_add_text(document, "to", m->to);
    }
    layers = array_of(document, "layers");
    layer = last_named(layers, m->name);
    if (layer == NULL) {
        layer = cJSON_CreateObject();
        json_add_text(layer, "name", m->name);
        add_u64(layer, "units_from", m->units_from);
        add_u64(layer, "units_to", m->units_to);
        add_u64(layer, "inputs_from", m->inputs_from);
        add_u64(layer, "inputs_to", m->inputs_to);
        add_u64(layer, "parameters_from", m->parameters_from);
        add_u64(layer, "parameters_to", m->parameters_to);
        json_add_number(layer, "moved", m->moved);
        (void)cJSON_AddItemToArray(layers, layer);
    }
    append_texts(layer, "added", m->added, m->n_added);
    append_texts(layer, "removed", m->removed, m->n_removed);
}

void json_add_show(cJSON *document, const Cajal__V1__ShowReply *m)
{
    cJSON *layers = NULL;
    cJSON *layer = NULL;
    cJSON *units = NULL;

    if (m->summary != NULL) {
        fill_version(document, m->summary);
    }
    if (m->config[0] != '\0') {
        json_add_text(document, "config", m->config);
    }
    layers = array_of(document, "layers");
    if (m->layer[0] == '\0') {
        return;
    }
    layer = last_named(layers, m->layer);
    if (layer == NULL) {
        layer = cJSON_CreateObject();
        json_add_text(layer, "name", m->layer);
        (void)cJSON_AddItemToArray(layers, layer);
    }
    units = array_of(layer, "units");
    for (size_t i = 0; i < m->n_units; i++) {
        (void)cJSON_AddItemToArray(units, unit_of(m->units[i]));
    }
}

void json_add_evaluation(cJSON *document, const Cajal__V1__TaskEvaluation *m)
{
    cJSON *task = cJSON_CreateObject();
    double count = (double)m->examples;

    if (!json_has(document, "version")) {
        json_add_text(document, "version", m->version);
    }
    add_u64(task, "task", m->task);
    json_add_number(task, "accuracy", (double)m->correct / count);
    json_add_number(task, "loss", m->loss_sum / count);
    add_u64(task, "examples", m->examples);
    add_u64(task, "correct", m->correct);
    (void)cJSON_AddItemToArray(array_of(document, "tasks"), task);
}

/* Over examples, not the mean of means: tasks may differ in size. */
void json_finish_evaluation(cJSON *document)
{
    const cJSON *task = cJSON_GetArrayItem(array_of(document, "tasks"), 0);
    double before = json_number(task, "task");
    double examples = 0;
    double correct = 0;
    double loss = 0;

    cJSON_ArrayForEach(task, array_of(document, "tasks"))
    {
        double count = json_number(task, "examples");

        examples += count;
        correct += json_number(task, "correct");
        loss += json_number(task, "loss") * count;
    }
    json_add_number(document, "accuracy", correct / examples);
    json_add_number(document, "loss", loss / examples);
    json_add_number(document, "examples", examples);
    /* Tasks come in order. */
    json_add_number(document, "left_out", before);
}

void json_add_verify(cJSON *document, const Cajal__V1__VerifyReply *m)
{
    cJSON *faults = array_of(document, "faults");

    if (m->fault[0] != '\0') {
        (void)cJSON_AddItemToArray(faults, cJSON_CreateString(m->fault));
    }
    if (m->done) {
        json_add_flag(document, "whole", m->faults == 0);
        add_u64(document, "chunks", m->chunks);
        add_u64(document, "bytes", m->bytes);
        add_u64(document, "versions", m->versions);
        add_u64(document, "fault_count", m->faults);
    }
}

/* Only the last message says what has come of it. */
void json_add_backup(cJSON *document, const Cajal__V1__BackupReply *m)
{
    if (m->done) {
        json_add_text(document, "dir", m->dir);
        add_u64(document, "bytes", m->bytes);
    }
}

void json_add_gc(cJSON *document, const Cajal__V1__GcReply *m)
{
    cJSON *names = NULL;

    if (!m->done) {
        return;
    }
    json_add_text(document, "job", m->job);
    add_u64(document, "versions_dropped", m->versions);
    add_u64(document, "versions_kept", m->versions_kept);
    add_u64(document, "chunks", m->chunks);
    add_u64(document, "bytes", m->bytes);
    add_u64(document, "spared_chunks", m->spared_chunks);
    json_add_flag(document, "swept", m->swept);
    names = json_array(document, "versions");
    for (size_t v = 0; v < m->n_version; v++) {
        (void)cJSON_AddItemToArray(names, cJSON_CreateString(m->version[v]));
    }
}

const char *json_text(const cJSON *object, const char *name)
{
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text != NULL ? text : "";
}

double json_number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

bool json_has(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return item != NULL && !cJSON_IsNull(item);
}

void json_print(FILE *out, const cJSON *document, bool pretty)
{
    char *text =
        pretty ? cJSON_Print(document) : cJSON_PrintUnformatted(document);

    CHECK(text != NULL);
    (void)fputs(text, out);
    (void)fputc('\n', out);
    cJSON_free(text);
}
