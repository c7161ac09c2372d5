/* yamldoc.h - a YAML text as a tree of nodes, each with its place.
 *
 * The only file that sees libyaml. Scalars stay texts: what a text means is
 * the schema's affair. Bounded on purpose, since a file may come from anyone:
 * nodes, depth and bytes have a maximum, and anchors, aliases, tags and a
 * second document are refused. Nodes and texts live until yamldoc_close and
 * may be relinked by the caller. */
#ifndef PROTO_YAMLDOC_H
#define PROTO_YAMLDOC_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* The schema is six levels deep; notes under x- keys may be deeper. */
    YAML_DEPTH_MAX = 16,
    /* A long list of everything takes some hundreds. */
    YAML_NODES_MAX = 16384,
    YAML_MESSAGE_BYTES_MAX = 192
};

enum yaml_kind { YAMLNODE_SCALAR = 1, YAMLNODE_MAPPING, YAMLNODE_SEQUENCE };

struct yamlnode {
    enum yaml_kind kind;
    uint32_t line;       /* from 1 */
    uint32_t column;     /* from 1, in characters */
    uint32_t end_column; /* after the last character; of its first line */
    uint32_t source;     /* as given to yamldoc_parse */
    const char *text;    /* SCALAR; UTF-8 without NUL; need not end */
    size_t text_size;
    bool quoted;
    struct yamlnode *key; /* of a MAPPING's child: its key, a SCALAR */
    struct yamlnode *first;
    struct yamlnode *last;
    struct yamlnode *next;
};

struct yamlfault {
    uint32_t line; /* as in struct yamlnode */
    uint32_t column;
    char message[YAML_MESSAGE_BYTES_MAX];
};

struct yamldoc;

/* texts_bytes: the sum of the sizes of all texts that will be parsed. */
enum status yamldoc_open(size_t texts_bytes, struct yamldoc **out) MUST_CHECK;
void yamldoc_close(struct yamldoc *doc); /* accepts NULL */

/* Adds the tree of one text; an empty text is an empty SCALAR. source marks
 * its nodes. INVALID: not YAML, or more of it than is allowed; see fault. */
enum status yamldoc_parse(struct yamldoc *doc,
                          const char *bytes,
                          size_t size,
                          uint32_t source,
                          struct yamlfault *fault,
                          struct yamlnode **out) MUST_CHECK;

/* A node without place or children; NULL: YAML_NODES_MAX is reached. */
struct yamlnode *yamldoc_new(struct yamldoc *doc, enum yaml_kind kind);

void yamlnode_add(struct yamlnode *parent, struct yamlnode *child);

/* The child of that key; NULL: none, or not a mapping. */
struct yamlnode *yamlnode_child(const struct yamlnode *node,
                                const char *key,
                                size_t key_size);

/* The element; NULL: fewer, or not a sequence. */
struct yamlnode *yamlnode_element(const struct yamlnode *node, uint32_t index);

/* Whether the scalar has this text. */
bool yamlnode_is(const struct yamlnode *node, const char *text);

/* An unquoted scalar without text, as after `key:`. */
bool yamlnode_empty(const struct yamlnode *node);

#endif /* PROTO_YAMLDOC_H */
