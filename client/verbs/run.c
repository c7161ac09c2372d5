/* run, launch, attend: a job from start to end. */
#include "client/cluster.h"
#include "client/jobload.h"
#include "client/json.h"
#include "client/spawn.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"
#include "client/watch.h"
#include "proto/jobcode.h"

#include <stdio.h>
#include <string.h>

/* The second Ctrl-C counts when it comes this soon. */
enum { AGAIN_MS = 2000 };

struct run {
    struct tool *tool;
    struct cluster cluster;
    char job[NAME_BYTES_MAX];
};

/* The same request id makes a second try safe: it finds the job of the first.
 */
static int send_launch(struct tool *tool,
                       const struct jobload *load,
                       char *out_job,
                       size_t size)
{
    Cajal__V1__LaunchRequest request = CAJAL__V1__LAUNCH_REQUEST__INIT;
    Cajal__V1__LaunchReply *reply = NULL;
    uint8_t spec[JOBCODE_BYTES_MAX];
    char id[33];
    enum status status = STATUS_OK;

    tool_request_id(id);
    request.spec.data = spec;
    request.spec.len = jobcode_encode(&load->spec, spec);
    request.source = load->text;
    request.request_id = id;
    request.workers = tool->cli.workers;
    request.workers_min = tool->cli.workers_min;
    status = cajal_launch(tool->cajal, &request, &reply);
    if (status == STATUS_UNAVAILABLE &&
        tool_connect(tool, NEED_RUNNING) == EXIT_DONE) {
        status = cajal_launch(tool->cajal, &request, &reply);
    }
    if (status != STATUS_OK) {
        return tool_fail_call(tool);
    }
    (void)snprintf(out_job, size, "%s", reply->job);
    cajal_free(reply);
    return EXIT_DONE;
}

static cJSON *launch_document(const char *job)
{
    cJSON *document = json_document("Launch");

    json_add_text(document, "job", job);
    return document;
}

static void print_id(struct print *print, const cJSON *document)
{
    (void)fprintf(print->out, "%s\n", json_text(document, "job"));
}

int verb_launch(struct tool *tool)
{
    struct jobload *load = NULL;
    char job[NAME_BYTES_MAX] = "";
    int code = jobload_open(tool, tool->cli.arguments[0], &load);

    if (code == EXIT_DONE) {
        code = tool_connect(tool, NEED_CLUSTER);
    }
    if (code == EXIT_DONE) {
        code = send_launch(tool, load, job, sizeof(job));
    }
    jobload_close(load);
    return code != EXIT_DONE ? code
                             : tool_print(tool, launch_document(job), print_id);
}

/* Ends what this run has started, unless other jobs still need it. */
static int clean_up(struct run *run)
{
    uint32_t busy = 0;
    int code = EXIT_DONE;

    if (run->cluster.supervisor == 0) {
        return EXIT_DONE;
    }
    code = cluster_busy_jobs(run->tool, run->job, &busy);
    if (code == EXIT_DONE && busy > 0) {
        tool_say(run->tool,
                 "%u more jobs run on this store, so its cluster stays. "
                 "Stop it: cajal down",
                 (unsigned)busy);
        return EXIT_DONE;
    }
    return cluster_stop(run->tool, run->cluster.supervisor);
}

/* From now on somebody else ends the cluster with the job. */
static void hand_over(struct run *run)
{
    pid_t attendant = 0;

    if (run->cluster.supervisor == 0) {
        return;
    }
    if (spawn_attendant(&run->tool->place, run->job, &attendant) != STATUS_OK) {
        tool_say(run->tool, "The cluster stays when the job has ended. "
                            "Stop it: cajal down");
    }
}

/* " --store DIR" where the next commands would not find it by themselves. */
static const char *store_words(const struct tool *tool, char *out, size_t size)
{
    out[0] = '\0';
    if (tool->cli.values[FLAG_STORE] != NULL) {
        (void)snprintf(out, size, " --store %s", tool->cli.values[FLAG_STORE]);
    }
    return out;
}

static int detach(struct run *run)
{
    struct tool *tool = run->tool;
    char store[PATH_BYTES_MAX + 16];

    store_words(tool, store, sizeof(store));
    tool_say(tool,
             "\nDetached. %s goes on.   back: cajal watch %s%s   stop: cajal "
             "cancel %s%s\n(Ctrl-C again within 2 s cancels it)",
             run->job, run->job, store, run->job, store);
    if (watch_interrupted_within(AGAIN_MS)) {
        Cajal__V1__JobRequest request = CAJAL__V1__JOB_REQUEST__INIT;
        Cajal__V1__ChangeReply *reply = NULL;
        char id[33];

        tool_request_id(id);
        request.job = run->job;
        request.request_id = id;
        if (cajal_cancel(tool->cajal, &request, &reply) != STATUS_OK) {
            return tool_fail_call(tool);
        }
        cajal_free(reply);
        tool_say(tool, "Cancelled %s. Its versions stay: cajal history %s%s",
                 run->job, run->job, store);
        (void)clean_up(run);
        return EXIT_INTERRUPTED;
    }
    hand_over(run);
    return EXIT_INTERRUPTED;
}

/* The last words of a run: how it went, and what can be done next. */
static int summarise(struct run *run, char *state, size_t size)
{
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    struct tool *tool = run->tool;
    char store[PATH_BYTES_MAX + 16];
    int code = EXIT_DONE;

    request.job = run->job;
    if (cajal_status(tool->cajal, &request, &reply) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    if (reply->summary != NULL) {
        (void)snprintf(state, size, "%s", reply->summary->state);
    }
    code = tool_print(tool, json_status(reply), print_status);
    cajal_free(reply);
    store_words(tool, store, sizeof(store));
    tool_say(tool,
             "\nnext: cajal history %s%s\n      cajal metrics %s%s\n      "
             "cajal export %s@ net.safetensors%s",
             run->job, store, run->job, store, run->job, store);
    return code;
}

static int attend_to_end(struct run *run)
{
    struct watch_options options = {
        .job = run->job, .from = 1, .ends_on_pause = true};
    struct watch_result result;
    char state[32];
    int code = EXIT_DONE;

    watch_catch_signals();
    watch_job(run->tool, &options, &result);
    switch (result.end) {
    case WATCH_INTERRUPTED:
        return detach(run);
    case WATCH_HUNG_UP:
        hand_over(run);
        return EXIT_INTERRUPTED;
    case WATCH_TERMINATED:
        tool_say(run->tool,
                 "Terminated: %s is saved and stopped. It goes on "
                 "with: cajal up",
                 run->job);
        (void)clean_up(run);
        return EXIT_TERMINATED;
    case WATCH_LOST:
    case WATCH_REFUSED:
        spawn_end(run->cluster.supervisor, AGAIN_MS);
        return result.exit_code;
    case WATCH_ENDED:
        break;
    }
    (void)snprintf(state, sizeof(state), "%s", result.state);
    code = summarise(run, state, sizeof(state));
    if (code == EXIT_DONE) {
        code = watch_exit_code(state);
    }
    if (clean_up(run) != EXIT_DONE && code == EXIT_DONE) {
        code = EXIT_NO_ANSWER;
    }
    return code;
}

static int run_job(struct run *run, const struct jobload *load)
{
    struct tool *tool = run->tool;
    int code = send_launch(tool, load, run->job, sizeof(run->job));

    if (code != EXIT_DONE) {
        (void)clean_up(run);
        return code;
    }
    if (tool->cli.values[FLAG_DETACH] != NULL) {
        hand_over(run);
        return tool_print(tool, launch_document(run->job), print_id);
    }
    tool_say(tool, "Started %s (%s). Ctrl-C detaches.", run->job,
             load->spec.name);
    return attend_to_end(run);
}

int verb_run(struct tool *tool)
{
    struct run run = {.tool = tool};
    struct jobload *load = NULL;
    uint32_t workers = 0;
    int code = EXIT_DONE;

    if (tool->cli.values[FLAG_ADDRESS] != NULL) {
        return tool_usage(tool, "`run` works on this machine. To start a job "
                                "elsewhere: cajal launch --address ADDR");
    }
    code = jobload_open(tool, tool->cli.arguments[0], &load);
    if (code == EXIT_DONE) {
        workers =
            tool->cli.workers > 0 ? tool->cli.workers : load->spec.run.workers;
        code =
            cluster_start(tool, workers, load->spec.run.threads, &run.cluster);
    }
    if (code == EXIT_DONE) {
        code = run_job(&run, load);
    }
    jobload_close(load);
    return code;
}

/* Waits for the end of a job that nobody watches any more. */
int verb_attend(struct tool *tool)
{
    Cajal__V1__WatchRequest request = CAJAL__V1__WATCH_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    const void *message = NULL;
    enum status status = STATUS_DEADLINE;
    uint32_t busy = 0;
    int code = EXIT_DONE;

    spawn_settle();
    request.job = (char *)tool->cli.arguments[0];
    request.until_end = true;
    do {
        cajal_close(tool->cajal);
        tool->cajal = NULL;
        code = tool_connect(tool, NEED_RUNNING);
        if (code != EXIT_DONE) {
            return code;
        }
        if (cajal_watch(tool->cajal, &request, &stream) != STATUS_OK) {
            return tool_fail_call(tool);
        }
        do {
            status = cajal_next(stream, 60000, &message);
        } while (status == STATUS_DEADLINE ||
                 (status == STATUS_OK && message != NULL));
        cajal_stream_close(stream);
        watch_interrupted_within(AGAIN_MS); /* a restart takes a moment */
    } while (status == STATUS_UNAVAILABLE);
    if (status != STATUS_OK) {
        return tool_fail_call(tool);
    }
    code = cluster_busy_jobs(tool, request.job, &busy);
    if (code == EXIT_DONE && busy == 0) {
        code = cluster_stop(tool, 0);
    }
    return code;
}
