/* chunk.h - the header of a message on the chunk link.
 *
 * Chunks of tensors go from worker to coordinator and back as two parts: this
 * header (a small protobuf, wire.proto's ChunkHeader) and, where the kind says
 * so, the chunk's bytes. A chunk is named by the hash of its bytes. */
#ifndef PROTO_CHUNK_H
#define PROTO_CHUNK_H

#include "base/hash.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { CHUNK_HEADER_BYTES_MAX = 64 };

enum chunk_kind {
    CHUNK_PUT = 1, /* worker -> coordinator, with bytes */
    CHUNK_STORED,  /* coordinator -> worker: durable (or status says why not) */
    CHUNK_GET,     /* worker -> coordinator */
    CHUNK_BYTES    /* coordinator -> worker, with bytes where status is OK */
};

struct chunk_header {
    uint32_t kind;
    uint32_t status;
    struct hash hash;
};

/* out holds CHUNK_HEADER_BYTES_MAX bytes. */
size_t chunk_header_encode(const struct chunk_header *header, void *out);

/* INVALID: not a header, or a field out of range. */
enum status chunk_header_decode(const void *bytes,
                                size_t size,
                                struct chunk_header *out) MUST_CHECK;

#endif /* PROTO_CHUNK_H */
