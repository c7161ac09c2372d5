/* frame.h - the header of a data frame, worker to worker.
 *
 * A message is two parts: this header (a small protobuf, wire.proto's
 * FrameHeader) and raw little-endian floats. Frames are numbered per link and
 * never sent again: after a gap the job goes back to its newest version. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/limits.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum frame_kind {
    FRAME_FORWARD = 1, /* h [rows, units] to all shards of the next layer */
    FRAME_GRADIENT,    /* dL/dh [rows, units] to one shard of the layer before;
                          empty in an evaluation: it only acknowledges */
    FRAME_COLUMNS,     /* sums of |w_out| [units] to one shard, for a report */
    FRAME_NORM         /* squared gradient norm, one double as 8 bytes, to all
                          shards of the model (clipping) */
};

struct frame_header {
    uint64_t job;
    uint64_t term;
    uint64_t pass; /* counts the passes of a term: each training step, each
                      group of evaluation microbatches, each report */
    uint32_t kind;
    uint32_t microbatch;
    uint32_t from_layer;
    uint32_t from_shard;
    uint32_t to_layer;
    uint32_t to_shard; /* GRADIENT, COLUMNS */
    uint32_t rows;
    uint32_t columns;
    uint32_t from_worker;
    uint64_t sequence; /* per sender and receiver and term, from 0 */
};

/* out holds FRAME_HEADER_BYTES_MAX bytes. */
size_t frame_header_encode(const struct frame_header *header, void *out);

/* INVALID: not a header, a field out of range, or payload_bytes is not what
 * kind, rows and columns say. */
enum status frame_header_decode(const void *bytes,
                                size_t size,
                                size_t payload_bytes,
                                struct frame_header *out) MUST_CHECK;

#endif /* PROTO_FRAME_H */
