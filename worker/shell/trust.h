/* trust.h - this worker's keys, and whom it lets in.
 *
 * With --keys, tcp links are encrypted: those to the coordinator under the key
 * in its bundle, those between workers under the keys that the coordinator
 * tells. The data link lets in the workers of the present placements alone, the
 * vault link every worker that the coordinator knows (its roster). ipc links
 * have no keys: their directory is nobody else's. */
#ifndef WORKER_SHELL_TRUST_H
#define WORKER_SHELL_TRUST_H

#include "base/link.h"
#include "base/loop.h"
#include "proto/wire.h"
#include "worker/shell/settings.h"

struct trust;

/* Of the links that are bound. */
#define TRUST_DATA "data"
#define TRUST_VAULT "vault"

enum {
    /* Who has not introduced itself by then is gone. Longer than any operation
     * that keeps the loop from answering 0MQ's question. */
    TRUST_HANDSHAKE_MS = 10000
};

/* Also tells the context its keys. Logs what is wrong with them. */
enum status trust_open(struct loop *loop,
                       struct link_context *context,
                       const struct settings *settings,
                       struct trust **out) MUST_CHECK;
void trust_close(struct trust *trust); /* accepts NULL; after all links */

/* The coordinator's, for a link to endpoint; NULL: plainly. */
const struct curvekey *trust_coordinator(const struct trust *trust,
                                         const char *endpoint);
/* A link bound at endpoint is to be locked. */
bool trust_locks(const struct trust *trust, const char *endpoint);
/* Zero: none. */
const struct curvekey *trust_shown(const struct trust *trust);
bool trust_curve(const struct trust *trust); /* as in the hello */

/* Who may come in: every worker there is, and those of one slot's placement;
 * none: the slot is empty. Borrowed for the call. */
void trust_roster(struct trust *trust, const struct wire_roster *roster);
void trust_place(struct trust *trust,
                 uint32_t slot,
                 const struct wire_peer *peers,
                 uint32_t count);

/* How to connect to a peer's endpoint. REFUSED: not encrypted and of another
 * machine, or encrypted while there are no keys here. *out NULL: plainly.
 * trust NULL: no keys, and no plain links to other machines. */
enum status trust_far(const struct trust *trust,
                      const struct wire_peer *peer,
                      const char *endpoint,
                      const struct curvekey **out) MUST_CHECK;

/* A message that link has received is from that worker of a placement; else
 * the connection is ended, and it is counted. True on links without keys. */
bool trust_is_from(struct trust *trust,
                   const struct link *link,
                   const struct part *part,
                   uint32_t worker);
/* Is no message of ours. */
void trust_blame(struct trust *trust,
                 const struct link *link,
                 const struct part *part,
                 const char *what);

/* A frame of a term that is over: late, or played again. It is dropped. */
void trust_stale(struct trust *trust, uint32_t worker);

uint64_t trust_refused(const struct trust *trust); /* messages */

#endif /* WORKER_SHELL_TRUST_H */
