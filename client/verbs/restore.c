/* restore, undo, tag: moving the head, and naming versions. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>

static int restore(struct tool *tool, bool dry_run)
{
    Cajal__V1__RestoreRequest request = CAJAL__V1__RESTORE_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    char id[33];

    tool_request_id(id);
    request.version = (char *)tool->cli.arguments[0];
    request.job = (char *)tool_job(tool, 1);
    request.request_id = id;
    request.dry_run = dry_run;
    if (cajal_restore(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    if (dry_run) {
        tool_say(tool, "%s", reply->text);
        cajal_free(reply);
        return EXIT_DONE;
    }
    return tool_print_change(tool, reply);
}

/* The plan is the coordinator's own, from the same code that will do it. */
int verb_restore(struct tool *tool)
{
    int code = tool_can_ask(tool, "restore");

    if (code == EXIT_DONE) {
        code = tool_connect(tool, NEED_STORE);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    if (tool->cli.values[FLAG_YES] == NULL) {
        code = restore(tool, true);
        if (code == EXIT_DONE) {
            code = tool_confirm(tool, "Restore?");
        }
        if (code == EXIT_DONE) { /* people take longer than a transient one */
            code = tool_connect(tool, NEED_STORE);
        }
        if (code != EXIT_DONE) {
            return code;
        }
    }
    code = restore(tool, false);
    if (code == EXIT_DONE) {
        tool_say(tool, "Take it back: cajal undo");
    }
    return code;
}

int verb_undo(struct tool *tool)
{
    Cajal__V1__JobRequest request = CAJAL__V1__JOB_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    char id[33];
    int code = tool_can_ask(tool, "undo");

    if (code == EXIT_DONE) {
        code = tool_confirm(tool, "Take back the last restore?");
    }
    if (code == EXIT_DONE) {
        code = tool_connect(tool, NEED_STORE);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    tool_request_id(id);
    request.job = (char *)tool_job(tool, 0);
    request.request_id = id;
    if (cajal_undo(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    return tool_print_change(tool, reply);
}

static void add_tag(void *owner, const void *message)
{
    const Cajal__V1__TagEntry *m = message;
    cJSON *tag = cJSON_CreateObject();

    json_add_text(tag, "name", m->name);
    json_add_text(tag, "version", m->version);
    (void)cJSON_AddItemToArray(owner, tag);
}

static int list_tags(struct tool *tool)
{
    Cajal__V1__JobRequest request = CAJAL__V1__JOB_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    int code = EXIT_DONE;

    request.job = (char *)tool_job(tool, CLI_ARGUMENTS_MAX);
    if (cajal_list_tags(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("TagList");
    code = tool_each(tool, stream, add_tag, json_array(document, "tags"));
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    return tool_print(tool, document, print_tags);
}

int verb_tag(struct tool *tool)
{
    Cajal__V1__TagRequest request = CAJAL__V1__TAG_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    bool deletes = tool->cli.values[FLAG_DELETE] != NULL;
    unsigned count = tool->cli.arguments_count;
    char id[33];
    int code = EXIT_DONE;

    if (deletes && count != 1) {
        return tool_usage(tool, "to delete a tag: cajal tag NAME --delete");
    }
    code = tool_connect(tool, NEED_STORE);
    if (code != EXIT_DONE) {
        return code;
    }
    if (count == 0) {
        return list_tags(tool);
    }
    tool_request_id(id);
    request.job = (char *)tool_job(tool, CLI_ARGUMENTS_MAX);
    request.name = (char *)tool->cli.arguments[0];
    request.request_id = id;
    if (!deletes) { /* `cajal tag good` names the head */
        request.version = (char *)(count > 1 ? tool->cli.arguments[1] : "@");
    }
    if (cajal_tag(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    return tool_print_change(tool, reply);
}
