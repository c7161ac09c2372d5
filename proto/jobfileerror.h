/* jobfileerror.h - what is wrong with a job file, and where.
 *
 * Errors are kept sorted by their place; the first JOBFILE_ERRORS_MAX count,
 * the rest is only counted. All texts are valid UTF-8 without control
 * characters whatever the file holds, so they may go to a terminal or into
 * JSON as they are. */
#ifndef PROTO_JOBFILEERROR_H
#define PROTO_JOBFILEERROR_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JOBFILE_ERRORS_MAX = 20,
    /* Room for all of them printed, source lines included. */
    JOBFILE_PRINT_BYTES_MAX = 32768
};

/* What a job is read from. All of it is borrowed. */
struct jobfile_source {
    const char *file_name; /* as it shall appear in errors */
    const char *bytes;
    size_t size;
    const char *const *overrides; /* "train.lr=3e-4", from --set */
    size_t overrides_count;
};

struct jobfile_error {
    uint32_t override;   /* 1: the first of --set, ...; 0: in the file */
    uint32_t line;       /* from 1; 0 for an override */
    uint32_t column;     /* from 1, in characters */
    uint32_t end_column; /* after the last character; 0: show no line */
    char path[128];      /* "train.lr"; "" where no key is concerned */
    char message[256];   /* "\"fast\" is not a number" */
    char hint[192];      /* "like this: lr: 1e-3", or "" */
    uint32_t see_line;   /* the second place concerned; 0: none */
    uint32_t see_column;
    char see_path[128];
};

struct jobfile_errors {
    uint32_t count; /* of items */
    uint32_t total;
    struct jobfile_error items[JOBFILE_ERRORS_MAX];
};

/* False: there are enough errors before its place, so that it would only be
 * counted. A caller may then spare itself the texts. */
bool jobfile_errors_wants(const struct jobfile_errors *errors,
                          const struct jobfile_error *error);

/* Puts a copy at its place. */
void jobfile_errors_add(struct jobfile_errors *errors,
                        const struct jobfile_error *error);

/* Each error as `bad.yaml:16:3: error: train.optimiser: unknown key. Did you
 * mean "optimizer"?`, then the source line, a line that points into it, the
 * hint and the second place; at the end a line that counts them. An override
 * shows itself in place of the line. */
void jobfile_errors_print(const struct jobfile_source *source,
                          const struct jobfile_errors *errors,
                          struct text *out);

/* "value" in quotes, cleaned, at most 40 bytes of it. */
void jobfile_quote(struct text *out, const char *value, size_t size);

/* Replaces what is not printable UTF-8 by `?`; stops after bytes_max bytes at
 * a whole character and then adds "...". */
void jobfile_clean(struct text *out,
                   const char *value,
                   size_t size,
                   size_t bytes_max);

#endif /* PROTO_JOBFILEERROR_H */
