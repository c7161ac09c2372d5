/* host.h - the worker process: its loop, its links, its sessions.
 *
 * It turns what happens into events of the agent (worker/core) and carries out
 * the agent's actions; what a session does inside an interval does not pass
 * through here. */
#ifndef WORKER_SHELL_HOST_H
#define WORKER_SHELL_HOST_H

#include "base/status.h"
#include "worker/shell/settings.h"

struct host;

/* Opens everything, but says nothing to the coordinator yet. Errors are
 * logged. */
enum status host_open(const struct settings *settings,
                      struct host **out) MUST_CHECK;
void host_close(struct host *host); /* accepts NULL */

/* Serves until the coordinator or a signal ends it; the exit code. */
int host_run(struct host *host);

#endif /* WORKER_SHELL_HOST_H */
