/* init.h - the first weights of a unit. */
#ifndef WORKER_MODEL_INIT_H
#define WORKER_MODEL_INIT_H

#include "proto/arch.h"

struct init_source {
    uint64_t seed; /* of the job */
    enum activation activation;
    const struct unit *inputs; /* [K] */
    uint32_t inputs_count;     /* K */
};

/* weights[k] uniform in (-b, b), b = gain sqrt(3 / fan_in), drawn from the
 * births of the unit and of inputs[k] alone, never from an index or an order:
 * so a restored job gives its next unit the weights it would have had. */
void init_row(const struct init_source *source,
              const struct unit *unit,
              float *weights);

#endif /* WORKER_MODEL_INIT_H */
