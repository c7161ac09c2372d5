/* jobcheck.h - what is wrong with a job, fault by fault.
 *
 * The one place that knows the range of each field of struct job_spec and what
 * belongs together. A fault names keys as a job file does, so that the job
 * file's reader can point at them. Pure. Total: any bytes may be in the
 * struct, as long as they are initialised. */
#ifndef PROTO_JOBCHECK_H
#define PROTO_JOBCHECK_H

#include "proto/job.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* More than a person corrects at once. */
    JOB_FAULTS_MAX = 20,
    JOB_PATH_BYTES_MAX = 96,
    JOB_FAULT_BYTES_MAX = 192,
    /* The least that tells a damage from noise. */
    GUARD_EXAMPLES_MIN = 256,
    GUARD_EXAMPLES_DEFAULT = 2000,
    /* More than the cores of any host today. */
    THREADS_MAX = 64
};

struct job_fault {
    char path[JOB_PATH_BYTES_MAX];     /* "model.hidden[1].units" */
    char message[JOB_FAULT_BYTES_MAX]; /* "must be 1 to 65536, got 0" */
    char other[JOB_PATH_BYTES_MAX];    /* the second key concerned, or "" */
};

struct job_faults {
    uint32_t count;
    struct job_fault items[JOB_FAULTS_MAX];
};

/* Lists the first JOB_FAULTS_MAX faults, in the order of the schema. */
void job_faults(const struct job_spec *spec, struct job_faults *out);

/* A job's name: 1 to 63 of a-z A-Z 0-9 . _ - that begin with a letter or a
 * digit and do not read as a job's or a version's number. */
bool job_name_valid(const char *name, size_t size);

/* True where a policy of the role is on. */
bool job_has_role(const struct job_spec *spec, enum role role);

/* "plasticity.grow.add", or "plasticity.grow[1].add" where the role has
 * several policies. out holds JOB_PATH_BYTES_MAX. */
void job_policy_path(const struct job_spec *spec,
                     enum role role,
                     uint32_t policy,
                     const char *key,
                     char *out);

const char *role_name(enum role role); /* "renew", "grow", "prune" */

#endif /* PROTO_JOBCHECK_H */
