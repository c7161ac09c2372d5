#include "proto/override.h"

#include "base/text.h"
#include "proto/jobpath.h"
#include "proto/schema.h"
#include <string.h>

struct override {
    struct yamldoc *doc;
    uint32_t number;
    struct jobfile_errors *errors;
    const char *key;
    const char *key_end;
    struct yamlnode *node;        /* where the walk is */
    const struct schema_key *row; /* NULL: unknown to the schema */
};

static enum status fail(struct override *o, const char *path, const char *why)
{
    struct jobfile_error error = {.override = o->number};
    struct text text;

    text_init(&text, error.path, sizeof(error.path));
    jobfile_clean(&text, path, (size_t)(o->key_end - path), 80);
    text_init(&text, error.message, sizeof(error.message));
    text_add(&text, why);
    text_init(&text, error.hint, sizeof(error.hint));
    text_add(&text, "like this: --set train.lr=3e-4");
    jobfile_errors_add(o->errors, &error);
    return STATUS_INVALID;
}

static enum status too_many(struct override *o)
{
    return fail(o, o->key, "too many values for a job file");
}

static struct yamlnode *new_scalar(struct override *o,
                                   const char *bytes,
                                   size_t size)
{
    struct yamlnode *node = yamldoc_new(o->doc, YAMLNODE_SCALAR);

    if (node != NULL) {
        node->text = bytes;
        node->text_size = size;
        node->source = o->number;
    }
    return node;
}

/* Makes the scalar at hand a mapping; what it said becomes its short key. */
static enum status unfold(struct override *o)
{
    const char *key = o->row == NULL ? NULL : o->row->short_key;
    struct yamlnode *node = o->node;
    struct yamlnode *value;

    if (key == NULL || yamlnode_empty(node)) {
        node->kind = YAMLNODE_MAPPING;
        node->source = o->number;
        return STATUS_OK;
    }
    value = yamldoc_new(o->doc, YAMLNODE_SCALAR);
    if (value == NULL) {
        return too_many(o);
    }
    *value = *node;
    value->key = new_scalar(o, key, strlen(key));
    if (value->key == NULL) {
        return too_many(o);
    }
    node->kind = YAMLNODE_MAPPING;
    node->first = NULL;
    node->last = NULL;
    yamlnode_add(node, value);
    return STATUS_OK;
}

static enum status add_child(struct override *o,
                             const struct jobpath_step *step,
                             struct yamlnode **out)
{
    struct yamlnode *child = yamldoc_new(o->doc, YAMLNODE_SCALAR);

    if (child == NULL) {
        return too_many(o);
    }
    child->source = o->number;
    child->key = new_scalar(o, step->name, step->name_size);
    if (child->key == NULL) {
        return too_many(o);
    }
    yamlnode_add(o->node, child);
    *out = child;
    return STATUS_OK;
}

static enum status enter_index(struct override *o,
                               const struct jobpath_step *step)
{
    struct yamlnode *element;

    if (o->node->kind != YAMLNODE_SEQUENCE && step->index == 0) {
        return STATUS_OK; /* one that stands bare */
    }
    element = yamlnode_element(o->node, step->index);
    if (element == NULL) {
        return fail(o, o->key, "the list has no such element");
    }
    o->node = element;
    return STATUS_OK;
}

static enum status step_down(struct override *o,
                             const struct jobpath_step *step)
{
    const char *parent = o->row == NULL ? "" : o->row->path;
    struct yamlnode *child;
    enum status status = STATUS_OK;

    if (o->node->kind == YAMLNODE_SEQUENCE) {
        if (o->node->first == NULL || o->node->first->next != NULL) {
            return fail(o, o->key,
                        "goes through a list; say which element, from [0]");
        }
        o->node = o->node->first;
    }
    if (o->node->kind == YAMLNODE_SCALAR) {
        status = unfold(o);
    }
    if (status != STATUS_OK) {
        return status;
    }
    child = yamlnode_child(o->node, step->name, step->name_size);
    if (child == NULL) {
        status = add_child(o, step, &child);
    }
    if (status != STATUS_OK) {
        return status;
    }
    o->node = child;
    o->row = schema_find(parent, step->name, step->name_size);
    if (o->row != NULL && o->row->type == SCHEMA_LIST) {
        o->row = schema_element(o->row);
    }
    return step->has_index ? enter_index(o, step) : STATUS_OK;
}

/* Puts value where the walk ended. The key and the neighbours stay. */
static void replace(struct override *o, const struct yamlnode *value)
{
    struct yamlnode *key = o->node->key;
    struct yamlnode *next = o->node->next;

    *o->node = *value;
    o->node->key = key;
    o->node->next = next;
    if (key != NULL && key->source != 0) {
        key->source = o->number;
    }
}

static bool is_key(const char *at, const char *end)
{
    struct jobpath_step step;
    bool good = at < end;

    while (good && at < end) {
        good = jobpath_next(&at, end, &step);
    }
    return good;
}

/* The value is read first, so that a wrong one leaves the tree as it was. */
static enum status set_value(struct override *o)
{
    const char *value = o->key_end + 1;
    const char *at = o->key;
    struct yamlnode *parsed = NULL;
    struct yamlfault fault;
    enum status status =
        yamldoc_parse(o->doc, value, strlen(value), o->number, &fault, &parsed);

    if (status == STATUS_INVALID) {
        return fail(o, o->key, fault.message);
    }
    while (status == STATUS_OK && at < o->key_end) {
        struct jobpath_step step;

        (void)jobpath_next(&at, o->key_end, &step); /* is_key has passed */
        status = step_down(o, &step);
    }
    if (status == STATUS_OK) {
        replace(o, parsed);
    }
    return status;
}

enum status override_apply(struct yamldoc *doc,
                           struct yamlnode *root,
                           const char *override,
                           uint32_t number,
                           struct jobfile_errors *errors)
{
    const char *equals = strchr(override, '=');
    struct override o = {.doc = doc, .number = number, .errors = errors};

    o.key = override;
    o.key_end = equals == NULL ? override : equals;
    o.node = root;
    if (equals == NULL) {
        return fail(&o, override, "is not of the form key=value");
    }
    if (!is_key(override, equals)) {
        return fail(&o, override, "is not a key");
    }
    return set_value(&o);
}
