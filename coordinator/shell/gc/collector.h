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
#ifndef COORDINATOR_SHELL_GC_COLLECTOR_H
#define COORDINATOR_SHELL_GC_COLLECTOR_H

#include "coordinator/core/coord.h"
#include "coordinator/shell/gc/gcplan.h"
#include "coordinator/shell/persistence/keeper.h"
#include "coordinator/shell/service/service.h"

struct collector;

/* The record of a job as people see it. NO_MEMORY, NOT_FOUND, CORRUPT, IO. */
typedef enum status collector_view_fn(void *owner,
                                      uint64_t job,
                                      struct job_record *out);

/* All is borrowed until collector_close. */
struct collector_options {
    struct store *store;
    struct keeper *keeper;
    struct jobs *reader;
    struct jobs *writer;
    const struct coord *core; /* which jobs and cuts there are */
    gcplan_spares_fn *spares;
    collector_view_fn *view;
    void *owner;
};

enum status collector_open(const struct collector_options *options,
                           struct collector **out) MUST_CHECK;
/* The event log hears of no gc any more; the one at hand goes on until the
 * pools are stopped. */
void collector_stop(struct collector *collector);
/* Accepts NULL. After the pools are joined. */
void collector_close(struct collector *collector);

/* A version of the job is on the disk. */
void collector_version(struct collector *collector, uint64_t job);

struct gc_order {
    uint64_t job;
    const struct keep_spec *keep; /* borrowed for the call */
    bool dry_run;
};
/* One that a person asks for. Takes the call and answers it, unless BUSY: a gc
 * is at work already. */
enum status collector_begin(struct collector *collector,
                            struct call *call,
                            const struct gc_order *order) MUST_CHECK;

/* The version is about to go: nobody may begin to use it. */
bool collector_dooms(const struct collector *collector,
                     uint64_t job,
                     uint64_t number);

#endif /* COORDINATOR_SHELL_GC_COLLECTOR_H */
