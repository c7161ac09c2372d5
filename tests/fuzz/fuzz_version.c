/* fuzz_version.c - manifests that were damaged on disk or made up.
 *
 * As fuzz_wire.c: an even first byte means patches to a valid manifest, an odd
 * one a manifest as it stands. */
#include "proto/version.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/unit/proto/samples.h"

enum { PATCH_BYTES = 3 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void try_version(const unsigned char *bytes, size_t size)
{
    struct version *version = NULL;
    unsigned char *again = NULL;
    size_t again_size = 0;
    enum status status = version_decode(bytes, size, &version);

    if (status != STATUS_OK) {
        CHECK(status == STATUS_CORRUPT);
        return;
    }
    CHECK(version_encode(version, &again, &again_size) == STATUS_OK);
    version_free(version);
    CHECK(version_decode(again, again_size, &version) == STATUS_OK);
    version_free(version);
    mem_free(again);
}

static void try_patched(const unsigned char *patches, size_t size)
{
    static struct sample sample;
    unsigned char *bytes = NULL;
    size_t bytes_size = 0;

    sample_init(&sample);
    CHECK(version_encode(&sample.version, &bytes, &bytes_size) == STATUS_OK);
    for (size_t i = 0; i + PATCH_BYTES <= size; i += PATCH_BYTES) {
        size_t offset = patches[i] | (size_t)patches[i + 1] << 8;

        bytes[offset % bytes_size] = patches[i + 2];
    }
    try_version(bytes, bytes_size);
    mem_free(bytes);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        try_patched(data + 1, size - 1);
    } else {
        try_version(data + 1, size - 1);
    }
    CHECK(mem_live() == 0);
    return 0;
}
