/* jobpath.h - the way to a key in a job file's tree: "model.hidden[1].units".
 *
 * A path may be written as the schema has it though the file has a short form:
 * `hidden: [256]` holds model.hidden[0].units, and a role with one policy may
 * be a mapping or a list of one. */
#ifndef PROTO_JOBPATH_H
#define PROTO_JOBPATH_H

#include "proto/schema.h"
#include "proto/yamldoc.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One step of a path. */
struct jobpath_step {
    const char *name; /* borrowed from the path */
    size_t name_size;
    bool has_index;
    uint32_t index;
};

/* Takes the next step off *path, which ends at `end`. False: it is malformed
 * or used up (then *path == end). */
bool jobpath_next(const char **path, const char *end, struct jobpath_step *out);

struct jobpath_place {
    const struct yamlnode *node;      /* the value, or the nearest around it */
    bool found;                       /* the value itself stands in the file */
    char path[SCHEMA_PATH_BYTES_MAX]; /* as the file's own form has it */
};

void jobpath_find(const struct yamlnode *root,
                  const char *path,
                  struct jobpath_place *out);

/* Whether a is b, or a key around it. */
bool jobpath_covers(const char *a, const char *b);

#endif /* PROTO_JOBPATH_H */
