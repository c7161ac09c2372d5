/* version.h - a version: a closed state from which exactly one future follows.
 *
 * The manifest says where every byte of the state is: per shard the tensors as
 * lists of content hashes, and beside them everything else that the future
 * depends on: architecture, job spec as changed so far, the policy's own
 * state, the grant whose boundary the cut was taken at and the grant already
 * decided but not begun. */
#ifndef PROTO_VERSION_H
#define PROTO_VERSION_H

#include "base/hash.h"
#include "proto/arch.h"
#include "proto/grant.h"
#include "proto/job.h"
#include <stddef.h>

enum {
    /* Of one shard; nine are in use (see shard_tensors). */
    SHARD_TENSORS_MAX = 12,
    TENSOR_NAME_BYTES_MAX = 24,
    VERSION_PARENTS_MAX = 2,
    /* 4096 units of 65536 inputs: 1 GB in chunks of 1 MB. */
    TENSOR_CHUNKS_MAX = 4096,
    POLICY_STATE_BYTES_MAX = 256 << 10,
    /* A manifest must fit into an assignment, which brings its records. */
    VERSION_BYTES_MAX = CONTROL_BYTES_MAX
};

struct tensor_record {
    char name[TENSOR_NAME_BYTES_MAX];
    uint32_t rows;
    uint32_t columns;
    uint32_t element_bytes;
    uint32_t chunks_count; /* all but the last have CHUNK_BYTES_MAX bytes */
    struct hash *chunks;
};

struct shard_record {
    uint32_t layer;
    uint32_t shard;
    uint32_t tensors_count;
    uint32_t evaluations_count; /* see shard_expect_evaluations */
    struct tensor_record tensors[SHARD_TENSORS_MAX];
};

struct version {
    uint64_t job;
    uint64_t number; /* v7 is 7; never reused within a job */
    uint32_t line;
    uint64_t interval; /* the boundary at whose cut it was taken */
    uint64_t step;
    uint32_t task;
    uint64_t position;
    uint32_t cause; /* enum cause */
    uint32_t parents_count;
    uint64_t parents[VERSION_PARENTS_MAX];
    uint64_t wall_ms;
    char reason[REASON_BYTES_MAX]; /* "grow hidden1 +16", "restore v5" */
    uint64_t parameters;
    uint64_t bytes; /* of all tensors */
    struct job_spec *spec;
    struct arch *arch;
    struct grant *begun;   /* of `interval`, resumed; NULL: none (ended) */
    struct grant *pending; /* of interval + 1; NULL: none */
    uint32_t policy_bytes;
    unsigned char *policy; /* opaque to all but coordinator/core */
    uint32_t shards_count;
    struct shard_record *shards; /* by layer, then shard */
};

/* Bytes (protobuf, model.proto) <-> struct. Both ways validate every field and
 * bound every size. Decoding: CORRUPT (also a field of a newer release),
 * NO_MEMORY. Encoding: INVALID (what could not be decoded), NO_MEMORY. */
enum status version_decode(const void *bytes,
                           size_t size,
                           struct version **out) MUST_CHECK;
enum status version_encode(const struct version *version,
                           unsigned char **out, /* mem_free */
                           size_t *out_size) MUST_CHECK;
/* Drops version, spec, arch (its units lie in the same block), begun, pending,
 * policy, shards and each tensor's chunks, all from mem_. Accepts NULL. */
void version_free(struct version *version);

#endif /* PROTO_VERSION_H */
