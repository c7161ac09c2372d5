/* shape.h - the dimension letters of every array comment in worker/model.
 *
 *   B  rows of a batch       K  inputs of a layer (units of the one before)
 *   U  units of a shard      O  outputs of the model (classes)
 *
 * Matrices are row-major. Never I: complex.h, which cblas.h includes, defines
 * it as a macro. */
#ifndef WORKER_MODEL_SHAPE_H
#define WORKER_MODEL_SHAPE_H

enum {
    /* Rows of a tensor start at multiples of this many floats: one cache
     * line. A function of K alone, so that a restored shard computes on the
     * same strides as one that grew. */
    STRIDE_FLOATS = 16
};

#endif /* WORKER_MODEL_SHAPE_H */
