/* schema.h - look-ups in the table of the job file's keys.
 *
 * The reader (jobfile), the overrides and the printer (jobprint) all walk the
 * one table of schemakeys.h with these. */
#ifndef PROTO_SCHEMA_H
#define PROTO_SCHEMA_H

#include "base/text.h"
#include "proto/schemakeys.h"
#include <stdbool.h>
#include <stddef.h>

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

#endif /* PROTO_SCHEMA_H */
