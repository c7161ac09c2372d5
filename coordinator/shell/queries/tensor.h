/* tensor.h - reads the weights of a version out of the store, row by row.
 *
 * A version keeps tensors by shard, in chunks; readers want rows by unit. The
 * chunk that was read last is kept, so that reading rows in order reads each
 * chunk once. One owner; any thread. */
#ifndef COORDINATOR_SHELL_QUERIES_TENSOR_H
#define COORDINATOR_SHELL_QUERIES_TENSOR_H

#include "proto/version.h"
#include "storage/store.h"

struct tensor_reader;

enum status tensor_open(struct store *store,
                        struct tensor_reader **out) MUST_CHECK;
void tensor_close(struct tensor_reader *reader); /* accepts NULL */

/* The weights [inputs] into a unit, in the order of the layer's inputs.
 * CORRUPT: the version's records do not fit its architecture, or a chunk is
 * not what its hash says; NOT_FOUND: a chunk is missing; IO. */
enum status tensor_weights(struct tensor_reader *reader,
                           const struct version *version,
                           uint32_t layer,
                           uint32_t unit,
                           float *out) MUST_CHECK;
/* Its bias. Errors: as above. */
enum status tensor_bias(struct tensor_reader *reader,
                        const struct version *version,
                        uint32_t layer,
                        uint32_t unit,
                        float *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_QUERIES_TENSOR_H */
