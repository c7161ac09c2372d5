/* supervise.h - keeps a coordinator and its workers running.
 *
 * The process behind `cajal run` and `cajal up`: it has no terminal, speaks no
 * gRPC and never decides about jobs. It ends when the coordinator ends in
 * peace, and then nothing of it is left. What dies otherwise is started again:
 * at once if it has lived for a while, else after a pause that doubles; what
 * dies too often is given up with a line in the log.
 *
 * The judgement is pure, so that tests can go through its cases. */
#ifndef CLIENT_SUPERVISE_H
#define CLIENT_SUPERVISE_H

#include "base/status.h"
#include "client/place.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    /* A life shorter than this is a failed start. */
    CHILD_SHORT_MS = 2000,
    /* So many failed starts within CHILD_WINDOW_MS, and that is that. Whoever
     * kills a process every few seconds shall find it alive again, at once:
     * jobs wait for it. */
    CHILD_FAILURES_MAX = 10,
    CHILD_WINDOW_MS = 60000,
    CHILD_PAUSE_MS = 50, /* after the first failed start */
    CHILD_PAUSE_MS_MAX = 2000,
    /* A worker that left in peace was told to; where the coordinator still is
     * there after this, it was told by somebody else. */
    CHILD_LEFT_MS = 2000,
    /* How long the store may be held by a coordinator that is ending. */
    CHILD_CONFLICT_MS = 10000
};

enum child_kind { CHILD_COORDINATOR = 1, CHILD_WORKER };

/* One process that is kept. */
struct child {
    enum child_kind kind;
    char name[16];     /* "w0" */
    pid_t pid;         /* 0: not running */
    uint64_t first_ms; /* of its first start */
    uint64_t started_ms;
    uint64_t restart_ms; /* when to start it; UINT64_MAX: not */
    uint64_t failures_ms[CHILD_FAILURES_MAX]; /* a ring of failed starts */
    uint32_t failures_count;
    uint32_t failed_in_a_row; /* starts */
};

enum verdict { VERDICT_RESTART = 1, VERDICT_GIVE_UP, VERDICT_END };

/* What follows from the death of child's process: status is waitpid's. Sets
 * restart_ms for VERDICT_RESTART. */
enum verdict child_judge(struct child *child, uint64_t now_ms, int status);

/* Runs until the coordinator has ended in peace or SIGTERM came; returns the
 * exit code. CONFLICT (6): another supervisor has this place. */
int supervise(const struct place *place, uint32_t workers, uint32_t threads);

/* Is there a supervisor of this place? */
bool supervise_is_there(const struct place *place);

#endif /* CLIENT_SUPERVISE_H */
