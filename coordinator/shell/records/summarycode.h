/* summarycode.h - what a list of versions shows of one, as bytes.
 *
 * Lies beside each manifest, so that history need not decode manifests, which
 * are megabytes for a large model. */
#ifndef COORDINATOR_SHELL_RECORDS_SUMMARYCODE_H
#define COORDINATOR_SHELL_RECORDS_SUMMARYCODE_H

#include "coordinator/shell/records/fields.h"
#include "proto/version.h"

struct summary {
    uint64_t number;
    uint32_t line;
    uint64_t interval;
    uint64_t step;
    uint32_t task;
    uint32_t cause; /* enum cause */
    uint32_t parents_count;
    uint64_t parents[VERSION_PARENTS_MAX];
    uint64_t wall_ms;
    char reason[REASON_BYTES_MAX];
    uint32_t inputs;
    uint32_t layers_count; /* the last is the output layer */
    uint32_t widths[LAYERS_MAX];
    uint64_t parameters;
    uint64_t bytes;
    struct hash hash; /* BLAKE2b-256 of the manifest's chunk hashes in order */
};

/* NO_MEMORY. */
enum status summarycode_make(const struct version *version,
                             struct summary *out) MUST_CHECK;

/* out holds RECORD_BYTES_MAX. */
size_t summarycode_encode(const struct summary *summary, void *out);
/* CORRUPT, UNSUPPORTED: as recordcode_decode. */
enum status summarycode_decode(const void *bytes,
                               size_t size,
                               struct summary *out) MUST_CHECK;

/* The hashes of all chunks of a version, in order (mem_free). */
enum status summarycode_chunks(const struct version *version,
                               struct hash **out,
                               size_t *out_count) MUST_CHECK;

#endif /* COORDINATOR_SHELL_RECORDS_SUMMARYCODE_H */
