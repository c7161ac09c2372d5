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
    CHILDREN_MAX = WORKERS_MAX + 1
};

struct supervisor {
    const struct place *place;
    uint32_t threads;
    struct child children[CHILDREN_MAX]; /* the coordinator first */
    size_t children_count;
    bool told_to_end;
    bool failed; /* the coordinator cannot be kept running */
};

/* True: so many failed starts lie within the window. */
static bool too_many_failures(struct child *child, uint64_t now_ms)
{
    uint32_t slot = child->failures_count % CHILD_FAILURES_MAX;
    uint64_t oldest_ms = 0;

    child->failures_ms[slot] = now_ms;
    child->failures_count++;
    if (child->failures_count < CHILD_FAILURES_MAX) {
        return false;
    }
    oldest_ms = child->failures_ms[child->failures_count % CHILD_FAILURES_MAX];
    return now_ms - oldest_ms < CHILD_WINDOW_MS;
}

static uint64_t pause_of(const struct child *child)
{
    uint64_t pause_ms = child->failed_in_a_row > 0 ? CHILD_PAUSE_MS : 0;

    for (uint32_t i = 1; i < child->failed_in_a_row; i++) {
        pause_ms = 2 * pause_ms < CHILD_PAUSE_MS_MAX ? 2 * pause_ms
                                                     : CHILD_PAUSE_MS_MAX;
    }
    return pause_ms;
}

/* Exit codes that end a coordinator for good, or that waiting mends. */
static enum verdict judge_coordinator_exit(struct child *child,
                                           uint64_t now_ms,
                                           int code)
{
    if (code == 0) {
        return VERDICT_END;
    }
    if (code == EXIT_USAGE) {
        return VERDICT_GIVE_UP;
    }
    if (now_ms - child->first_ms >= CHILD_CONFLICT_MS) {
        return VERDICT_GIVE_UP;
    }
    child->restart_ms = now_ms + CHILD_PAUSE_MS;
    return VERDICT_RESTART;
}

enum verdict child_judge(struct child *child, uint64_t now_ms, int status)
{
    uint64_t life_ms = now_ms - child->started_ms;
    bool exited = WIFEXITED(status);
    int code = exited ? WEXITSTATUS(status) : -1;

    child->restart_ms = UINT64_MAX;
    if (child->kind == CHILD_COORDINATOR &&
        (code == 0 || code == EXIT_USAGE || code == EXIT_CONFLICT)) {
        return judge_coordinator_exit(child, now_ms, code);
    }
    if (child->kind == CHILD_WORKER && code == 0) {
        child->restart_ms = now_ms + CHILD_LEFT_MS;
        return VERDICT_RESTART;
    }
    child->failed_in_a_row =
        life_ms >= CHILD_SHORT_MS ? 0 : child->failed_in_a_row + 1;
    if (life_ms < CHILD_SHORT_MS && too_many_failures(child, now_ms)) {
        return VERDICT_GIVE_UP;
    }
    child->restart_ms = now_ms + pause_of(child);
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

static void start(struct supervisor *s, struct child *child, uint64_t now_ms)
{
    const struct spawn_coordinator options = {.resume = true};
    enum status status = STATUS_OK;

    child->restart_ms = UINT64_MAX;
    child->started_ms = now_ms;
    child->first_ms = child->first_ms > 0 ? child->first_ms : now_ms;
    if (child->kind == CHILD_COORDINATOR) {
        status = spawn_coordinator(s->place, &options, &child->pid);
    } else {
        const struct spawn_worker worker = {.name = child->name,
                                            .threads = s->threads};

        status = spawn_worker(s->place, &worker, &child->pid);
    }
    if (status != STATUS_OK) {
        child->pid = 0;
        log_line(LOG_ERROR, "supervise", "cannot_start", "name=%s why=\"%s\"",
                 child->name,
                 status == STATUS_NOT_FOUND ? "not installed beside cajal"
                                            : status_text(status));
        if (child->kind == CHILD_COORDINATOR) {
            s->told_to_end = true;
            s->failed = true;
        }
        return;
    }
    log_line(LOG_INFO, "supervise", "started", "name=%s pid=%ld", child->name,
             (long)child->pid);
}

static void on_death(struct supervisor *s, struct child *child, int status)
{
    uint64_t now_ms = clock_now_ms();
    enum verdict verdict = child_judge(child, now_ms, status);
    char how[64];

    child->pid = 0;
    spawn_describe(status, how, sizeof(how));
    if (s->told_to_end) {
        log_line(LOG_INFO, "supervise", "ended", "name=%s how=\"%s\"",
                 child->name, how);
        return;
    }
    switch (verdict) {
    case VERDICT_END:
        log_line(LOG_INFO, "supervise", "ended", "name=%s", child->name);
        s->told_to_end = true;
        break;
    case VERDICT_GIVE_UP:
        log_line(LOG_ERROR, "supervise", "gave_up",
                 "name=%s how=\"%s\" advice=\"it ends whenever it is started, "
                 "see its log\"",
                 child->name, how);
        s->failed |= child->kind == CHILD_COORDINATOR;
        s->told_to_end |= s->failed;
        break;
    case VERDICT_RESTART:
        log_line(status == 0 ? LOG_INFO : LOG_WARN, "supervise",
                 status == 0 ? "left" : "died",
                 "name=%s how=\"%s\" restart_in_ms=%llu", child->name, how,
                 (unsigned long long)(child->restart_ms - now_ms));
        break;
    }
}

static void reap(struct supervisor *s)
{
    int status = 0;
    pid_t pid = 0;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < s->children_count; i++) {
            if (s->children[i].pid == pid) {
                on_death(s, &s->children[i], status);
            }
        }
    }
}

/* Starts what is due, and returns how long nothing will be. */
static uint64_t start_due(struct supervisor *s)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t next_ms = now_ms + 1000;

    for (size_t i = 0; i < s->children_count && !s->told_to_end; i++) {
        struct child *child = &s->children[i];

        if (child->restart_ms <= now_ms) {
            start(s, child, now_ms);
        } else if (child->restart_ms < next_ms) {
            next_ms = child->restart_ms;
        }
    }
    return next_ms - now_ms;
}

/* The coordinator first: it saves its jobs and tells the workers to end. A
 * worker that gets our signal before would ask to hand over its shards, to
 * nobody; who is left when the coordinator is gone says goodbye at the second
 * signal. */
static void end_all(struct supervisor *s)
{
    spawn_end(s->children[0].pid, COORDINATOR_END_MS);
    for (size_t i = 1; i < s->children_count; i++) {
        if (s->children[i].pid > 0) {
            (void)kill(s->children[i].pid, SIGTERM);
        }
    }
    for (size_t i = 1; i < s->children_count; i++) {
        spawn_end(s->children[i].pid, WORKERS_END_MS);
    }
}

static void init_children(struct supervisor *s, uint32_t workers)
{
    s->children[0] = (struct child){.kind = CHILD_COORDINATOR};
    (void)snprintf(s->children[0].name, sizeof(s->children[0].name),
                   "coordinator");
    for (uint32_t i = 0; i < workers; i++) {
        struct child *child = &s->children[1 + i];

        *child = (struct child){.kind = CHILD_WORKER};
        (void)snprintf(child->name, sizeof(child->name), "w%u", (unsigned)i);
    }
    s->children_count = 1 + workers;
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
    init_children(&s, workers < WORKERS_MAX ? workers : WORKERS_MAX);
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
