/* shell.h - a coordinator process around its pure core.
 *
 * The shell turns messages, calls, timers and completions into events, feeds
 * them to the core one at a time, and carries out the actions in their order.
 * It has no opinion about the protocol. One thread: the loop's. */
#ifndef COORDINATOR_SHELL_SHELL_H
#define COORDINATOR_SHELL_SHELL_H

#include "base/limits.h"
#include "base/link.h"
#include "base/loop.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct shell_options {
    char store[PATH_BYTES_MAX];   /* directory */
    char listen[PATH_BYTES_MAX];  /* gRPC address */
    char workers[PATH_BYTES_MAX]; /* endpoint of the control link */
    char chunks[PATH_BYTES_MAX];  /* endpoint of the chunk link */
    char logs[PATH_BYTES_MAX];    /* directory of the daemons' logs */
    char keys[PATH_BYTES_MAX];    /* directory of keys; "": none */
    /* Of this very program, to look at the store from a process of its own
     * (inspector.h); "": it is done in this one. */
    char program[PATH_BYTES_MAX];
    /* A mirror, or a directory of them, that the store is made from first, in
     * which nothing may be; "": none. */
    char rebuild[PATH_BYTES_MAX];
    bool transient; /* end when no client needs it any more */
    bool resume;    /* go on with the jobs that the store says run */
    bool insecure;
    uint32_t heartbeat_ms;
    bool points_off;     /* no state is kept in workers' memory */
    uint32_t timeout_ms; /* a worker silent for so long is lost */
};

struct shell;

/* Opens everything and starts the core. why gets a sentence. CONFLICT: the
 * store is another process's; CORRUPT, IO, FULL, UNSUPPORTED: the store;
 * UNAVAILABLE: an address is in use; REFUSED, INVALID: an address that may not
 * be listened at. */
enum status shell_open(struct loop *loop,
                       const struct shell_options *options,
                       char *why,
                       size_t why_size,
                       struct shell **out) MUST_CHECK;

/* As a client's Shutdown: jobs are cut and stopped, then the loop is stopped.
 * A second call stops the loop at once. */
void shell_shut_down(struct shell *shell);

/* After the loop has stopped: everything is written, nothing is left. */
void shell_close(struct shell *shell); /* accepts NULL */

#endif /* COORDINATOR_SHELL_SHELL_H */
