/* inspector.h - a process beside the coordinator that reads its store.
 *
 * LMDB trusts its own pages: a damaged one may send it anywhere, and a sector
 * that the disk does not give is SIGBUS. So what reads everything, verify and
 * backup, is a process of its own, which damage may end; how it ended is part
 * of the answer. It also keeps the coordinator's map free to grow.
 *
 *     PROGRAM --inspect verify --store DIR
 *     PROGRAM --inspect backup --store DIR --into DIR
 *
 * It tells lines on its stdout:
 *
 *     fault SENTENCE
 *     done NUMBER...          verify: chunks bytes versions faults
 *     failed STATUS SENTENCE  a number of base/status.h
 *
 * inspect_* are that process; inspector_* is whoever started it, on any
 * thread, one call at a time. */
#ifndef COORDINATOR_SHELL_QUERIES_INSPECTOR_H
#define COORDINATOR_SHELL_QUERIES_INSPECTOR_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INSPECTOR_LINE_MAX = 1024 };

/* Returns the exit code of the process. */
int inspect_verify(const char *store);
int inspect_backup(const char *store, const char *dir);

struct inspector;

/* what: "verify" or "backup"; dir NULL: none. IO, NO_MEMORY. */
enum status inspector_open(const char *program,
                           const char *what,
                           const char *store,
                           const char *dir,
                           struct inspector **out) MUST_CHECK;

/* Its next line, without the end. BUSY: none within wait_ms. NOT_FOUND: there
 * are no more; inspector_end tells the rest. */
enum status inspector_read(struct inspector *inspector,
                           int wait_ms,
                           char line[INSPECTOR_LINE_MAX]) MUST_CHECK;

/* After the last line: 0, or the signal that has ended it. */
int inspector_end(struct inspector *inspector);

/* Ends it where it has not ended; accepts NULL. */
void inspector_close(struct inspector *inspector);

#endif /* COORDINATOR_SHELL_QUERIES_INSPECTOR_H */
