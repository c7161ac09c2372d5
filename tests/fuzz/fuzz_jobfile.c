/* fuzz_jobfile.c - any bytes as a job file.
 *
 * A file is refused with errors that can be printed, or it gives a job that
 * passes job_check and that comes back from its printed form and its bytes. */
#include "base/check.h"
#include "proto/jobcode.h"
#include "proto/jobfile.h"
#include "proto/jobprint.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char printed[JOBFILE_PRINT_BYTES_MAX];

static void check_good(const struct job_spec *spec,
                       const struct jobfile_origins *origins)
{
    static unsigned char one[JOBCODE_BYTES_MAX];
    static unsigned char two[JOBCODE_BYTES_MAX];
    struct jobfile_source source = {.file_name = "again.yaml"};
    struct jobfile_errors errors;
    struct job_spec again;
    struct text text;
    char why[REASON_BYTES_MAX];
    size_t size = jobcode_encode(spec, one);

    CHECK(job_check(spec, why, sizeof(why)) == STATUS_OK);
    CHECK(jobcode_decode(one, size, &again) == STATUS_OK);
    text_init(&text, printed, sizeof(printed));
    jobprint(spec, origins, &text);
    CHECK(!text.cut);
    source.bytes = printed;
    source.size = text.used;
    CHECK(jobfile_parse(&source, &again, NULL, &errors) == STATUS_OK);
    CHECK(jobcode_encode(&again, two) == size);
    CHECK(memcmp(one, two, size) == 0);
}

/* The input's last line, where it begins with `--set `, is an override. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char override[4096];
    const char *overrides[] = {override};
    struct jobfile_source source = {.file_name = "fuzz.yaml"};
    struct jobfile_origins origins;
    struct jobfile_errors errors;
    struct job_spec spec;
    struct text text;
    size_t at = size;

    source.bytes = (const char *)data;
    source.size = size;
    while (at > 0 && data[at - 1] != '\n') {
        at--;
    }
    if (size - at > 6 && size - at < sizeof(override) &&
        memcmp(data + at, "--set ", 6) == 0) {
        memcpy(override, data + at + 6, size - at - 6);
        override[size - at - 6] = '\0';
        source.size = at;
        source.overrides = overrides;
        source.overrides_count = 1;
    }
    if (jobfile_parse(&source, &spec, &origins, &errors) == STATUS_OK) {
        check_good(&spec, &origins);
        return 0;
    }
    CHECK(errors.count > 0);
    text_init(&text, printed, sizeof(printed));
    jobfile_errors_print(&source, &errors, &text);
    CHECK(!text.cut);
    return 0;
}
