/* history, show, diff: what the versions are. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "v12" is 12; names of other forms stay where they are. */
static long number_of(const cJSON *version)
{
    const char *name = json_text(version, "version");

    return name[0] == 'v' ? strtol(name + 1, NULL, 10) : 0;
}

/* Newest first, whatever the order of the messages. */
static void add_version(void *owner, const void *message)
{
    cJSON *versions = owner;
    cJSON *added = json_version(message);
    const cJSON *version = NULL;
    int at = 0;

    cJSON_ArrayForEach(version, versions)
    {
        if (number_of(version) < number_of(added)) {
            break;
        }
        at++;
    }
    (void)cJSON_InsertItemInArray(versions, at, added);
}

int verb_history(struct tool *tool)
{
    Cajal__V1__HistoryRequest request = CAJAL__V1__HISTORY_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    cJSON *versions = NULL;
    const char *job = tool_job(tool, 0);
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.job = (char *)job;
    request.limit = tool->cli.limit;
    if (cajal_history(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    versions = cJSON_CreateArray();
    code = tool_each(tool, stream, add_version, versions);
    if (code != EXIT_DONE) {
        cJSON_Delete(versions);
        return code;
    }
    if (cJSON_GetArraySize(versions) > 0) {
        job = json_text(cJSON_GetArrayItem(versions, 0), "job");
    }
    document = json_document("History");
    json_add_text(document, "job", job);
    (void)cJSON_AddItemToObject(document, "versions", versions);
    return tool_print(tool, document, print_history);
}

static void add_show(void *owner, const void *message)
{
    json_add_show(owner, message);
}

static void render_show(struct print *print, const cJSON *document)
{
    print_show(print, document, false);
}

static void render_units(struct print *print, const cJSON *document)
{
    print_show(print, document, true);
}

int verb_show(struct tool *tool)
{
    Cajal__V1__ShowRequest request = CAJAL__V1__SHOW_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.version = (char *)tool->cli.arguments[0];
    request.job = (char *)tool_job(tool, 1);
    if (cajal_show(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Version");
    code = tool_each(tool, stream, add_show, document);
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    return tool_print(tool, document,
                      tool->cli.values[FLAG_UNITS] != NULL ? render_units
                                                           : render_show);
}

static void add_diff(void *owner, const void *message)
{
    json_add_diff(owner, message);
}

static bool differs(const cJSON *document)
{
    const cJSON *layer = NULL;

    cJSON_ArrayForEach(layer,
                       cJSON_GetObjectItemCaseSensitive(document, "layers"))
    {
        const cJSON *added = cJSON_GetObjectItemCaseSensitive(layer, "added");
        const cJSON *removed =
            cJSON_GetObjectItemCaseSensitive(layer, "removed");

        if (cJSON_GetArraySize(added) > 0 || cJSON_GetArraySize(removed) > 0 ||
            json_number(layer, "moved") > 0) {
            return true;
        }
    }
    return false;
}

int verb_diff(struct tool *tool)
{
    Cajal__V1__DiffRequest request = CAJAL__V1__DIFF_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    bool different = false;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.from = (char *)tool->cli.arguments[0];
    request.to = (char *)tool->cli.arguments[1];
    request.job = (char *)tool_job(tool, 2);
    if (cajal_diff(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Diff");
    code = tool_each(tool, stream, add_diff, document);
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    different = differs(document);
    code = tool_print(tool, document, print_diff);
    if (code == EXIT_DONE && different &&
        tool->cli.values[FLAG_EXIT_CODE] != NULL) {
        return EXIT_NO;
    }
    return code;
}
