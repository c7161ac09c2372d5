/* fuzz_idx.c - no bytes in a data set's file may crash a worker.
 *
 * The first byte chooses between a plain file and a packed one. What is
 * accepted must be what the header says, to the byte. */
#include "base/check.h"
#include "worker/data/idx.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static volatile uint8_t sink;

static void check_view(const struct idx *idx, const uint8_t *bytes, size_t size)
{
    uint64_t items = 1;

    CHECK(idx->rank >= 1);
    CHECK(idx->rank <= IDX_RANK_MAX);
    for (uint32_t i = 0; i < IDX_RANK_MAX; i++) {
        items *= idx->dims[i];
    }
    CHECK(items == idx->items_count);
    CHECK(idx->items + items == bytes + size);
    for (uint64_t i = 0; i < items; i++) {
        sink = idx->items[i]; /* every item can be read */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[256] = "";
    struct why why = {.text = text, .size = sizeof(text)};
    struct idx_file file = {.bytes = NULL};
    enum status status = STATUS_OK;

    if (size == 0) {
        return 0;
    }
    if (bytes[0] % 2 == 0) {
        status = idx_parse(bytes + 1, size - 1, "fuzz", &why, &file.idx);
        if (status == STATUS_OK) {
            check_view(&file.idx, bytes + 1, size - 1);
        }
    } else {
        status = idx_unpack(bytes + 1, size - 1, "fuzz", &why, &file);
        if (status == STATUS_OK) {
            check_view(&file.idx, file.bytes, file.size);
        }
    }
    CHECK(status == STATUS_OK || strlen(text) > 0);
    idx_file_fini(&file);
    return 0;
}
