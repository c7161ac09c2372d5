/* metrics, logs, workers: what is and was measured. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>

static void add_metrics(void *owner, const void *message)
{
    const Cajal__V1__TaskMetrics *m = message;
    cJSON *document = owner;

    if (!json_has(document, "job")) {
        json_add_text(document, "job", m->job);
        (void)json_array(document, "tasks");
    }
    (void)cJSON_AddItemToArray(
        cJSON_GetObjectItemCaseSensitive(document, "tasks"), json_metrics(m));
}

int verb_metrics(struct tool *tool)
{
    Cajal__V1__MetricsRequest request = CAJAL__V1__METRICS_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.job = (char *)tool_job(tool, 0);
    if (cajal_metrics(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Metrics");
    code = tool_each(tool, stream, add_metrics, document);
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    if (!json_has(document, "job")) { /* nothing is measured yet */
        json_add_text(document, "job", request.job);
        (void)json_array(document, "tasks");
    }
    return tool_print(tool, document, print_metrics);
}

static void add_line(void *owner, const void *message)
{
    const Cajal__V1__LogLine *m = message;
    cJSON *line = cJSON_CreateObject();

    json_add_text(line, "process", m->process);
    json_add_text(line, "text", m->text);
    (void)cJSON_AddItemToArray(owner, line);
}

static void print_logs(struct print *print, const cJSON *document)
{
    const cJSON *line = NULL;

    cJSON_ArrayForEach(line,
                       cJSON_GetObjectItemCaseSensitive(document, "lines"))
    {
        char text[1200]; /* a log line has at most 1000 bytes */

        look_clean(json_text(line, "text"), text, sizeof(text));
        (void)fprintf(print->out, "%s\n", text);
    }
}

int verb_logs(struct tool *tool)
{
    Cajal__V1__LogsRequest request = CAJAL__V1__LOGS_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.job = (char *)tool_job(tool, 0);
    request.limit = tool->cli.limit;
    if (cajal_logs(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Logs");
    code = tool_each(tool, stream, add_line, json_array(document, "lines"));
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    return tool_print(tool, document, print_logs);
}

static void add_worker(void *owner, const void *message)
{
    (void)cJSON_AddItemToArray(owner, json_worker(message));
}

int verb_workers(struct tool *tool)
{
    Cajal__V1__ListWorkersRequest request =
        CAJAL__V1__LIST_WORKERS_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    cJSON *workers = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    if (cajal_list_workers(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("WorkerList");
    workers = json_array(document, "workers");
    code = tool_each(tool, stream, add_worker, workers);
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    if (cJSON_GetArraySize(workers) == 0) {
        tool_say(tool, "No workers. Start some: cajal up -w 2");
    }
    return tool_print(tool, document, print_workers);
}
