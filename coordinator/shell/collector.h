/* collector.h - gc: takes away what the keep rules allow, in small steps.
 *
 *   reader   the job's versions and names are read          gcplan.h
 *   loop     which of them may go; from here on nobody can ask for these
 *   writer   versions go, 64 to a transaction
 *   reader   what the others name is marked, slice by slice
 *   writer   chunks go, some to a transaction                storage/sweep.h
 *
 * Between two steps commits and chunks have their turn, so that training does
 * not wait. One gc at a time: a person's, or by itself after a commit where
 * the job has keep.last and enough versions more than that. */
#ifndef COORDINATOR_SHELL_COLLECTOR_H
#define COORDINATOR_SHELL_COLLECTOR_H

#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct collector;
struct shell;

enum status collector_open(struct shell *shell,
                           struct collector **out) MUST_CHECK;
/* Accepts NULL. After the pools are joined. */
void collector_close(struct collector *collector);

/* A version of the job is on the disk. */
void collector_version(struct collector *collector, uint64_t job);

/* The version is about to go: nobody may begin to use it. */
bool collector_dooms(const struct collector *collector,
                     uint64_t job,
                     uint64_t number);

#endif /* COORDINATOR_SHELL_COLLECTOR_H */
