/* modelcheck.h - what architectures, grants, records and versions may hold.
 *
 * One set of rules for both directions: what we would not read, we do not
 * write, so a version that was committed can always be decoded. Pure. Total
 * over any contents, but the pointers must be good for their counts. */
#ifndef PROTO_MODELCHECK_H
#define PROTO_MODELCHECK_H

#include "proto/arch.h"
#include "proto/grant.h"
#include "proto/version.h"
#include <stdbool.h>
#include <stdint.h>

/* Births, steps, positions and counts of examples stay below 2^48, since they
 * are keys of the generator (base/rng.h). */
static const uint64_t MODELCHECK_COUNT_MAX = ((uint64_t)1 << 48) - 1;

/* Largest element of a tensor: a record of statistics, 64 bytes. */
enum { ELEMENT_BYTES_MAX = 64 };

bool modelcheck_unit_id(struct unit_id id);
bool modelcheck_arch(const struct arch *arch);
/* The shards of all layers of a checked architecture. */
uint32_t modelcheck_shards(const struct arch *arch);
bool modelcheck_grant(const struct grant *grant);
bool modelcheck_record(const struct shard_record *record);
/* count is 0 or all shards of the checked architecture, by layer, then
 * shard. */
bool modelcheck_records(const struct arch *arch,
                        const struct shard_record *records,
                        uint32_t count);
/* All but the spec's own fields, for which job_check is there. */
bool modelcheck_version(const struct version *version);

#endif /* PROTO_MODELCHECK_H */
