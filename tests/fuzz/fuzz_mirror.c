/* fuzz_mirror.c - any bytes as what a mirror has of one transaction.
 *
 * What is accepted is encoded as the same bytes again: nothing is read that is
 * not kept. The bytes of a mirror may come from another host's disk. */
#include "base/check.h"
#include "base/mem.h"
#include "storage/batchcode.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batchcode_origin origin = {.life = 0};
    struct batch *batch = NULL;
    unsigned char *bytes = NULL;
    size_t bytes_size = 0;

    if (batch_open(&batch) != STATUS_OK) {
        return 0;
    }
    if (batchcode_decode(data, size, batch, &origin) == STATUS_OK) {
        CHECK(batchcode_encode(batch, &origin, &bytes, &bytes_size) ==
              STATUS_OK);
        CHECK(bytes_size == size && memcmp(bytes, data, size) == 0);
        mem_free(bytes);
    }
    batch_close(batch);
    return 0;
}
