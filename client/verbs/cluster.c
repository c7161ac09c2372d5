/* up, down, supervise, watch, version: processes, and what they are doing. */
#include "client/cluster.h"

#include "base/clock.h"
#include "client/json.h"
#include "client/spawn.h"
#include "client/supervise.h"
#include "client/verbs/verbs.h"
#include "client/watch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WORKERS_DEFAULT = 2, WORKERS_WAIT_MS = 15000, POLL_NS = 20000000 };

static cJSON *ask(struct tool *tool)
{
    Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;
    Cajal__V1__AboutReply *reply = NULL;
    cJSON *about = NULL;

    if (cajal_about(tool->cajal, &request, &reply) != STATUS_OK) {
        return NULL;
    }
    tool->workers = reply->workers;
    about = json_about(reply);
    cajal_free(reply);
    return about;
}

static void print_up(struct print *print, const cJSON *document)
{
    (void)fprintf(print->out, "up: process %.0f, %.0f workers, store %s\n",
                  json_number(document, "pid"),
                  json_number(document, "workers"),
                  json_text(document, "store"));
}

int verb_up(struct tool *tool)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    uint64_t deadline_ms = clock_now_ms() + WORKERS_WAIT_MS;
    uint32_t wanted =
        tool->cli.workers > 0 ? tool->cli.workers : WORKERS_DEFAULT;
    struct cluster cluster;
    cJSON *about = NULL;
    int code = cluster_start(
        tool, wanted, tool->cli.threads > 0 ? tool->cli.threads : 1, &cluster);

    if (code != EXIT_DONE) {
        return code;
    }
    if (cluster.supervisor == 0) {
        tool_say(tool, "It was up already.");
    }
    for (;;) {
        about = ask(tool);
        if (about == NULL) {
            return tool_fail_call(tool);
        }
        if (tool->workers >= wanted || cluster.supervisor == 0) {
            break;
        }
        cJSON_Delete(about);
        if (clock_now_ms() >= deadline_ms) {
            return tool_fail(tool, STATUS_DEADLINE,
                             "waited 15 s for %u workers; %u are there. See "
                             "%s/logs/supervise.log",
                             (unsigned)wanted, (unsigned)tool->workers,
                             tool->place.store);
        }
        (void)nanosleep(&pause, NULL);
    }
    json_add_text(about, "schema", "cajal.v1.About");
    return tool_print(tool, about, print_up);
}

int verb_down(struct tool *tool)
{
    bool remote = tool->cli.values[FLAG_ADDRESS] != NULL;
    int code = remote ? EXIT_DONE : tool_place(tool, false);

    if (code != EXIT_DONE) {
        return code;
    }
    if (!remote && !place_answers(&tool->place)) {
        tool_say(tool, "Nothing runs on the store %s.", tool->place.store);
        return EXIT_DONE;
    }
    if (tool->cli.timeout_ms == 0) {
        tool->cli.timeout_ms = 60000; /* running jobs are saved first */
    }
    code = tool_connect(tool, NEED_RUNNING);
    if (code == EXIT_DONE) {
        code = cluster_stop(tool, 0);
    }
    if (code == EXIT_DONE) {
        tool_say(tool, "Down. What was running goes on with: cajal up");
    }
    return code;
}

int verb_supervise(struct tool *tool)
{
    const char *runtime = tool->cli.values[FLAG_RUNTIME];
    int code = tool_place(tool, true);

    spawn_settle();
    if (code != EXIT_DONE) {
        return code;
    }
    if (runtime != NULL) { /* whoever started us looks there */
        (void)snprintf(tool->place.runtime, sizeof(tool->place.runtime), "%s",
                       runtime);
    }
    return supervise(&tool->place, tool->cli.workers,
                     tool->cli.threads > 0 ? tool->cli.threads : 1);
}

int verb_watch(struct tool *tool)
{
    struct watch_options options = {.job = tool_job(tool, 0)};
    struct watch_result result;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    if (tool->transient) {
        tool_say(tool, "Nothing runs on this store: this is how it was left. "
                       "To let it go on: cajal up");
        options.ends_if_paused = true;
    }
    watch_catch_signals();
    watch_job(tool, &options, &result);
    switch (result.end) {
    case WATCH_INTERRUPTED:
    case WATCH_HUNG_UP:
        return EXIT_INTERRUPTED;
    case WATCH_TERMINATED:
        return EXIT_TERMINATED;
    case WATCH_LOST:
    case WATCH_REFUSED:
        return result.exit_code;
    case WATCH_ENDED:
        break;
    }
    return tool->cli.values[FLAG_EXIT_STATUS] != NULL
               ? watch_exit_code(result.state)
               : EXIT_DONE;
}

/* Asks a coordinator that is there, but starts none for it. */
int verb_version(struct tool *tool)
{
    cJSON *document = json_document("ToolVersion");
    cJSON *about = NULL;
    char why[ERROR_BYTES_MAX];
    bool remote = tool->cli.values[FLAG_ADDRESS] != NULL;

    json_add_text(document, "client", CAJAL_VERSION);
    if (!remote && place_find(tool->cli.values[FLAG_STORE], false, &tool->place,
                              why, sizeof(why)) == STATUS_OK) {
        tool->placed = true;
    }
    if (remote || (tool->placed && place_answers(&tool->place))) {
        int code = tool_connect(tool, NEED_RUNNING);

        if (code != EXIT_DONE) {
            cJSON_Delete(document);
            return code;
        }
        about = ask(tool);
    }
    (void)cJSON_AddItemToObject(document, "coordinator",
                                about != NULL ? about : cJSON_CreateNull());
    return tool_print(tool, document, print_version_tool);
}
