/* fuzz_frame.c - headers of data frames from anyone.
 *
 * The first four bytes are the payload's size, the rest the header. */
#include "proto/frame.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned char again[FRAME_HEADER_BYTES_MAX];
    struct frame_header header;
    struct reader reader;
    size_t payload = 0;

    reader_init(&reader, data, size);
    payload = read_u32(&reader);
    if (reader.failed) {
        return 0;
    }
    if (frame_header_decode(data + reader.at, size - reader.at, payload,
                            &header) == STATUS_OK) {
        size_t again_size = frame_header_encode(&header, again);

        CHECK(frame_header_decode(again, again_size, payload, &header) ==
              STATUS_OK);
    }
    CHECK(mem_live() == 0);
    return 0;
}
