/* session.h - one job on this worker: its shards, its scheduler, its inboxes.
 *
 * A session knows no socket: frames come in through session_frame and go out
 * through a hook, so that a test can connect sessions in memory. Everything is
 * called on the loop's thread. With a pool of compute threads operations run
 * there; without one they wait until session_work runs them on the caller's
 * thread, which saves the hand-over where one thread has all the work. */
#ifndef WORKER_SHELL_SESSION_H
#define WORKER_SHELL_SESSION_H

#include "base/jobs.h"
#include "proto/arch.h"
#include "proto/wire.h"
#include "worker/core/sched.h"
#include "worker/data/stream.h"
#include "worker/shell/copy.h"

struct session;

/* Called from within the session's functions; of those they may call
 * session_fail alone. */
struct session_hooks {
    void *owner;
    /* Takes payload, a reference to an output. */
    void (*send)(void *owner,
                 uint32_t worker,
                 const struct frame_header *header,
                 struct part *payload);
    /* Borrows report. closing: it is of the job's last interval. */
    void (*report)(void *owner, const struct report *report, bool closing);
    /* Takes copy, which is to be stored, kept in memory, or both. */
    void (*cut)(void *owner, struct copy *copy);
    void (*refused)(void *owner, enum status status, const char *reason);
    /* The session does nothing more; text is borrowed. */
    void (*fault)(void *owner, enum fault_kind kind, const char *text);
    /* Operations wait for session_work. May be NULL where there is a pool. */
    void (*wake)(void *owner);
};

struct session_options {
    uint64_t job;
    uint64_t term;
    uint64_t step;
    uint64_t total_steps;
    const struct job_spec *spec; /* borrowed for session_open */
    const struct arch *arch;     /* borrowed for session_open */
    uint32_t workers_count;      /* of the placement, 1 .. WORKERS_MAX */
    const uint32_t *workers;     /* their ids; borrowed for session_open */
    uint32_t worker;             /* this one's id */
    uint32_t owners_count;
    const uint32_t *owners; /* ids by layer, then shard; borrowed */
    struct stream *stream;  /* borrowed for the session's life */
    struct jobs *jobs;      /* likewise; NULL: session_work */
    uint32_t slots;         /* operations at once */
    struct session_hooks hooks;
};

/* The shards are made with fresh weights. INVALID: the options do not fit each
 * other; why gets a sentence. NO_MEMORY. May be called on any thread, as long
 * as it is one at a time. */
enum status session_open(const struct session_options *options,
                         char *why,
                         size_t why_size,
                         struct session **out) MUST_CHECK;

/* Accepts NULL. Only when idle. */
void session_close(struct session *session);

/* No operation of it is on a compute thread. */
bool session_idle(const struct session *session);

/* Nothing is begun any more, and no hook is called. */
void session_stop(struct session *session);

/* The local shards, in order of layer, then shard; for the loader, before the
 * first grant. */
uint32_t session_shards(const struct session *session);
struct shard *session_shard(struct session *session,
                            uint32_t local,
                            uint32_t *out_layer,
                            uint32_t *out_shard);

void session_grant(struct session *session, const struct grant *grant);
void session_release(struct session *session, uint64_t term, uint64_t interval);
/* Takes payload. header is decoded, so bounded. */
void session_frame(struct session *session,
                   const struct frame_header *header,
                   struct part *payload);
/* A copy with a version given to the cut hook is durable, or has been given
 * up. */
void session_stored(struct session *session, uint32_t local);
/* Something outside of the session has failed: as if it had said so itself. */
void session_fail(struct session *session,
                  enum fault_kind kind,
                  const char *text);

/* Runs operations that wait, for about budget_us. True: more of them wait. */
bool session_work(struct session *session, uint64_t budget_us);

uint64_t session_job(const struct session *session);
uint64_t session_term(const struct session *session);
uint64_t session_steps(const struct session *session);   /* updates of shards */
uint64_t session_refused(const struct session *session); /* frames */

#endif /* WORKER_SHELL_SESSION_H */
