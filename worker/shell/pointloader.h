/* pointloader.h - fills the shards of a new session from copies in memory.
 *
 * Where this host holds a copy, its shard is loaded at once, which costs one
 * copy of its bytes. Other copies are fetched from the vaults that the
 * assignment names, one after the other, a few pieces at a time, each checked;
 * what has been fetched is held from then on, too. */
#ifndef WORKER_SHELL_POINTLOADER_H
#define WORKER_SHELL_POINTLOADER_H

#include "base/loop.h"
#include "proto/wire.h"
#include "worker/shell/loader.h"
#include "worker/shell/session.h"
#include "worker/shell/vault.h"

struct pointloader;

enum {
    /* Pieces asked for and not yet here: see COURIER_WINDOW. */
    POINTLOADER_WINDOW = 4,
    /* Without a piece for so long the source is given up: a worker that is
     * computing answers within a turn of its loop. */
    POINTLOADER_WAIT_MS = 10000
};

struct pointloader_options {
    struct loop *loop;
    struct link_context *context;
    const struct trust *trust; /* NULL: see trust_far */
    struct session *session;
    const struct wire_assign *assign; /* from_point */
    struct vault *vault;
    loader_done_fn *done;
    void *owner;
};

/* Borrows all that the options name for its life. */
enum status pointloader_open(const struct pointloader_options *options,
                             struct pointloader **out) MUST_CHECK;
/* May call done at once. UNAVAILABLE, whatever the reason: a source has no such
 * copy or does not answer, a copy is damaged or of another shape, memory is
 * short. */
void pointloader_start(struct pointloader *loader);
/* Accepts NULL; done is not called any more. */
void pointloader_close(struct pointloader *loader);

#endif /* WORKER_SHELL_POINTLOADER_H */
