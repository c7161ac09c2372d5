#include "proto/piece.h"

#include "base/bytes.h"
#include "base/check.h"
#include "proto/modelcheck.h"
#include "proto/wirecheck.h"

/* "CjPc", and the version of what follows. */
enum { MAGIC = 0x63506a43, LAYOUT = 1 };

void piece_header_encode(const struct piece_header *header, void *out)
{
    struct writer writer;

    writer_init(&writer, out, PIECE_HEADER_BYTES);
    write_u32(&writer, MAGIC);
    write_u16(&writer, LAYOUT);
    write_u8(&writer, (uint8_t)header->kind);
    write_u8(&writer, (uint8_t)header->status);
    write_u64(&writer, header->job);
    write_u64(&writer, header->term);
    write_u64(&writer, header->interval);
    write_u64(&writer, header->kept);
    write_u64(&writer, header->sum);
    write_u32(&writer, header->line);
    write_u32(&writer, header->layer);
    write_u32(&writer, header->shard);
    write_u32(&writer, header->evaluations_count);
    write_u32(&writer, header->index);
    write_u32(&writer, header->count);
    write_u32(&writer, 0); /* for later */
    CHECK(!writer.failed);
    CHECK(writer.at == PIECE_HEADER_BYTES);
}

static bool counted(uint64_t value)
{
    return value <= MODELCHECK_COUNT_MAX;
}

static bool has_payload(uint32_t kind)
{
    return kind == PIECE_PUT || kind == PIECE_BYTES;
}

static bool valid(const struct piece_header *header, size_t payload_size)
{
    if (header->kind < PIECE_PUT || header->kind > PIECE_MISSING ||
        header->status > WIRECHECK_STATUS_MAX ||
        (header->kind != PIECE_STORED && header->status != STATUS_OK)) {
        return false;
    }
    if (header->job < 1 || !counted(header->interval) ||
        !counted(header->kept) || header->layer >= LAYERS_MAX ||
        header->shard >= SHARDS_MAX || header->index >= PIECES_MAX) {
        return false;
    }
    if (!has_payload(header->kind)) {
        return payload_size == 0;
    }
    return payload_size >= 1 && payload_size <= PIECE_BYTES_MAX &&
           header->count <= PIECES_MAX && header->index < header->count &&
           header->evaluations_count <= REPORT_EVALUATIONS_MAX;
}

enum status piece_header_decode(const void *bytes,
                                size_t size,
                                size_t payload_size,
                                struct piece_header *out)
{
    struct piece_header header = {0};
    struct reader reader;

    reader_init(&reader, bytes, size);
    if (size != PIECE_HEADER_BYTES || read_u32(&reader) != MAGIC ||
        read_u16(&reader) != LAYOUT) {
        return STATUS_INVALID;
    }
    header.kind = read_u8(&reader);
    header.status = read_u8(&reader);
    header.job = read_u64(&reader);
    header.term = read_u64(&reader);
    header.interval = read_u64(&reader);
    header.kept = read_u64(&reader);
    header.sum = read_u64(&reader);
    header.line = read_u32(&reader);
    header.layer = read_u32(&reader);
    header.shard = read_u32(&reader);
    header.evaluations_count = read_u32(&reader);
    header.index = read_u32(&reader);
    header.count = read_u32(&reader);
    if (read_u32(&reader) != 0 || reader.failed ||
        !valid(&header, payload_size)) {
        return STATUS_INVALID;
    }
    *out = header;
    return STATUS_OK;
}
