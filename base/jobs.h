/* jobs.h - threads that compute or write, and come back to the loop.
 *
 * A job owns its input and output until its done function has run on the loop
 * thread. With 0 threads, run is called inside jobs_submit and done on the
 * loop's next turn: where one thread has all the work, a hand-over only costs.
 * Jobs of a pool with one thread run in the order submitted. */
#ifndef BASE_JOBS_H
#define BASE_JOBS_H

#include "base/link.h"
#include "base/loop.h"
#include "base/status.h"

struct jobs;

typedef void jobs_run_fn(void *work);  /* on a pool thread */
typedef void jobs_done_fn(void *work); /* on the loop thread */

enum status jobs_open(struct loop *loop,
                      struct link_context *context,
                      unsigned threads_count,
                      unsigned queue_max,
                      struct jobs **out) MUST_CHECK;
/* Refuses new work from now on; what is queued still runs. */
void jobs_stop(struct jobs *jobs);
/* Waits for all jobs, delivers their done calls. After jobs_stop. */
void jobs_join(struct jobs *jobs);
void jobs_close(struct jobs *jobs); /* accepts NULL; after jobs_join */

/* BUSY: queue_max jobs wait already. CONFLICT: after jobs_stop. */
enum status jobs_submit(struct jobs *jobs,
                        jobs_run_fn *run,
                        jobs_done_fn *done,
                        void *work) MUST_CHECK;

unsigned jobs_pending(const struct jobs *jobs); /* submitted, not yet done */

/* A thread that is not part of a pool: the pump of the gRPC completion queue.
 * It runs fn(owner) and ends when fn returns; thread_join waits for that. */
struct thread;
enum status thread_open(void (*fn)(void *owner),
                        void *owner,
                        struct thread **out) MUST_CHECK;
void thread_join(struct thread *thread); /* waits and frees; accepts NULL */

#endif /* BASE_JOBS_H */
