/* loop.h - the one event loop of a process.
 *
 * One thread owns all state and all sockets of a process; every callback runs
 * on it and must not block. Sockets are 0MQ links, descriptors are plain fds,
 * signals arrive through a signalfd. All ids are small and stable until
 * removed. A callback may add and remove anything, itself included. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct link;

typedef void loop_fn(void *owner);
typedef void loop_signal_fn(void *owner, int signal_number);

enum status loop_open(struct loop **out) MUST_CHECK;
void loop_close(struct loop *loop); /* accepts NULL */

/* Called while the link can be read, level-triggered: the loop repeats the
 * call until the callback stops finding messages (it should read a bounded
 * number per call, so that others get their turn). */
enum status loop_add_link(struct loop *loop,
                          struct link *link,
                          loop_fn *fn,
                          void *owner) MUST_CHECK;
void loop_remove_link(struct loop *loop, struct link *link);

enum status loop_add_fd(struct loop *loop, int fd, loop_fn *fn, void *owner)
    MUST_CHECK;
void loop_remove_fd(struct loop *loop, int fd);

/* A timer that fires once at deadline_ms (clock_now_ms). UINT64_MAX parks it.
 * loop_set_timer may be called any time, also from the timer's callback. */
enum status loop_add_timer(struct loop *loop,
                           uint64_t deadline_ms,
                           loop_fn *fn,
                           void *owner,
                           uint32_t *out_timer) MUST_CHECK;
void loop_set_timer(struct loop *loop, uint32_t timer, uint64_t deadline_ms);
void loop_remove_timer(struct loop *loop, uint32_t timer);

/* Calls fn on the next turn, before anything is polled. At most 4096 wait. */
enum status loop_post(struct loop *loop, loop_fn *fn, void *owner) MUST_CHECK;

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD for the process (call before any
 * thread starts) and hands them to fn. SIGPIPE is ignored. */
enum status loop_add_signals(struct loop *loop,
                             loop_signal_fn *fn,
                             void *owner) MUST_CHECK;

/* Turns until loop_stop. One turn: posted calls, due timers, poll, ready
 * links and descriptors. */
enum status loop_run(struct loop *loop) MUST_CHECK;
/* One turn that waits at most wait_ms (-1: until something happens). */
enum status loop_turn(struct loop *loop, int wait_ms) MUST_CHECK;
void loop_stop(struct loop *loop);

#endif /* BASE_LOOP_H */
