/* coord_inside.h - what the files of the coordinator's core share.
 *
 * coord.c       the step: dispatch, deadlines
 * coord_disk.c  tokens: what is on its way to the disk, and what then
 * coord_jobs.c  the life of a job: waiting, placing, stopping, ending
 * coord_moves.c, coord_workers.c  workers that come and go while it runs
 * coord_mail.c  messages from workers
 * coord_points.c  going back, to a point or a version
 * coord_asks.c  requests from clients */
#ifndef COORDINATOR_CORE_COORD_INSIDE_H
#define COORDINATOR_CORE_COORD_INSIDE_H

#include "coordinator/core/action.h"
#include "coordinator/core/coord.h"

enum {
    /* Opening 47 MB of gzip takes a second; a cold disk and 20 such. */
    PLACE_DEADLINE_MS = 60000,
    /* A worker that was started together with the request has joined by then;
     * one more time for its restart. */
    SESSION_DEADLINE_MS = 30000,
    /* As long as a worker waits for the store. Longer than any one step. */
    STALL_MS = 30000,
    STALLS_MAX = 7, /* then 64 minutes */
    /* Faults that no lost worker explains, since the newest version: a store
     * that was slow once is forgiven, a full disk is for a person to mend. */
    FAULTS_MAX = 3,
    /* Tokens of one slot with which it takes no further request that needs
     * another: TOKENS_MAX has room for a few more in each slot. */
    SLOT_TOKENS_MAX = 10,
    /* Workers that come together are taken together. */
    MOVE_JOINED_MS = 500,
    /* A move costs tenths of a second: not more than a few percent. */
    MOVE_AGAIN_MS = 2000,
    /* A drain whose job has lost its other workers: as long as a supervisor
     * takes to start one again, and some more. */
    DRAIN_PATIENCE_MS = 10000,
    MOVE_RETRY_MS = 10000, /* it failed, which cost a rollback */
    STORE_AGAIN_MS = 1000,
    /* After a start of the coordinator: longer than a worker's tries to say
     * hello, shorter than the patience of who watches. */
    GATHER_MS = 2000,
    BUSY_AGAIN_MS = 1000, /* a worker that closes a session has room by then */
    /* A timer that rings so late says that this process stood still: a busy
     * machine makes it a few ms. */
    LATE_MS = 50,
    STORE_SOON_MS = 10, /* while a commit is on its way: a disk's fsync */
    PROGRESS_MS = 200   /* between two progress events: what an eye follows */
};

/* Tokens. A full table is a CHECK: each slot has a bounded number of them. */
uint64_t token_new(struct coord *c,
                   enum token_kind kind,
                   uint32_t slot,
                   uint64_t detail,
                   uint64_t request);
void token_drop_slot(struct coord *c, uint32_t slot);
/* It has SLOT_TOKENS_MAX. */
bool slot_is_full(const struct coord *c, uint32_t slot);

/* A free slot, or one whose job is at rest (its state is in the store), or
 * JOBS_MAX. */
uint32_t slot_new(struct coord *c, struct actions *out);
void slot_free(struct coord *c, uint32_t slot, struct actions *out);

/* Stores the record and, when it is on the disk, tells the state and answers
 * request (0: none; so it must be while the head is moving, for which the
 * record then waits). */
void store_state(struct coord *c,
                 uint32_t slot,
                 uint64_t request,
                 struct actions *out);

/* Places what can be placed. coord_step alone calls it. */
void start_waiting(struct coord *c, struct actions *out);

/* A version of the slot's job is being written: where the head will be is not
 * known before it is. */
bool commit_is_on_its_way(const struct coord *c, uint32_t slot);
/* A commit or a restore is: a record stored behind it would take the head, and
 * the line, back. */
bool head_is_moving(const struct coord *c, uint32_t slot);
/* That, or a person's setting: a replay must find it in the journal. */
bool load_must_wait(const struct coord *c, uint32_t slot);

/* The point that workers have in memory, or else the head, is loaded and, if
 * `resume`, run. Waits where it must. */
void load_back(struct coord *c,
               uint32_t slot,
               bool resume,
               struct actions *out);
/* An earlier life kept this point: its copies are waited for at first. */
void begin_gathering(struct coord *c, uint32_t slot, const struct point *point);
/* "; back to step 1,234 (kept 0.8 s ago), 57 steps again" */
void tell_way_back(const struct coord *c, uint32_t slot, struct text *text);
/* What was loaded is where an earlier life of the coordinator left off, or had
 * to be gone back to. */
/* The job stops, to go back; or the coordinator has been started again. */
void note_stop(struct coord *c, struct job *job, bool started_again);
/* Once it goes on: call when an interval has been reported whole. And once
 * more when it is where it was before. */
void tell_recovered(struct coord *c, uint32_t slot, struct actions *out);
void tell_taken_over(struct coord *c, uint32_t slot, struct actions *out);
/* A placement did not come off. True: it began from a point, which is not
 * tried again. */
bool point_has_failed(struct coord *c, uint32_t slot, struct actions *out);
/* True: what was loaded is of no use any more, and something else is. */
bool loaded_in_vain(struct coord *c,
                    uint32_t slot,
                    const struct coord_event *ev,
                    struct actions *out);
/* The job ends or rests, or its future is another one. Workers are told by
 * job_send_drop. */
void forget_points(struct coord *c, uint32_t slot, struct actions *out);
void take_kept(struct coord *c,
               uint32_t worker,
               const struct wire_kept *kept,
               struct actions *out);
/* A worker is gone, and what it held. */
void lose_copies(struct coord *c, uint32_t worker, struct actions *out);

/* A worker is gone: every job on it goes back. */
void lose_worker(struct coord *c,
                 uint32_t worker,
                 const char *why,
                 struct actions *out);
void roll_back(struct coord *c,
               uint32_t slot,
               const char *why,
               struct actions *out);

/* A worker had no room for a job that was being placed: why, or "". It waits
 * for BUSY_AGAIN_MS and is placed again, elsewhere where that can be. */
void try_later(struct coord *c,
               uint32_t slot,
               uint32_t worker,
               const char *why,
               struct actions *out);

/* Ends a job in state with a reason; failed and cancelled ones too. */
void end_job(struct coord *c,
             uint32_t slot,
             enum job_state state,
             const char *reason,
             uint64_t request,
             struct actions *out);
void pause_job(struct coord *c,
               uint32_t slot,
               const char *reason,
               uint64_t request,
               struct actions *out);

/* The boundary that a want asked for is committed: do it. */
void carry_out_want(struct coord *c, uint32_t slot, struct actions *out);
void begin_restore(struct coord *c,
                   uint32_t slot,
                   uint64_t version,
                   uint64_t request,
                   struct actions *out);

/* After a report, a commit or READY: decide, send, finish. */
void run_on(struct coord *c, uint32_t slot, struct actions *out);

/* Which jobs shall move at the next boundary that is decided for them: away
 * from workers that go, or to ones that have come. coord_step calls it. */
void plan_moves(struct coord *c);
uint64_t moves_deadline(const struct coord *c); /* for plan_moves; or never */
/* The job of slot, if it moves, goes on its way as soon as it can. */
void move_on(struct coord *c, uint32_t slot, struct actions *out);
void move_is_done(struct coord *c, uint32_t slot, struct actions *out);
bool move_is_loading(const struct coord *c);
/* The job could go on without those workers that are going, and without
 * `except` (or NO_WORKER). */
bool move_is_possible(const struct coord *c, uint32_t slot, uint32_t except);
/* It hosts the job of slot, or the job is about to move, perhaps to it. */
bool move_concerns(const struct coord *c, uint32_t slot, uint32_t worker);
/* The worker hosts shards, or has copies that a move needs. */
bool move_needs(const struct coord *c, uint32_t worker);

void take_worker_request(struct coord *c,
                         const struct request *request,
                         struct actions *out);
/* It was told to end, and would like to hand over first. */
void take_leave(struct coord *c, uint32_t worker);
/* Before members_leave. */
void worker_is_gone(struct coord *c,
                    uint32_t worker,
                    const char *why,
                    struct actions *out);
/* Answers drains that are done, or have lasted too long, and lets workers go
 * that have handed over. coord_step calls it, when jobs have been placed. */
void settle_workers(struct coord *c, struct actions *out);
uint64_t workers_deadline(const struct coord *c); /* for settle_workers */

void set_reason(struct job *job, const char *reason);

/* The actions of job_advance know no tokens: they are put in here. */
void give_tokens(struct coord *c, struct actions *out);
void take_stored(struct coord *c,
                 const struct coord_event *ev,
                 struct actions *out);
/* A record of the journal is not on the disk, and none behind it will be. */
void take_unjournaled(struct coord *c,
                      const struct coord_event *ev,
                      struct actions *out);
void take_loaded(struct coord *c,
                 const struct coord_event *ev,
                 struct actions *out);
void take_message(struct coord *c,
                  const struct coord_event *ev,
                  struct actions *out);
void take_request(struct coord *c,
                  const struct request *request,
                  struct actions *out);
void end_probe(struct coord *c,
               struct probe *probe,
               enum status status,
               const char *text,
               const struct data_shape *shape,
               struct actions *out);
void ask_probes(struct coord *c, struct actions *out);
/* When nothing runs any more after a shutdown: say goodbye. */
void quit_if_quiet(struct coord *c, struct actions *out);

#endif /* COORDINATOR_CORE_COORD_INSIDE_H */
