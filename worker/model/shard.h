/* shard.h - some units of one layer: weights, optimiser state, statistics and
 * the mathematics on them.
 *
 * One shard's work is done by one thread at a time, with single-threaded BLAS,
 * on shapes that depend only on the job and the step; so its bits do not
 * depend on where it lives. A step is, in this order:
 *
 *   shard_begin(step, rows)           rows: the whole batch
 *   for each microbatch:  shard_input x parts, shard_forward
 *   for each microbatch:  shard_gradient x parts (or shard_loss), then
 *                         shard_backward
 *   [shard_gradient_norm]             only where the job clips
 *   shard_update
 *
 * and an evaluation is shard_begin(rows), shard_input, shard_forward, and
 * shard_loss on the output. Inputs and output gradients are kept until the
 * update, which is one product over the whole batch: the number of
 * microbatches changes the result by rounding alone. */
#ifndef WORKER_MODEL_SHARD_H
#define WORKER_MODEL_SHARD_H

#include "base/status.h"
#include "proto/arch.h"
#include "proto/job.h"
#include "proto/report.h"
#include "proto/version.h"

struct shard;

/* What a shard must know of the model beyond its own units. Borrowed for the
 * call of shard_open only. */
struct shard_place {
    const struct job_spec *spec;
    const struct arch *arch; /* as of the step it is opened at */
    uint32_t layer;
    uint32_t shard;
};

/* Fresh weights from the generator: Kaiming uniform U(-b, b) with
 * b = gain * sqrt(3 / fan_in) (gain sqrt 2 for ReLU and GELU, 5/3 tanh, 1
 * linear; He et al. 2015 as used by Dohare et al. 2024), bias 0, optimiser
 * state and statistics 0. NO_MEMORY. */
enum status shard_open(const struct shard_place *place,
                       struct shard **out) MUST_CHECK;
void shard_close(struct shard *shard); /* accepts NULL */

uint32_t shard_units(const struct shard *shard);  /* U */
uint32_t shard_inputs(const struct shard *shard); /* K */
/* Producers: the shards of the layer before and how many units each has; for
 * the first layer one producer, the data, with K units. */
uint32_t shard_producers(const struct shard *shard);
uint32_t shard_producer_units(const struct shard *shard, uint32_t producer);

enum pass_kind { PASS_TRAIN = 1, PASS_EVALUATE };

/* rows: B of the whole batch (train) or of all rows in flight of one pass. */
void shard_begin(struct shard *shard,
                 enum pass_kind kind,
                 uint64_t step,
                 uint32_t rows);

/* Rows first .. first+rows of the input, the columns of one producer:
 * values [rows, producer's units]. Copied. */
void shard_input(struct shard *shard,
                 uint32_t first,
                 uint32_t rows,
                 uint32_t producer,
                 const float *values);

/* h [rows, U] of rows first .. first+rows; out is the caller's. In training
 * also gathers statistics. A lesioned unit gives its mean. For the output
 * layer these are logits. */
void shard_forward(struct shard *shard,
                   uint32_t first,
                   uint32_t rows,
                   float *out);

/* The gradient of the loss by h: values[c] [rows, U] from consumer c, once all
 * of a microbatch have come. They are summed along the fixed binary tree over
 * c; values may go when the call returns. */
void shard_gradient(struct shard *shard,
                    uint32_t first,
                    uint32_t rows,
                    uint32_t consumers_count,
                    const float *const *values);

/* Output layer only, after shard_forward of these rows: the loss, the counts
 * and the gradient by the logits (divided by the rows of the whole batch).
 * labels [rows], each below O. Training counts go to the report and out may be
 * NULL; an evaluation's are added to *out (its set and task are the caller's).
 */
void shard_loss(struct shard *shard,
                uint32_t first,
                uint32_t rows,
                const uint32_t *labels,
                struct evaluation *out);

/* After shard_gradient or shard_loss: the gradient by the pre-activation is
 * kept, and the gradient by the inputs goes to out[p] [rows, units of p] for
 * each producer p. out NULL (first layer): not computed. */
void shard_backward(struct shard *shard,
                    uint32_t first,
                    uint32_t rows,
                    float *const *out);

/* The squared norm of the whole batch's gradient of weights and biases, summed
 * in double in a fixed order. The gradient itself is not kept: the update
 * computes it again, which is cheaper than the memory for jobs that clip. */
double shard_gradient_norm(struct shard *shard);

/* One optimiser step with `rate` on the gradient times `scale` (1 without
 * clipping). Lesioned units' rows, biases and columns stand still. */
void shard_update(struct shard *shard, double rate, double scale);

/* sum over the shard's live units of |w|, per input column: out [K], float
 * sums of float in row order. What utility needs of the next layer. */
void shard_column_sums(const struct shard *shard, float *out);

/* Ends an interval of `steps` steps: moves the utilities on, fills out (all
 * but term and interval) and starts the statistics anew. outgoing [U]: sums of
 * |w_out| over all consumers (double, tree order); NULL for the output layer.
 * evaluations kept by shard_keep_evaluation go out with it. */
void shard_report(struct shard *shard,
                  uint64_t steps,
                  const double *outgoing,
                  struct report *out);

/* An evaluation's result waits for the next report; it is part of a cut. */
void shard_keep_evaluation(struct shard *shard, const struct evaluation *e);

/* Applies one edit at `step`, between two steps: rows where it is the shard's
 * own layer, columns and biases where it is the layer before, nothing else
 * otherwise. units: the grant's, as for arch_apply. Optimiser state and
 * statistics follow. INVALID: names a unit that is not there or in another
 * state; an own unit may be in another shard, which only arch_apply can tell.
 * NO_MEMORY. On failure the shard is unchanged. */
enum status shard_edit(struct shard *shard,
                       const struct edit *edit,
                       const struct edit_unit *units,
                       uint64_t step) MUST_CHECK;

/* Settings that changed (rate excepted, which comes with each update). */
void shard_set_spec(struct shard *shard, const struct job_spec *spec);

/* --- The state as named tensors, for cuts and restores --- */

struct tensor {
    char name[TENSOR_NAME_BYTES_MAX]; /* "weight", "bias", "weight.m", ... */
    uint32_t rows;
    uint32_t columns;
    uint32_t element_bytes; /* 4 float32, 8 float64 or raw records */
    size_t bytes;           /* rows * columns * element_bytes */
};

/* The tensors that this shard's state consists of, in a fixed order. */
uint32_t shard_tensors(const struct shard *shard,
                       struct tensor out[SHARD_TENSORS_MAX]);
/* Packed (no stride) little-endian bytes of tensor index into out. */
void shard_save(const struct shard *shard, uint32_t index, void *out);
/* Into a shard just opened at the cut's architecture. CORRUPT: sizes differ. */
enum status shard_load(struct shard *shard,
                       uint32_t index,
                       const void *bytes,
                       size_t size) MUST_CHECK;

/* The same for bytes offset .. offset + size of a tensor in rows, so that a
 * large one can lie in pieces. A tensor that is one piece has no offset. */
void shard_save_part(const struct shard *shard,
                     uint32_t index,
                     size_t offset,
                     size_t size,
                     void *out);
/* CORRUPT: beyond the tensor. */
enum status shard_load_part(struct shard *shard,
                            uint32_t index,
                            size_t offset,
                            size_t size,
                            const void *bytes) MUST_CHECK;

/* How many kept evaluations a saved state brings: must be set before
 * shard_tensors of a shard that is to be loaded. */
void shard_expect_evaluations(struct shard *shard, uint32_t count);

/* The learning rate of a step. Linear warm-up from
 * peak / warmup to peak, then constant, linear or cosine to zero at the end of
 * the job or of the task. */
double rate_at(const struct rate_spec *rate,
               uint64_t step,      /* of the job */
               uint64_t total,     /* steps of the job */
               uint64_t task_step, /* of the task */
               uint64_t task_total);

#endif /* WORKER_MODEL_SHARD_H */
