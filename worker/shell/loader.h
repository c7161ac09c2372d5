/* loader.h - fills the shards of a new session from a version's records.
 *
 * Tensor by tensor, a few chunks at a time, each checked against its hash. */
#ifndef WORKER_SHELL_LOADER_H
#define WORKER_SHELL_LOADER_H

#include "proto/version.h"
#include "worker/shell/chunks.h"
#include "worker/shell/session.h"

struct loader;

enum { LOADER_WINDOW = 4 };

/* Once; why is a sentence where status is not OK. Must not close the loader. */
typedef void loader_done_fn(void *owner, enum status status, const char *why);

struct loader_options {
    struct session *session;
    const struct shard_record *records; /* of the whole version */
    uint32_t records_count;
    struct chunks *chunks;
    loader_done_fn *done;
    void *owner;
};

/* Borrows all that the options name for its life. */
enum status loader_open(const struct loader_options *options,
                        struct loader **out) MUST_CHECK;
/* May call done at once. */
void loader_start(struct loader *loader);
/* Accepts NULL; done is not called any more. */
void loader_close(struct loader *loader);

#endif /* WORKER_SHELL_LOADER_H */
