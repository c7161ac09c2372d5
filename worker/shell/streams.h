/* streams.h - the data sets that this process has open.
 *
 * A data set is read whole, in the background, and shared by all sessions
 * that read the same one with the same seed; one that nobody uses any more is
 * kept as long as its place is not needed, so that a session that begins anew
 * after a rollback begins at once. Streams are read on the loop's thread. */
#ifndef WORKER_SHELL_STREAMS_H
#define WORKER_SHELL_STREAMS_H

#include "base/jobs.h"
#include "proto/job.h"
#include "worker/data/stream.h"

struct streams;

enum {
    /* One for each session, one for a probe, one to spare. */
    STREAMS_MAX = SESSIONS_MAX + 2
};

/* Once per request, from a later turn. stream: held until streams_put; NULL
 * where status is not OK, and then why is a sentence. */
typedef void streams_done_fn(void *owner,
                             enum status status,
                             struct stream *stream,
                             const char *why);

/* cache: a directory where other processes of this host find unpacked files,
 * borrowed; "": none. */
enum status streams_open(struct loop *loop,
                         struct jobs *background,
                         const char *cache,
                         struct streams **out) MUST_CHECK;
/* Accepts NULL. After jobs_join of the pool; open requests end without a
 * call. An orderly end: the cache is emptied. */
void streams_close(struct streams *streams);

/* Opens the data that the spec names, or finds them open. BUSY: all places are
 * in use. done is called for each request that was accepted. */
enum status streams_get(struct streams *streams,
                        const struct job_spec *spec,
                        streams_done_fn *done,
                        void *owner) MUST_CHECK;
void streams_put(struct streams *streams, struct stream *stream);

#endif /* WORKER_SHELL_STREAMS_H */
