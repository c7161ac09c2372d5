#include "proto/yamldoc.h"

#include "base/mem.h"
#include "base/text.h"
#include <string.h>
#include <yaml.h>

struct yamldoc {
    struct yamlnode *nodes;
    size_t nodes_count;
    size_t nodes_max;
    char *texts;
    size_t texts_size;
    size_t texts_used;
};

/* One text being parsed: the open mappings and sequences around us. */
struct build {
    struct yamldoc *doc;
    uint32_t source;
    struct yamlfault *fault;
    struct yamlnode *open[YAML_DEPTH_MAX];
    struct yamlnode *keys[YAML_DEPTH_MAX]; /* of a mapping: awaits its value */
    size_t depth;
    struct yamlnode *root;
};

enum status yamldoc_open(size_t texts_bytes, struct yamldoc **out)
{
    struct yamldoc *doc = mem_new(sizeof(*doc));

    if (doc == NULL) {
        return STATUS_NO_MEMORY;
    }
    /* An escape of two characters gives at most three bytes (\L), and each of
     * two nodes a byte has a NUL after its text. */
    doc->texts_size = texts_bytes * 4 + 128;
    /* The densest text, [?,?,?], gives three nodes for two bytes. */
    doc->nodes_max = texts_bytes * 2 + 64;
    if (doc->nodes_max > YAML_NODES_MAX) {
        doc->nodes_max = YAML_NODES_MAX;
    }
    doc->nodes = mem_array(doc->nodes_max, sizeof(*doc->nodes));
    doc->texts = mem_new(doc->texts_size);
    if (doc->nodes == NULL || doc->texts == NULL) {
        yamldoc_close(doc);
        return STATUS_NO_MEMORY;
    }
    *out = doc;
    return STATUS_OK;
}

void yamldoc_close(struct yamldoc *doc)
{
    if (doc == NULL) {
        return;
    }
    mem_free(doc->texts);
    mem_free(doc->nodes);
    mem_free(doc);
}

struct yamlnode *yamldoc_new(struct yamldoc *doc, enum yaml_kind kind)
{
    struct yamlnode *node;

    if (doc->nodes_count == doc->nodes_max) {
        return NULL;
    }
    node = &doc->nodes[doc->nodes_count++];
    *node = (struct yamlnode){.kind = kind, .text = ""};
    return node;
}

void yamlnode_add(struct yamlnode *parent, struct yamlnode *child)
{
    child->next = NULL;
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
}

struct yamlnode *yamlnode_child(const struct yamlnode *node,
                                const char *key,
                                size_t key_size)
{
    if (node->kind != YAMLNODE_MAPPING) {
        return NULL;
    }
    for (struct yamlnode *c = node->first; c != NULL; c = c->next) {
        if (c->key->text_size == key_size &&
            memcmp(c->key->text, key, key_size) == 0) {
            return c;
        }
    }
    return NULL;
}

struct yamlnode *yamlnode_element(const struct yamlnode *node, uint32_t index)
{
    struct yamlnode *element;

    if (node->kind != YAMLNODE_SEQUENCE) {
        return NULL;
    }
    element = node->first;
    while (element != NULL && index > 0) {
        element = element->next;
        index--;
    }
    return element;
}

bool yamlnode_is(const struct yamlnode *node, const char *text)
{
    return strlen(text) == node->text_size &&
           memcmp(text, node->text, node->text_size) == 0;
}

bool yamlnode_empty(const struct yamlnode *node)
{
    return node->kind == YAMLNODE_SCALAR && !node->quoted &&
           node->text_size == 0;
}

static enum status fault_at(struct build *build,
                            const yaml_mark_t *mark,
                            const char *message)
{
    struct text text;

    build->fault->line = (uint32_t)mark->line + 1;
    build->fault->column = (uint32_t)mark->column + 1;
    text_init(&text, build->fault->message, sizeof(build->fault->message));
    text_add(&text, message);
    return STATUS_INVALID;
}

/* libyaml's reader (bad UTF-8, control characters) knows only an offset. */
static void place_of_offset(const char *bytes,
                            size_t size,
                            size_t offset,
                            struct yamlfault *fault)
{
    fault->line = 1;
    fault->column = 1;
    for (size_t i = 0; i < size && i < offset; i++) {
        fault->column++;
        if (bytes[i] == '\n') {
            fault->line++;
            fault->column = 1;
        }
    }
}

static enum status parser_fault(const yaml_parser_t *parser,
                                struct build *build,
                                const char *bytes,
                                size_t size)
{
    struct yamlfault *fault = build->fault;
    struct text text;

    if (parser->error == YAML_MEMORY_ERROR) {
        return STATUS_NO_MEMORY;
    }
    fault->line = (uint32_t)parser->problem_mark.line + 1;
    fault->column = (uint32_t)parser->problem_mark.column + 1;
    if (parser->error == YAML_READER_ERROR) {
        place_of_offset(bytes, size, parser->problem_offset, fault);
    }
    text_init(&text, fault->message, sizeof(fault->message));
    text_add(&text, "not valid YAML: ");
    text_add(&text, parser->problem != NULL ? parser->problem : "?");
    return STATUS_INVALID;
}

static enum status new_node(struct build *build,
                            const yaml_event_t *event,
                            enum yaml_kind kind,
                            struct yamlnode **out)
{
    struct yamlnode *node = yamldoc_new(build->doc, kind);

    if (node == NULL) {
        return fault_at(build, &event->start_mark,
                        "too many values for a job file");
    }
    node->source = build->source;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    node->end_column = node->column + 1;
    if (event->end_mark.line == event->start_mark.line &&
        event->end_mark.column > event->start_mark.column) {
        node->end_column = (uint32_t)event->end_mark.column + 1;
    }
    *out = node;
    return STATUS_OK;
}

/* Hangs a finished scalar, or a mapping or sequence just begun, where the
 * text has it. */
static enum status attach(struct build *build,
                          const yaml_event_t *event,
                          struct yamlnode *node)
{
    struct yamlnode *parent;

    if (build->depth == 0) {
        build->root = node;
        return STATUS_OK;
    }
    parent = build->open[build->depth - 1];
    if (parent->kind == YAMLNODE_MAPPING) {
        struct yamlnode **key = &build->keys[build->depth - 1];

        if (*key == NULL && node->kind != YAMLNODE_SCALAR) {
            return fault_at(build, &event->start_mark,
                            "a key must be a word, not a list or a mapping");
        }
        if (*key == NULL) {
            *key = node;
            return STATUS_OK;
        }
        node->key = *key;
        *key = NULL;
    }
    yamlnode_add(parent, node);
    return STATUS_OK;
}

static enum status copy_text(struct build *build,
                             const yaml_event_t *event,
                             struct yamlnode *node)
{
    struct yamldoc *doc = build->doc;
    const char *value = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;

    if (memchr(value, '\0', size) != NULL) {
        return fault_at(build, &event->start_mark,
                        "a text must not contain the character NUL");
    }
    if (size >= doc->texts_size - doc->texts_used) {
        return fault_at(build, &event->start_mark, "too much text");
    }
    memcpy(doc->texts + doc->texts_used, value, size);
    doc->texts[doc->texts_used + size] = '\0';
    node->text = doc->texts + doc->texts_used;
    node->text_size = size;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    doc->texts_used += size + 1;
    return STATUS_OK;
}

static enum status on_scalar(struct build *build, const yaml_event_t *event)
{
    struct yamlnode *node = NULL;
    enum status status = new_node(build, event, YAMLNODE_SCALAR, &node);

    if (status == STATUS_OK) {
        status = copy_text(build, event, node);
    }
    return status == STATUS_OK ? attach(build, event, node) : status;
}

static enum status on_begin(struct build *build,
                            const yaml_event_t *event,
                            enum yaml_kind kind)
{
    struct yamlnode *node = NULL;
    enum status status;

    if (build->depth == YAML_DEPTH_MAX) {
        return fault_at(build, &event->start_mark,
                        "nested too deeply for a job file");
    }
    status = new_node(build, event, kind, &node);
    if (status == STATUS_OK) {
        status = attach(build, event, node);
    }
    if (status == STATUS_OK) {
        build->open[build->depth] = node;
        build->keys[build->depth] = NULL;
        build->depth++;
    }
    return status;
}

/* The anchor and the tag that an event carries, or NULL. */
static void extras(const yaml_event_t *event,
                   const yaml_char_t **anchor,
                   const yaml_char_t **tag)
{
    if (event->type == YAML_SCALAR_EVENT) {
        *anchor = event->data.scalar.anchor;
        *tag = event->data.scalar.tag;
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        *anchor = event->data.sequence_start.anchor;
        *tag = event->data.sequence_start.tag;
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        *anchor = event->data.mapping_start.anchor;
        *tag = event->data.mapping_start.tag;
    }
    if (event->type == YAML_ALIAS_EVENT) {
        *anchor = event->data.alias.anchor;
    }
}

static enum status on_event(struct build *build, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;

    extras(event, &anchor, &tag);
    if (anchor != NULL) {
        return fault_at(build, &event->start_mark,
                        "anchors and aliases are not allowed in a job file; "
                        "write the value out");
    }
    if (tag != NULL) {
        return fault_at(build, &event->start_mark,
                        "tags are not allowed in a job file; each key knows "
                        "the type of its value");
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (build->root != NULL) {
            return fault_at(build, &event->start_mark,
                            "a job file is one document; a second one "
                            "begins here");
        }
        return STATUS_OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(build, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(build, event, YAMLNODE_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return on_begin(build, event, YAMLNODE_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        build->depth--;
        return STATUS_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_ALIAS_EVENT:
        break;
    }
    return STATUS_OK;
}

static enum status run_parser(yaml_parser_t *parser,
                              struct build *build,
                              const char *bytes,
                              size_t size)
{
    enum status status = STATUS_OK;
    bool done = false;

    while (status == STATUS_OK && !done) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event)) {
            return parser_fault(parser, build, bytes, size);
        }
        status = on_event(build, &event);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return status;
}

enum status yamldoc_parse(struct yamldoc *doc,
                          const char *bytes,
                          size_t size,
                          uint32_t source,
                          struct yamlfault *fault,
                          struct yamlnode **out)
{
    struct build build = {.doc = doc, .source = source, .fault = fault};
    enum status status;
    yaml_parser_t parser;

    *fault = (struct yamlfault){.line = 1, .column = 1};
    if (size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3; /* a byte order mark, which would count as a column */
        size -= 3;
    }
    if (!yaml_parser_initialize(&parser)) {
        return STATUS_NO_MEMORY;
    }
    /* Said once, so that offsets are in bytes as they stand in the file. */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
    status = run_parser(&parser, &build, bytes, size);
    yaml_parser_delete(&parser);
    if (status == STATUS_OK && build.root == NULL) {
        const yaml_event_t nothing = {.type = YAML_NO_EVENT};

        status = new_node(&build, &nothing, YAMLNODE_SCALAR, &build.root);
    }
    if (status == STATUS_OK) {
        *out = build.root;
    }
    return status;
}
