/* keeper.h - puts what the core wants kept into the store, in order.
 *
 * One job at a time writes on the store's thread. What comes meanwhile
 * collects in the next transaction (group commit), so that a disk slower than
 * the training costs one fsync for many intervals. When a transaction is on
 * the disk, its tokens are told and its events shown, in the order of the
 * actions: nothing is shown before it is durable. A job's journal has no gap:
 * see on_unjournaled. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_KEEPER_H
#define COORDINATOR_SHELL_PERSISTENCE_KEEPER_H

#include "base/jobs.h"
#include "coordinator/core/event.h"
#include "coordinator/shell/records/eventcode.h"
#include "coordinator/shell/records/journalcode.h"
#include "coordinator/shell/records/manifest.h"
#include "storage/store.h"

enum {
    /* Items that wait before workers are not listened to for a while: what
     * they report makes more of them. */
    KEEPER_BACKLOG_MAX = 8192
};

struct keeper;

struct keeper_events {
    /* restored: of a restore alone; borrowed. */
    void (*on_stored)(void *owner,
                      uint64_t token,
                      enum status status,
                      const struct version *restored);
    /* sequence: of the last logged event, or of this one. */
    void (*on_event)(void *owner,
                     uint64_t job,
                     uint64_t sequence,
                     const struct event_record *event);
    void (*on_version)(void *owner, uint64_t job, uint64_t number);
    /* A journal record that nobody waits for is not kept, and neither is any
     * of the job's journal, versions and points behind it, until a keeper_after
     * of the job has been told. */
    void (*on_unjournaled)(void *owner,
                           uint64_t job,
                           uint64_t interval,
                           enum status status);
    void (*on_idle)(void *owner); /* a transaction is done */
    void *owner;
};

/* writer: a pool of one thread, for everything that writes to the store. */
enum status keeper_open(struct store *store,
                        struct jobs *writer,
                        const struct keeper_events *events,
                        struct keeper **out) MUST_CHECK;
void keeper_close(struct keeper *keeper); /* accepts NULL; when idle */

size_t keeper_backlog(const struct keeper *keeper); /* 0: all is kept */

/* While on_stored, on_unjournaled or a done function runs: a sentence about the
 * mirror that what is told has failed by. NULL: it was none. */
const char *keeper_why(const struct keeper *keeper);

/* All take copies. token 0: nobody waits. Where memory is short the token is
 * told so, from within the call. */
void keeper_put_job(struct keeper *keeper,
                    uint64_t token,
                    const struct job_record *record);
void keeper_launch(struct keeper *keeper,
                   uint64_t token,
                   const struct job_record *record,
                   const struct launch_record *launch);
void keeper_journal(struct keeper *keeper,
                    uint64_t token,
                    uint64_t job,
                    const struct journal_entry *entry);
/* Takes bytes, also on failure. size 0: there is no point any more. */
void keeper_point(struct keeper *keeper,
                  uint64_t token,
                  uint64_t job,
                  unsigned char *bytes,
                  size_t size);
void keeper_stat(struct keeper *keeper,
                 uint64_t job,
                 const struct interval_stat *stat);
/* logged false: shown only, in its turn. */
void keeper_event(struct keeper *keeper,
                  uint64_t job,
                  const struct event_record *event,
                  bool logged);
/* Takes what the manifest points to, also on failure. record: the job as it
 * is when the version is its head. */
void keeper_commit(struct keeper *keeper,
                   uint64_t token,
                   const struct job_record *record,
                   struct manifest *manifest,
                   uint64_t wall_ms);
/* record: before the restore. */
void keeper_restore(struct keeper *keeper,
                    uint64_t token,
                    const struct job_record *record,
                    uint64_t from,
                    const struct manifest_restore *restore);

/* done runs on the loop, when the move is on the disk or has failed. */
typedef void keeper_done_fn(void *owner, enum status status);
enum status keeper_tag(struct keeper *keeper,
                       const char *name,
                       uint64_t job,
                       uint64_t number, /* 0: delete */
                       keeper_done_fn *done,
                       void *owner) MUST_CHECK;

/* done runs on the loop when all that was to be kept before this call is on the
 * disk, or has failed. */
enum status keeper_after(struct keeper *keeper,
                         uint64_t job,
                         keeper_done_fn *done,
                         void *owner) MUST_CHECK;

/* The record of a job on its way to the disk, which the store does not show
 * yet; NULL: none. Borrowed. */
const unsigned char *keeper_pending_job(const struct keeper *keeper,
                                        uint64_t job,
                                        size_t *out_size);

/* The sequence number of the last event that is on the disk. */
uint64_t keeper_last_event(struct keeper *keeper, uint64_t job);

#endif /* COORDINATOR_SHELL_PERSISTENCE_KEEPER_H */
