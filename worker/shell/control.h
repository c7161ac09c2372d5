/* control.h - the control link: messages to and from the coordinator.
 *
 * What must arrive is kept, in order, while the coordinator cannot be reached;
 * what is only true now (hello, heartbeat) is not. */
#ifndef WORKER_SHELL_CONTROL_H
#define WORKER_SHELL_CONTROL_H

#include "base/arena.h"
#include "base/link.h"
#include "base/loop.h"
#include "proto/wire.h"

struct control;

enum {
    /* Reports of all granted intervals of every shard, and some cuts: what
     * waits while the coordinator is away is bounded by the grants. */
    CONTROL_WAITING_MAX = 16384,
    /* A decoded message: an assignment with 64k units and their records. Only
     * what is used of it takes memory. */
    CONTROL_ARENA_BYTES = 64 << 20
};

struct control_options {
    struct loop *loop;
    struct link_context *context;
    const char *endpoint;
    const char *routing_id;         /* fresh for each process */
    const struct curvekey *far_key; /* the coordinator's; NULL: plainly */
    void *owner;
    /* message is in the arena. control_take_arena may be called from here. */
    void (*on_message)(void *owner, const struct wire *message);
    /* The coordinator can be reached, or its link has ended. */
    void (*on_link)(void *owner, bool stands);
};

enum status control_open(const struct control_options *options,
                         struct control **out) MUST_CHECK;
/* Tries to deliver what waits, for a short while. Accepts NULL. */
void control_close(struct control *control);

/* UNAVAILABLE: not sent, and not kept. */
enum status control_send_now(struct control *control,
                             const struct wire *message) MUST_CHECK;
/* Sent now or when the coordinator can be reached again. Errors, all logged:
 * NO_MEMORY; INVALID (a bug); BUSY (CONTROL_WAITING_MAX wait). */
enum status control_send(struct control *control,
                         const struct wire *message) MUST_CHECK;

/* Gives away the memory that the present message lies in (mem_free), so that
 * the message outlives its turn. NO_MEMORY: there is no other for the next. */
enum status control_take_arena(struct control *control,
                               void **out_memory) MUST_CHECK;

#endif /* WORKER_SHELL_CONTROL_H */
