#include "coordinator/shell/queries/inspector.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The process itself --- */

static int tell_failure(enum status status, const char *why)
{
    printf("failed %d %s\n", (int)status,
           why[0] != '\0' ? why : status_text(status));
    return fflush(stdout) == 0 ? 0 : 1;
}

static void tell_fault(void *owner, const char *sentence)
{
    (void)owner;
    printf("fault %s\n", sentence);
    (void)fflush(stdout); /* the next page may be the end of us */
}

int inspect_verify(const char *dir)
{
    char why[ERROR_BYTES_MAX] = "";
    struct store *store = NULL;
    struct store_verdict verdict;
    enum status status = store_open_reader(dir, why, sizeof(why), &store);

    if (status == STATUS_OK) {
        status = store_verify(store, tell_fault, NULL, &verdict);
    }
    store_close(store);
    if (status != STATUS_OK) {
        return tell_failure(status, why);
    }
    printf("done %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
           verdict.chunks, verdict.bytes, verdict.versions, verdict.faults);
    return fflush(stdout) == 0 ? 0 : 1;
}

int inspect_backup(const char *from, const char *dir)
{
    char why[ERROR_BYTES_MAX] = "";
    struct store *store = NULL;
    uint64_t bytes = 0;
    enum status status = store_open_reader(from, why, sizeof(why), &store);

    if (status == STATUS_OK) {
        status = store_backup(store, dir, why, sizeof(why), &bytes);
    }
    store_close(store);
    if (status != STATUS_OK) {
        return tell_failure(status, why);
    }
    printf("done %" PRIu64 "\n", bytes);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* --- Who started it --- */

struct inspector {
    pid_t pid; /* 0: it has been waited for */
    int pipe;
    int ended; /* as waitpid tells */
    bool over; /* no more lines */
    size_t used;
    char buffer[2 * INSPECTOR_LINE_MAX];
};

/* Signals as in a fresh process, whatever the loop blocks. */
static int start(struct inspector *inspector,
                 const char *program,
                 char *const *arguments,
                 int out)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0) {
        return code;
    }
    code = posix_spawnattr_init(&attributes);
    if (code != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return code;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    code = posix_spawn(&inspector->pid, program, &actions, &attributes,
                       arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

enum status inspector_open(const char *program,
                           const char *what,
                           const char *store,
                           const char *dir,
                           struct inspector **out)
{
    const char *arguments[] = {
        "cajal-inspector", "--inspect", what, "--store", store,
        "--into",          dir,         NULL};
    struct inspector *inspector = mem_new(sizeof(*inspector));
    int ends[2] = {-1, -1};
    int code = 0;

    if (inspector == NULL) {
        return STATUS_NO_MEMORY;
    }
    inspector->pipe = -1;
    if (dir == NULL) {
        arguments[5] = NULL;
    }
    code = pipe(ends) == 0 ? 0 : errno;
    if (code == 0) {
        inspector->pipe = ends[0];
        (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
        code = start(inspector, program, (char *const *)(uintptr_t)arguments,
                     ends[1]);
        close(ends[1]);
    }
    if (code != 0) {
        log_line(LOG_ERROR, "inspector", "start_failed", "errno=%d", code);
        inspector_close(inspector);
        return STATUS_IO;
    }
    *out = inspector;
    return STATUS_OK;
}

/* Takes a line out of the buffer. */
static bool take_line(struct inspector *inspector, char *line)
{
    char *end = memchr(inspector->buffer, '\n', inspector->used);
    size_t size = 0;

    if (end == NULL) {
        return false;
    }
    size = (size_t)(end - inspector->buffer);
    snprintf(line, INSPECTOR_LINE_MAX, "%.*s", (int)size, inspector->buffer);
    inspector->used -= size + 1;
    memmove(inspector->buffer, end + 1, inspector->used);
    return true;
}

enum status inspector_read(struct inspector *inspector,
                           int wait_ms,
                           char line[INSPECTOR_LINE_MAX])
{
    struct pollfd wait = {.fd = inspector->pipe, .events = POLLIN};
    ssize_t count = 0;

    while (!take_line(inspector, line)) {
        if (inspector->over || inspector->used == sizeof(inspector->buffer)) {
            return STATUS_NOT_FOUND;
        }
        if (poll(&wait, 1, wait_ms) == 0) {
            return STATUS_BUSY;
        }
        count = read(inspector->pipe, inspector->buffer + inspector->used,
                     sizeof(inspector->buffer) - inspector->used);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        inspector->over = count <= 0;
        inspector->used += count > 0 ? (size_t)count : 0;
    }
    return STATUS_OK;
}

static void reap(struct inspector *inspector)
{
    pid_t found = 0;

    if (inspector->pid == 0) {
        return;
    }
    do {
        found = waitpid(inspector->pid, &inspector->ended, 0);
    } while (found < 0 && errno == EINTR);
    inspector->pid = 0;
}

int inspector_end(struct inspector *inspector)
{
    reap(inspector);
    return WIFSIGNALED(inspector->ended) ? WTERMSIG(inspector->ended) : 0;
}

void inspector_close(struct inspector *inspector)
{
    if (inspector == NULL) {
        return;
    }
    if (inspector->pid != 0) {
        (void)kill(inspector->pid, SIGKILL);
        reap(inspector);
    }
    if (inspector->pipe >= 0) {
        close(inspector->pipe);
    }
    mem_free(inspector);
}
