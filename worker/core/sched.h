/* sched.h - the dataflow scheduler of one session: one job on one worker.
 *
 * A pure state machine: sched_step takes one event and lists what the shell
 * must do, in order. It knows which frames every local shard has and which
 * operation each may run next; it never sees a weight.
 *
 * A shard fires when its inputs for a microbatch are complete. Forward goes in
 * order of the microbatches, and so does backward; so the sums inside a shard
 * do not depend on when frames arrive. Backward goes before forward where both
 * can run (but for the first layer's, see ready.h). No send ever waits: a pass
 * ends in a shard only after each of its neighbours has taken part in it, so
 * whatever a neighbour sends is for the shard's present pass or the next one,
 * and the inbox has room for both.
 *
 * Frames are numbered per sending worker. A refused frame changes nothing, so
 * one that was needed shows as a gap at the next; a gap is a fault, and a
 * fault ends the session's work until the coordinator gives a new term. */
#ifndef WORKER_CORE_SCHED_H
#define WORKER_CORE_SCHED_H

#include "base/ids.h"
#include "proto/frame.h"
#include "proto/report.h"
#include "proto/wire.h"
#include "worker/core/inbox.h"
#include "worker/core/walk.h"

enum {
    SCHED_SHARDS_MAX = LAYERS_MAX * SHARDS_MAX,
    SCHED_SLOTS_MAX = 64, /* compute threads of one worker */
    /* Copies of a shard's state that are being stored: a third one waits,
     * which bounds their memory. Those that are only kept in memory have
     * bounds of their own (holdings.h) and wait for nothing. */
    SCHED_CUTS_MAX = 2,
    /* One event sends or delivers at most to every shard of a layer or every
     * worker, starts an operation in every slot and tells of one result. */
    SCHED_ACTIONS_MAX = SHARDS_MAX + SCHED_SLOTS_MAX + 8
};

/* A shard's work, one at a time. The shell finds a shard by its number among
 * the local ones, in order of layer, then shard. */
enum sched_op {
    SCHED_FORWARD = 1, /* the output layer also takes the loss */
    SCHED_BACKWARD,    /* in an evaluation only the acknowledgement */
    SCHED_NORM,        /* squared norm of the whole batch's gradient */
    SCHED_UPDATE,
    SCHED_EDIT,    /* the grant's edits and settings */
    SCHED_CUT,     /* the state is copied, for the store or memory */
    SCHED_COLUMNS, /* column sums for each shard of the layer before */
    SCHED_REPORT
};

struct sched_run {
    enum sched_op op;
    uint32_t local;
    uint32_t layer;
    uint32_t shard;
    bool training; /* FORWARD, BACKWARD: else an evaluation */
    bool last;     /* evaluation: the last rows of its set */
    enum evaluation_set set;
    uint32_t task;
    uint32_t microbatch;
    uint32_t first; /* rows of this microbatch within the pass */
    uint32_t rows;
    uint32_t pass_rows;
    uint64_t pass;
    uint64_t interval;
    uint64_t step;      /* of the job: the one trained, or the boundary's */
    uint64_t example;   /* position in the task, or in the evaluated set, of
                           the microbatch's first row */
    uint64_t task_step; /* UPDATE */
    uint64_t task_steps;
    uint64_t steps; /* REPORT: of the interval */
    bool store;     /* CUT: for a version, not (only) to be kept in memory */
};

/* An output of a local shard, or the frame of this event, goes into a place of
 * a local shard's inbox. */
struct sched_deliver {
    uint32_t to;     /* local shard; SCHED_ALL: of the session (a norm) */
    uint32_t from;   /* local shard whose output it is; SCHED_ALL: the frame */
    uint32_t output; /* which of its outputs */
    enum frame_kind kind;
    uint32_t cell; /* parity of the pass */
    uint32_t microbatch;
    uint32_t from_layer;
    uint32_t sender; /* shard of that layer */
};

enum { SCHED_ALL = UINT32_MAX >> 1 };

struct sched_send {
    uint32_t from;              /* local shard whose output it is */
    uint32_t output;            /* which of its outputs */
    uint32_t peer;              /* index into the peers */
    struct frame_header header; /* all but columns: the output's width */
};

/* A copy that was made: to be stored, kept in memory, or both. */
struct sched_cut {
    uint32_t local;
    uint64_t version; /* 0: not to be stored */
    bool keep;        /* in memory, as part of this point: */
    uint32_t line;
    uint64_t interval;
    uint64_t kept; /* as in the grant */
};

enum sched_action_type {
    SCHED_ACT_RUN = 1,
    SCHED_ACT_DELIVER,
    SCHED_ACT_SEND,
    SCHED_ACT_REPORT,  /* the report that was made goes out */
    SCHED_ACT_CUT,     /* the copy that was made is to be stored or kept */
    SCHED_ACT_REFUSED, /* the frame, grant or release of this event */
    SCHED_ACT_FAULT    /* the last action ever but REFUSED */
};

struct sched_action {
    enum sched_action_type type;
    union {
        struct sched_run run;
        struct sched_deliver deliver;
        struct sched_send send;
        struct {
            uint32_t local;
            uint64_t interval;
            bool closing; /* of the job's last interval */
        } report;
        struct sched_cut cut;
        struct {
            enum status status;
            const char *reason; /* static */
        } refused;
        struct {
            enum fault_kind kind;
            const char *reason; /* static */
            uint32_t worker;    /* FAULT_FRAME: who sent it */
            uint64_t expected;
            uint64_t found;
        } fault;
    };
};

struct sched_actions {
    uint32_t count;
    struct sched_action items[SCHED_ACTIONS_MAX];
};

enum sched_event_type {
    SCHED_GRANT = 1,
    SCHED_RELEASE,
    SCHED_FRAME,
    SCHED_DONE,  /* a RUN is complete; its outputs are there */
    SCHED_STORED /* a version's CUT is durable, or given up: room for one */
};

/* No event carries a time: nothing here depends on it. */
struct sched_event {
    enum sched_event_type type;
    union {
        const struct grant *grant; /* borrowed for the call */
        struct {
            uint64_t term;
            uint64_t interval;
        } release;
        const struct frame_header *frame; /* borrowed; decoded and bounded */
        struct {
            uint32_t local;
            enum status status; /* not OK: a fault */
        } done;
        struct {
            uint32_t local;
        } stored;
    };
};

struct sched_config {
    uint64_t job;
    uint64_t term;
    uint64_t first_step;
    uint32_t batch;
    uint32_t microbatches;
    bool clip;
    uint32_t slots; /* operations at once, 1 .. SCHED_SLOTS_MAX */
    uint32_t tasks_count;
    const uint64_t *evaluate_rows; /* [tasks_count], lent for life */
    const uint64_t *guard_rows;    /* [tasks_count], lent for life */
    uint32_t layers_count;
    uint32_t shards_count[LAYERS_MAX];      /* the output layer has one */
    uint32_t peers_count;                   /* workers of the placement */
    uint32_t peers[WORKERS_MAX];            /* their ids */
    uint32_t self;                          /* index into peers */
    uint8_t owners[LAYERS_MAX][SHARDS_MAX]; /* indices into peers */
};

struct sched_shard {
    uint32_t layer;
    uint32_t shard;
    struct walk walk;
    struct inbox inbox;
    uint32_t forward_next; /* microbatches done in the present pass */
    uint32_t backward_next;
    bool norm_done;    /* in the present pass */
    bool columns_done; /* in the present pass */
    bool running;
    enum sched_op op; /* while running */
    uint32_t cuts;    /* copied for a version, not yet stored */
};

struct sched {
    struct sched_config config;
    struct program program;
    uint32_t locals_count;
    struct sched_shard locals[SCHED_SHARDS_MAX]; /* by layer, then shard */
    uint32_t layer_first[LAYERS_MAX + 1];        /* of a layer, in locals */
    uint64_t layer_workers[LAYERS_MAX]; /* bit: a peer, not self, with shards */
    uint32_t running;
    bool failed;
    uint64_t sent[WORKERS_MAX];     /* next sequence number to send */
    uint64_t received[WORKERS_MAX]; /* next one to come */
    uint64_t norms_pass;
    uint64_t norms[LAYERS_MAX]; /* bit: a shard whose norm is there */
    uint64_t steps;             /* updates of local shards */
    uint64_t refused;           /* frames */
};

/* CHECKs that the config is whole; it has been validated before. */
void sched_init(struct sched *sched, const struct sched_config *config);

/* Advances by one event; fills out. Borrows event. */
void sched_step(struct sched *sched,
                const struct sched_event *event,
                struct sched_actions *out);

/* The local number of a shard, or SCHED_ALL where another worker has it. */
uint32_t sched_local(const struct sched *sched, uint32_t layer, uint32_t shard);

/* The closing interval is reported by all local shards. */
bool sched_ended(const struct sched *sched);

#endif /* WORKER_CORE_SCHED_H */
