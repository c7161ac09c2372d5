/* manifest.h - versions on their way into the store.
 *
 * A manifest is a function of the job and its inputs: terms and holds, which
 * depend on how a run went, are cleared in the grants that it carries. */
#ifndef COORDINATOR_SHELL_RECORDS_MANIFEST_H
#define COORDINATOR_SHELL_RECORDS_MANIFEST_H

#include "coordinator/core/job.h"
#include "coordinator/shell/records/fields.h"
#include "proto/version.h"

/* A version as the store takes it. */
struct manifest {
    unsigned char *bytes;
    size_t size;
    struct hash *chunks; /* all that it names */
    size_t chunks_count;
    unsigned char *summary; /* RECORD_BYTES_MAX */
    size_t summary_size;
};

/* Accepts a zeroed one. */
void manifest_fini(struct manifest *manifest);

/* INVALID: could not be read back; NO_MEMORY. out: zeroed before. */
enum status manifest_encode(const struct version *version,
                            struct manifest *out) MUST_CHECK;

/* The version that a complete cut is. records: of all its shards, in order.
 * INVALID: records do not fit the architecture. */
enum status manifest_of_cut(const struct job *job,
                            const struct cut *cut,
                            struct shard_record *records,
                            uint32_t records_count,
                            uint64_t wall_ms,
                            struct manifest *out) MUST_CHECK;

/* The record of a point: the same without tensors, which workers have in
 * memory. Its number is that of the head it follows. *out: mem_free. */
enum status manifest_of_point(const struct job *job,
                              const struct cut *cut,
                              uint64_t wall_ms,
                              unsigned char **out,
                              size_t *out_size) MUST_CHECK;

/* `from` again as version `number` at the beginning of a line of its own. */
struct manifest_restore {
    uint64_t number;
    uint64_t head; /* before; 0: none */
    uint32_t line;
    uint64_t wall_ms;
};
enum status manifest_of_restore(const struct version *from,
                                const struct manifest_restore *restore,
                                struct manifest *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_RECORDS_MANIFEST_H */
