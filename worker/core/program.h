/* program.h - what the grants of one session make its shards do.
 *
 * All shards of a job walk the same program: the intervals that were granted,
 * one after the other, each in the order of proto/grant.h. This module keeps
 * the grants in a ring and answers what they mean in passes, rows and
 * microbatches; where a shard stands in it is walk.h's. Pure. */
#ifndef WORKER_CORE_PROGRAM_H
#define WORKER_CORE_PROGRAM_H

#include "base/limits.h"
#include "base/status.h"
#include "proto/grant.h"
#include <stdbool.h>
#include <stdint.h>

struct program_options {
    uint64_t term;
    uint64_t first_step; /* of the job, where the session begins */
    uint32_t batch;
    uint32_t microbatches;
    uint32_t tasks_count;
    const uint64_t *evaluate_rows; /* [tasks_count], lent for life */
    const uint64_t *guard_rows;    /* [tasks_count], lent for life */
};

struct program {
    struct program_options options;
    bool begun;             /* a grant has come */
    bool closed;            /* the closing grant has come */
    uint64_t next_interval; /* what the next grant must name, once begun */
    uint64_t next_step;
    struct grant grants[GRANTS_MAX]; /* of interval n at n % GRANTS_MAX */
    bool released[GRANTS_MAX];
};

/* Some rows of a pass, all of which stand in one tensor [rows of pass, ...]. */
struct program_rows {
    uint32_t first;
    uint32_t count;
};

void program_init(struct program *program,
                  const struct program_options *options);

/* Copies the grant. oldest: the least interval that a local shard is still at;
 * its grant and later ones are kept. Errors, nothing done: STALE (another
 * term, or an interval already granted), CONFLICT (does not continue the last
 * grant, or the job has closed), BUSY (the ring is full), INVALID (does not
 * fit the job); *out_reason is a static text. */
enum status program_grant(struct program *program,
                          const struct grant *grant,
                          uint64_t oldest,
                          const char **out_reason) MUST_CHECK;

/* NOT_FOUND: interval is not in the ring. */
enum status program_release(struct program *program,
                            uint64_t interval) MUST_CHECK;

/* NULL: not granted yet. Valid while a local shard is at interval. */
const struct grant *program_at(const struct program *program,
                               uint64_t interval);
bool program_released(const struct program *program, uint64_t interval);

/* Rows of the grant's step number `index`: the batch, or what is left of the
 * task. */
uint32_t program_step_rows(const struct program *program,
                           const struct grant *grant,
                           uint64_t index);

/* How many microbatches `rows` of a training step make, and which rows number
 * `microbatch` has: as even as can be, the first ones take the remainder. */
uint32_t program_train_parts(const struct program *program, uint32_t rows);
struct program_rows program_train_part(const struct program *program,
                                       uint32_t rows,
                                       uint32_t microbatch);

/* The same for a pass of an evaluation. */
uint32_t program_evaluate_parts(uint32_t rows);
struct program_rows program_evaluate_part(uint32_t rows, uint32_t microbatch);

#endif /* WORKER_CORE_PROGRAM_H */
