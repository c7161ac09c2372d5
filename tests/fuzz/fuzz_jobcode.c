/* fuzz_jobcode.c - any bytes as an encoded job.
 *
 * What is accepted passes job_check, can be printed, and is encoded as the
 * same bytes again. */
#include "base/check.h"
#include "proto/jobcode.h"
#include "proto/jobprint.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[JOBCODE_BYTES_MAX];
    static char printed[JOBPRINT_BYTES_MAX];
    struct job_spec spec;
    struct text text;
    char why[REASON_BYTES_MAX];

    if (jobcode_decode(data, size, &spec) != STATUS_OK) {
        return 0;
    }
    CHECK(job_check(&spec, why, sizeof(why)) == STATUS_OK);
    CHECK(jobcode_encode(&spec, bytes) == size);
    CHECK(memcmp(bytes, data, size) == 0);
    text_init(&text, printed, sizeof(printed));
    jobprint(&spec, NULL, &text);
    CHECK(!text.cut);
    return 0;
}
