/* dataflow.h - sessions of several workers in one process: real shards and real
 * data, and memory instead of sockets between them.
 *
 * One thing happens at a time, drawn from Philox, so frames of different links
 * overtake each other and workers compute in any order. */
#ifndef TESTS_INTEGRATION_DATAFLOW_H
#define TESTS_INTEGRATION_DATAFLOW_H

#include "base/mem.h"
#include "base/rng.h"
#include "worker/shell/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    SITES = 4,
    SIDE = 8, /* pixels */
    INPUTS = SIDE * SIDE,
    CLASSES = 10,
    TRAIN = 900, /* GUARD of them are set aside */
    GUARD = 300,
    TEST = 300,
    BATCH = 12,
    INTERVALS = 11,
    INTERVAL_STEPS = 20,
    CUT_INTERVAL = 6,
    TRICK_AT = 500,
    QUEUE = 512,
    LAYERS = 3,
    SHARDS = 3, /* of a hidden layer */
    SHARDS_TOTAL_MAX = LAYERS * SHARDS
};

/* A job and the grants that a coordinator would give */

struct job {
    struct job_spec spec;
    struct arch arch;     /* as of step 0 */
    struct arch arch_cut; /* after the edits of CUT_INTERVAL */
    void *memory[3];
    struct stream *stream;
    struct grant grants[INTERVALS];
};

/* The cluster */

struct packet {
    struct frame_header header;
    struct part payload;
};

struct site {
    struct net *net;
    uint32_t index;
    struct session *session;
    struct packet out[SITES][QUEUE]; /* rings, by receiver */
    uint32_t first[SITES];
    uint32_t count[SITES];
    uint32_t granted;
    uint32_t released;
};

/* What came of it, since the cut. No struct in it has padding. */
struct result {
    struct hash shards[LAYERS][SHARDS]; /* of all tensors */
    struct evaluation evaluations[16];  /* in the order reported */
    uint64_t evaluations_count;
    uint64_t examples; /* trained on */
    uint64_t correct;
    double loss_sum;
};

enum trick { TRICK_NONE, TRICK_TWICE, TRICK_OLD_TERM, TRICK_LOSE };

struct net {
    struct job *job;
    struct job_spec spec;
    const struct arch *arch; /* at the first interval */
    uint64_t first_step;
    uint32_t sites_count;
    struct site sites[SITES];
    uint32_t shards_total;
    uint32_t first_interval;
    uint32_t reported[INTERVALS];
    struct result result;
    /* Takes a copy; NULL: it goes to the list below. */
    void (*on_copy)(struct site *site, struct copy *copy);
    void *points; /* for on_copy */
    struct copy *copies[SHARDS_TOTAL_MAX];
    uint32_t copies_count;
    uint64_t seed;
    uint64_t draws;
    enum trick trick; /* with the frame number TRICK_AT */
    uint32_t frames;
    uint32_t refused;
    uint32_t faults;
};

/* The data, ten blurred prototypes, as IDX files in a directory. Setup and
 * teardown of a group of tests. */
extern char data_dir[64];
int write_data(void **state);
int remove_data(void **state);

/* A job and the grants that a coordinator would give. */
struct job *open_job(uint32_t microbatches);
void close_job(struct job *job);

void open_site(struct net *net, uint32_t index, struct jobs *jobs);
struct net *new_net(struct job *job, uint32_t sites, uint64_t seed);
struct net *open_net(struct job *job, uint32_t sites, uint64_t seed);
/* As of the architecture and the settings at the cut. */
void begin_at_cut(struct net *net);
/* From the cut that `from` has made, as of its settings and architecture. */
struct net *open_restored(struct job *job,
                          const struct net *from,
                          uint32_t sites,
                          uint64_t seed);
void close_net(struct net *net);
/* As a coordinator: two grants, then the next when an interval is reported. */
void give_grant(struct net *net, struct site *site);
void give_release(struct net *net, struct site *site);
void happen(struct net *net, struct site *site);
bool ended(const struct net *net);
void run_net(struct net *net);
void read_net(struct net *net, struct result *out);
void assert_same(const struct net *net,
                 const struct result *a,
                 const struct result *b);
void run_on(struct job *job, uint32_t sites, uint64_t seed, struct result *out);

#endif /* TESTS_INTEGRATION_DATAFLOW_H */
