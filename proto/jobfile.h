/* jobfile.h - a YAML job file, made into a struct job_spec.
 *
 * Every error is found in one go and told with its place, the key's path and
 * what to write instead. What the schema knows and this release cannot do is
 * refused with a sentence, never ignored. Uses the heap for the time of the
 * call; any thread. */
#ifndef PROTO_JOBFILE_H
#define PROTO_JOBFILE_H

#include "base/status.h"
#include "proto/job.h"
#include "proto/jobfileerror.h"
#include "proto/schema.h"
#include <stdint.h>

/* Which values were given, by whom. Bit i of a row: element i of the list that
 * the row is under, bit 0 where it is under none. */
struct jobfile_origins {
    uint32_t file[SCHEMA_KEYS_MAX];
    uint32_t set[SCHEMA_KEYS_MAX];
    /* Bit k: key k of the policy. */
    uint32_t policy_file[ROLES_COUNT][POLICIES_MAX];
    uint32_t policy_set[ROLES_COUNT][POLICIES_MAX];
};

/* INVALID: errors has at least one; out and origins are untouched. origins
 * may be NULL; it tells which values the file or --set gave (see jobprint.h).
 * NO_MEMORY: errors is empty. A file without a name is named after itself. */
enum status jobfile_parse(const struct jobfile_source *source,
                          struct job_spec *out,
                          struct jobfile_origins *origins,
                          struct jobfile_errors *errors) MUST_CHECK;

#endif /* PROTO_JOBFILE_H */
