#include "proto/jobpath.h"

#include "base/text.h"
#include "proto/schema.h"
#include <string.h>

static bool read_index(const char **at, const char *end, uint32_t *out)
{
    uint32_t index = 0;
    const char *c = *at + 1;

    if (c == end || *c < '0' || *c > '9') {
        return false;
    }
    for (; c < end && *c >= '0' && *c <= '9'; c++) {
        if (index > 9999) {
            return false;
        }
        index = index * 10 + (uint32_t)(*c - '0');
    }
    if (c == end || *c != ']') {
        return false;
    }
    *out = index;
    *at = c + 1;
    return true;
}

bool jobpath_next(const char **path, const char *end, struct jobpath_step *out)
{
    const char *at = *path;

    *out = (struct jobpath_step){.name = at};
    while (at < end && *at != '.' && *at != '[') {
        at++;
    }
    out->name_size = (size_t)(at - out->name);
    if (out->name_size == 0) {
        return false;
    }
    if (at < end && *at == '[') {
        out->has_index = true;
        if (!read_index(&at, end, &out->index)) {
            return false;
        }
    }
    if (at < end) {
        if (*at != '.' || at + 1 == end) {
            return false;
        }
        at++;
    }
    *path = at;
    return true;
}

/* The walk of jobpath_find: where it is, and what the schema says there. */
struct walk {
    const struct yamlnode *node;
    const struct schema_key *row; /* NULL: beyond the table */
    struct text path;
};

static void enter_element(struct walk *walk, uint32_t index)
{
    walk->node = yamlnode_element(walk->node, index);
    text_add(&walk->path, "[");
    text_u64(&walk->path, index);
    text_add(&walk->path, "]");
}

/* One step down. False: what the step names is not in the file. */
static bool step_down(struct walk *walk, const struct jobpath_step *step)
{
    const struct yamlnode *child;

    if (walk->node->kind == YAMLNODE_SEQUENCE) {
        if (walk->node->first == NULL || walk->node->first->next != NULL) {
            return false;
        }
        enter_element(walk, 0);
    }
    child = yamlnode_child(walk->node, step->name, step->name_size);
    if (child == NULL) {
        return false;
    }
    if (child->kind == YAMLNODE_SEQUENCE && step->has_index) {
        if (yamlnode_element(child, step->index) == NULL) {
            return false;
        }
    } else if (step->has_index && step->index > 0) {
        return false;
    }
    text_add(&walk->path, walk->path.used > 0 ? "." : "");
    text_add_bytes(&walk->path, step->name, step->name_size);
    walk->node = child;
    if (child->kind == YAMLNODE_SEQUENCE && step->has_index) {
        enter_element(walk, step->index);
    }
    return true;
}

static void follow_schema(struct walk *walk, const struct jobpath_step *step)
{
    const char *parent = walk->row == NULL ? "" : walk->row->path;

    walk->row = schema_find(parent, step->name, step->name_size);
    if (walk->row != NULL && walk->row->type == SCHEMA_LIST) {
        walk->row = schema_element(walk->row);
    }
}

/* The scalar we are at is the short form of what the step names. */
static bool is_short(const struct walk *walk, const struct jobpath_step *step)
{
    const char *key = walk->row == NULL ? NULL : walk->row->short_key;

    return key != NULL && walk->node->kind == YAMLNODE_SCALAR &&
           strlen(key) == step->name_size &&
           memcmp(key, step->name, step->name_size) == 0;
}

void jobpath_find(const struct yamlnode *root,
                  const char *path,
                  struct jobpath_place *out)
{
    const char *end = path + strlen(path);
    struct walk walk = {.node = root};
    struct jobpath_step step;

    text_init(&walk.path, out->path, sizeof(out->path));
    out->found = true;
    while (out->found && path < end) {
        const char *before = path;

        out->found = jobpath_next(&path, end, &step);
        if (out->found && is_short(&walk, &step)) {
            break;
        }
        if (!out->found || !step_down(&walk, &step)) {
            out->found = false;
            text_add(&walk.path, walk.path.used > 0 ? "." : "");
            text_add(&walk.path, before);
            break;
        }
        follow_schema(&walk, &step);
    }
    out->node = walk.node;
}

bool jobpath_covers(const char *a, const char *b)
{
    size_t size = strlen(a);

    return strncmp(a, b, size) == 0 &&
           (b[size] == '\0' || b[size] == '.' || b[size] == '[');
}
