/* validate: what a job file means, and what its data are; starts no job. */
#include "client/jobload.h"
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include "base/mem.h"
#include "proto/forecast.h"
#include "proto/jobcode.h"
#include "proto/jobprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The resolved job file, or "" without memory; mem_free. */
static char *resolved(const struct jobload *load)
{
    struct text text;
    char *memory = mem_new(JOBPRINT_BYTES_MAX);

    if (memory != NULL) {
        text_init(&text, memory, JOBPRINT_BYTES_MAX);
        jobprint(&load->spec, &load->origins, &text);
    }
    return memory;
}

/* A store of its own for looking at data, where there is none to borrow. */
static int make_store(struct tool *tool, char *path, size_t size)
{
    char why[ERROR_BYTES_MAX];

    if (tool->cli.values[FLAG_ADDRESS] != NULL) {
        return EXIT_DONE;
    }
    if (place_find(tool->cli.values[FLAG_STORE], false, &tool->place, why,
                   sizeof(why)) == STATUS_OK) {
        tool->placed = true;
        return EXIT_DONE;
    }
    (void)snprintf(path, size, "/tmp/cajal-validate-XXXXXX");
    if (mkdtemp(path) == NULL) {
        path[0] = '\0';
        return tool_fail(tool, STATUS_IO,
                         "cannot make a directory in /tmp. Check the file "
                         "alone with --offline.");
    }
    tool->cli.values[FLAG_STORE] = path;
    return EXIT_DONE;
}

/* What the job's versions will need. */
static cJSON *forecast_of(const struct job_spec *spec,
                          const Cajal__V1__ProbeReply *data)
{
    const struct forecast_of of = {.spec = spec,
                                   .inputs = data->inputs,
                                   .outputs = spec->model.outputs != 0
                                                  ? spec->model.outputs
                                                  : data->classes,
                                   .tasks = (uint32_t)data->n_task_examples,
                                   .steps = data->steps};
    cJSON *object = cJSON_CreateObject();
    struct forecast forecast;

    forecast_make(&of, &forecast);
    json_add_number(object, "version_bytes", (double)forecast.version_bytes);
    json_add_number(object, "versions_least", (double)forecast.versions_least);
    json_add_number(object, "versions_most", (double)forecast.versions_most);
    json_add_number(object, "versions_kept_most", (double)forecast.kept_most);
    json_add_number(object, "bytes_most", (double)forecast.bytes_most);
    json_add_flag(object, "bounded", forecast.bounded);
    return object;
}

static int probe(struct tool *tool, const struct jobload *load, cJSON *document)
{
    Cajal__V1__ProbeRequest request = CAJAL__V1__PROBE_REQUEST__INIT;
    Cajal__V1__ProbeReply *reply = NULL;
    uint8_t spec[JOBCODE_BYTES_MAX];
    int code = tool_connect(tool, NEED_WORKER);

    if (code != EXIT_DONE) {
        return code;
    }
    request.spec.data = spec;
    request.spec.len = jobcode_encode(&load->spec, spec);
    if (cajal_probe(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    (void)cJSON_AddItemToObject(document, "data", json_probe(reply));
    (void)cJSON_AddItemToObject(document, "store",
                                forecast_of(&load->spec, reply));
    cajal_free(reply);
    return EXIT_DONE;
}

static void print_data(struct print *print, const cJSON *data)
{
    char line[512];
    char one[40];
    char two[40];
    char three[40];

    look_count(&print->look, json_number(data, "train_examples"), one);
    look_count(&print->look, json_number(data, "evaluate_examples"), two);
    (void)snprintf(line, sizeof(line),
                   "%s examples to train, %s held out, %.0f inputs, %.0f "
                   "classes",
                   one, two, json_number(data, "inputs"),
                   json_number(data, "classes"));
    print_line(print, "data", line);
    look_count(&print->look, json_number(data, "steps"), one);
    look_count(&print->look, json_number(data, "parameters"), two);
    look_count(&print->look, json_number(data, "parameters_max"), three);
    (void)snprintf(line, sizeof(line), "%s steps, %s parameters, at most %s",
                   one, two, three);
    print_line(print, "job", line);
    print_line(print, "hash", json_text(data, "hash"));
}

static void print_store(struct print *print, const cJSON *store)
{
    double least = json_number(store, "versions_least");
    double most = json_number(store, "versions_most");
    char line[512];
    char one[40];
    char all[40];
    char many[64] = "";

    look_bytes(json_number(store, "version_bytes"), one);
    look_bytes(json_number(store, "bytes_most"), all);
    if (most > least) {
        (void)snprintf(many, sizeof(many), " to %.0f", most);
    }
    (void)snprintf(line, sizeof(line),
                   "about %s per version, %.0f%s versions, %.0f of them at a "
                   "time: at most %s",
                   one, least, many, json_number(store, "versions_kept_most"),
                   all);
    print_line(print, "store", line);
}

static void render(struct print *print, const cJSON *document)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(document, "data");

    (void)fprintf(print->out, "# %s is valid\n%s", json_text(document, "file"),
                  json_text(document, "config"));
    if (data != NULL) {
        (void)fputc('\n', print->out);
        print_data(print, data);
        print_store(print, cJSON_GetObjectItemCaseSensitive(document, "store"));
    }
}

int verb_validate(struct tool *tool)
{
    struct jobload *load = NULL;
    cJSON *document = NULL;
    char store[64] = "";
    char *config = NULL;
    int code = jobload_open(tool, tool->cli.arguments[0], &load);

    if (code != EXIT_DONE) {
        jobload_close(load);
        return code;
    }
    document = json_document("Validation");
    config = resolved(load);
    json_add_text(document, "file", tool->cli.arguments[0]);
    json_add_flag(document, "valid", true);
    json_add_text(document, "config", config != NULL ? config : "");
    mem_free(config);
    if (tool->cli.values[FLAG_OFFLINE] == NULL) {
        code = make_store(tool, store, sizeof(store));
        if (code == EXIT_DONE) {
            code = probe(tool, load, document);
        }
    }
    jobload_close(load);
    tool_fini(tool); /* before its store goes */
    if (store[0] != '\0') {
        place_remove_store(store);
    }
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    return tool_print(tool, document, render);
}
