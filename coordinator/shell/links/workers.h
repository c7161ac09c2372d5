/* workers.h - the control link to the workers.
 *
 * The core knows a worker's far end by a number, never used twice; the 0MQ
 * routing id behind it is kept here, in a bounded table. On a link with keys a
 * peer is who its key says: a hello under another name, or a message under
 * another's routing id, is dropped as what cannot be decoded is, counted and
 * logged (trust.h): no bytes of a peer can do more than that. Whether a peer
 * may say what it says now is the core's to judge. */
#ifndef COORDINATOR_SHELL_LINKS_WORKERS_H
#define COORDINATOR_SHELL_LINKS_WORKERS_H

#include "base/link.h"
#include "base/loop.h"
#include "coordinator/shell/links/trust.h"
#include "proto/wire.h"

struct workers;

struct workers_options {
    struct loop *loop;
    struct link_context *context;
    const char *endpoint;
    int heartbeat_ms;    /* of ZMTP */
    struct trust *trust; /* borrowed; NULL: nothing is counted */
    bool insecure;       /* workers' data endpoints may be open to others */
    /* message is borrowed until the next one. */
    void (*on_message)(void *owner, uint32_t peer, const struct wire *message);
    /* The peer may not come in any more, or its connection has ended; its
     * number means nobody now. Told at once, behind all that it has said.
     * why: NULL: it ended. */
    void (*on_lost)(void *owner, uint32_t peer, const char *why);
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

/* It spoke of a term that is over. */
void workers_blame_stale(struct workers *workers, uint32_t peer);

#endif /* COORDINATOR_SHELL_LINKS_WORKERS_H */
