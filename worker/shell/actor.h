/* actor.h - one shard of a session with its inbox, its outputs and the
 * operation that it runs.
 *
 * The loop's thread fills the inbox, starts an operation and takes its outputs
 * when it is done; in between, the actor belongs to whoever computes. An
 * operation only reads inbox places that are complete, so the loop may fill
 * others meanwhile. */
#ifndef WORKER_SHELL_ACTOR_H
#define WORKER_SHELL_ACTOR_H

#include "base/link.h"
#include "worker/core/sched.h"
#include "worker/model/shard.h"
#include "worker/shell/copy.h"

/* What an operation needs beside the shard and its inbox. Set by the loop
 * before the operation starts; borrowed until it is done. */
struct actor_input {
    const float *x;            /* FORWARD of the first layer: [rows, K] */
    const uint32_t *labels;    /* FORWARD of the output layer: [rows] */
    double rate;               /* UPDATE */
    double scale;              /* UPDATE */
    const struct grant *grant; /* EDIT */
};

struct actor {
    struct shard *shard;
    struct job_spec spec;     /* as of the edits that this shard has passed */
    uint32_t producers_count; /* shards of the layer before; 0: the data */
    uint32_t consumers_count; /* shards of the layer after; 0: the loss */

    /* Inbox; every place is an initialised frame, empty where nothing is. */
    struct part *forward;  /* [cells, microbatches, producers] */
    struct part *gradient; /* [cells, microbatches, consumers] */
    struct part *columns;  /* [cells, consumers] */

    /* The operation. */
    struct sched_run run;
    struct actor_input input;
    enum status status;
    struct part *outputs; /* [outputs_max], of which outputs_count are set */
    uint32_t outputs_max;
    uint32_t outputs_count;
    struct evaluation sum; /* output layer: of the set being evaluated */
    /* CUT: the caller takes it; NULL: there was no memory for a copy that was
     * only to be kept there. */
    struct copy *copy;
    struct report *report; /* REPORT */
    void *owner;           /* the session's, for the job's completion */
};

/* NO_MEMORY. The place is borrowed for the call. */
enum status actor_open(struct actor *actor,
                       const struct shard_place *place) MUST_CHECK;
void actor_close(struct actor *actor); /* also a half-open one */

/* The inbox place of a delivery that is not a norm. */
struct part *actor_place(struct actor *actor,
                         const struct sched_deliver *deliver);

/* Runs actor->run on the calling thread: fills status, outputs and the like.
 * Everything that came from another worker is validated: CORRUPT. */
void actor_run(struct actor *actor);

/* Drops the outputs, and the inputs that the operation has used up. */
void actor_finish(struct actor *actor);

#endif /* WORKER_SHELL_ACTOR_H */
