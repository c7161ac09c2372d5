/* courier.h - takes copies of shards to buddies' vaults.
 *
 * Copies for one buddy go one after the other, a few pieces under way at a
 * time: each piece that the buddy has stored gives credit for another. So a
 * slow link slows the copying and nothing else. Bytes are shared with whoever
 * else holds the copy. A copy that has been superseded before it was through is
 * given up. */
#ifndef WORKER_SHELL_COURIER_H
#define WORKER_SHELL_COURIER_H

#include "base/loop.h"
#include "worker/core/holdings.h"
#include "worker/shell/pieces.h"
#include "worker/shell/vaultlink.h"

struct courier;

enum {
    /* Pieces under way to one buddy: 4 MB hide the latency of any link that is
     * worth it, and bound what waits in sockets. */
    COURIER_WINDOW = 4,
    /* Each session has one buddy; those of a session before may linger. */
    COURIER_ROUTES = 2 * SESSIONS_MAX,
    /* A buddy that has not stored a piece by then is asked anew. */
    COURIER_WAIT_MS = 10000
};

enum status courier_open(struct loop *loop,
                         struct link_context *context,
                         const struct trust *trust, /* NULL: see trust_far */
                         struct courier **out) MUST_CHECK;
void courier_close(struct courier *courier); /* accepts NULL */

/* Shares pieces. header names the copy: all but kind, status, index and sum.
 * NO_MEMORY, IO: no link can be had. */
enum status courier_send(struct courier *courier,
                         const struct wire_peer *buddy,
                         const struct piece_header *header,
                         struct pieces *pieces) MUST_CHECK;

/* Gives up what does not stay. */
void courier_drop(struct courier *courier, const struct holdings_rule *rule);

#endif /* WORKER_SHELL_COURIER_H */
