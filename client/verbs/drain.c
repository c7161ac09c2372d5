/* cordon, uncordon, drain: which workers may host shards. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>
#include <string.h>

enum { DRAIN_WAIT_MS = 60000, ANSWER_WAIT_MS = 10000 };

typedef enum status worker_fn(struct cajal *cajal,
                              const Cajal__V1__WorkerRequest *request,
                              Cajal__V1__WorkerReply **out);

static void print_text(struct print *print, const cJSON *document)
{
    char text[ERROR_BYTES_MAX];

    look_clean(json_text(document, "text"), text, sizeof(text));
    (void)fprintf(print->out, "%s\n", text);
}

static int print_reply(const struct tool *tool, Cajal__V1__WorkerReply *reply)
{
    cJSON *document = json_document("Worker");

    json_add_text(document, "worker", reply->worker);
    json_add_text(document, "state", reply->state);
    json_add_text(document, "text", reply->text);
    cajal_free(reply);
    return tool_print(tool, document, print_text);
}

/* A passing coordinator has no workers: nothing could be meant. */
static int ask(struct tool *tool, worker_fn *call, uint32_t timeout_ms)
{
    Cajal__V1__WorkerRequest request = CAJAL__V1__WORKER_REQUEST__INIT;
    Cajal__V1__WorkerReply *reply = NULL;
    char id[33];
    bool going = false;
    int code = tool_connect(tool, NEED_CLUSTER);

    if (code != EXIT_DONE) {
        return code;
    }
    tool_request_id(id);
    request.worker = (char *)tool->cli.arguments[0];
    request.request_id = id;
    request.timeout_ms = timeout_ms;
    if (call(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    going = strcmp(reply->state, "draining") == 0;
    code = print_reply(tool, reply);
    return code == EXIT_DONE && going ? EXIT_STILL_GOING : code;
}

int verb_cordon(struct tool *tool)
{
    return ask(tool, cajal_cordon, 0);
}

int verb_uncordon(struct tool *tool)
{
    return ask(tool, cajal_uncordon, 0);
}

int verb_drain(struct tool *tool)
{
    uint32_t wait_ms =
        tool->cli.timeout_ms > 0 ? tool->cli.timeout_ms : DRAIN_WAIT_MS;

    /* The coordinator keeps the time and says how far it has come. */
    tool->cli.timeout_ms = wait_ms + ANSWER_WAIT_MS;
    return ask(tool, cajal_drain, wait_ms);
}
