/* chunks.h - the chunk link: tensor bytes between workers and the store.
 *
 * A weight never passes through the core. PUTs are written ahead of their
 * version in small transactions on the store's thread, which leaves room for
 * the journal between two of them; GETs are read on a reader's thread. Bytes
 * are checked against their hash on both ways. */
#ifndef COORDINATOR_SHELL_LINKS_CHUNKS_H
#define COORDINATOR_SHELL_LINKS_CHUNKS_H

#include "base/jobs.h"
#include "base/link.h"
#include "base/loop.h"
#include "coordinator/shell/links/trust.h"
#include "storage/store.h"

struct chunks;

struct chunks_options {
    struct loop *loop;
    struct link_context *context;
    struct store *store;
    struct jobs *writer; /* one thread */
    struct jobs *reader;
    const char *endpoint;
    int heartbeat_ms;
    struct trust *trust; /* borrowed; NULL: nothing is counted */
};

enum status chunks_open(const struct chunks_options *options,
                        struct chunks **out) MUST_CHECK;
void chunks_stop(struct chunks *chunks);  /* takes no more messages */
void chunks_close(struct chunks *chunks); /* accepts NULL; pools are joined */

const char *chunks_endpoint(const struct chunks *chunks);

#endif /* COORDINATOR_SHELL_LINKS_CHUNKS_H */
