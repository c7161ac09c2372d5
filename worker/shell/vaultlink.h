/* vaultlink.h - messages between vaults: a header (proto/piece.h) and, where
 * its kind says so, the bytes of one piece.
 *
 * The vault's own socket is bound and hears everyone; whoever brings or wants a
 * copy connects to it. Both ends speak in these messages alone. */
#ifndef WORKER_SHELL_VAULTLINK_H
#define WORKER_SHELL_VAULTLINK_H

#include "base/link.h"
#include "proto/piece.h"
#include "proto/wire.h"
#include "worker/shell/trust.h"

struct vaultlink_message {
    struct part from;  /* bound end: who has sent it; else empty */
    struct part bytes; /* empty where the kind has none */
    struct piece_header header;
};

/* locked: workers that the coordinator knows may come in alone (trust.h), and
 * each message is asked about. */
enum status vaultlink_bind(struct link_context *context,
                           const char *endpoint,
                           bool locked,
                           struct link **out) MUST_CHECK;
/* To a worker's vault. Nothing is queued for one that is not there. REFUSED:
 * see trust_far; trust may be NULL. */
enum status vaultlink_connect(struct link_context *context,
                              const struct trust *trust,
                              const struct wire_peer *peer,
                              struct link **out) MUST_CHECK;

/* to: NULL on a connected link. bytes: NULL without. Shares both. BUSY: the
 * queue is full, or there is no connection (yet); UNAVAILABLE; NO_MEMORY. */
enum status vaultlink_send(struct link *link,
                           struct part *to,
                           const struct piece_header *header,
                           struct part *bytes) MUST_CHECK;

/* BUSY: nothing is there. INVALID: not a message of ours; it has been thrown
 * away. OK: *out is to be closed. */
enum status vaultlink_receive(struct link *link,
                              bool bound,
                              struct vaultlink_message *out) MUST_CHECK;
void vaultlink_close(struct vaultlink_message *message);

#endif /* WORKER_SHELL_VAULTLINK_H */
