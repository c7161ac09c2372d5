/* cluster.h - a coordinator and workers on this machine, for run and up. */
#ifndef CLIENT_CLUSTER_H
#define CLIENT_CLUSTER_H

#include "client/tool.h"

struct cluster {
    pid_t supervisor; /* ours to wait for; 0: it was there before */
};

/* Makes one be there, and connects. An exit code. */
int cluster_start(struct tool *tool,
                  uint32_t workers,
                  uint32_t threads,
                  struct cluster *out);

/* Jobs that are neither ended nor paused, but for `except` ("" for none). */
int cluster_busy_jobs(struct tool *tool, const char *except, uint32_t *out);

/* Asks the coordinator to end and waits until all processes have. */
int cluster_stop(struct tool *tool, pid_t supervisor);

#endif /* CLIENT_CLUSTER_H */
