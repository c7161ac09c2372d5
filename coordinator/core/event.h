/* event.h - what goes into the coordinator's core and what comes out of it.
 *
 * Pointers in an event are borrowed for the call of coord_step, except where
 * "lent" is said; pointers in actions are borrowed from the core until the
 * next call. */
#ifndef COORDINATOR_CORE_EVENT_H
#define COORDINATOR_CORE_EVENT_H

#include "coordinator/core/policies.h"
#include "coordinator/core/record.h"
#include "proto/version.h"
#include "proto/wire.h"

/* --- Events --- */

enum coord_event_type {
    COORD_TIMEOUT = 1, /* coord_deadline_ms has come */
    COORD_START,       /* first of all */
    COORD_RECORD,      /* at start: a job of the store that is not ended */
    COORD_MESSAGE,     /* of a worker */
    COORD_PEER_LOST,   /* a worker's link is known to be dead */
    COORD_STORED,      /* an ACTION_STORE_* with this token is on the disk */
    COORD_UNJOURNALED, /* an ACTION_STORE_JOURNAL without a token is not */
    COORD_LOADED,      /* answer to ACTION_LOAD */
    COORD_REQUEST
};

enum request_kind {
    REQUEST_LAUNCH = 1,
    REQUEST_PAUSE,
    REQUEST_RESUME,
    REQUEST_CANCEL,
    REQUEST_SET,
    REQUEST_RESTORE,
    REQUEST_EVALUATE,
    REQUEST_PROBE,
    REQUEST_SHUTDOWN,
    REQUEST_CORDON,
    REQUEST_UNCORDON,
    REQUEST_DRAIN
};

struct request {
    uint64_t id; /* of the shell; comes back in ACTION_REPLY */
    enum request_kind kind;
    uint64_t job; /* all but LAUNCH, PROBE, SHUTDOWN, and those of workers */
    const struct job_record *record; /* of that job, from the store; used where
                                        the core does not hold the job */
    const struct job_spec *spec;     /* LAUNCH, PROBE */
    uint32_t workers;                /* LAUNCH; 0: the spec's */
    uint32_t workers_min;            /* LAUNCH; 0: workers; or the spec's */
    uint32_t worker;                 /* CORDON, UNCORDON, DRAIN */
    uint64_t wait_ms;                /* DRAIN: then it is answered */
    uint64_t version;                /* RESTORE, EVALUATE */
    uint32_t setting;                /* SET */
    double value;
};

/* Something from outside that a replay must apply at the same interval. */
struct input_setting {
    uint64_t interval;
    struct grant_setting setting;
};
enum { INPUTS_MAX = 64 };

struct coord_event {
    uint64_t now_ms; /* monotonic; never goes back */
    enum coord_event_type type;
    union {
        struct {
            uint64_t life;
            uint64_t wall_ms; /* at now_ms */
            uint64_t last_job;
            uint32_t heartbeat_ms;
            bool points_off;     /* none is asked for, but to move a job */
            uint32_t timeout_ms; /* a worker silent for this long is lost */
            char chunk_endpoint[ENDPOINT_BYTES_MAX];
        } start;
        struct {
            const struct job_record *record;
            bool resume; /* go on with it if it was running */
            /* The store has the record of a point that is as new as the head
             * or newer: workers may have its tensors. */
            bool has_point;
            uint32_t line;
            uint64_t term; /* as the record's begun grant has it */
            uint64_t interval;
            uint64_t step;
        } record;
        struct {
            uint32_t peer; /* the shell's number of the link's far end */
            const struct wire *message;
            /* With OPENED alone, lent for as long as the job is held: room of
             * job_memory_bytes for what was found. NULL: there is none. */
            void *memory;
        } message;
        struct {
            uint32_t peer;
            const char *why; /* NULL: its link has ended */
        } peer_lost;
        struct {
            uint64_t token;
            enum status status;
            /* A sentence, where it was a mirror and not the store that
             * failed; else NULL. Borrowed. */
            const char *why;
            /* ACTION_STORE_RESTORE alone: the version restored. */
            const struct version *restored;
        } stored;
        struct {
            uint64_t job;
            uint64_t interval; /* of the grant */
            enum status status;
            const char *why; /* as in stored */
        } unjournaled;
        struct {
            uint64_t token;
            enum status status;
            /* Both lent until ACTION_FORGET of the slot or its next LOADED. */
            const struct version *version;
            void *memory;
            /* What the journal holds beyond the version's pending grant: the
             * settings (borrowed; their count may be above INPUTS_MAX, the
             * rest is then not there; with a point, those since the head), and
             * the first interval not in it. */
            uint32_t inputs_count;
            const struct input_setting *inputs;
            uint64_t journaled;
            uint64_t step; /* that the journal shows to have been reported */
            bool point;    /* version is the record of the job's point */
        } loaded;
        struct request request;
    };
};

/* --- Actions --- */

enum action_type {
    ACTION_SEND = 1,      /* message to peer */
    ACTION_FORGET_PEER,   /* its link is of no use any more */
    ACTION_STORE_JOB,     /* the job's record; token 0: nobody waits */
    ACTION_STORE_JOURNAL, /* grant and decisions */
    ACTION_CHECK_JOURNAL, /* the same, decided again: STORED says CORRUPT where
                             the journal has it otherwise */
    ACTION_STORE_POINT,   /* making_cut of the slot, or that there is none */
    ACTION_STORE_STAT,    /* merged figures of one interval */
    ACTION_COMMIT,        /* a complete cut becomes a version and the head */
    ACTION_STORE_RESTORE, /* version -> new version `number`, head there */
    ACTION_LOAD,          /* a version and memory for it */
    ACTION_EVENT,         /* for watchers and the event log */
    ACTION_REPLY,         /* to a request */
    ACTION_EVALUATION,    /* one task's figures for an EVALUATE request */
    ACTION_FORGET,        /* the slot is free: release what was lent to it */
    ACTION_QUIT           /* all is done after REQUEST_SHUTDOWN */
};

enum { DETAIL_BYTES_MAX = 512 };

/* Figures of one interval for metrics. */
struct interval_stat {
    uint32_t line;
    uint64_t interval;
    uint64_t step; /* at its end */
    uint32_t task;
    uint64_t examples;
    uint64_t correct;
    double loss_sum;
    uint64_t live; /* hidden units */
    uint64_t dormant;
    uint32_t evaluations_count;
    const struct evaluation *evaluations;
};

struct action {
    enum action_type type;
    uint32_t slot;  /* of the job, where one is concerned */
    uint64_t token; /* STORE_*, COMMIT, LOAD: comes back */
    union {
        struct {
            uint32_t peer;
            struct wire message;
        } send;
        struct {
            uint32_t peer;
        } forget_peer;
        struct {
            const struct grant *grant; /* NULL: decisions alone */
            uint64_t reports_hash;     /* of the interval decided from */
            const struct decision *decisions;
            uint32_t decisions_count;
        } journal; /* and CHECK_JOURNAL */
        struct {
            uint64_t interval;
            bool none; /* what is stored of the job goes */
        } point;
        struct interval_stat stat;
        struct {
            uint32_t cut; /* index: job_cut() has the rest */
            uint64_t version;
        } commit;
        struct {
            uint64_t job;
            uint64_t from;   /* version to restore */
            uint64_t number; /* of the new version */
            uint64_t head;   /* before; a parent beside `from` */
            uint32_t line;
        } restore;
        struct {
            uint64_t job;
            uint64_t version;
            bool point; /* the point's record; the version where it is gone,
                           damaged or not as new as that */
        } load;
        struct {
            char kind[16];
            char text[DETAIL_BYTES_MAX];
            uint64_t version; /* 0: none */
            /* Of the version; a job has gone on when one is committed. */
            uint32_t layers_count; /* 0: where the job is now */
            uint32_t widths[LAYERS_MAX];
            uint64_t step;
            uint32_t task;
        } event;
        struct {
            uint64_t request;
            enum status status;
            uint64_t job;
            uint64_t version;
            char text[DETAIL_BYTES_MAX];
            const struct data_shape *shape; /* PROBE */
        } reply;
        struct {
            uint64_t request;
            uint64_t version;
            struct evaluation evaluation;
        } evaluation;
    };
};

/* A step ends with at most all members told to quit, let go and answered, or
 * with all jobs dropped and placed again. */
enum { ACTIONS_MAX = 3 * MEMBERS_MAX + JOBS_MAX * (2 * WORKERS_MAX + 16) };

struct actions {
    uint32_t count;
    struct action items[ACTIONS_MAX];
};

#endif /* COORDINATOR_CORE_EVENT_H */
