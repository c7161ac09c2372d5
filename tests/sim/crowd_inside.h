/* crowd_inside.h - what the files of the crowd share.
 *
 * crowd.c          the run: jobs, losses, what is checked
 * crowd_mail.c     what the core sends, and what workers say to it */
#ifndef TESTS_SIM_CROWD_INSIDE_H
#define TESTS_SIM_CROWD_INSIDE_H

#include "coordinator/core/coord.h"
#include "tests/sim/crowd.h"
#include "tests/sim/shelf.h"

enum {
    CROWD_INTERVAL_MS = 100,
    CROWD_HEARTBEAT_MS = 500,
    CROWD_TIMEOUT_MS = 5000,
    CROWD_STEPS = 10, /* of an interval */
    CROWD_BATCH = 10,
    CROWD_LAYERS = 15, /* hidden */
    CROWD_CANDIDATES = 4,
    /* A worker is found in the table by its peer's number, which is new with
     * each of its processes. */
    CROWD_PEERS_MAX = 8 * MEMBERS_MAX
};

enum crowd_kind {
    CROWD_HELLO = 1,
    CROWD_OPENED,
    CROWD_READY,
    CROWD_REPORT,
    CROWD_CUT,
    CROWD_KEPT,
    CROWD_LOST,
    CROWD_STORED,
    CROWD_LOADED
};

/* What a shard will report; the rest of it is zero. */
struct crowd_figures_of_shard {
    uint32_t live;
    uint32_t eligible;
    double utility;
    uint32_t candidates_count;
    struct candidate candidates[CROWD_CANDIDATES];
    uint64_t examples;
    uint32_t evaluate_first;
    uint32_t evaluate_count;
};

/* Something that will be said to the core. */
struct crowd_item {
    enum crowd_kind kind;
    uint64_t due_ms;
    uint32_t worker;
    uint64_t incarnation; /* in which it was meant to be said */
    uint32_t slot;
    uint64_t job;
    uint64_t term;
    uint32_t line;
    uint64_t interval;
    uint64_t version;
    uint32_t layer;
    uint32_t shard;
    uint64_t token;
    enum status status;
    struct crowd_figures_of_shard figures;
};

/* First in, first out; grows. */
struct crowd_queue {
    struct crowd_item *items;
    uint32_t first;
    uint32_t count;
    uint32_t size;
};

struct crowd_worker {
    bool alive;
    uint64_t incarnation;
    uint32_t peer;
    uint64_t back_ms; /* 0: it is there, or does not come back */
    uint64_t turns;
};

/* What the workers of a job know of it together. */
struct crowd_job {
    uint64_t job;
    uint64_t term;
    uint64_t next; /* interval of the grant that must come next; 0: any */
    struct arch *arch;
    uint32_t peers_count;
    uint32_t peers[WORKERS_MAX];
    uint32_t owners[LAYERS_MAX * SHARDS_MAX];
};

struct crowd {
    struct crowd_options options;
    struct crowd_figures *out;
    struct coord *core;
    struct actions *actions;
    struct shelf *shelf;
    struct data_shape shape;
    struct job_spec spec;
    uint64_t now_ms;
    uint64_t clock_ns; /* what reading the clock costs */
    struct crowd_queue soon;
    struct crowd_queue later; /* by due_ms */
    struct crowd_worker workers[MEMBERS_MAX];
    uint32_t last_peer;
    uint32_t worker_of_peer[CROWD_PEERS_MAX];
    uint64_t beats;  /* given so far */
    uint64_t drains; /* asked for so far */
    struct crowd_job jobs[JOBS_MAX];
    struct action loads[JOBS_MAX];
    struct report report; /* scratch */
    struct shard_record record;
};

/* The first failure is kept. */
void crowd_fail(struct crowd *c, const char *what, uint64_t figure);

struct crowd_item *crowd_post(struct crowd_queue *queue, enum crowd_kind kind);

/* Worker's process starts, and says hello. */
void crowd_start(struct crowd *c, uint32_t worker);

/* Gives the core one event, and does what it wants done. */
void crowd_step(struct crowd *c, struct coord_event *event);

/* Says it. What a process that is gone would have said is not said. */
void crowd_deliver(struct crowd *c, const struct crowd_item *item);

/* The heartbeat of worker. */
void crowd_beat(struct crowd *c, uint32_t worker);

/* A message from the core. */
void crowd_receive(struct crowd *c, uint32_t peer, const struct wire *message);

#endif /* TESTS_SIM_CROWD_INSIDE_H */
