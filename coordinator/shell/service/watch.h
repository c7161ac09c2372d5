/* watch.h - clients that look on while jobs run.
 *
 * A watcher that reads as fast as events come gets each as it happens. One
 * that falls behind is served from the event log, from where it left off, so
 * that it costs no memory; progress, which is not logged, it then misses. */
#ifndef COORDINATOR_SHELL_SERVICE_WATCH_H
#define COORDINATOR_SHELL_SERVICE_WATCH_H

#include "coordinator/shell/records/eventcode.h"
#include "coordinator/shell/service/service.h"
#include "storage/store.h"

enum { WATCHERS_MAX = 512 };

struct watch;

enum status watch_open(struct store *store, struct watch **out) MUST_CHECK;
void watch_close(struct watch *watch); /* accepts NULL; no watcher is left */

struct watch_start {
    uint64_t job;
    uint64_t from;  /* first sequence number wanted; 0: from now on */
    uint64_t last;  /* sequence number of the last logged event */
    bool until_end; /* the stream ends when the job has ended */
    const struct event_record *present; /* the job's state, as an event */
};
/* Takes the call. */
void watch_add(struct watch *watch,
               struct call *call,
               const struct watch_start *start);

/* An event has happened. sequence: its own, or of the last logged one where
 * it is not logged. */
void watch_tell(struct watch *watch,
                uint64_t job,
                uint64_t sequence,
                const struct event_record *event);

#endif /* COORDINATOR_SHELL_SERVICE_WATCH_H */
