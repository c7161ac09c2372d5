#include "client/supervise.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "client/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_CONFLICT = 6,
    EXIT_USAGE = 2,
    EXIT_UNAVAILABLE = 5,
    /* Workers were told by the coordinator already. */
    WORKERS_END_MS = 500,
    /* A coordinator cuts and commits its jobs first. */
    COORDINATOR_END_MS = 20000,
    GUARDS_MAX = WORKERS_MAX + 1
};

struct supervisor {
    const struct place *place;
    uint32_t threads;
    struct guard guards[GUARDS_MAX]; /* the coordinator first */
    size_t guards_count;
    bool told_to_end;
    bool failed; /* the coordinator cannot be kept running */
};

/* True: so many failed starts lie within the window. */
static bool too_many_failures(struct guard *guard, uint64_t now_ms)
{
    uint32_t slot = guard->failures_count % GUARD_FAILURES_MAX;
    uint64_t oldest_ms = 0;

    guard->failures_ms[slot] = now_ms;
    guard->failures_count++;
    if (guard->failures_count < GUARD_FAILURES_MAX) {
        return false;
    }
    oldest_ms = guard->failures_ms[guard->failures_count % GUARD_FAILURES_MAX];
    return now_ms - oldest_ms < GUARD_WINDOW_MS;
}

static uint64_t pause_of(const struct guard *guard)
{
    uint64_t pause_ms = GUARD_PAUSE_MS;

    for (uint32_t i = 1; i < guard->deaths_in_a_row; i++) {
        pause_ms = 2 * pause_ms < GUARD_PAUSE_MS_MAX ? 2 * pause_ms
                                                     : GUARD_PAUSE_MS_MAX;
    }
    return pause_ms;
}

/* Exit codes that end a coordinator for good, or that waiting mends. */
static enum verdict judge_coordinator_exit(struct guard *guard,
                                           uint64_t now_ms,
                                           int code)
{
    if (code == 0) {
        return VERDICT_END;
    }
    if (code == EXIT_USAGE) {
        return VERDICT_GIVE_UP;
    }
    if (now_ms - guard->first_ms >= GUARD_CONFLICT_MS) {
        return VERDICT_GIVE_UP;
    }
    guard->restart_ms = now_ms + GUARD_PAUSE_MS;
    return VERDICT_RESTART;
}

enum verdict guard_judge(struct guard *guard, uint64_t now_ms, int status)
{
    uint64_t life_ms = now_ms - guard->started_ms;
    bool exited = WIFEXITED(status);
    int code = exited ? WEXITSTATUS(status) : -1;

    guard->restart_ms = UINT64_MAX;
    if (guard->kind == GUARD_COORDINATOR &&
        (code == 0 || code == EXIT_USAGE || code == EXIT_CONFLICT)) {
        return judge_coordinator_exit(guard, now_ms, code);
    }
    if (guard->kind == GUARD_WORKER && code == 0) {
        guard->restart_ms = now_ms + GUARD_LEFT_MS;
        return VERDICT_RESTART;
    }
    guard->deaths_in_a_row =
        life_ms >= GUARD_WINDOW_MS ? 1 : guard->deaths_in_a_row + 1;
    if (life_ms < GUARD_SHORT_MS && too_many_failures(guard, now_ms)) {
        return VERDICT_GIVE_UP;
    }
    guard->restart_ms = now_ms + pause_of(guard);
    return VERDICT_RESTART;
}

/* The lock is held for life; its bytes tell people who holds it. */
static int lock_place(const struct place *place)
{
    char path[PATH_BYTES_MAX];
    char text[32];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = -1;
    int count = 0;

    if (place_in_runtime(place, "supervise.lock", path, sizeof(path)) !=
        STATUS_OK) {
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        (void)close(fd);
        return -1;
    }
    count = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)count) != count) {
        log_line(LOG_WARN, "supervise", "lock_text", "path=%s", path);
    }
    return fd;
}

bool supervise_is_there(const struct place *place)
{
    char path[PATH_BYTES_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = false;
    int fd = -1;

    if (place_in_runtime(place, "supervise.lock", path, sizeof(path)) !=
        STATUS_OK) {
        return false;
    }
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(fd);
    return held;
}

static void start(struct supervisor *s, struct guard *guard, uint64_t now_ms)
{
    const struct spawn_coordinator options = {.resume = true};
    enum status status = STATUS_OK;

    guard->restart_ms = UINT64_MAX;
    guard->started_ms = now_ms;
    guard->first_ms = guard->first_ms > 0 ? guard->first_ms : now_ms;
    if (guard->kind == GUARD_COORDINATOR) {
        status = spawn_coordinator(s->place, &options, &guard->pid);
    } else {
        const struct spawn_worker worker = {.name = guard->name,
                                            .threads = s->threads};

        status = spawn_worker(s->place, &worker, &guard->pid);
    }
    if (status != STATUS_OK) {
        guard->pid = 0;
        log_line(LOG_ERROR, "supervise", "cannot_start", "name=%s why=\"%s\"",
                 guard->name,
                 status == STATUS_NOT_FOUND ? "not installed beside cajal"
                                            : status_text(status));
        if (guard->kind == GUARD_COORDINATOR) {
            s->told_to_end = true;
            s->failed = true;
        }
        return;
    }
    log_line(LOG_INFO, "supervise", "started", "name=%s pid=%ld", guard->name,
             (long)guard->pid);
}

static void on_death(struct supervisor *s, struct guard *guard, int status)
{
    uint64_t now_ms = clock_now_ms();
    enum verdict verdict = guard_judge(guard, now_ms, status);
    char how[64];

    guard->pid = 0;
    spawn_describe(status, how, sizeof(how));
    if (s->told_to_end) {
        log_line(LOG_INFO, "supervise", "ended", "name=%s how=\"%s\"",
                 guard->name, how);
        return;
    }
    switch (verdict) {
    case VERDICT_END:
        log_line(LOG_INFO, "supervise", "ended", "name=%s", guard->name);
        s->told_to_end = true;
        break;
    case VERDICT_GIVE_UP:
        log_line(LOG_ERROR, "supervise", "gave_up",
                 "name=%s how=\"%s\" advice=\"it ends whenever it is started, "
                 "see its log\"",
                 guard->name, how);
        s->failed |= guard->kind == GUARD_COORDINATOR;
        s->told_to_end |= s->failed;
        break;
    case VERDICT_RESTART:
        log_line(status == 0 ? LOG_INFO : LOG_WARN, "supervise",
                 status == 0 ? "left" : "died",
                 "name=%s how=\"%s\" restart_in_ms=%llu", guard->name, how,
                 (unsigned long long)(guard->restart_ms - now_ms));
        break;
    }
}

static void reap(struct supervisor *s)
{
    int status = 0;
    pid_t pid = 0;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < s->guards_count; i++) {
            if (s->guards[i].pid == pid) {
                on_death(s, &s->guards[i], status);
            }
        }
    }
}

/* Starts what is due, and returns how long nothing will be. */
static uint64_t start_due(struct supervisor *s)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t next_ms = now_ms + 1000;

    for (size_t i = 0; i < s->guards_count && !s->told_to_end; i++) {
        struct guard *guard = &s->guards[i];

        if (guard->restart_ms <= now_ms) {
            start(s, guard, now_ms);
        } else if (guard->restart_ms < next_ms) {
            next_ms = guard->restart_ms;
        }
    }
    return next_ms - now_ms;
}

static void end_all(struct supervisor *s)
{
    for (size_t i = 0; i < s->guards_count; i++) {
        if (s->guards[i].pid > 0) {
            (void)kill(s->guards[i].pid, SIGTERM);
        }
    }
    for (size_t i = 0; i < s->guards_count; i++) {
        struct guard *guard = &s->guards[i];

        spawn_end(guard->pid, guard->kind == GUARD_COORDINATOR
                                  ? COORDINATOR_END_MS
                                  : WORKERS_END_MS);
    }
}

static void init_guards(struct supervisor *s, uint32_t workers)
{
    s->guards[0] = (struct guard){.kind = GUARD_COORDINATOR};
    (void)snprintf(s->guards[0].name, sizeof(s->guards[0].name), "coordinator");
    for (uint32_t i = 0; i < workers; i++) {
        struct guard *guard = &s->guards[1 + i];

        *guard = (struct guard){.kind = GUARD_WORKER};
        (void)snprintf(guard->name, sizeof(guard->name), "w%u", (unsigned)i);
    }
    s->guards_count = 1 + workers;
}

int supervise(const struct place *place, uint32_t workers, uint32_t threads)
{
    struct supervisor s = {.place = place, .threads = threads};
    sigset_t set;
    int lock = lock_place(place);

    log_open(STDERR_FILENO, LOG_INFO, "supervise");
    if (lock < 0) {
        log_line(LOG_ERROR, "supervise", "conflict", "runtime=%s",
                 place->runtime);
        return EXIT_CONFLICT;
    }
    init_guards(&s, workers < WORKERS_MAX ? workers : WORKERS_MAX);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    while (!s.told_to_end) {
        uint64_t wait_ms = start_due(&s);
        const struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000),
                                      .tv_nsec =
                                          (long)(wait_ms % 1000) * 1000000};
        int number = sigtimedwait(&set, NULL, &wait);

        s.told_to_end |= number == SIGTERM || number == SIGINT;
        reap(&s);
    }
    end_all(&s);
    (void)close(lock);
    return s.failed ? EXIT_UNAVAILABLE : 0;
}
