/* schedworld.h - a network of schedulers in one process, with hashes instead of
 * mathematics.
 *
 * The world holds workers, the frames between them and the operations that
 * run, and lets one thing happen at a time, drawn from Philox: so frames of
 * different links overtake each other and operations end in any order. What
 * every shard has taken in, in which order, must not depend on that. */
#ifndef TESTS_UNIT_WORKER_CORE_SCHEDWORLD_H
#define TESTS_UNIT_WORKER_CORE_SCHEDWORLD_H

#include "worker/core/sched.h"

enum {
    PEERS = 8,
    LAYERS = 4,
    SHARDS = 5,
    INTERVALS = 8,
    TASKS = 3,
    QUEUE = 1024, /* frames on one link: far more than the protocol allows */
    TURNS_MAX = 2000000
};

struct scenario {
    uint64_t seed;
    uint32_t layers_count;
    uint32_t shards_count[LAYERS_MAX];
    uint32_t batch;
    uint32_t microbatches;
    bool clip;
    uint64_t evaluate_rows[TASKS];
    uint64_t guard_rows[TASKS];
    uint32_t intervals_count;
    struct grant grants[INTERVALS];
};

struct packet {
    struct frame_header header;
    uint64_t value;
};

struct link_queue {
    uint32_t first;
    uint32_t count;
    struct packet packets[QUEUE];
};

/* A shard as the shell sees it; a value of 0 is a place without a frame. */
struct actor {
    uint64_t weights;
    uint64_t forwards; /* running hash of the present pass */
    uint64_t backwards;
    uint64_t kept; /* evaluations */
    uint64_t cuts;
    uint64_t reports;
    uint64_t reported; /* intervals */
    uint64_t forward[2][MICROBATCHES_MAX][SHARDS];
    uint64_t gradient[2][MICROBATCHES_MAX][SHARDS];
    uint64_t columns[2][SHARDS];
    uint64_t outputs[SHARDS];
    struct sched_run run;
    bool running;
    uint32_t copies; /* cuts not yet stored */
};

struct site {
    struct sched sched;
    struct actor actors[LAYERS * SHARDS];
    uint64_t norms[LAYERS][SHARDS];
    uint32_t granted;  /* grants delivered */
    uint32_t released; /* releases delivered */
};

struct schedworld {
    const struct scenario *scenario;
    uint32_t sites_count;
    struct site sites[PEERS];
    struct link_queue links[PEERS][PEERS];
    uint32_t reports[INTERVALS];
    uint32_t shards_total;
    uint64_t draws_seed;
    uint64_t draws;
    uint32_t deepest; /* frames on one link */
    struct sched_actions actions;
};

/* Draws that depend on nothing but their arguments. */
uint64_t mix(uint64_t a, uint64_t b);
uint32_t draw(uint64_t seed, uint64_t a, uint64_t b, uint32_t bound);
void make_scenario(struct scenario *s, uint64_t seed);

/* A worker's shell */
void *grab(size_t size);
/* The world */
void open_world(struct schedworld *w,
                const struct scenario *s,
                uint32_t workers,
                uint64_t seed);
void stored(struct schedworld *w, uint32_t at, uint32_t local);
void give_grant(struct schedworld *w, uint32_t at);
void run_world(struct schedworld *w);
void compare_worlds(uint64_t seed, uint32_t worlds);

#endif /* TESTS_UNIT_WORKER_CORE_SCHEDWORLD_H */
