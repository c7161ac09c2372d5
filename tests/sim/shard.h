/* shard.h - a shard whose mathematics is a hash.
 *
 * Its state is a running hash of everything that it has consumed, in order:
 * examples, frames, edits, settings, evaluations, cuts. Two shards with equal
 * hashes have seen the same inputs in the same order. What it reports is drawn
 * from that hash, so that policies decide, and decide otherwise where a shard
 * has seen something else. It checks by itself that its steps and examples
 * follow one another. */
#ifndef TESTS_SIM_SHARD_H
#define TESTS_SIM_SHARD_H

#include "proto/arch.h"
#include "proto/grant.h"
#include "proto/report.h"
#include "tests/sim/world.h"
#include "worker/core/sched.h"

enum { SHARD_EVALUATIONS_MAX = 8 };

/* What a cut stores. */
struct shard_state {
    uint64_t hash;
    uint64_t cuts;     /* hash of the cuts taken */
    uint64_t step;     /* the next one to train */
    uint64_t position; /* examples of the task that are used */
    uint64_t edited;   /* intervals below it have been edited */
    uint32_t task;
    uint32_t evaluations_count; /* since the newest report */
    struct evaluation evaluations[SHARD_EVALUATIONS_MAX];
};

/* A frame, and where it truly comes from. 0: an empty place. */
struct shard_frame {
    uint64_t value;
    uint64_t term;
};

struct shard {
    uint32_t layer;
    uint32_t index;
    bool output;
    struct shard_state state;
    uint64_t forwards; /* hashes of the present pass */
    uint64_t backwards;
    uint64_t kept; /* of the evaluation under way */
    uint64_t kept_rows;
    uint64_t rows;     /* of the present pass, forward */
    uint64_t examples; /* since the newest report */
    uint64_t forward[INBOX_CELLS][MICROBATCHES_MAX][SIM_SHARDS_MAX];
    uint64_t gradient[INBOX_CELLS][MICROBATCHES_MAX][SIM_SHARDS_MAX];
    uint64_t columns[INBOX_CELLS][SIM_SHARDS_MAX];
    uint64_t outputs[SIM_SHARDS_MAX];
    struct sched_run run;
    bool running;
};

/* What an operation may look at beside the shard. */
struct shard_view {
    struct world *w;
    const struct sim_job *job;
    const struct sched_config *config;
    const struct job_spec *spec; /* of the assignment */
    const struct arch *arch;     /* as of the interval, behind its edits */
    const struct grant *grant;   /* of the interval */
    bool clip;
    const uint64_t (*norms)[SIM_SHARDS_MAX];
};

void shard_begin(struct shard *shard, uint64_t seed);

/* Completes the operation in shard->run. */
void shard_compute(struct shard *shard, const struct shard_view *view);

/* Puts a value into a place of the inbox. */
void shard_put(struct shard *shard,
               struct world *w,
               const struct sched_deliver *deliver,
               uint64_t value);

/* The figures of the REPORT just computed, from the hash; then what is counted
 * since the newest report begins anew. */
void shard_report(struct shard *shard,
                  const struct shard_view *view,
                  struct report *out);

/* A name for a state's content. */
uint64_t shard_state_name(const struct shard_state *state);

#endif /* TESTS_SIM_SHARD_H */
