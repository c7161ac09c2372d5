/* asks_workers.c - what people do to a worker: cordon, uncordon, drain. */
#include "coordinator/shell/inside.h"

enum {
    DRAIN_WAIT_MS = 60000,
    DRAIN_WAIT_MS_MAX = 86400000 /* a day */
};

/* The number of the worker meant, or the call is answered. */
static bool find_worker(struct shell *shell,
                        struct call *call,
                        const char *text,
                        uint32_t *out)
{
    *out = members_find(&shell->core->members, text);
    if (*out == NO_WORKER) {
        call_finish(call, STATUS_NOT_FOUND,
                    "there is no such worker. `cajal workers` lists them");
    }
    return *out != NO_WORKER;
}

void ask_worker(struct shell *shell,
                struct call *call,
                enum rpc_method method,
                const Cajal__V1__WorkerRequest *message)
{
    struct request request = {.kind = method == RPC_CORDON ? REQUEST_CORDON
                                      : method == RPC_UNCORDON
                                          ? REQUEST_UNCORDON
                                          : REQUEST_DRAIN,
                              .wait_ms = message->timeout_ms};
    struct waiting *waiting = NULL;

    if (request.wait_ms == 0) {
        request.wait_ms = DRAIN_WAIT_MS;
    }
    if (request.wait_ms > DRAIN_WAIT_MS_MAX) {
        call_finish(call, STATUS_INVALID, "a drain waits for a day at most");
        return;
    }
    if (!find_worker(shell, call, message->worker, &request.worker)) {
        return;
    }
    waiting = requests_wait(shell, call, method);
    if (waiting != NULL) {
        waiting->worker = request.worker;
        request.id = waiting->id;
        requests_deliver(shell, &request);
    }
}

void ask_worker_done(struct waiting *waiting, const struct action *action)
{
    const struct coord *core = waiting->shell->core;
    const struct member *m = &core->members.items[waiting->worker];
    Cajal__V1__WorkerReply reply = CAJAL__V1__WORKER_REPLY__INIT;

    reply.worker = (char *)(uintptr_t)m->hello.name;
    reply.text = (char *)(uintptr_t)action->reply.text;
    reply.state = (char *)(uintptr_t)coord_worker_state(core, waiting->worker);
    if (waiting->call != NULL) {
        call_reply(waiting->call, &reply.base);
    }
    requests_forget(waiting);
}
