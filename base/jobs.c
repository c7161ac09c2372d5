#include "base/jobs.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <pthread.h>

#include <limits.h>
#include <signal.h>
#include <stdint.h>

/* What a job goes through:
 *
 *   jobs_submit       pool thread        loop thread
 *   ----------> waiting -------> run ------> finished ----> done
 *               (ring)                       (ring)
 *                                  wake-up message through a PAIR
 *
 * The lock guards the two rings, the two flags beside them and the sending
 * end of the pipe, and is never held while a job runs. Taking it also orders
 * memory: what run wrote is seen by done. With 0 threads there is no pipe, and
 * a timer that is due at once brings the loop to the finished jobs. */

struct job {
    jobs_run_fn *run;
    jobs_done_fn *done;
    void *work;
};

struct ring {
    struct job *items;
    unsigned size;
    unsigned first;
    unsigned count;
};

struct thread {
    pthread_t id;
    void (*fn)(void *owner);
    void *owner;
};

struct jobs {
    struct loop *loop;
    struct thread **threads; /* threads_count, NULL where not started */
    unsigned threads_count;
    unsigned queue_max;
    unsigned pending_count; /* the loop thread's alone */
    bool stopped;           /* the loop thread's alone */

    pthread_mutex_t lock;
    pthread_cond_t wake; /* waiting is not empty, or ending */
    struct ring waiting;
    struct ring finished;
    bool ending;         /* pool threads leave once waiting is empty */
    bool woken;          /* a wake-up is on its way to the loop */
    struct link *outlet; /* pool threads send here, under the lock */

    struct link *inlet; /* the loop's end */
    uint32_t timer;     /* instead of the pipe, with 0 threads */
    bool has_timer;
};

/* Rings */

static enum status ring_open(struct ring *ring, unsigned size)
{
    ring->items = mem_array(size, sizeof(ring->items[0]));
    ring->size = size;
    return ring->items != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static void ring_add(struct ring *ring, struct job job)
{
    CHECK(ring->count < ring->size);
    ring->items[(ring->first + ring->count) % ring->size] = job;
    ring->count++;
}

static struct job ring_take(struct ring *ring)
{
    struct job job = ring->items[ring->first];

    CHECK(ring->count > 0);
    ring->first = (ring->first + 1) % ring->size;
    ring->count--;
    return job;
}

/* Threads */

static void *thread_main(void *owner)
{
    struct thread *thread = owner;

    thread->fn(thread->owner);
    return NULL;
}

enum status thread_open(void (*fn)(void *owner),
                        void *owner,
                        struct thread **out)
{
    struct thread *thread = mem_new(sizeof(*thread));
    sigset_t all;
    sigset_t before;
    int code = 0;

    if (thread == NULL) {
        return STATUS_NO_MEMORY;
    }
    thread->fn = fn;
    thread->owner = owner;
    /* A thread begins with its creator's mask. Signals belong to the loop's
     * thread: no job is ever interrupted by one. */
    CHECK(sigfillset(&all) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    code = pthread_create(&thread->id, NULL, thread_main, thread);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (code != 0) {
        log_line(LOG_ERROR, "jobs", "thread_failed", "errno=%d", code);
        mem_free(thread);
        return STATUS_IO;
    }
    *out = thread;
    return STATUS_OK;
}

void thread_join(struct thread *thread)
{
    if (thread == NULL) {
        return;
    }
    CHECK(pthread_join(thread->id, NULL) == 0);
    mem_free(thread);
}

/* The pool threads' side */

/* Called with the lock held. A pipe's end may be used by several threads if
 * they take turns; the lock is the fence that 0MQ asks for. */
static void wake_loop(struct jobs *jobs)
{
    struct part empty;
    enum status status = STATUS_OK;

    if (jobs->woken) {
        return; /* one message calls for all that have finished by then */
    }
    part_init_empty(&empty);
    status = link_send(jobs->outlet, &empty, 1);
    /* The pipe has no limit and at most two messages in it: see deliver. */
    CHECK(status == STATUS_OK);
    jobs->woken = true;
}

static void pool_main(void *owner)
{
    struct jobs *jobs = owner;

    CHECK(pthread_mutex_lock(&jobs->lock) == 0);
    for (;;) {
        struct job job;

        while (jobs->waiting.count == 0 && !jobs->ending) {
            CHECK(pthread_cond_wait(&jobs->wake, &jobs->lock) == 0);
        }
        if (jobs->waiting.count == 0) {
            break;
        }
        job = ring_take(&jobs->waiting);
        CHECK(pthread_mutex_unlock(&jobs->lock) == 0);
        job.run(job.work);
        CHECK(pthread_mutex_lock(&jobs->lock) == 0);
        ring_add(&jobs->finished, job);
        wake_loop(jobs);
    }
    CHECK(pthread_mutex_unlock(&jobs->lock) == 0);
}

/* The loop thread's side */

static struct job take_finished(struct jobs *jobs)
{
    struct job job;

    CHECK(pthread_mutex_lock(&jobs->lock) == 0);
    job = ring_take(&jobs->finished);
    CHECK(pthread_mutex_unlock(&jobs->lock) == 0);
    return job;
}

/* Calls done for what has finished by now, and not for what the done calls
 * themselves bring about: a chain of jobs must not lock out the other links.
 * woken is cleared first, so a job that finishes later sends a new wake-up. */
static void deliver(struct jobs *jobs)
{
    unsigned count = 0;

    CHECK(pthread_mutex_lock(&jobs->lock) == 0);
    jobs->woken = false;
    count = jobs->finished.count;
    CHECK(pthread_mutex_unlock(&jobs->lock) == 0);

    for (unsigned i = 0; i < count; i++) {
        struct job job = take_finished(jobs);

        CHECK(jobs->pending_count > 0);
        jobs->pending_count--;
        job.done(job.work);
    }
}

static void on_inlet(void *owner)
{
    struct jobs *jobs = owner;
    struct part part;
    size_t count = 0;

    while (link_receive(jobs->inlet, &part, 1, &count) == STATUS_OK) {
        part_close(&part);
    }
    deliver(jobs);
}

static void on_timer(void *owner)
{
    deliver(owner);
}

/* Opening */

static enum status open_pipe(struct jobs *jobs, struct link_context *context)
{
    const struct link_options options = {.kind = LINK_PAIR,
                                         .part_bytes_max = 1};
    char endpoint[ENDPOINT_BYTES_MAX];
    enum status status = STATUS_OK;
    struct text text;

    /* The address is unique among the pools that live. */
    text_init(&text, endpoint, sizeof(endpoint));
    text_add(&text, "inproc://jobs-");
    text_u64(&text, (uintptr_t)jobs);

    status = link_bind(context, &options, endpoint, &jobs->inlet);
    if (status != STATUS_OK) {
        return status;
    }
    status = link_connect(context, &options, endpoint, &jobs->outlet);
    if (status != STATUS_OK) {
        return status;
    }
    return loop_add_link(jobs->loop, jobs->inlet, on_inlet, jobs);
}

static enum status open_threads(struct jobs *jobs)
{
    jobs->threads = mem_array(jobs->threads_count, sizeof(jobs->threads[0]));
    if (jobs->threads == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (unsigned i = 0; i < jobs->threads_count; i++) {
        enum status status = thread_open(pool_main, jobs, &jobs->threads[i]);

        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* All that may fail, in the order of need: threads last, since they use the
 * rest. */
static enum status open_parts(struct jobs *jobs, struct link_context *context)
{
    /* Jobs that run, or have finished and not been told, count too: so the
     * rings never overflow, and a loop that only submits is told BUSY. */
    unsigned size = jobs->queue_max + jobs->threads_count;
    enum status status = ring_open(&jobs->waiting, size);

    if (status != STATUS_OK) {
        return status;
    }
    status = ring_open(&jobs->finished, size);
    if (status != STATUS_OK) {
        return status;
    }
    if (jobs->threads_count == 0) {
        status = loop_add_timer(jobs->loop, UINT64_MAX, on_timer, jobs,
                                &jobs->timer);
        jobs->has_timer = status == STATUS_OK;
        return status;
    }
    status = open_pipe(jobs, context);
    if (status != STATUS_OK) {
        return status;
    }
    return open_threads(jobs);
}

enum status jobs_open(struct loop *loop,
                      struct link_context *context,
                      unsigned threads_count,
                      unsigned queue_max,
                      struct jobs **out)
{
    struct jobs *jobs = NULL;
    enum status status = STATUS_OK;

    CHECK(queue_max > 0);
    CHECK(queue_max <= UINT_MAX - threads_count);
    jobs = mem_new(sizeof(*jobs));
    if (jobs == NULL) {
        return STATUS_NO_MEMORY;
    }
    jobs->loop = loop;
    jobs->threads_count = threads_count;
    jobs->queue_max = queue_max;
    /* With default attributes neither can fail on Linux. */
    CHECK(pthread_mutex_init(&jobs->lock, NULL) == 0);
    CHECK(pthread_cond_init(&jobs->wake, NULL) == 0);
    status = open_parts(jobs, context);
    if (status != STATUS_OK) {
        jobs_stop(jobs);
        jobs_join(jobs);
        jobs_close(jobs);
        return status;
    }
    *out = jobs;
    return STATUS_OK;
}

/* Closing */

void jobs_stop(struct jobs *jobs)
{
    jobs->stopped = true;
    CHECK(pthread_mutex_lock(&jobs->lock) == 0);
    jobs->ending = true;
    CHECK(pthread_cond_broadcast(&jobs->wake) == 0);
    CHECK(pthread_mutex_unlock(&jobs->lock) == 0);
}

void jobs_join(struct jobs *jobs)
{
    CHECK(jobs->stopped);

    for (unsigned i = 0; jobs->threads != NULL && i < jobs->threads_count;
         i++) {
        thread_join(jobs->threads[i]);
        jobs->threads[i] = NULL;
    }
    /* Once is enough: a done call cannot submit any more. */
    deliver(jobs);
    CHECK(jobs->pending_count == 0);
}

void jobs_close(struct jobs *jobs)
{
    if (jobs == NULL) {
        return;
    }
    CHECK(jobs->stopped);
    CHECK(jobs->pending_count == 0);
    for (unsigned i = 0; jobs->threads != NULL && i < jobs->threads_count;
         i++) {
        CHECK(jobs->threads[i] == NULL); /* jobs_join has been called */
    }
    loop_remove_link(jobs->loop, jobs->inlet);
    if (jobs->has_timer) {
        loop_remove_timer(jobs->loop, jobs->timer);
    }
    link_close(jobs->outlet);
    link_close(jobs->inlet);
    CHECK(pthread_cond_destroy(&jobs->wake) == 0);
    CHECK(pthread_mutex_destroy(&jobs->lock) == 0);
    mem_free(jobs->threads);
    mem_free(jobs->finished.items);
    mem_free(jobs->waiting.items);
    mem_free(jobs);
}

/* Working */

static void run_inline(struct jobs *jobs, struct job job)
{
    jobs->pending_count++;
    job.run(job.work);
    ring_add(&jobs->finished, job);
    loop_set_timer(jobs->loop, jobs->timer, 0);
}

enum status jobs_submit(struct jobs *jobs,
                        jobs_run_fn *run,
                        jobs_done_fn *done,
                        void *work)
{
    struct job job = {run, done, work};
    bool full = false;

    CHECK(run != NULL);
    CHECK(done != NULL);
    if (jobs->stopped) {
        return STATUS_CONFLICT;
    }
    if (jobs->pending_count == jobs->finished.size) {
        return STATUS_BUSY;
    }
    if (jobs->threads_count == 0) {
        run_inline(jobs, job);
        return STATUS_OK;
    }
    CHECK(pthread_mutex_lock(&jobs->lock) == 0);
    full = jobs->waiting.count == jobs->queue_max;
    if (!full) {
        ring_add(&jobs->waiting, job);
        CHECK(pthread_cond_signal(&jobs->wake) == 0);
    }
    CHECK(pthread_mutex_unlock(&jobs->lock) == 0);
    if (full) {
        return STATUS_BUSY;
    }
    jobs->pending_count++;
    return STATUS_OK;
}

unsigned jobs_pending(const struct jobs *jobs)
{
    return jobs->pending_count;
}
