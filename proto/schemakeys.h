/* schemakeys.h - the table of every key that a job file may have.
 *
 * One row per key: its type, where in struct job_spec its value rests, what it
 * is, and, where this release cannot do it, the sentence that refuses it.
 * The keys of a policy are in policy.c; ranges are in jobcheck.c. */
#ifndef PROTO_SCHEMAKEYS_H
#define PROTO_SCHEMAKEYS_H

#include "proto/schemawords.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCHEMA_KEYS_MAX = 96,
    /* "plasticity.consolidate[].policy" and an index or two. */
    SCHEMA_PATH_BYTES_MAX = 128
};

enum schema_type {
    SCHEMA_MAPPING = 1, /* children; or a scalar that means short_key */
    SCHEMA_LIST,        /* elements have the path "...[]"; one may stand bare */
    SCHEMA_POLICIES,    /* one policy or a list of them */
    SCHEMA_WORD,        /* one of words */
    SCHEMA_TEXT,
    SCHEMA_FLAG,  /* true or false */
    SCHEMA_WHOLE, /* 16, 4M, 100 steps; or one of words */
    SCHEMA_REAL,  /* 1e-3 */
    SCHEMA_RATIO, /* 1% or 0.01 */
    SCHEMA_REFUSED
};

/* How a value rests in the struct, at the row's offset. */
enum schema_field {
    FIELD_NONE = 0, /* nothing rests: there is one legal value, `fixed` */
    FIELD_U32,      /* enums too */
    FIELD_U64,
    FIELD_F64,
    FIELD_BOOL,
    FIELD_NAME, /* char[NAME_BYTES_MAX] */
    FIELD_PATH, /* char[PATH_BYTES_MAX] */
    FIELD_BIT,  /* sets bit (1 << word) of a uint32_t */
    FIELD_STOP  /* a struct stop_rule of kind `stop` */
};

struct schema_key {
    const char *path; /* "data.tasks[].kind" */
    enum schema_type type;
    enum schema_field field;
    size_t offset; /* in struct job_spec, of element 0 under a list */
    const char *help;
    const char *example; /* "lr: 1e-3"; shown where the value is wrong */
    const char *refusal; /* REFUSED; or of a value beyond `most` */
    const char *fixed;   /* FIELD_NONE: what is printed; NULL: nothing */
    bool required;

    const char *short_key; /* MAPPING, POLICIES: what a bare word is */
    const struct schema_word *words; /* WORD, WHOLE */
    const char *unit;                /* WHOLE: "steps"; NULL: a bare number */
    bool bare;                       /* the unit may be left out */
    uint64_t least;                  /* WHOLE, LIST */
    uint64_t most;                   /* WHOLE, LIST; 0: no bound here */
    size_t stride;                   /* LIST: from element to element */
    size_t count_offset;             /* LIST: of a uint32_t; 0: none */
    bool flow;                       /* LIST: printed as [a, b] */
    uint32_t stop;                   /* FIELD_STOP: enum stop_kind */
    uint32_t role;                   /* POLICIES: enum role */
};

const struct schema_key *schema_table(size_t *out_count);

#endif /* PROTO_SCHEMAKEYS_H */
