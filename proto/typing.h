/* typing.h - from a job file's tree to struct job_spec, key by key.
 *
 * Walks the schema's table beside the tree, types each scalar as its row says
 * and reports what does not fit; typing goes on after an error, so that all of
 * them are found at once. Ranges and what belongs together are checked later,
 * by jobcheck. YAML types nothing here: `1e-3`, `1%`, `4M`, `200 steps` and
 * `no` mean what their key says. Internal to the job file's reader. */
#ifndef PROTO_TYPING_H
#define PROTO_TYPING_H

#include "proto/jobfile.h"
#include "proto/schema.h"
#include "proto/yamldoc.h"
#include <stdbool.h>
#include <stdint.h>

struct typing {
    struct job_spec *spec;
    struct jobfile_errors *errors;
    struct jobfile_origins *origins;
};

/* A value and how it is called. */
struct typing_at {
    const struct yamlnode *node;
    char path[SCHEMA_PATH_BYTES_MAX];
    uint32_t index; /* of the element of the list around it */
    size_t base;    /* that element's distance from element 0, bytes */
    const char *example;
};

/* Types the whole tree; root is a mapping. */
void typing_job(struct typing *typing, const struct yamlnode *root);

/* --- typing.c, for the files that type one kind of value --- */

/* An error at the value; hint may be "", then the example is shown. */
void typing_fail(struct typing *typing,
                 const struct typing_at *at,
                 const char *message,
                 const char *hint);

/* As typing_fail, at the value's key. */
void typing_fail_key(struct typing *typing,
                     const struct typing_at *at,
                     const char *message,
                     const char *hint);

/* The place of a child of at, whose node has a key. */
void typing_child(const struct typing_at *at,
                  const struct yamlnode *node,
                  struct typing_at *out);

/* A key that the mapping does not have. known: the keys that it has, each a
 * word, NULL at the end. */
void typing_unknown(struct typing *typing,
                    const struct typing_at *at,
                    const char *const *known);

/* True where the child is not to be typed: a user's note (x-...), or a key
 * that stood before, which is an error. */
bool typing_skips(struct typing *typing,
                  const struct yamlnode *mapping,
                  const struct typing_at *at);

/* --- typing_scalar.c: one value --- */

void typing_scalar(struct typing *typing,
                   const struct schema_key *row,
                   const struct typing_at *at);

struct typing_unit {
    const char *name; /* "steps"; NULL: a bare number is wanted */
    bool bare;        /* the unit may be left out */
};

/* False, of all three: an error was added. */
bool typing_whole(struct typing *typing,
                  const struct typing_at *at,
                  struct typing_unit unit,
                  uint64_t *out);
bool typing_real(struct typing *typing,
                 const struct typing_at *at,
                 double *out);
/* 1% or 0.01; of_mean: `of mean` must follow. */
bool typing_ratio(struct typing *typing,
                  const struct typing_at *at,
                  bool of_mean,
                  double *out);

/* --- typing_policy.c: a role of plasticity --- */

/* One policy or a list of them; policy.c knows which there are, and the keys
 * of each. */
void typing_policies(struct typing *typing,
                     const struct schema_key *row,
                     const struct typing_at *at);

#endif /* PROTO_TYPING_H */
