/* pieces.h - the state of one shard in memory, as pieces.
 *
 * A piece is what a chunk of a version is: at most CHUNK_BYTES_MAX bytes of one
 * tensor, all of a tensor's but the last full. Each lies in a part of its own,
 * so whoever sends it or keeps it longer shares the bytes instead of copying
 * them; they are never written again. Belongs to the loop's thread, once it is
 * made. */
#ifndef WORKER_SHELL_PIECES_H
#define WORKER_SHELL_PIECES_H

#include "base/link.h"
#include "worker/model/shard.h"

struct piece {
    struct part part;
    uint64_t sum; /* of pieces up to and with this one; see `summed` */
};

struct pieces {
    uint32_t count;
    uint32_t room;
    uint32_t summed;            /* so many have a sum */
    uint32_t evaluations_count; /* see shard_expect_evaluations */
    size_t bytes;
    struct piece *items; /* [room] */
};

/* All zero is empty, and what pieces_close leaves. */
void pieces_close(struct pieces *pieces);

/* Copies a shard's state. NO_MEMORY: *out is empty. Any thread. */
enum status pieces_save(const struct shard *shard,
                        struct pieces *out) MUST_CHECK;

/* Into a shard just opened at that state's architecture. CORRUPT: it has
 * another shape. */
enum status pieces_load(struct pieces *pieces, struct shard *shard) MUST_CHECK;

/* Appends a piece: takes part on success. NO_MEMORY. */
enum status pieces_add(struct pieces *pieces, struct part *part) MUST_CHECK;

/* Further references to the same bytes. NO_MEMORY: *out is empty. */
enum status pieces_share(struct pieces *pieces, struct pieces *out) MUST_CHECK;

/* The checksum up to and with a piece; computed once. */
uint64_t pieces_sum(struct pieces *pieces, uint32_t index);

#endif /* WORKER_SHELL_PIECES_H */
