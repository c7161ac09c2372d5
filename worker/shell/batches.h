/* batches.h - the rows that the shards of one session are reading.
 *
 * Several first-layer shards of a worker take the same rows, and the output
 * layer their labels; each microbatch is read once. As everywhere, two passes
 * can be in use at once. One thread: the loop's. */
#ifndef WORKER_SHELL_BATCHES_H
#define WORKER_SHELL_BATCHES_H

#include "base/status.h"
#include "worker/core/sched.h"
#include "worker/data/stream.h"
#include <stdbool.h>
#include <stdint.h>

struct batches;

struct batches_options {
    struct stream *stream; /* borrowed */
    uint32_t inputs;       /* K of the first layer */
    uint32_t rows_max;     /* of a pass */
    bool wants_x;          /* a first-layer shard is here */
    bool wants_labels;     /* the output layer is here */
};

enum status batches_open(const struct batches_options *options,
                         struct batches **out) MUST_CHECK;
void batches_close(struct batches *batches); /* accepts NULL */

/* x [rows, inputs] and labels [rows] of a forward run; NULL what is not
 * wanted. Valid until the operations of its pass are done. */
void batches_get(struct batches *batches,
                 const struct sched_run *run,
                 const float **out_x,
                 const uint32_t **out_labels);

#endif /* WORKER_SHELL_BATCHES_H */
