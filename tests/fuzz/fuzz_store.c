/* fuzz_store.c - what the store's own files hold, damaged or made up.
 *
 * The first byte chooses: a manifest as it stands in the store, packed or not;
 * or the file of a mirror, of which every entry that passes its hash is decoded
 * as a rebuild does. */
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/version.h"
#include "storage/batchcode.h"
#include "storage/mirror.h"
#include "storage/packing.h"
#include "storage/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MANIFEST_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* --- Manifests --- */

static void try_version(const unsigned char *bytes, size_t size)
{
    struct version *version = NULL;
    unsigned char *again = NULL;
    size_t again_size = 0;

    if (version_decode(bytes, size, &version) == STATUS_OK) {
        CHECK(version_encode(version, &again, &again_size) == STATUS_OK);
        mem_free(again);
    }
    version_free(version);
}

/* What was packed must come back. */
static void check_packs(const struct kv_value *value)
{
    unsigned char *packed_memory = NULL;
    unsigned char *memory = NULL;
    struct kv_value packed;
    struct kv_value back;

    CHECK(packing_pack(value->bytes, value->size, &packed_memory, &packed) ==
          STATUS_OK);
    CHECK(packing_unpack(&packed, value->size, &memory, &back) == STATUS_OK);
    CHECK(back.size == value->size);
    CHECK(value->size == 0 ||
          memcmp(back.bytes, value->bytes, value->size) == 0);
    mem_free(memory);
    mem_free(packed_memory);
}

static void try_manifest(const unsigned char *data, size_t size)
{
    const struct kv_value stored = {data, size};
    const struct key key = key_of_pair(1, 2);
    unsigned char *memory = NULL;
    struct kv_value value;
    enum status status =
        packing_unpack(&stored, MANIFEST_BYTES_MAX, &memory, &value);

    (void)seal_matches(3, &key, data, size);
    if (status != STATUS_OK) {
        CHECK(status == STATUS_CORRUPT);
        return;
    }
    CHECK(memory == NULL || value.size <= MANIFEST_BYTES_MAX);
    try_version(value.bytes, value.size);
    check_packs(&value);
    mem_free(memory);
}

/* --- Mirrors --- */

/* In memory, so that the disk does not set the pace; one per process. */
static const char *mirror_file(void)
{
    static char path[64];

    if (path[0] == '\0') {
        log_open(STDERR_FILENO, LOG_ERROR, "fuzz");
        (void)snprintf(path, sizeof(path), "/dev/shm/cajal-fuzz-mirror-%ld",
                       (long)getpid());
    }
    return path;
}

static enum status take_entry(void *owner,
                              enum mirror_kind kind,
                              const struct hash *hash,
                              const unsigned char *payload,
                              size_t size)
{
    struct batchcode_origin origin;
    unsigned *count = owner;
    struct hash found;
    struct batch *batch = NULL;

    (*count)++;
    hash_bytes(payload, size, &found);
    CHECK(hash_equal(&found, hash));
    CHECK(kind != MIRROR_CHUNK || size <= CHUNK_BYTES_MAX);
    if (kind == MIRROR_BATCH) {
        CHECK(batch_open(&batch) == STATUS_OK);
        (void)!batchcode_decode(payload, size, batch, &origin);
        batch_close(batch);
    }
    return STATUS_OK;
}

static void try_open(const char *path, uint64_t position)
{
    char why[ERROR_BYTES_MAX] = "";
    const struct mirror_options options = {.path = path,
                                           .position = position,
                                           .why = why,
                                           .why_size = sizeof(why)};
    struct mirror *mirror = NULL;
    enum status status = mirror_open(&options, &mirror);

    if (status == STATUS_OK) {
        CHECK(mirror_position(mirror) == position);
    } else {
        CHECK(why[0] != '\0');
    }
    mirror_close(mirror);
}

static void try_mirror(const unsigned char *data, size_t size)
{
    const char *path = mirror_file();
    unsigned count = 0;
    uint64_t end = 0;
    uint64_t left = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK(write(fd, data, size) == (ssize_t)size);
    CHECK(close(fd) == 0);
    if (mirror_scan(path, take_entry, &count, &end, &left) == STATUS_OK) {
        CHECK(end + left == size);
        CHECK((count == 0) == (end == 0));
        try_open(path, end);
    } else {
        CHECK(end == 0);
        try_open(path, size);
    }
    (void)unlink(path);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        try_manifest(data + 1, size - 1);
    } else {
        try_mirror(data + 1, size - 1);
    }
    CHECK(mem_live() == 0);
    return 0;
}
