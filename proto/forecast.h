/* forecast.h - how much disk a job's versions need.
 *
 * A bound, and what is known beforehand: a version holds every weight as often
 * as the optimiser keeps it, and figures of each unit. Versions that share
 * tensors share their bytes, so what is really needed may be far less. */
#ifndef PROTO_FORECAST_H
#define PROTO_FORECAST_H

#include "proto/job.h"

struct forecast {
    uint64_t version_bytes;  /* of one, at the start */
    uint64_t versions_least; /* that are sure to be made */
    uint64_t versions_most;  /* that can be made: one an interval */
    uint64_t kept_most;      /* at one time, with gc by the keep rules */
    uint64_t bytes_most;     /* kept_most versions of the greatest size */
    bool bounded;            /* keep.last bounds it, and not the job's length */
};

/* What the forecast is made of; the data's figures are those of a probe. */
struct forecast_of {
    const struct job_spec *spec;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t tasks;
    uint64_t steps; /* of the whole job */
};

void forecast_make(const struct forecast_of *of, struct forecast *out);

/* Bytes of the tensors of a version of this size. */
uint64_t forecast_version_bytes(const struct job_spec *spec,
                                uint64_t parameters,
                                uint64_t units);

/* Versions beyond those that must stay that pile up before gc runs by itself.
 */
uint32_t forecast_slack(uint32_t last);

#endif /* PROTO_FORECAST_H */
