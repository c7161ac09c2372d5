/* job.h - one job inside the coordinator: placement, grants, reports, cuts.
 *
 *             +--------------------------- rollback, restore, resume
 *             v                                            |
 *   STORING > LOADING > WAITING > OPENING > PLACING > RUNNING > PAUSED
 *                          ^  (fresh only)                 |
 *                          +--- fresh, shape known         +--> ENDED
 *
 * All coordination is in steps, never in time: grants 0 and 1 are given
 * at the start; when the reports of interval n are all in, n + 2 is decided.
 * A job is a slot of the coordinator; it never reads a clock but through the
 * event's now_ms, and owns no memory: what scales with the model is lent. */
#ifndef COORDINATOR_CORE_JOB_H
#define COORDINATOR_CORE_JOB_H

#include "coordinator/core/decide.h"
#include "coordinator/core/event.h"
#include "coordinator/core/members.h"

enum job_phase {
    PHASE_FREE = 0,
    PHASE_STORING, /* the record of a launch is on its way to the disk */
    PHASE_LOADING, /* the head is read from the store */
    PHASE_WAITING, /* for workers */
    PHASE_OPENING, /* a worker opens the data and says their shape */
    PHASE_PLACING, /* workers make or load their shards */
    PHASE_RUNNING,
    PHASE_RESTORING, /* a restore is on its way to the disk */
    PHASE_PAUSED,
    PHASE_ENDED
};

enum job_kind { KIND_TRAIN = 1, KIND_EVALUATE };

/* What shall become of a running job at its next possible boundary. */
enum job_want {
    WANT_NONE = 0,
    WANT_PAUSE,
    WANT_CANCEL,
    WANT_RESTORE,
    WANT_SHUTDOWN,
    WANT_PARK /* its last worker leaves: kept as a version, it waits */
};

/* A version in the making. */
struct cut {
    bool used;
    bool next_decided; /* pending and state below are those of the version */
    bool committing;
    bool hold; /* the job stops at this boundary */
    uint64_t version;
    uint64_t interval;
    uint64_t step;
    uint32_t task;
    uint64_t position;
    uint32_t cause;
    char reason[REASON_BYTES_MAX];
    uint32_t shards_missing;
    uint64_t shards_seen[LAYERS_MAX]; /* bit masks */
    struct job_spec spec;
    struct arch arch; /* after the boundary's edits; units in lent memory */
    struct plasticity_state state;
    bool has_pending;
    struct grant begun;
    struct grant pending;
};

/* A closed state that lies in the memory of workers; see job_points.h. */
struct point {
    bool used;
    bool storing; /* its record is on its way to the disk */
    uint32_t line;
    uint64_t term; /* in which it was made */
    uint64_t interval;
    uint64_t step;
    uint64_t asked_ms; /* when its grant was decided */
    uint64_t kept_ms;  /* when the first copy was told; 0: in another life */
    uint64_t cost_us;  /* the most that a worker stood still for it */
    uint32_t tries;    /* placements that began from it */
    /* The workers that are there and have copies; places are used where the
     * mask says so. */
    uint64_t keepers_mask;
    uint32_t keepers[WORKERS_MAX];
    uint64_t costs_us[WORKERS_MAX]; /* each for all its own shards */
    /* By layer, then shard, as owners in struct job: masks of keepers. */
    uint64_t holders[LAYERS_MAX * SHARDS_MAX];
    uint32_t held[2]; /* shards with at least one copy, with at least two */
};

/* Reports of one interval. */
struct collected {
    uint64_t interval;
    uint32_t missing;
    uint64_t seen[LAYERS_MAX];
    struct report *reports; /* [shards_total], layer by layer; lent */
};

struct job {
    enum job_phase phase;
    enum job_kind kind;
    struct job_record record;
    bool resume_wanted; /* after LOADING: run, else stay paused */
    bool taken_over;    /* an earlier life ran it; until it is loaded */

    /* Requests that wait for the job: at most one of a kind that stops it. */
    enum job_want want;
    uint64_t want_request;
    uint64_t want_version;
    uint64_t launch_request;
    uint64_t evaluate_request;
    uint64_t evaluate_job; /* whose version; record.job names the session */

    /* Going back: until it is where it was before. */
    bool stopped;
    bool started_again; /* the coordinator was, too */
    bool goes_on;       /* an interval has been reported since */
    uint64_t stopped_ms;
    uint64_t was_at; /* step */

    /* Placement */
    uint64_t term;
    struct worker_set placed;
    struct worker_set ready;
    struct worker_set told;   /* of its state: they may have copies of it */
    struct worker_set was_on; /* where it was placed since it last ran, and had
                                 to go back: see coord_workers.c */
    uint32_t opener;
    uint64_t phase_deadline_ms;
    uint64_t store_again_ms; /* its record, which the disk did not take */
    uint64_t place_again_ms; /* before it, a waiting job is not placed */
    uint64_t tried_at; /* members.changes, when it could not be; 0: not yet */
    struct worker_set busy; /* workers that had no room for it */
    uint64_t moved_ms;      /* when a worker last got on with it */
    uint32_t stalls;        /* times that none did for too long */
    uint32_t faults;        /* since the newest version, see FAULTS_MAX */
    uint32_t owners_count;
    uint32_t owners[LAYERS_MAX * SHARDS_MAX]; /* workers' numbers */
    uint32_t peers_count;
    struct wire_peer peers[WORKERS_MAX];
    uint64_t base_steps[WORKERS_MAX]; /* of peers, when it was placed */
    uint64_t base_bytes[WORKERS_MAX];

    /* Going on elsewhere, from a point made for it; see coord_moves.c. */
    bool move_wanted; /* at the next boundary that is decided */
    bool moving;      /* from that decision until it runs again */
    uint64_t move_interval;
    struct worker_set moved_from;
    uint64_t move_again_ms; /* not before, to have more workers */
    uint64_t move_retry_ms; /* not before, whatever for: the last one failed */

    /* Where the present run began; NULL: fresh. Lent. */
    const struct version *origin;
    bool from_point; /* origin is `point`, whose tensors workers have */
    void *memory;
    uint64_t again;     /* steps done before, of this run */
    uint64_t head_step; /* of the head; UINT64_MAX: not known in this life */

    /* States kept in memory: the newest that is complete, and the next one with
     * all that its record holds. */
    struct point point;
    struct point making;
    struct cut making_cut;
    uint64_t gather_ms; /* until when copies are waited for; 0: not */
    uint64_t keep_ms; /* when a point was last asked for; 0: not in this run */
    bool keepless;    /* none is asked for, but to move */
    uint64_t keep_cost_us;  /* of the newest complete point */
    uint32_t keep_points;   /* completed in this run */
    uint32_t holders_count; /* of the assignment: workers with copies ... */
    struct wire_peer holders[WORKERS_MAX];
    uint32_t sources[LAYERS_MAX * SHARDS_MAX]; /* ... and who gives which */

    /* Deciding. arch, spec (in record) and state are as of grant `decided`. */
    struct arch arch;
    struct plasticity_state state;
    struct cursor cursor;
    uint64_t first;    /* interval of the first grant of this term */
    uint64_t decided;  /* intervals below this one are decided */
    uint64_t sent;     /* below this one: sent */
    uint64_t reported; /* below this one: all reports in */
    bool closing_decided;
    bool overflowed; /* a number was not finite: nothing more is run, and the
                        job pauses when the good cuts under way are kept */
    struct grant grants[GRANTS_MAX]; /* by interval % GRANTS_MAX */
    bool gated[GRANTS_MAX];          /* waits until its record is stored */
    struct collected collected[GRANTS_MAX];
    struct plan plan;
    struct cut cuts[CUTS_MAX];
    uint32_t settings_count; /* asked for, in the next grant */
    struct grant_setting settings[GRANT_SETTINGS_MAX];
    uint64_t setting_requests[GRANT_SETTINGS_MAX];
    uint64_t gate_requests[GRANTS_MAX][GRANT_SETTINGS_MAX]; /* wait with it */
    uint64_t journaled;    /* intervals of this line below it are journaled */
    uint64_t next_version; /* number that the next cut gets */
    uint32_t inputs_count; /* that a replay from the head must apply */
    struct input_setting inputs[INPUTS_MAX];
    uint64_t now_ms;   /* of the event that job_advance is called in */
    uint64_t mark_ms;  /* when the newest interval was reported whole, or the
                          first grant of the placement was given; 0: neither */
    uint64_t event_ms; /* when progress was last told */
};

/* Lent memory that a job of this spec and shape needs. */
size_t job_memory_bytes(const struct job_spec *spec,
                        const struct data_shape *shape);

uint32_t job_shards_total(const struct job *job);

const char *job_phase_name(enum job_phase phase);

/* Moves along the table of allowed moves; CHECK else. */
void job_move(struct job *job, enum job_phase to);

/* The state that people see. */
enum job_state job_visible_state(const struct job *job);

/* Fresh: architecture at step 0 and the first two grants. Needs memory and a
 * known shape. */
void job_begin_fresh(struct job *job);

/* From a version: its architecture, state and grants. point: it is the record
 * of job->point, without tensors. CORRUPT: the version does not fit the job. */
enum status job_begin_from(struct job *job,
                           const struct version *version,
                           bool point);

/* A one-interval job that evaluates `version` on the tasks it has seen. */
enum status job_begin_evaluation(struct job *job,
                                 const struct version *version);

/* Decides one more grant where that can be done, sends what may be sent and
 * commits what is complete. job_can_decide says whether a further call would
 * do more. */
void job_advance(struct job *job,
                 uint32_t slot,
                 const struct members *members,
                 struct actions *out);
bool job_can_decide(const struct job *job);

/* Something is granted that workers have not reported yet, and that they need
 * not wait with for anybody else. */
bool job_waits_for_workers(const struct job *job);

/* A report has come. STALE: another term or interval, or twice. *out_whole:
 * it was the last one of its interval. */
enum status job_take_report(struct job *job,
                            const struct report *report,
                            bool *out_whole) MUST_CHECK;

/* The interval just reported whole: counters, the metrics' figures; false and
 * a sentence where a loss or weight was not finite. Call before job_advance. */
bool job_close_interval(struct job *job,
                        uint32_t slot,
                        uint64_t now_ms,
                        struct actions *out,
                        char *why,
                        size_t why_size);

/* All intervals reported and all versions committed. */
bool job_is_done(const struct job *job);

/* A shard's cut is stored. STALE as above. */
enum status job_take_shard_cut(struct job *job,
                               uint64_t version,
                               uint32_t layer,
                               uint32_t shard) MUST_CHECK;

/* The journal record of grant `interval` is on the disk: it may be sent. */
void job_take_stored_grant(struct job *job,
                           uint32_t slot,
                           uint64_t interval,
                           struct actions *out);

/* The manifest of cut `index` is on the disk. */
void job_take_commit(struct job *job, uint32_t index);

const struct cut *job_cut(const struct job *job, uint32_t index);

/* How many workers the job can do with, and how many it takes if they are
 * there. A plain number is both. */
uint32_t job_workers_least(const struct job *job);
uint32_t job_workers_most(const struct job *job);

/* False: fewer than the least are idle. */
bool job_can_be_placed(const struct job *job, const struct members *members);

/* Chooses workers for every shard; false as above. */
bool job_place(struct job *job, struct members *members);
uint32_t job_shards_on(const struct job *job, uint32_t worker);
/* Steps that another worker has reported and this one has not. */
uint64_t job_lag(const struct job *job, uint32_t worker);

/* Takes the placement back: the members' counts of sessions. */
void job_unplace(struct job *job, struct members *members);

/* Tells the placed workers to drop the job's session, up to its present term.
 * forget: and all that may have copies of its state to drop these. */
void job_send_drop(struct job *job,
                   const struct members *members,
                   bool forget,
                   struct actions *out);
void job_send_assign(struct job *job,
                     uint64_t life,
                     const struct members *members,
                     struct actions *out);

/* Fills the record's figures from the running state. */
void job_update_record(struct job *job, const struct members *members);

/* What decisions are made from; borrowed from the job. */
struct deciding job_deciding(struct job *job);

/* Makes room for the reports of an interval that has been decided. */
void job_expect_reports(struct job *job, uint64_t interval);

/* Forgets grants, reports, cuts and inputs: before a new begin. */
void job_reset_run(struct job *job);

#endif /* COORDINATOR_CORE_JOB_H */
