/* fuzz_piece.c - headers of the vault link from anyone.
 *
 * The first four bytes are the payload's size, the next one chooses: a sample
 * that the rest patches (offset, then the new byte), or the rest as it stands.
 * What decodes must come out of a second round as it is. */
#include "proto/piece.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void try_header(const unsigned char *bytes, size_t size, size_t payload)
{
    unsigned char again[PIECE_HEADER_BYTES];
    struct piece_header header;

    if (piece_header_decode(bytes, size, payload, &header) == STATUS_OK) {
        piece_header_encode(&header, again);
        CHECK(size == sizeof(again));
        CHECK(memcmp(bytes, again, sizeof(again)) == 0);
    }
}

static void try_patched(struct reader *reader, size_t payload)
{
    struct piece_header header = {.kind = PIECE_PUT, .job = 1, .count = 3};
    unsigned char bytes[PIECE_HEADER_BYTES];

    piece_header_encode(&header, bytes);
    while (reader->at + 2 <= reader->size) {
        size_t offset = read_u8(reader);

        bytes[offset % sizeof(bytes)] = read_u8(reader);
    }
    try_header(bytes, sizeof(bytes), payload);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct reader reader;
    size_t payload = 0;
    uint8_t patched = 0;

    reader_init(&reader, data, size);
    payload = read_u32(&reader);
    patched = read_u8(&reader);
    if (reader.failed) {
        return 0;
    }
    if (patched % 2 == 0) {
        try_patched(&reader, payload);
    } else {
        try_header(data + reader.at, size - reader.at, payload);
    }
    CHECK(mem_live() == 0);
    return 0;
}
