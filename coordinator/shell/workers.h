/* workers.h - the control link to the workers.
 *
 * The core knows a worker's far end by a number, never used twice; the 0MQ
 * routing id behind it is kept here, in a bounded table. What cannot be
 * decoded is dropped, counted and logged: no bytes of a peer can do more than
 * that. Whether a peer may say what it says is the core's to judge. */
#ifndef COORDINATOR_SHELL_WORKERS_H
#define COORDINATOR_SHELL_WORKERS_H

#include "base/link.h"
#include "base/loop.h"
#include "proto/wire.h"

struct workers;

struct workers_options {
    struct loop *loop;
    struct link_context *context;
    const char *endpoint;
    int heartbeat_ms; /* of ZMTP */
    /* message is borrowed until the next one. */
    void (*on_message)(void *owner, uint32_t peer, const struct wire *message);
    void *owner;
};

enum status workers_open(const struct workers_options *options,
                         struct workers **out) MUST_CHECK;
void workers_close(struct workers *workers); /* accepts NULL */

const char *workers_endpoint(const struct workers *workers);

/* UNAVAILABLE: the peer is gone, or does not read what it is sent. */
enum status workers_send(struct workers *workers,
                         uint32_t peer,
                         const struct wire *message) MUST_CHECK;

void workers_forget(struct workers *workers, uint32_t peer);

/* While paused nothing is received; 0MQ holds the senders back. */
void workers_pause(struct workers *workers);
void workers_resume(struct workers *workers);

uint64_t workers_malformed(const struct workers *workers); /* dropped so far */

#endif /* COORDINATOR_SHELL_WORKERS_H */
