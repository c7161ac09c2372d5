/* trust.h - who is at the far end of the links to workers, and what becomes of
 * those who misbehave.
 *
 * With a directory of keys, tcp links are encrypted and let in the keys in it
 * alone; each message is judged by the key of its connection, since 0MQ does
 * not ask a second time. Without one, or over ipc, there is nobody to name: a
 * directory of mode 700 is what protects an ipc socket.
 *
 * Whoever breaks a rule has the connection ended and is counted; the log has
 * one line for each cause and minute. */
#ifndef COORDINATOR_SHELL_LINKS_TRUST_H
#define COORDINATOR_SHELL_LINKS_TRUST_H

#include "base/keyring.h"
#include "base/link.h"
#include "base/loop.h"

struct trust;

enum {
    /* Who has not introduced itself by then is gone, and with it what it may
     * have sent so far. A stranger with keys tries as often as this. */
    TRUST_HANDSHAKE_MS = 3000
};

enum trust_fault {
    TRUST_MALFORMED = 0, /* no message, or not one of a worker */
    TRUST_REVOKED,       /* of a key that may not come in any more */
    TRUST_IMPOSTOR,      /* another's name, key or routing id */
    TRUST_FLOOD,         /* more hellos than anybody needs */
    TRUST_STALE,         /* of an older term: late, or played again */
    TRUST_FAULTS
};

/* keys: the directory; "": none. why gets a sentence where it is of no use. */
enum status trust_open(struct loop *loop,
                       struct link_context *context,
                       const char *keys,
                       char *why,
                       size_t why_size,
                       struct trust **out) MUST_CHECK;
void trust_close(struct trust *trust); /* accepts NULL; after the links */

/* Called after who may come in has changed. */
void trust_on_change(struct trust *trust, loop_fn *fn, void *owner);

/* What a link at this endpoint is to be opened with; NULL: plainly. */
const struct curvekey_pair *trust_keys(const struct trust *trust,
                                       const char *endpoint);

/* Below: trust may be NULL, which knows nobody. */

/* The name that the key stands for; NULL: none. Borrowed until the next turn
 * of the loop. */
const char *trust_name(const struct trust *trust, const struct curvekey *key);

/* All keys that may come in; keys holds KEYRING_NAMES_MAX. Returns how many. */
uint32_t trust_roster(const struct trust *trust, struct curvekey *keys);

/* part: any received part of the message at fault; its connection is ended,
 * but for STALE, which honest workers also are. who: for the log. */
void trust_blame(struct trust *trust,
                 enum trust_fault fault,
                 const struct link *link,
                 const struct part *part,
                 const char *who);

/* Messages, and (for REVOKED) peers sent away, since the start. */
uint64_t trust_count(const struct trust *trust, enum trust_fault fault);
uint64_t trust_refused(const struct trust *trust); /* connections */

#endif /* COORDINATOR_SHELL_LINKS_TRUST_H */
