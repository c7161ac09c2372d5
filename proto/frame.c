#include "proto/frame.h"

#include "proto/codec.h"
#include "proto/cajal/v1/wire.pb-c.h"
#include "base/check.h"
#include <stdalign.h>
#include <stdbool.h>

/* What unpacking may take: the message itself, and room for as many unknown
 * fields as fit into a header. On the stack, for no step may allocate. */
enum { FRAME_BUDGET_BYTES = 16 << 10 };

/* Not strict, but without strings or messages there is little to scan. */
static const struct codec_schema schema = {
    .descriptor = &cajal__v1__frame_header__descriptor,
    .bytes_max = FRAME_HEADER_BYTES_MAX,
    .strict = false};

size_t frame_header_encode(const struct frame_header *header, void *out)
{
    Cajal__V1__FrameHeader message = CAJAL__V1__FRAME_HEADER__INIT;
    size_t size = 0;

    message.job = header->job;
    message.term = header->term;
    message.pass = header->pass;
    message.kind = (Cajal__V1__FrameKind)header->kind;
    message.microbatch = header->microbatch;
    message.from_layer = header->from_layer;
    message.from_shard = header->from_shard;
    message.to_layer = header->to_layer;
    message.to_shard = header->to_shard;
    message.rows = header->rows;
    message.columns = header->columns;
    message.from_worker = header->from_worker;
    message.sequence = header->sequence;
    /* 13 fields of at most 11 bytes. */
    size = cajal__v1__frame_header__pack(&message, out);
    CHECK(size <= FRAME_HEADER_BYTES_MAX);
    return size;
}

static void get_header(const Cajal__V1__FrameHeader *from,
                       struct frame_header *to)
{
    to->job = from->job;
    to->term = from->term;
    to->pass = from->pass;
    to->kind = (uint32_t)from->kind;
    to->microbatch = from->microbatch;
    to->from_layer = from->from_layer;
    to->from_shard = from->from_shard;
    to->to_layer = from->to_layer;
    to->to_shard = from->to_shard;
    to->rows = from->rows;
    to->columns = from->columns;
    to->from_worker = from->from_worker;
    to->sequence = from->sequence;
}

static bool header_valid(const struct frame_header *header)
{
    return header->job >= 1 && header->microbatch < MICROBATCHES_MAX &&
           header->from_layer < LAYERS_MAX && header->to_layer < LAYERS_MAX &&
           header->from_shard < SHARDS_MAX && header->to_shard < SHARDS_MAX &&
           header->rows <= BATCH_MAX && header->columns <= UNITS_MAX;
}

/* Whether a payload of this many bytes is what the header announces. */
static bool payload_valid(const struct frame_header *header, size_t bytes)
{
    size_t row_bytes = header->columns * sizeof(float);

    if (bytes > FRAME_BYTES_MAX) {
        return false;
    }
    switch (header->kind) {
    case FRAME_FORWARD:
        return bytes == header->rows * row_bytes;
    case FRAME_GRADIENT:
        return bytes == header->rows * row_bytes || bytes == 0;
    case FRAME_COLUMNS:
        return bytes == row_bytes;
    case FRAME_NORM:
        return bytes == sizeof(double);
    default:
        return false;
    }
}

enum status frame_header_decode(const void *bytes,
                                size_t size,
                                size_t payload_bytes,
                                struct frame_header *out)
{
    alignas(16) unsigned char memory[FRAME_BUDGET_BYTES];
    struct region region;
    struct ProtobufCMessage *message = NULL;
    struct frame_header header = {0};
    enum status status = STATUS_OK;

    region_init_lent(&region, memory, sizeof(memory));
    status = codec_unpack(&schema, bytes, size, &region, &message);
    if (status != STATUS_OK) {
        return status;
    }
    get_header((const Cajal__V1__FrameHeader *)message, &header);
    if (!header_valid(&header) || !payload_valid(&header, payload_bytes)) {
        return STATUS_INVALID;
    }
    *out = header;
    return STATUS_OK;
}
