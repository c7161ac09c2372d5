/* spawn.h - starts our own programs as processes.
 *
 * All of them read nothing, write what they print into their log, and get
 * absolute paths, so that a list of processes tells which store they serve.
 * posix_spawn, never fork alone: gRPC may already run threads here. */
#ifndef CLIENT_SPAWN_H
#define CLIENT_SPAWN_H

#include "base/status.h"
#include "client/place.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn_coordinator {
    bool transient;      /* ends by itself when no client needs it */
    bool resume;         /* lets unfinished jobs go on */
    const char *rebuild; /* mirrors to make the store from; NULL: none */
};

struct spawn_worker {
    const char *name;
    uint32_t threads;
    bool guest; /* for one command: Ctrl-C there must not reach it */
};

/* Errors of all: NOT_FOUND (the program is not installed beside this one), IO,
 * INVALID (a path is too long). out is the process id, ours to wait for. */
enum status spawn_coordinator(const struct place *place,
                              const struct spawn_coordinator *options,
                              pid_t *out) MUST_CHECK;
enum status spawn_worker(const struct place *place,
                         const struct spawn_worker *options,
                         pid_t *out) MUST_CHECK;

/* Is the program of that name installed beside this one? */
bool spawn_has(const char *program);

/* This tool again, as a hidden verb in a session of its own. */
enum status spawn_supervisor(const struct place *place,
                             uint32_t workers,
                             uint32_t threads,
                             pid_t *out) MUST_CHECK;
enum status spawn_attendant(const struct place *place,
                            const char *job,
                            pid_t *out) MUST_CHECK;

/* What the hidden verbs call first: leaves the terminal's session. Until then
 * they were started with the terminal's signals blocked. */
void spawn_settle(void);

/* Waits for a child up to wait_ms. False: it still runs. */
bool spawn_wait(pid_t pid, int64_t wait_ms, int *out_status);

/* SIGTERM, then SIGKILL after wait_ms; waits. 0 is ignored. */
void spawn_end(pid_t pid, int64_t wait_ms);

/* "exit code 7", "killed by signal 9" */
void spawn_describe(int status, char *out, size_t size);

/* The last line of a log, "" where there is none. */
void spawn_last_words(const char *log, char *out, size_t size);

#endif /* CLIENT_SPAWN_H */
