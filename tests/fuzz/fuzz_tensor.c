/* fuzz_tensor.c - the state of a shard, from chunks or another worker's copy.
 *
 * The input is a list of parts: tensor, offset and size, then that many bytes.
 * Hashes and checksums say that bytes are what was written, not that what was
 * written made sense: any may come. A part that is taken is saved as it was
 * loaded, and a report of whatever is in the shard can be told to the
 * coordinator, which may refuse it. */
#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include "tests/unit/proto/samples.h"
#include "worker/model/shard.h"

enum { PART_BYTES_MAX = 512, ARENA_BYTES = 4 << 20 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void load_part(struct shard *shard, struct reader *in)
{
    static unsigned char back[PART_BYTES_MAX];
    uint32_t index = read_u8(in) % (SHARD_TENSORS_MAX + 1);
    size_t offset = read_u16(in);
    size_t size = read_u16(in) % PART_BYTES_MAX;
    const unsigned char *bytes = read_bytes(in, size);
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(shard, tensors);
    enum status status = STATUS_OK;

    if (bytes == NULL) {
        return;
    }
    status = shard_load_part(shard, index, offset, size, bytes);
    if (status != STATUS_OK) {
        CHECK(status == STATUS_CORRUPT);
        return;
    }
    CHECK(index < count);
    CHECK(offset + size <= tensors[index].bytes);
    shard_save_part(shard, index, offset, size, back);
    /* Of an evaluation set and task are kept in fewer bits. */
    if (strcmp(tensors[index].name, "evaluations") != 0) {
        CHECK(memcmp(back, bytes, size) == 0);
    }
}

static void try_report(struct shard *shard)
{
    static struct report report;
    static _Alignas(16) unsigned char memory[ARENA_BYTES];
    static const double outgoing[SAMPLE_UNITS];
    struct wire wire = {.kind = WIRE_REPORT};
    struct wire back;
    struct arena arena;
    unsigned char *bytes = NULL;
    size_t size = 0;

    memset(&report, 0, sizeof(report));
    shard_report(shard, 3, outgoing, &report);
    wire.report.job = 1;
    wire.report.report = &report;
    if (wire_encode(&wire, &bytes, &size) == STATUS_OK) {
        arena_init(&arena, memory, sizeof(memory));
        (void)!wire_decode(bytes, size, &arena, &back);
        mem_free(bytes);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct sample sample;
    struct shard_place place = {.spec = &sample.spec, .arch = &sample.arch};
    struct shard *shard = NULL;
    struct reader in;

    sample_init(&sample);
    reader_init(&in, data, size);
    CHECK(shard_open(&place, &shard) == STATUS_OK);
    shard_expect_evaluations(shard, read_u16(&in));
    while (in.at < in.size && !in.failed) {
        load_part(shard, &in);
    }
    try_report(shard);
    shard_close(shard);
    CHECK(mem_live() == 0);
    return 0;
}
