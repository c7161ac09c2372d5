#include "proto/chunk.h"

#include "proto/codec.h"
#include "proto/modelcode.h"
#include "proto/wirecheck.h"
#include "proto/cajal/v1/wire.pb-c.h"
#include "base/check.h"
#include <stdalign.h>

/* As for frame headers: no allocation for a header. */
enum { CHUNK_BUDGET_BYTES = 4 << 10 };

static const struct codec_schema schema = {
    .descriptor = &cajal__v1__chunk_header__descriptor,
    .bytes_max = CHUNK_HEADER_BYTES_MAX,
    .strict = false};

size_t chunk_header_encode(const struct chunk_header *header, void *out)
{
    Cajal__V1__ChunkHeader message = CAJAL__V1__CHUNK_HEADER__INIT;
    size_t size = 0;

    CHECK(header->status <= WIRECHECK_STATUS_MAX);
    message.kind = (Cajal__V1__ChunkKind)header->kind;
    message.status = header->status;
    message.hash = modelcode_put_hash(&header->hash);
    size = cajal__v1__chunk_header__pack(&message, out);
    CHECK(size <= CHUNK_HEADER_BYTES_MAX);
    return size;
}

enum status chunk_header_decode(const void *bytes,
                                size_t size,
                                struct chunk_header *out)
{
    alignas(16) unsigned char memory[CHUNK_BUDGET_BYTES];
    struct region region;
    struct ProtobufCMessage *message = NULL;
    const Cajal__V1__ChunkHeader *from = NULL;
    struct chunk_header header = {0};
    enum status status = STATUS_OK;

    region_init_lent(&region, memory, sizeof(memory));
    status = codec_unpack(&schema, bytes, size, &region, &message);
    if (status != STATUS_OK) {
        return status;
    }
    from = (const Cajal__V1__ChunkHeader *)message;
    header.kind = (uint32_t)from->kind;
    header.status = from->status;
    if (header.kind < CHUNK_PUT || header.kind > CHUNK_BYTES ||
        header.status > WIRECHECK_STATUS_MAX ||
        !modelcode_get_hash(&from->hash, &header.hash)) {
        return STATUS_INVALID;
    }
    *out = header;
    return STATUS_OK;
}
