/* zap.h - who may connect: 0MQ's authentication of CURVE keys.
 *
 * 0MQ asks, for each connection to a link with keys, through the inproc
 * address of ZAP (rfc.zeromq.org/spec/27). The process's one loop answers, as
 * one more link of it: nothing of a peer is read before. What was let in
 * carries its key on each message (part_sender): 0MQ does not ask again, so
 * whoever reads a message asks whether the key is still known. */
#ifndef BASE_ZAP_H
#define BASE_ZAP_H

#include "base/curvekey.h"
#include "base/link.h"
#include "base/loop.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct zap;

/* One for a context, before the first link with keys is bound. A key that is
 * not known is told nothing: its connection ends at the handshake's deadline
 * (link.h) and the peer tries again, so that a key that becomes known later
 * comes in by itself. */
enum status zap_open(struct loop *loop,
                     struct link_context *context,
                     link_known_fn *known,
                     void *owner,
                     struct zap **out) MUST_CHECK;
void zap_close(struct zap *zap); /* accepts NULL; after the links with keys */

uint64_t zap_refused(const struct zap *zap); /* connections so far */

#endif /* BASE_ZAP_H */
