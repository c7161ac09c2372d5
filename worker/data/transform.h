/* transform.h - what a task does to an example: from bytes to floats.
 *
 * transform_set prepares one task at a time; applying it then only looks
 * things up. Not thread-safe while it is set. */
#ifndef WORKER_DATA_TRANSFORM_H
#define WORKER_DATA_TRANSFORM_H

#include "base/status.h"
#include "proto/job.h"
#include "worker/data/examples.h"
#include <stdbool.h>
#include <stdint.h>

/* The four pixels around a point, with bilinear weights. */
struct tap {
    uint32_t at[4];
    double weight[4]; /* 0 for a pixel outside of the image */
};

struct transform {
    /* Fixed by init. */
    uint32_t inputs;
    uint32_t classes;
    uint32_t side;     /* of square images; 0: cannot be rotated */
    uint32_t *pixels;  /* [inputs], owned: where each pixel comes from */
    struct tap *taps;  /* [inputs], owned; NULL: rotation is not wanted */
    float level[256];  /* of a pixel: byte / 255 */
    double exact[256]; /* the same, for sums */
    /* Those of the task that is set. */
    uint32_t labels[CLASSES_MAX]; /* the new label of each label */
    enum task_kind kind;
    uint32_t task;
    bool is_set;
};

struct transform_task {
    uint64_t seed;
    enum task_kind kind;
    uint32_t task;   /* the job-wide number: the key of permutations */
    uint32_t within; /* number within its mapping; 0 is left as it is */
    uint32_t count;  /* tasks of the mapping */
};

/* rotate: whether a task of that kind will be set; side is then not 0.
 * Takes inputs, classes and side from examples. Errors: NO_MEMORY. */
enum status transform_init(struct transform *transform,
                           const struct examples *examples,
                           uint32_t classes,
                           bool rotate) MUST_CHECK;
void transform_fini(struct transform *transform); /* legal on a zeroed one */

/* Cheap where task is the one that is set already. */
void transform_set(struct transform *transform,
                   const struct transform_task *task);

/* image [inputs] to x [inputs]. After transform_set. */
void transform_image(const struct transform *transform,
                     const uint8_t *image,
                     float *x);
uint32_t transform_label(const struct transform *transform, uint8_t label);

#endif /* WORKER_DATA_TRANSFORM_H */
