#include "base/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"

#include <zmq.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    /* Two links to each of 64 workers, the control links, pools, signals. */
    SOURCES_MAX = 256,
    /* A few for each job and worker. */
    TIMERS_MAX = 256,
    /* Promised by loop.h: bursts of completions, not a queue to live in. */
    POSTS_MAX = 4096,
    /* Read per call of on_signals. */
    SIGNALS_MAX = 8
};

/* A link or a descriptor. serial tells two that used the same slot apart: what
 * poll found for the first must not reach the second. 0 is a free slot. */
struct source {
    uint64_t serial;
    struct link *link; /* NULL: a descriptor */
    int fd;
    loop_fn *fn;
    void *owner;
};

struct timer {
    loop_fn *fn; /* NULL: a free slot */
    void *owner;
    uint64_t deadline_ms;
    /* The turn in which it fired or was added: it does not fire (again) in
     * that turn, so that a turn always ends. */
    uint64_t turn;
};

struct post {
    loop_fn *fn;
    void *owner;
};

/* What zmq_poll item i stands for. Rebuilt when sources have changed. */
struct polled {
    unsigned slot;
    uint64_t serial;
};

struct loop {
    struct source sources[SOURCES_MAX];
    zmq_pollitem_t items[SOURCES_MAX];
    struct polled polled[SOURCES_MAX];
    unsigned items_count;
    bool sources_changed;
    uint64_t last_serial;

    struct timer timers[TIMERS_MAX];
    unsigned timers_end; /* no used slot at or after this */
    uint64_t turn;

    struct post posts[POSTS_MAX]; /* a ring */
    unsigned posts_first;
    unsigned posts_count;

    int signal_fd; /* -1: none */
    loop_signal_fn *signal_fn;
    void *signal_owner;

    bool stopped;
};

/* All tables are part of the loop: a running process never fails to add a
 * timer for want of memory, only at a limit. */
enum status loop_open(struct loop **out)
{
    struct loop *loop = mem_new(sizeof(*loop));

    if (loop == NULL) {
        return STATUS_NO_MEMORY;
    }
    loop->signal_fd = -1;
    *out = loop;
    return STATUS_OK;
}

void loop_close(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    /* The signals stay blocked: one that waits would end the process while it
     * is being taken down in good order. */
    if (loop->signal_fd >= 0) {
        close(loop->signal_fd);
    }
    mem_free(loop);
}

/* Sources */

static struct source *find_source(struct loop *loop,
                                  const struct link *link,
                                  int fd)
{
    for (unsigned i = 0; i < SOURCES_MAX; i++) {
        struct source *source = &loop->sources[i];

        if (source->serial != 0 && source->link == link && source->fd == fd) {
            return source;
        }
    }
    return NULL;
}

static enum status add_source(struct loop *loop, struct source source)
{
    CHECK(source.fn != NULL);
    CHECK(find_source(loop, source.link, source.fd) == NULL);

    for (unsigned i = 0; i < SOURCES_MAX; i++) {
        if (loop->sources[i].serial == 0) {
            source.serial = ++loop->last_serial;
            loop->sources[i] = source;
            loop->sources_changed = true;
            return STATUS_OK;
        }
    }
    log_line(LOG_WARN, "loop", "sources_full", "max=%d", SOURCES_MAX);
    return STATUS_BUSY;
}

/* Removing what is not there does nothing, so that a half-open owner can be
 * closed by the same function as a whole one. */
static void remove_source(struct loop *loop, const struct link *link, int fd)
{
    struct source *source = find_source(loop, link, fd);

    if (source != NULL) {
        *source = (struct source){.serial = 0};
        loop->sources_changed = true;
    }
}

enum status loop_add_link(struct loop *loop,
                          struct link *link,
                          loop_fn *fn,
                          void *owner)
{
    CHECK(link != NULL);

    return add_source(
        loop,
        (struct source){.link = link, .fd = -1, .fn = fn, .owner = owner});
}

void loop_remove_link(struct loop *loop, struct link *link)
{
    if (link != NULL) {
        remove_source(loop, link, -1);
    }
}

enum status loop_add_fd(struct loop *loop, int fd, loop_fn *fn, void *owner)
{
    CHECK(fd >= 0);

    return add_source(loop,
                      (struct source){.fd = fd, .fn = fn, .owner = owner});
}

void loop_remove_fd(struct loop *loop, int fd)
{
    if (fd >= 0) {
        remove_source(loop, NULL, fd);
    }
}

/* Timers: so few that looking at all of them beats keeping an order. */

static struct timer *timer_of(struct loop *loop, uint32_t timer)
{
    CHECK(timer < TIMERS_MAX);
    CHECK(loop->timers[timer].fn != NULL);
    return &loop->timers[timer];
}

enum status loop_add_timer(struct loop *loop,
                           uint64_t deadline_ms,
                           loop_fn *fn,
                           void *owner,
                           uint32_t *out_timer)
{
    CHECK(fn != NULL);

    for (uint32_t i = 0; i < TIMERS_MAX; i++) {
        if (loop->timers[i].fn == NULL) {
            loop->timers[i] = (struct timer){.fn = fn,
                                             .owner = owner,
                                             .deadline_ms = deadline_ms,
                                             .turn = loop->turn};
            if (i >= loop->timers_end) {
                loop->timers_end = i + 1;
            }
            *out_timer = i;
            return STATUS_OK;
        }
    }
    log_line(LOG_WARN, "loop", "timers_full", "max=%d", TIMERS_MAX);
    return STATUS_BUSY;
}

void loop_set_timer(struct loop *loop, uint32_t timer, uint64_t deadline_ms)
{
    timer_of(loop, timer)->deadline_ms = deadline_ms;
}

void loop_remove_timer(struct loop *loop, uint32_t timer)
{
    *timer_of(loop, timer) = (struct timer){.fn = NULL};
    while (loop->timers_end > 0 &&
           loop->timers[loop->timers_end - 1].fn == NULL) {
        loop->timers_end--;
    }
}

/* The earliest timer that may still fire in this turn; of two with the same
 * deadline the lower id, so that a run can be repeated. */
static struct timer *due_timer(struct loop *loop, uint64_t now_ms)
{
    struct timer *earliest = NULL;

    for (unsigned i = 0; i < loop->timers_end; i++) {
        struct timer *timer = &loop->timers[i];

        if (timer->fn == NULL || timer->turn == loop->turn ||
            timer->deadline_ms > now_ms) {
            continue;
        }
        if (earliest == NULL || timer->deadline_ms < earliest->deadline_ms) {
            earliest = timer;
        }
    }
    return earliest;
}

static bool fire_timers(struct loop *loop)
{
    uint64_t now_ms = clock_now_ms();
    bool fired = false;

    for (;;) {
        struct timer *timer = due_timer(loop, now_ms);

        if (timer == NULL) {
            return fired;
        }
        /* Parked before the call, which may set or remove it. */
        timer->deadline_ms = UINT64_MAX;
        timer->turn = loop->turn;
        timer->fn(timer->owner);
        fired = true;
    }
}

static uint64_t next_deadline_ms(const struct loop *loop)
{
    uint64_t earliest = UINT64_MAX;

    for (unsigned i = 0; i < loop->timers_end; i++) {
        const struct timer *timer = &loop->timers[i];

        if (timer->fn != NULL && timer->deadline_ms < earliest) {
            earliest = timer->deadline_ms;
        }
    }
    return earliest;
}

/* Posted calls */

enum status loop_post(struct loop *loop, loop_fn *fn, void *owner)
{
    unsigned at = (loop->posts_first + loop->posts_count) % POSTS_MAX;

    CHECK(fn != NULL);
    if (loop->posts_count == POSTS_MAX) {
        log_line(LOG_WARN, "loop", "posts_full", "max=%d", POSTS_MAX);
        return STATUS_BUSY;
    }
    loop->posts[at] = (struct post){.fn = fn, .owner = owner};
    loop->posts_count++;
    return STATUS_OK;
}

/* Only those that waited when the turn began: what they post is for the next
 * turn, or else two that post each other would lock everybody out. */
static bool run_posts(struct loop *loop)
{
    unsigned count = loop->posts_count;

    for (unsigned i = 0; i < count; i++) {
        struct post post = loop->posts[loop->posts_first];

        loop->posts_first = (loop->posts_first + 1) % POSTS_MAX;
        loop->posts_count--;
        post.fn(post.owner);
    }
    return count > 0;
}

/* Signals */

static void on_signals(void *owner)
{
    struct loop *loop = owner;
    struct signalfd_siginfo infos[SIGNALS_MAX];
    ssize_t bytes = read(loop->signal_fd, infos, sizeof(infos));

    /* Nothing there (EAGAIN) or interrupted: poll calls again if need be. */
    for (ssize_t i = 0; i < bytes / (ssize_t)sizeof(infos[0]); i++) {
        loop->signal_fn(loop->signal_owner, (int)infos[i].ssi_signo);
    }
}

enum status loop_add_signals(struct loop *loop, loop_signal_fn *fn, void *owner)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    enum status status = STATUS_OK;
    sigset_t set;
    int fd = -1;

    CHECK(fn != NULL);
    CHECK(loop->signal_fd < 0);
    CHECK(sigemptyset(&set) == 0);
    CHECK(sigaddset(&set, SIGINT) == 0);
    CHECK(sigaddset(&set, SIGTERM) == 0);
    CHECK(sigaddset(&set, SIGHUP) == 0);
    CHECK(sigaddset(&set, SIGCHLD) == 0);
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        log_line(LOG_ERROR, "loop", "signalfd_failed", "errno=%d", errno);
        return STATUS_IO;
    }
    loop->signal_fd = fd;
    loop->signal_fn = fn;
    loop->signal_owner = owner;
    status = loop_add_fd(loop, fd, on_signals, loop);
    if (status != STATUS_OK) {
        close(fd);
        loop->signal_fd = -1;
    }
    return status;
}

/* Turns */

static void rebuild_items(struct loop *loop)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SOURCES_MAX; i++) {
        const struct source *source = &loop->sources[i];
        void *socket = NULL;

        if (source->serial == 0) {
            continue;
        }
        socket = source->link != NULL ? link_socket(source->link) : NULL;
        loop->items[count] = (zmq_pollitem_t){
            .socket = socket, .fd = source->fd, .events = ZMQ_POLLIN};
        loop->polled[count] = (struct polled){i, source->serial};
        count++;
    }
    loop->items_count = count;
    loop->sources_changed = false;
}

/* A callback may remove any source and another may take its slot, so each is
 * looked up again by its serial just before it is called. The items stay as
 * polled until the next turn rebuilds them. */
static void call_ready(struct loop *loop)
{
    for (unsigned i = 0; i < loop->items_count; i++) {
        struct source *source = &loop->sources[loop->polled[i].slot];

        /* Not only POLLIN: a descriptor whose far end is gone must be read
         * too, to find that out. */
        if (loop->items[i].revents == 0) {
            continue;
        }
        if (source->serial == loop->polled[i].serial) {
            source->fn(source->owner);
        }
    }
}

static int poll_timeout_ms(const struct loop *loop, int wait_ms, bool busy)
{
    uint64_t deadline_ms = next_deadline_ms(loop);
    uint64_t now_ms = clock_now_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;

    /* When something ran already, whoever turns the loop gets to see it. */
    if (busy || loop->stopped || loop->posts_count > 0) {
        return 0;
    }
    if (deadline_ms != UINT64_MAX && left_ms < INT_MAX &&
        (wait_ms < 0 || (int)left_ms < wait_ms)) {
        return (int)left_ms;
    }
    return wait_ms;
}

/* zmq_poll asks each socket for its pending messages before it waits for any
 * descriptor. That makes links level-triggered, though the descriptor beneath
 * a 0MQ socket is edge-triggered and tells nothing about a message that an
 * earlier call left behind. */
enum status loop_turn(struct loop *loop, int wait_ms)
{
    bool busy = false;
    int timeout_ms = 0;

    CHECK(wait_ms >= -1);
    loop->turn++;
    busy = run_posts(loop);
    busy = fire_timers(loop) || busy;
    if (loop->sources_changed) {
        rebuild_items(loop);
    }
    timeout_ms = poll_timeout_ms(loop, wait_ms, busy);
    if (zmq_poll(loop->items, (int)loop->items_count, timeout_ms) < 0) {
        if (errno == EINTR) {
            return STATUS_OK; /* the items' results mean nothing then */
        }
        log_line(LOG_ERROR, "loop", "poll_failed", "why=\"%s\"",
                 zmq_strerror(errno));
        return STATUS_IO;
    }
    call_ready(loop);
    return STATUS_OK;
}

enum status loop_run(struct loop *loop)
{
    enum status status = STATUS_OK;

    while (!loop->stopped && status == STATUS_OK) {
        status = loop_turn(loop, -1);
    }
    /* Consumed, so that a stop before the run is kept and a second run runs. */
    loop->stopped = false;
    return status;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
