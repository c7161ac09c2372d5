/* jobs, status, cancel, pause, resume, set: one job, or all of them. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_job(void *owner, const void *message)
{
    /* The coordinator tells them in order of birth; people want the newest. */
    (void)cJSON_InsertItemInArray(owner, 0, json_job(message));
}

int verb_jobs(struct tool *tool)
{
    Cajal__V1__ListJobsRequest request = CAJAL__V1__LIST_JOBS_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    cJSON *jobs = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.all = true;
    if (cajal_list_jobs(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("JobList");
    jobs = json_array(document, "jobs");
    code = tool_each(tool, stream, add_job, jobs);
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    if (cJSON_GetArraySize(jobs) == 0) {
        tool_say(tool, "No jobs yet. Start one: cajal run JOB.yaml");
    }
    return tool_print(tool, document, print_jobs);
}

int verb_status(struct tool *tool)
{
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.job = (char *)tool_job(tool, 0);
    if (cajal_status(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_status(reply);
    cajal_free(reply);
    return tool_print(tool, document, print_status);
}

typedef enum status change_fn(struct cajal *cajal,
                              const Cajal__V1__JobRequest *request,
                              Cajal__V1__ChangeReply **out);

static int change(struct tool *tool, change_fn *call)
{
    Cajal__V1__JobRequest request = CAJAL__V1__JOB_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    char id[33];

    tool_request_id(id);
    request.job = (char *)tool_job(tool, 0);
    request.request_id = id;
    if (call(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    return tool_print_change(tool, reply);
}

int verb_cancel(struct tool *tool)
{
    int code = tool_connect(tool, NEED_STORE);

    return code != EXIT_DONE ? code : change(tool, cajal_cancel);
}

int verb_pause(struct tool *tool)
{
    int code = tool_connect(tool, NEED_STORE);

    return code != EXIT_DONE ? code : change(tool, cajal_pause);
}

/* A transient coordinator has no workers and would end: nothing could go on,
 * so saying yes would be a lie. */
int verb_resume(struct tool *tool)
{
    int code = tool_connect(tool, NEED_CLUSTER);

    return code != EXIT_DONE ? code : change(tool, cajal_resume);
}

static int set_one(struct tool *tool, const char *word)
{
    Cajal__V1__SetRequest request = CAJAL__V1__SET_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    char id[33];
    char key[128];
    const char *equals = strchr(word, '=');

    if (equals == NULL || equals == word ||
        (size_t)(equals - word) >= sizeof(key)) {
        return tool_usage(tool, "\"%s\" is not KEY=VALUE, as in train.lr=3e-3.",
                          word);
    }
    (void)snprintf(key, sizeof(key), "%.*s", (int)(equals - word), word);
    tool_request_id(id);
    request.job = (char *)tool_job(tool, CLI_ARGUMENTS_MAX);
    request.key = key;
    request.value = (char *)(equals + 1);
    request.request_id = id;
    if (cajal_set(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    return tool_print_change(tool, reply);
}

int verb_set(struct tool *tool)
{
    int code = tool_connect(tool, NEED_STORE);

    for (unsigned i = 0; i < tool->cli.arguments_count && code == EXIT_DONE;
         i++) {
        code = set_one(tool, tool->cli.arguments[i]);
    }
    return code;
}
