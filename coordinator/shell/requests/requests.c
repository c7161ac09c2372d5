/* requests.c - calls, and those among them that wait for an answer. */
#include "coordinator/shell/inside.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* --- The table --- */

static struct waiting *find_waiting(struct shell *shell, uint64_t id)
{
    for (uint32_t w = 0; id != 0 && w < REQUESTS_MAX; w++) {
        if (shell->waiting[w].id == id) {
            return &shell->waiting[w];
        }
    }
    return NULL;
}

/* The core goes on with what was asked for; only nobody hears of it. */
static void on_closed(void *owner)
{
    struct waiting *waiting = owner;

    waiting->call = NULL;
}

struct waiting *requests_wait(struct shell *shell,
                              struct call *call,
                              enum rpc_method method)
{
    for (uint32_t w = 0; w < REQUESTS_MAX; w++) {
        struct waiting *waiting = &shell->waiting[w];

        if (waiting->id != 0) {
            continue;
        }
        *waiting = (struct waiting){.id = ++shell->last_request,
                                    .call = call,
                                    .method = method,
                                    .shell = shell};
        call_attach(call, &(struct call_events){.on_closed = on_closed,
                                                .owner = waiting});
        return waiting;
    }
    call_finish(call, STATUS_BUSY,
                "this coordinator has too many requests. Try again later");
    return NULL;
}

void requests_forget(struct waiting *waiting)
{
    mem_free(waiting->spec);
    *waiting = (struct waiting){.id = 0};
}

void requests_fail(struct waiting *waiting,
                   enum status status,
                   const char *text)
{
    if (waiting->call != NULL) {
        call_finish(waiting->call, status,
                    text[0] != '\0' ? text : status_text(status));
    }
    requests_forget(waiting);
}

void requests_tell_change(struct waiting *waiting,
                          uint64_t job,
                          uint64_t version,
                          const char *text)
{
    Cajal__V1__ChangeReply reply = CAJAL__V1__CHANGE_REPLY__INIT;
    struct job_record *record = mem_new(sizeof(*record));
    char job_text[NUMBER_BYTES_MAX];
    char version_text[NUMBER_BYTES_MAX];

    reply.job = (char *)(uintptr_t)names_job(job, job_text);
    reply.text = (char *)(uintptr_t)text;
    reply.version = (char *)(uintptr_t)names_version(version, version_text);
    if (record != NULL &&
        shell_view(waiting->shell, job, record) == STATUS_OK) {
        reply.state = (char *)(uintptr_t)job_state_name(record->state);
    }
    if (waiting->call != NULL) {
        call_reply(waiting->call, &reply.base);
    }
    mem_free(record);
    requests_forget(waiting);
}

void requests_deliver(struct shell *shell, struct request *request)
{
    struct job_record *record = NULL;
    struct coord_event event = {.type = COORD_REQUEST};

    if (request->job != 0 &&
        coord_find(shell->core, request->job) == JOBS_MAX) {
        record = mem_new(sizeof(*record));
        if (record != NULL &&
            shell_record(shell, request->job, record) == STATUS_OK) {
            request->record = record;
        }
    }
    event.request = *request;
    shell_deliver(shell, &event);
    mem_free(record);
}

/* --- What comes back from the core --- */

static void tell_evaluations(struct waiting *waiting,
                             const struct action *action)
{
    struct query *query = waiting->evaluations;

    if (query != NULL && action->reply.status == STATUS_OK) {
        query_deliver(query); /* which clears waiting->evaluations, or ... */
    } else if (query != NULL) {
        query_fail(query, action->reply.status, action->reply.text);
    }
    requests_forget(waiting);
}

static bool is_of_worker(enum rpc_method method)
{
    return method == RPC_CORDON || method == RPC_UNCORDON ||
           method == RPC_DRAIN;
}

void requests_reply(struct shell *shell, const struct action *action)
{
    struct waiting *waiting = find_waiting(shell, action->reply.request);
    const Cajal__V1__ShutdownReply down = CAJAL__V1__SHUTDOWN_REPLY__INIT;

    if (waiting == NULL) {
        return;
    }
    if (waiting->method == RPC_EVALUATE) {
        tell_evaluations(waiting, action);
    } else if (waiting->method == RPC_LAUNCH) {
        ask_launch_done(waiting, action);
    } else if (action->reply.status != STATUS_OK) {
        requests_fail(waiting, action->reply.status, action->reply.text);
    } else if (waiting->method == RPC_PROBE) {
        ask_probe_done(waiting, action);
    } else if (waiting->method == RPC_SHUTDOWN) {
        if (waiting->call != NULL) {
            call_reply(waiting->call, &down.base);
        }
        requests_forget(waiting);
    } else if (is_of_worker(waiting->method)) {
        ask_worker_done(waiting, action);
    } else {
        requests_tell_change(waiting, action->reply.job, action->reply.version,
                             action->reply.text);
    }
}

void requests_evaluation(struct shell *shell, const struct action *action)
{
    struct waiting *waiting = find_waiting(shell, action->evaluation.request);
    const struct evaluation *evaluation = &action->evaluation.evaluation;
    Cajal__V1__TaskEvaluation m = CAJAL__V1__TASK_EVALUATION__INIT;
    char version[NUMBER_BYTES_MAX];

    if (waiting == NULL || waiting->evaluations == NULL ||
        query_full(waiting->evaluations)) {
        return;
    }
    m.version =
        (char *)(uintptr_t)names_version(action->evaluation.version, version);
    m.task = evaluation->task;
    m.examples = evaluation->examples;
    m.correct = evaluation->correct;
    m.loss_sum = evaluation->loss_sum;
    if (query_emit(waiting->evaluations, &m.base) != STATUS_OK) {
        query_fail(waiting->evaluations, STATUS_NO_MEMORY, "out of memory");
    }
}

void requests_shutdown(struct shell *shell)
{
    struct request request = {.kind = REQUEST_SHUTDOWN};

    requests_deliver(shell, &request);
}

/* --- Dispatch --- */

static void take_shutdown(struct shell *shell, struct call *call)
{
    struct waiting *waiting = requests_wait(shell, call, RPC_SHUTDOWN);
    struct request request = {.kind = REQUEST_SHUTDOWN};

    if (waiting != NULL) {
        shell->quitting = true;
        request.id = waiting->id;
        requests_deliver(shell, &request);
    }
}

static void take_watch(struct shell *shell,
                       struct call *call,
                       const Cajal__V1__WatchRequest *message)
{
    struct job_record *record = NULL;
    struct event_record present = {.wall_ms = clock_wall_ms(),
                                   .kind = "progress"};
    struct watch_start start = {.from = message->from,
                                .until_end = message->until_end,
                                .present = &present};

    if (!shell_find_job(shell, call, message->job, &start.job)) {
        return;
    }
    record = mem_new(sizeof(*record));
    if (record == NULL || shell_view(shell, start.job, record) != STATUS_OK) {
        mem_free(record);
        call_finish(call, STATUS_CORRUPT, "the job's record cannot be read");
        return;
    }
    eventcode_fill(record, &present);
    present.version = record->head;
    (void)snprintf(present.text, sizeof(present.text), "%s", record->reason);
    start.last = keeper_last_event(shell->keeper, start.job);
    watch_add(shell->watch, call, &start);
    mem_free(record);
}

/* Calls that change something. False: it is none of them. */
static bool take_change(struct shell *shell,
                        struct call *call,
                        enum rpc_method method,
                        const void *message)
{
    if (method == RPC_LAUNCH) {
        ask_launch(shell, call, message);
    } else if (method == RPC_PROBE) {
        ask_probe(shell, call, message);
    } else if (method == RPC_CANCEL || method == RPC_PAUSE ||
               method == RPC_RESUME) {
        ask_change(shell, call, method, message);
    } else if (method == RPC_SET) {
        ask_set(shell, call, message);
    } else if (method == RPC_RESTORE) {
        ask_restore(shell, call, message);
    } else if (method == RPC_UNDO) {
        ask_undo(shell, call, message);
    } else if (method == RPC_TAG) {
        ask_tag(shell, call, message);
    } else if (method == RPC_EVALUATE) {
        ask_evaluate(shell, call, message);
    } else if (method == RPC_GC) {
        ask_gc(shell, call, message);
    } else if (method == RPC_SHUTDOWN) {
        take_shutdown(shell, call);
    } else if (is_of_worker(method)) {
        ask_worker(shell, call, method, message);
    } else {
        return false;
    }
    return true;
}

void requests_take(struct shell *shell,
                   struct call *call,
                   enum rpc_method method,
                   const ProtobufCMessage *base)
{
    const void *message = base;

    if (take_change(shell, call, method, message)) {
        return;
    }
    if (method == RPC_ABOUT) {
        answer_about(shell, call);
    } else if (method == RPC_LIST_JOBS) {
        answer_list_jobs(shell, call, message);
    } else if (method == RPC_STATUS) {
        answer_status(shell, call, message);
    } else if (method == RPC_WATCH) {
        take_watch(shell, call, message);
    } else if (method == RPC_HISTORY) {
        answer_history(shell, call, message);
    } else if (method == RPC_SHOW) {
        answer_show(shell, call, message);
    } else if (method == RPC_DIFF) {
        answer_diff(shell, call, message);
    } else if (method == RPC_LIST_TAGS) {
        answer_list_tags(shell, call, message);
    } else if (method == RPC_PULL) {
        answer_pull(shell, call, message);
    } else if (method == RPC_FOLLOW) {
        answer_follow(shell, call, message);
    } else if (method == RPC_METRICS) {
        answer_metrics(shell, call, message);
    } else if (method == RPC_VERIFY) {
        answer_verify(shell, call);
    } else if (method == RPC_BACKUP) {
        answer_backup(shell, call, message);
    } else if (method == RPC_LIST_WORKERS) {
        answer_list_workers(shell, call);
    } else {
        CHECK(method == RPC_LOGS);
        answer_logs(shell, call, message);
    }
}
