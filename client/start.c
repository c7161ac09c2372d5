#include "client/start.h"

#include "base/clock.h"
#include "client/spawn.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum {
    POLL_NS = 3000000,
    /* The coordinator's exit code for "another process has this store". */
    EXIT_CONFLICT = 6,
    /* And the one for a store that cannot be used or made. */
    EXIT_STORE = 7,
    /* That other may be a transient one which is about to end. */
    CONFLICT_PAUSE_MS = 200
};

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};

    (void)nanosleep(&pause, NULL);
}

static void tell(const struct place *place,
                 const char *what,
                 const char *log_name,
                 char *why,
                 size_t why_size)
{
    char log[PATH_BYTES_MAX];
    char words[ERROR_BYTES_MAX / 2] = "";

    if (place_log(place, log_name, log, sizeof(log)) == STATUS_OK) {
        spawn_last_words(log, words, sizeof(words));
    }
    if (words[0] != '\0') {
        (void)snprintf(why, why_size, "%s Its log %s ends with: %s", what, log,
                       words);
    } else {
        (void)snprintf(why, why_size, "%s", what);
    }
}

static enum status spawn_one(const struct place *place,
                             const char *mirrors,
                             pid_t *pid,
                             char *why,
                             size_t why_size)
{
    const struct spawn_coordinator options = {.transient = true,
                                              .rebuild = mirrors};
    enum status status = spawn_coordinator(place, &options, pid);

    if (status == STATUS_NOT_FOUND) {
        (void)snprintf(why, why_size,
                       "cajal-coordinator is not installed beside cajal.");
    } else if (status != STATUS_OK) {
        (void)snprintf(why, why_size,
                       "cannot start a coordinator: is %s/logs writable?",
                       place->store);
    }
    return status;
}

/* True: the child has ended for a reason that waiting does not mend. */
static bool has_failed(const struct place *place,
                       pid_t *pid,
                       uint64_t *again_ms,
                       char *why,
                       size_t why_size)
{
    char how[64];
    char what[160];
    int status = 0;

    if (*pid == 0 || !spawn_wait(*pid, 0, &status)) {
        return false;
    }
    *pid = 0;
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == EXIT_CONFLICT || WEXITSTATUS(status) == 0)) {
        *again_ms = clock_now_ms() + CONFLICT_PAUSE_MS;
        return false;
    }
    spawn_describe(status, how, sizeof(how));
    (void)snprintf(what, sizeof(what), "the coordinator ended at once: %s.",
                   how);
    tell(place, what, "coordinator.log", why, why_size);
    return true;
}

enum status start_transient(const struct place *place,
                            char *why,
                            size_t why_size)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t deadline_ms = now_ms + START_WAIT_MS;
    uint64_t again_ms = now_ms;
    pid_t pid = 0;
    enum status status = STATUS_OK;

    for (; now_ms < deadline_ms; now_ms = clock_now_ms()) {
        if (place_answers(place)) {
            return STATUS_OK;
        }
        if (has_failed(place, &pid, &again_ms, why, why_size)) {
            return STATUS_UNAVAILABLE;
        }
        if (pid == 0 && now_ms >= again_ms) {
            status = spawn_one(place, NULL, &pid, why, why_size);
            if (status != STATUS_OK) {
                return status;
            }
        }
        pause_shortly();
    }
    tell(place, "waited 15 s for a coordinator to listen, in vain.",
         "coordinator.log", why, why_size);
    return STATUS_DEADLINE;
}

/* The last line of its log is a sentence of its own about it. */
static enum status tell_rebuild(const struct place *place,
                                int ended,
                                char *why,
                                size_t why_size)
{
    static const char program[] = "cajal-coordinator: ";
    char log[PATH_BYTES_MAX];
    char words[ERROR_BYTES_MAX] = "";
    const char *text = words;
    char how[64];
    int code = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;

    if (place_log(place, "coordinator.log", log, sizeof(log)) == STATUS_OK) {
        spawn_last_words(log, words, sizeof(words));
    }
    if (strncmp(words, program, sizeof(program) - 1) != 0) {
        spawn_describe(ended, how, sizeof(how));
        (void)snprintf(why, why_size,
                       "the coordinator ended: %s. See its log %s", how, log);
        return STATUS_UNAVAILABLE;
    }
    text += sizeof(program) - 1;
    (void)snprintf(why, why_size, "%s", text);
    return code == EXIT_CONFLICT ? STATUS_CONFLICT
           : code == EXIT_STORE  ? STATUS_CORRUPT
                                 : STATUS_UNAVAILABLE;
}

enum status start_rebuild(const struct place *place,
                          const char *mirrors,
                          char *why,
                          size_t why_size)
{
    pid_t pid = 0;
    int ended = 0;
    enum status status = spawn_one(place, mirrors, &pid, why, why_size);

    while (status == STATUS_OK && !place_answers(place)) {
        if (spawn_wait(pid, 0, &ended)) {
            return tell_rebuild(place, ended, why, why_size);
        }
        pause_shortly();
    }
    return status;
}

enum status start_wait(const struct place *place,
                       pid_t supervisor,
                       char *why,
                       size_t why_size)
{
    uint64_t deadline_ms = clock_now_ms() + START_WAIT_MS;
    int ended = 0;

    while (clock_now_ms() < deadline_ms) {
        if (place_answers(place)) {
            return STATUS_OK;
        }
        if (supervisor > 0 && spawn_wait(supervisor, 0, &ended)) {
            tell(place, "the coordinator could not be started.",
                 "supervise.log", why, why_size);
            return STATUS_UNAVAILABLE;
        }
        pause_shortly();
    }
    tell(place, "waited 15 s for the coordinator to listen, in vain.",
         "coordinator.log", why, why_size);
    return STATUS_DEADLINE;
}
