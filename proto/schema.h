/* schema.h - the table of every key that a job file may have, and look-ups.
 *
 * One row per key: its type, where in struct job_spec its value rests, what it
 * is, and, where this release cannot do it, the sentence that refuses it. The
 * reader (jobfile), the overrides and the printer (jobprint) all walk this one
 * table. The keys of a policy are in policy.c; ranges are in jobcheck.c. */
#ifndef PROTO_SCHEMA_H
#define PROTO_SCHEMA_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCHEMA_KEYS_MAX = 96,
    /* "plasticity.consolidate[].policy" and an index or two. */
    SCHEMA_PATH_BYTES_MAX = 128
};

/* A word that a key may take as its value. One with a refusal is known and not
 * in this release: the sentence says what to use instead. */
struct schema_word {
    const char *word; /* NULL ends the list */
    uint32_t value;
    const char *refusal; /* NULL: allowed */
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
    size_t least_offset; /* WHOLE: LEAST:MOST may stand here, and this is where
                            LEAST rests, a uint32_t; 0: it may not */
    size_t stride;       /* LIST: from element to element */
    size_t count_offset; /* LIST: of a uint32_t; 0: none */
    bool flow;           /* LIST: printed as [a, b] */
    uint32_t stop;       /* FIELD_STOP: enum stop_kind */
    uint32_t role;       /* POLICIES: enum role */
};

const struct schema_key *schema_table(size_t *out_count);

/* The row of parent.key, or of key where parent is "". NULL: none. */
const struct schema_key *schema_find(const char *parent,
                                     const char *key,
                                     size_t key_size);

/* The row of a whole path, "data.tasks[].kind". NULL: none. */
const struct schema_key *schema_row(const char *path);

/* The row of a list's elements. */
const struct schema_key *schema_element(const struct schema_key *list);

/* Whether the row stands directly under parent ("" is the top). */
bool schema_is_child(const struct schema_key *key, const char *parent);

/* The last part of the path: "kind". Borrowed from the table. */
const char *schema_name(const struct schema_key *key);

size_t schema_index(const struct schema_key *key);

/* A key that people know from other tools: the path of what it is here, as in
 * schema_find_elsewhere. NULL: none. */
const char *schema_synonym(const char *key, size_t key_size);

/* The first row of that name under another parent, as a person writes it:
 * "data.tasks.count". False: none. */
bool schema_find_elsewhere(const char *key,
                           size_t key_size,
                           struct text *out_path);

/* Reads as a password, a token or the like. */
bool schema_is_secret(const char *key, size_t key_size);

/* --- schema_words.c, for schema_keys.c: each list ends with a NULL word --- */

extern const struct schema_word words_formats[];
extern const struct schema_word words_orders[];
extern const struct schema_word words_task_kinds[];
extern const struct schema_word words_model_kinds[];
extern const struct schema_word words_activations[];
extern const struct schema_word words_norms[];
extern const struct schema_word words_heads[];
extern const struct schema_word words_classes[];
extern const struct schema_word words_losses[];
extern const struct schema_word words_optimizers[];
extern const struct schema_word words_schedules[];
extern const struct schema_word words_overs[];
extern const struct schema_word words_evaluate_times[];
extern const struct schema_word words_evaluate_tasks[];
extern const struct schema_word words_weights[];
extern const struct schema_word words_causes[];
extern const struct schema_word words_never[];

#endif /* PROTO_SCHEMA_H */
