#include "client/spawn.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { ARGUMENTS_MAX = 24, TAIL_BYTES = 2048, POLL_NS = 5000000 };

/* How a process is tied to the terminal that this one has. */
enum session {
    SESSION_GROUP,  /* own process group: Ctrl-C does not reach it */
    SESSION_SAME,   /* of a supervisor, which has no terminal */
    SESSION_SETTLES /* will call spawn_settle */
};

struct command {
    char program[PATH_BYTES_MAX];
    const char *arguments[ARGUMENTS_MAX]; /* borrowed; argv[0] too */
    size_t count;
    char log[PATH_BYTES_MAX];
};

static void add(struct command *command, const char *argument)
{
    CHECK(command->count + 1 < ARGUMENTS_MAX); /* and the NULL at the end */
    command->arguments[command->count++] = argument;
}

static void add_pair(struct command *command,
                     const char *flag,
                     const char *value)
{
    add(command, flag);
    add(command, value);
}

static enum status begin(struct command *command,
                         const struct place *place,
                         const char *program,
                         const char *log)
{
    enum status status = STATUS_OK;

    memset(command, 0, sizeof(*command));
    status = place_program(program, command->program, sizeof(command->program));
    if (status != STATUS_OK) {
        return status;
    }
    return place_log(place, log, command->log, sizeof(command->log));
}

static void add_places(struct command *command, const struct place *place)
{
    add_pair(command, "--store", place->store);
    add_pair(command, "--runtime", place->runtime);
}

/* Signals start out as in a fresh shell, whatever we caught or blocked. */
static int set_attributes(posix_spawnattr_t *attributes, enum session session)
{
    sigset_t set;
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    int code = 0;

    (void)sigfillset(&set);
    code |= posix_spawnattr_setsigdefault(attributes, &set);
    (void)sigemptyset(&set);
    if (session == SESSION_SETTLES) {
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGQUIT);
    }
    code |= posix_spawnattr_setsigmask(attributes, &set);
    if (session == SESSION_GROUP) {
        flags |= POSIX_SPAWN_SETPGROUP;
        code |= posix_spawnattr_setpgroup(attributes, 0);
    }
    code |= posix_spawnattr_setflags(attributes, flags);
    return code;
}

static int set_files(posix_spawn_file_actions_t *actions, const char *log)
{
    int code = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
                                                "/dev/null", O_RDONLY, 0);

    code |= posix_spawn_file_actions_addopen(
        actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    code |=
        posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    return code;
}

static enum status launch(struct command *command,
                          enum session session,
                          pid_t *out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0) {
        return STATUS_NO_MEMORY;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return STATUS_NO_MEMORY;
    }
    code = set_files(&actions, command->log);
    code |= set_attributes(&attributes, session);
    if (code == 0) {
        /* posix_spawn has no const for what it does not change. */
        code = posix_spawn(&pid, command->program, &actions, &attributes,
                           (char *const *)command->arguments, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    if (code != 0) {
        return code == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    *out = pid;
    return STATUS_OK;
}

bool spawn_has(const char *program)
{
    char path[PATH_BYTES_MAX];

    return place_program(program, path, sizeof(path)) == STATUS_OK &&
           access(path, X_OK) == 0;
}

enum status spawn_coordinator(const struct place *place,
                              const struct spawn_coordinator *options,
                              pid_t *out)
{
    struct command command;
    enum status status =
        begin(&command, place, "cajal-coordinator", "coordinator.log");

    if (status != STATUS_OK) {
        return status;
    }
    add(&command, command.program);
    add_places(&command, place);
    if (options->transient) {
        add(&command, "--transient");
    }
    if (options->resume) {
        add(&command, "--resume");
    }
    if (options->rebuild != NULL) {
        add_pair(&command, "--rebuild", options->rebuild);
    }
    add_pair(&command, "--log-file", command.log);
    return launch(&command, options->transient ? SESSION_GROUP : SESSION_SAME,
                  out);
}

enum status spawn_worker(const struct place *place,
                         const struct spawn_worker *options,
                         pid_t *out)
{
    struct command command;
    char log[NAME_BYTES_MAX];
    char endpoint[PATH_BYTES_MAX + 32];
    char number[16];
    enum status status = STATUS_OK;

    (void)snprintf(log, sizeof(log), "%s.log", options->name);
    status = begin(&command, place, "cajal-worker", log);
    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/workers.sock",
                   place->runtime);
    (void)snprintf(number, sizeof(number), "%u", (unsigned)options->threads);
    add(&command, command.program);
    add_places(&command, place);
    add_pair(&command, "--name", options->name);
    add_pair(&command, "--connect", endpoint);
    add_pair(&command, "--threads", number);
    add_pair(&command, "--log-file", command.log);
    return launch(&command, options->guest ? SESSION_GROUP : SESSION_SAME, out);
}

enum status spawn_supervisor(const struct place *place,
                             uint32_t workers,
                             uint32_t threads,
                             pid_t *out)
{
    struct command command;
    char workers_text[16];
    char threads_text[16];
    enum status status = begin(&command, place, "cajal", "supervise.log");

    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(workers_text, sizeof(workers_text), "%u", (unsigned)workers);
    (void)snprintf(threads_text, sizeof(threads_text), "%u", (unsigned)threads);
    add(&command, command.program);
    add(&command, "supervise");
    add_places(&command, place);
    add_pair(&command, "--workers", workers_text);
    add_pair(&command, "--threads", threads_text);
    return launch(&command, SESSION_SETTLES, out);
}

enum status spawn_attendant(const struct place *place,
                            const char *job,
                            pid_t *out)
{
    struct command command;
    enum status status = begin(&command, place, "cajal", "supervise.log");

    if (status != STATUS_OK) {
        return status;
    }
    add(&command, command.program);
    add(&command, "attend");
    add(&command, job);
    add_pair(&command, "--store", place->store);
    return launch(&command, SESSION_SETTLES, out);
}

void spawn_settle(void)
{
    sigset_t none;

    (void)setsid(); /* fails only where we lead a group already: as good */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

bool spawn_wait(pid_t pid, int64_t wait_ms, int *out_status)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    uint64_t deadline = clock_now_ms() + (uint64_t)(wait_ms > 0 ? wait_ms : 0);

    for (;;) {
        pid_t found = waitpid(pid, out_status, WNOHANG);

        if (found == pid) {
            return true;
        }
        if (found < 0 && errno != EINTR) {
            *out_status = 0; /* not our child, or waited for already */
            return true;
        }
        if (clock_now_ms() >= deadline) {
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
}

void spawn_end(pid_t pid, int64_t wait_ms)
{
    int status = 0;

    if (pid <= 0) {
        return;
    }
    (void)kill(pid, SIGTERM);
    if (!spawn_wait(pid, wait_ms, &status)) {
        (void)kill(pid, SIGKILL);
        (void)spawn_wait(pid, wait_ms, &status);
    }
}

void spawn_describe(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(out, size, "killed by signal %d%s", WTERMSIG(status),
                       WTERMSIG(status) == SIGKILL ? " (out of memory?)" : "");
        return;
    }
    (void)snprintf(out, size, "exit code %d", WEXITSTATUS(status));
}

void spawn_last_words(const char *log, char *out, size_t size)
{
    char tail[TAIL_BYTES + 1];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    off_t end = 0;
    ssize_t count = 0;
    char *line = tail;

    out[0] = '\0';
    if (fd < 0) {
        return;
    }
    end = lseek(fd, 0, SEEK_END);
    count =
        pread(fd, tail, TAIL_BYTES, end > TAIL_BYTES ? end - TAIL_BYTES : 0);
    (void)close(fd);
    if (count <= 0) {
        return;
    }
    while (count > 0 && tail[count - 1] == '\n') {
        count--;
    }
    tail[count] = '\0';
    if (strrchr(tail, '\n') != NULL) {
        line = strrchr(tail, '\n') + 1;
    }
    (void)snprintf(out, size, "%s", line);
}
