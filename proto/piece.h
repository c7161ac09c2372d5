/* piece.h - the header of a message on a vault link: copies of shards, between
 * workers.
 *
 * A copy of a shard's state travels as pieces, each with this header: fixed
 * width, little-endian, magic and version first. PUT brings a piece of a copy
 * to a buddy, which answers each with STORED; GET asks for one, BYTES brings
 * it, MISSING says that there is no such copy (any more). Every piece carries
 * the checksum of the copy up to and with it: the last one's is that of the
 * whole copy. */
#ifndef PROTO_PIECE_H
#define PROTO_PIECE_H

#include "base/limits.h"
#include "base/status.h"
#include "proto/version.h"
#include <stddef.h>
#include <stdint.h>

enum {
    PIECE_HEADER_BYTES = 76,
    PIECE_BYTES_MAX = CHUNK_BYTES_MAX,
    /* As many chunks as a shard's tensors can have. */
    PIECES_MAX = SHARD_TENSORS_MAX * TENSOR_CHUNKS_MAX
};

enum piece_kind {
    PIECE_PUT = 1, /* with bytes */
    PIECE_STORED,  /* the answer: status OK, or why the copy is not taken */
    PIECE_GET,
    PIECE_BYTES, /* with bytes */
    PIECE_MISSING
};

struct piece_header {
    uint32_t kind;
    uint32_t status; /* STORED; else OK */
    uint64_t job;
    uint64_t term; /* of the session that made the copy */
    uint64_t interval;
    uint64_t kept; /* PUT: as in the grant */
    uint64_t sum;  /* PUT, BYTES: of pieces 0 .. index, one after the other */
    uint32_t line;
    uint32_t layer;
    uint32_t shard;
    uint32_t evaluations_count; /* PUT, BYTES: see shard_expect_evaluations */
    uint32_t index;             /* of the piece in the copy */
    uint32_t count;             /* PUT, BYTES: pieces of the copy */
};

/* out holds PIECE_HEADER_BYTES bytes, all of which are written. */
void piece_header_encode(const struct piece_header *header, void *out);

/* payload_size: of the part that follows; 0: there is none. INVALID: not a
 * header, a field out of range, or a payload that does not belong to it. */
enum status piece_header_decode(const void *bytes,
                                size_t size,
                                size_t payload_size,
                                struct piece_header *out) MUST_CHECK;

#endif /* PROTO_PIECE_H */
