#include "client/cluster.h"

#include "base/clock.h"
#include "client/spawn.h"
#include "client/start.h"
#include "client/supervise.h"

#include <string.h>
#include <time.h>

enum {
    /* Running jobs are cut and committed first. */
    STOP_WAIT_MS = 25000,
    TRANSIENT_WAIT_MS = 5000,
    POLL_NS = 5000000
};

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};

    (void)nanosleep(&pause, NULL);
}

/* A coordinator that serves passing commands would end under our hands: wait
 * for that. True: one that stays is there. */
static int stays(struct tool *tool, bool *out)
{
    uint64_t deadline_ms = clock_now_ms() + TRANSIENT_WAIT_MS;
    int code = EXIT_DONE;

    *out = false;
    if (!place_answers(&tool->place)) {
        return EXIT_DONE;
    }
    code = tool_connect(tool, NEED_RUNNING);
    if (code != EXIT_DONE) {
        return code;
    }
    if (!tool->transient) {
        *out = true;
        return EXIT_DONE;
    }
    cajal_close(tool->cajal);
    tool->cajal = NULL;
    while (place_answers(&tool->place)) {
        if (clock_now_ms() >= deadline_ms) {
            return tool_fail(tool, STATUS_CONFLICT,
                             "other commands keep using the store %s. Try "
                             "again when they are done.",
                             tool->place.store);
        }
        /* Looking is a connection too: leave it time to be alone. */
        for (int i = 0; i < 100; i++) {
            pause_shortly();
        }
    }
    return EXIT_DONE;
}

int cluster_start(struct tool *tool,
                  uint32_t workers,
                  uint32_t threads,
                  struct cluster *out)
{
    char why[2 * ERROR_BYTES_MAX];
    bool there = false;
    enum status status = STATUS_OK;
    int code = tool_place(tool, true);

    *out = (struct cluster){.supervisor = 0};
    if (code == EXIT_DONE) {
        code = stays(tool, &there);
    }
    if (code != EXIT_DONE || there) {
        return code;
    }
    if (!spawn_has("cajal-coordinator") || !spawn_has("cajal-worker")) {
        return tool_fail(tool, STATUS_NOT_FOUND,
                         "cajal-coordinator and cajal-worker must be "
                         "installed in the directory of cajal.");
    }
    if (!supervise_is_there(&tool->place)) {
        status =
            spawn_supervisor(&tool->place, workers, threads, &out->supervisor);
        if (status != STATUS_OK) {
            return tool_fail(tool, status, "cannot start a supervisor: %s.",
                             status_text(status));
        }
    }
    status = start_wait(&tool->place, out->supervisor, why, sizeof(why));
    if (status != STATUS_OK) {
        spawn_end(out->supervisor, STOP_WAIT_MS);
        out->supervisor = 0;
        return tool_fail(tool, status, "%s", why);
    }
    code = tool_connect(tool, NEED_RUNNING);
    if (code != EXIT_DONE) { /* nobody else would end it */
        spawn_end(out->supervisor, STOP_WAIT_MS);
        out->supervisor = 0;
    }
    return code;
}

struct busy {
    const char *except;
    uint32_t count;
};

static void count_job(void *owner, const void *message)
{
    struct busy *busy = owner;
    const Cajal__V1__JobSummary *m = message;

    busy->count +=
        strcmp(m->job, busy->except) != 0 &&
        (strcmp(m->state, "running") == 0 || strcmp(m->state, "waiting") == 0 ||
         strcmp(m->state, "queued") == 0);
}

int cluster_busy_jobs(struct tool *tool, const char *except, uint32_t *out)
{
    Cajal__V1__ListJobsRequest request = CAJAL__V1__LIST_JOBS_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    struct busy busy = {.except = except};
    int code = EXIT_DONE;

    if (cajal_list_jobs(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    code = tool_each(tool, stream, count_job, &busy);
    *out = busy.count;
    return code;
}

static bool is_gone(const struct tool *tool, pid_t supervisor)
{
    int ended = 0;

    if (supervisor > 0) {
        return spawn_wait(supervisor, 0, &ended);
    }
    return !place_answers(&tool->place) && !supervise_is_there(&tool->place);
}

int cluster_stop(struct tool *tool, pid_t supervisor)
{
    Cajal__V1__ShutdownRequest request = CAJAL__V1__SHUTDOWN_REQUEST__INIT;
    Cajal__V1__ShutdownReply *reply = NULL;
    uint64_t deadline_ms = clock_now_ms() + STOP_WAIT_MS;
    enum status status = STATUS_OK;

    status = cajal_shutdown(tool->cajal, &request, &reply);
    if (status == STATUS_OK) {
        cajal_free(reply);
    } else if (status != STATUS_UNAVAILABLE) { /* gone already is fine */
        (void)tool_fail_call(tool);
    }
    cajal_close(tool->cajal);
    tool->cajal = NULL;
    if (tool->cli.values[FLAG_ADDRESS] != NULL) {
        return tool_exit_code(status, 0);
    }
    while (!is_gone(tool, supervisor)) {
        if (clock_now_ms() >= deadline_ms) {
            spawn_end(supervisor, STOP_WAIT_MS);
            return tool_fail(tool, STATUS_DEADLINE,
                             "waited 25 s for the processes to end, in vain. "
                             "See %s/logs/supervise.log",
                             tool->place.store);
        }
        pause_shortly();
    }
    return EXIT_DONE;
}
