/* rebuild: a store made anew from mirrors. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "client/json.h"
#include "client/start.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cJSON *document_of(const struct tool *tool,
                          const Cajal__V1__AboutReply *reply)
{
    cJSON *document = json_document("Rebuild");
    cJSON *jobs = NULL;

    json_add_text(document, "store", tool->place.store);
    jobs = json_array(document, "jobs");
    for (size_t i = 0; i < reply->n_rebuilt; i++) {
        const Cajal__V1__Rebuilt *m = reply->rebuilt[i];
        cJSON *job = cJSON_CreateObject();

        json_add_text(job, "job", m->job);
        json_add_text(job, "name", m->name);
        json_add_text(job, "file", m->file);
        json_add_text(job, "head", m->head);
        json_add_number(job, "versions", (double)m->versions);
        json_add_number(job, "transactions", (double)m->transactions);
        json_add_number(job, "bytes", (double)m->bytes);
        json_add_number(job, "lost_bytes", (double)m->lost_bytes);
        (void)cJSON_AddItemToArray(jobs, job);
    }
    return document;
}

static void print_rebuild(struct print *print, const cJSON *document)
{
    const cJSON *jobs = cJSON_GetObjectItemCaseSensitive(document, "jobs");
    const cJSON *job = NULL;
    char text[ERROR_BYTES_MAX];
    char bytes[40];

    cJSON_ArrayForEach(job, jobs)
    {
        look_clean(json_text(job, "name"), text, sizeof(text));
        look_bytes(json_number(job, "bytes"), bytes);
        (void)fprintf(print->out, "%s %s: %.0f versions, %.0f transactions, %s",
                      json_text(job, "job"), text, json_number(job, "versions"),
                      json_number(job, "transactions"), bytes);
        if (json_number(job, "lost_bytes") > 0) {
            look_bytes(json_number(job, "lost_bytes"), bytes);
            (void)fprintf(print->out,
                          "; the last %s were torn, and are computed again",
                          bytes);
        }
        (void)fputc('\n', print->out);
    }
}

/* The coordinator that this starts has another working directory. */
static int make_store(struct tool *tool)
{
    static char real[PATH_MAX];
    char why[2 * ERROR_BYTES_MAX] = "";
    const char *path = tool->cli.arguments[0];
    enum status status = STATUS_OK;
    int code = EXIT_DONE;

    if (tool->cli.values[FLAG_ADDRESS] != NULL) {
        return tool_usage(tool, "rebuild makes a store on this machine: use "
                                "--store, not --address.");
    }
    if (realpath(path, real) == NULL) {
        return tool_fail(tool, STATUS_NOT_FOUND,
                         "%s: there is no such file or directory.", path);
    }
    if (strlen(real) >= PATH_BYTES_MAX) {
        return tool_usage(tool, "the path of %s is too long.", path);
    }
    code = tool_place(tool, true);
    if (code != EXIT_DONE) {
        return code;
    }
    if (place_answers(&tool->place)) {
        return tool_fail(tool, STATUS_CONFLICT,
                         "a coordinator runs on %s; a store is rebuilt into a "
                         "new directory.",
                         tool->place.store);
    }
    status = start_rebuild(&tool->place, real, why, sizeof(why));
    return status == STATUS_OK ? EXIT_DONE : tool_fail(tool, status, "%s", why);
}

int verb_rebuild(struct tool *tool)
{
    Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;
    Cajal__V1__AboutReply *reply = NULL;
    cJSON *document = NULL;
    int code = make_store(tool);

    if (code == EXIT_DONE) {
        code = tool_connect(tool, NEED_STORE);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    if (cajal_about(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = document_of(tool, reply);
    cajal_free(reply);
    code = tool_print(tool, document, print_rebuild);
    if (code == EXIT_DONE) {
        tool_say(tool, "To go on: cajal up --store %s", tool->place.store);
    }
    return code;
}
