/* loss.h - what the model is trained to make small. */
#ifndef WORKER_MODEL_LOSS_H
#define WORKER_MODEL_LOSS_H

#include "proto/job.h"
#include "proto/report.h"

struct loss_input {
    uint32_t rows;
    uint32_t outputs;       /* O */
    uint32_t batch;         /* rows of the whole batch */
    const float *z;         /* logits [rows, O] */
    const uint32_t *labels; /* [rows], each below O */
    float *gradient;        /* [rows, O], of the batch's mean loss, or NULL */
};

/* Adds the examples to *sums: their number, how many are correct (the largest
 * logit, the lowest index on ties, is the label) and their losses.
 *
 * Cross-entropy: log-softmax about the largest logit. Mean squared error: the
 * mean over the outputs of (z - onehot)^2. */
void loss_apply(enum loss_kind kind,
                const struct loss_input *input,
                struct evaluation *sums);

#endif /* WORKER_MODEL_LOSS_H */
