/* broken.h - job files with mistakes, and what is said of them. */
#ifndef TESTS_UNIT_PROTO_BROKEN_H
#define TESTS_UNIT_PROTO_BROKEN_H

#include "proto/jobfile.h"

#include <stdio.h>
#include <string.h>

/* A file that is right so far: what follows begins in line 4. */
#define WHOLE "version: 1\ndata: {format: idx, dir: /d}\nmodel: {hidden: [8]}\n"
/* Goes on with keys of plasticity, from line 5. */
#define PLASTIC WHOLE "plasticity:\n"
/* Goes on with keys of data, from line 6. */
#define DATA                                                                   \
    "version: 1\nmodel: {hidden: [8]}\ndata:\n  format: idx\n  dir: /d\n"
/* Goes on with keys of model, from line 4. */
#define MODEL "version: 1\ndata: {format: idx, dir: /d}\nmodel:\n"

struct broken {
    const char *text;
    const char *overrides[3];
    const char *expected;
};

/* All that is printed is what is expected, to the letter. Needs cmocka.h. */
static inline void check_broken(const struct broken *broken)
{
    static char printed[JOBFILE_PRINT_BYTES_MAX];
    struct jobfile_source source = {.file_name = "bad.yaml"};
    struct jobfile_errors errors;
    struct job_spec spec;
    struct text text;

    source.bytes = broken->text;
    source.size = strlen(broken->text);
    source.overrides = broken->overrides;
    while (broken->overrides[source.overrides_count] != NULL) {
        source.overrides_count++;
    }
    text_init(&text, printed, sizeof(printed));

    if (jobfile_parse(&source, &spec, NULL, &errors) == STATUS_INVALID) {
        jobfile_errors_print(&source, &errors, &text);
    }

    if (strcmp(printed, broken->expected) != 0) {
        fprintf(stderr, "--- file\n%s--- expected\n%s--- got\n%s", broken->text,
                broken->expected, printed);
    }
    assert_string_equal(printed, broken->expected);
}

#endif /* TESTS_UNIT_PROTO_BROKEN_H */
