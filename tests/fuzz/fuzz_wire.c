/* fuzz_wire.c - control messages and chunk headers from anyone.
 *
 * The first byte chooses: a sample of one kind, which the rest of the input
 * patches (offset in two bytes, then the new byte), or the rest as it stands.
 * So damage deep inside a valid message is found without a corpus. What
 * decodes must encode, and that must decode. */
#include "proto/wire.h"

#include "base/check.h"
#include "base/mem.h"
#include "proto/chunk.h"
#include "tests/unit/proto/samples.h"

enum { ARENA_BYTES = 4 << 20, PATCH_BYTES = 3 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static _Alignas(16) unsigned char memory[ARENA_BYTES];

static void try_message(const unsigned char *bytes, size_t size)
{
    struct arena arena;
    struct wire wire;
    unsigned char *again = NULL;
    size_t again_size = 0;
    enum status status = STATUS_OK;

    arena_init(&arena, memory, sizeof(memory));
    status = wire_decode(bytes, size, &arena, &wire);
    if (status != STATUS_OK) {
        CHECK(status == STATUS_INVALID || status == STATUS_NO_MEMORY);
        return;
    }
    CHECK(wire_encode(&wire, &again, &again_size) == STATUS_OK);
    arena_reset(&arena);
    CHECK(wire_decode(again, again_size, &arena, &wire) == STATUS_OK);
    mem_free(again);
}

static void try_chunk_header(const unsigned char *bytes, size_t size)
{
    unsigned char again[CHUNK_HEADER_BYTES_MAX];
    struct chunk_header header;

    if (chunk_header_decode(bytes, size, &header) == STATUS_OK) {
        size_t again_size = chunk_header_encode(&header, again);

        CHECK(chunk_header_decode(again, again_size, &header) == STATUS_OK);
    }
}

/* point: an assignment whose state comes from copies in memory. */
static void try_patched(enum wire_kind kind,
                        bool point,
                        const unsigned char *patches,
                        size_t size)
{
    static struct sample sample;
    struct wire wire;
    unsigned char *bytes = NULL;
    size_t bytes_size = 0;

    sample_init(&sample);
    sample_wire(&sample, kind, &wire);
    if (point) {
        sample_from_point(&sample, &wire.assign);
    }
    CHECK(wire_encode(&wire, &bytes, &bytes_size) == STATUS_OK);
    for (size_t i = 0; i + PATCH_BYTES <= size; i += PATCH_BYTES) {
        size_t offset = patches[i] | (size_t)patches[i + 1] << 8;

        bytes[offset % bytes_size] = patches[i + 2];
    }
    try_message(bytes, bytes_size);
    mem_free(bytes);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] < SAMPLE_KINDS) {
        try_patched(sample_kinds[data[0]], false, data + 1, size - 1);
    } else if (data[0] == SAMPLE_KINDS) {
        try_patched(WIRE_ASSIGN, true, data + 1, size - 1);
    } else {
        try_message(data + 1, size - 1);
        try_chunk_header(data + 1, size - 1);
    }
    CHECK(mem_live() == 0);
    return 0;
}
