/* eval, verify: measuring a version, and proving the store whole. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>

static void add_evaluation(void *owner, const void *message)
{
    json_add_evaluation(owner, message);
}

int verb_eval(struct tool *tool)
{
    Cajal__V1__EvaluateRequest request = CAJAL__V1__EVALUATE_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_WORKER);

    if (code != EXIT_DONE) {
        return code;
    }
    request.version = (char *)tool->cli.arguments[0];
    request.job = (char *)tool_job(tool, 1);
    if (cajal_evaluate(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Evaluation");
    code = tool_each(tool, stream, add_evaluation, document);
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    json_finish_evaluation(document);
    return tool_print(tool, document, print_evaluation);
}

static void add_verify(void *owner, const void *message)
{
    json_add_verify(owner, message);
}

int verb_verify(struct tool *tool)
{
    Cajal__V1__VerifyRequest request = CAJAL__V1__VERIFY_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    bool done = false;
    bool whole = false;
    int code = EXIT_DONE;

    if (tool->cli.timeout_ms == 0) {
        tool->cli.timeout_ms = 600000; /* silence is good news here */
    }
    code = tool_connect(tool, NEED_STORE);
    if (code != EXIT_DONE) {
        return code;
    }
    if (cajal_verify(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Verification");
    code = tool_each(tool, stream, add_verify, document);
    done = json_has(document, "whole");
    whole = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "whole"));
    if (code == EXIT_DONE && !done) {
        code = tool_fail(tool, STATUS_UNAVAILABLE,
                         "the coordinator ended before all was read.");
    }
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    code = tool_print(tool, document, print_verify);
    return code == EXIT_DONE && !whole ? EXIT_FAULT : code;
}
