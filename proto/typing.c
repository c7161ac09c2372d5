#include "proto/typing.h"

#include "base/text.h"
#include "proto/suggest.h"
#include <string.h>

enum { KNOWN_MAX = 24 }; /* keys of one mapping */

/* Types one value by its row; lists and mappings come back to it. */
static void type_value(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at);

static void fail_at(struct typing *typing,
                    const struct yamlnode *place,
                    const struct typing_at *at,
                    const char *message,
                    const char *hint)
{
    struct jobfile_error error = {.override = place->source,
                                  .line = place->line,
                                  .column = place->column,
                                  .end_column = place->end_column};
    struct text text;

    text_init(&text, error.path, sizeof(error.path));
    text_add(&text, at->path);
    text_init(&text, error.message, sizeof(error.message));
    text_add(&text, message);
    text_init(&text, error.hint, sizeof(error.hint));
    if (hint[0] == '\0' && at->example != NULL) {
        text_add(&text, "like this: ");
        text_add(&text, at->example);
    }
    text_add(&text, hint);
    jobfile_errors_add(typing->errors, &error);
}

void typing_fail(struct typing *typing,
                 const struct typing_at *at,
                 const char *message,
                 const char *hint)
{
    fail_at(typing, at->node, at, message, hint);
}

void typing_fail_key(struct typing *typing,
                     const struct typing_at *at,
                     const char *message,
                     const char *hint)
{
    const struct yamlnode *key = at->node->key;

    fail_at(typing, key != NULL ? key : at->node, at, message, hint);
}

void typing_child(const struct typing_at *at,
                  const struct yamlnode *node,
                  struct typing_at *out)
{
    struct text text;

    out->node = node;
    out->index = at->index;
    out->base = at->base;
    out->example = NULL;
    text_init(&text, out->path, sizeof(out->path));
    text_add(&text, at->path);
    text_add(&text, text.used > 0 ? "." : "");
    jobfile_clean(&text, node->key->text, node->key->text_size,
                  SUGGEST_BYTES_MAX);
}

static struct typing_at element_at(const struct typing_at *at,
                                   const struct yamlnode *element,
                                   uint32_t index,
                                   size_t stride)
{
    struct typing_at out = *at;
    struct text text;

    out.node = element;
    out.index = index;
    out.base = index * stride;
    text_init(&text, out.path, sizeof(out.path));
    text_add(&text, at->path);
    text_add(&text, "[");
    text_u64(&text, index);
    text_add(&text, "]");
    return out;
}

/* Nothing but a count is left of an error that nobody will see. */
static bool is_wanted(struct typing *typing, const struct yamlnode *key)
{
    struct jobfile_error error = {
        .override = key->source, .line = key->line, .column = key->column};

    if (jobfile_errors_wants(typing->errors, &error)) {
        return true;
    }
    typing->errors->total++;
    return false;
}

static void add_known(struct text *hint, const char *const *known)
{
    text_add(hint, "keys here: ");
    for (size_t i = 0; known[i] != NULL; i++) {
        text_add(hint, i > 0 ? ", " : "");
        text_add(hint, known[i]);
    }
}

/* Where an unknown key belongs: nearly one of the known, one of another
 * mapping, or what another tool calls it. */
static void advise(const struct yamlnode *key,
                   const char *const *known,
                   struct text *message,
                   struct text *hint)
{
    const char *synonym = schema_synonym(key->text, key->text_size);
    char buffer[SCHEMA_PATH_BYTES_MAX];
    struct suggest suggest;
    struct text path;

    text_init(&path, buffer, sizeof(buffer));
    suggest_init(&suggest, key->text, key->text_size);
    for (size_t i = 0; known[i] != NULL; i++) {
        suggest_offer(&suggest, known[i]);
    }
    if (suggest.best != NULL) {
        text_add(message, ". Did you mean \"");
        text_add(message, suggest.best);
        text_add(message, "\"?");
        return;
    }
    if (schema_find_elsewhere(key->text, key->text_size, &path)) {
        text_add(message, " here. It belongs elsewhere: ");
        text_add(message, buffer);
        return;
    }
    if (synonym != NULL) {
        text_add(message, ". Here it is called ");
        text_add(message, synonym);
        return;
    }
    add_known(hint, known);
}

void typing_unknown(struct typing *typing,
                    const struct typing_at *at,
                    const char *const *known)
{
    const struct yamlnode *key = at->node->key;
    char message_buffer[256];
    char hint_buffer[192];
    struct text message;
    struct text hint;

    if (!is_wanted(typing, key)) {
        return;
    }
    if (schema_is_secret(key->text, key->text_size)) {
        typing_fail_key(typing, at,
                        "secrets do not belong in a job file, which every "
                        "version keeps and everyone who may see the job reads",
                        "take the line out, and change the secret");
        return;
    }
    text_init(&message, message_buffer, sizeof(message_buffer));
    text_init(&hint, hint_buffer, sizeof(hint_buffer));
    text_add(&message, "unknown key");
    advise(key, known, &message, &hint);
    typing_fail_key(typing, at, message_buffer, hint_buffer);
}

static bool same_key(const struct yamlnode *a, const struct yamlnode *b)
{
    return a->key->text_size == b->key->text_size &&
           memcmp(a->key->text, b->key->text, a->key->text_size) == 0;
}

bool typing_skips(struct typing *typing,
                  const struct yamlnode *mapping,
                  const struct typing_at *at)
{
    const struct yamlnode *key = at->node->key;
    const struct yamlnode *c = mapping->first;
    char buffer[64];
    struct text hint;

    if (key->text_size > 2 && memcmp(key->text, "x-", 2) == 0) {
        return true;
    }
    while (c != at->node && !same_key(c, at->node)) {
        c = c->next;
    }
    if (c == at->node) {
        return false;
    }
    text_init(&hint, buffer, sizeof(buffer));
    if (c->key->line > 0) {
        text_add(&hint, "the first one is in line ");
        text_u64(&hint, c->key->line);
    }
    typing_fail_key(typing, at, "stands here twice", buffer);
    return true;
}

/* The last parts of the paths of the rows under parent. */
static void known_keys(const char *parent, const char **out)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);
    size_t used = 0;

    for (size_t i = 0; i < count && used < KNOWN_MAX; i++) {
        if (schema_is_child(&table[i], parent)) {
            out[used++] = schema_name(&table[i]);
        }
    }
    out[used] = NULL;
}

static void check_required(struct typing *typing,
                           const struct typing_at *at,
                           const char *parent)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    for (size_t i = 0; i < count; i++) {
        const char *name = schema_name(&table[i]);
        struct yamlnode nowhere = {.line = 1, .column = 1};
        struct typing_at missing = *at;
        struct text text;

        if (!table[i].required || !schema_is_child(&table[i], parent) ||
            yamlnode_child(at->node, name, strlen(name)) != NULL) {
            continue;
        }
        text_init(&text, missing.path, sizeof(missing.path));
        text_add(&text, at->path);
        text_add(&text, text.used > 0 ? "." : "");
        text_add(&text, name);
        missing.example = table[i].example;
        if (parent[0] == '\0') {
            missing.node = &nowhere; /* of the file as a whole */
        }
        typing_fail_key(typing, &missing, "is missing", "");
    }
}

static void type_keys(struct typing *typing,
                      const struct typing_at *at,
                      const char *parent)
{
    const char *known[KNOWN_MAX + 1];

    known_keys(parent, known);
    for (const struct yamlnode *c = at->node->first; c != NULL; c = c->next) {
        const struct schema_key *row =
            schema_find(parent, c->key->text, c->key->text_size);
        struct typing_at child;

        typing_child(at, c, &child);
        if (typing_skips(typing, at->node, &child)) {
            continue;
        }
        if (row == NULL) {
            typing_unknown(typing, &child, known);
            continue;
        }
        type_value(typing, row, &child);
    }
    check_required(typing, at, parent);
}

static void type_mapping(struct typing *typing,
                         const struct schema_key *row,
                         const struct typing_at *at)
{
    /* A section whose keys are all commented out is an empty mapping. */
    if (at->node->kind == YAMLNODE_MAPPING ||
        (yamlnode_empty(at->node) && row->short_key == NULL)) {
        type_keys(typing, at, row->path);
        return;
    }
    if (at->node->kind == YAMLNODE_SCALAR && row->short_key != NULL) {
        type_value(
            typing,
            schema_find(row->path, row->short_key, strlen(row->short_key)), at);
        return;
    }
    typing_fail(typing, at, "must be a mapping of keys", "");
}

/* What an element is before its keys are read. */
static void begin_element(struct typing *typing,
                          const struct schema_key *row,
                          uint32_t index)
{
    if (strcmp(row->path, "data.tasks") == 0) {
        struct task_spec *task = &typing->spec->data.task_specs[index];

        task->kind = TASK_NONE;
        task->count = 1;
        task->passes = 1;
    }
    if (strcmp(row->path, "model.hidden") == 0) {
        typing->spec->model.hidden[index].activation = ACTIVATION_RELU;
    }
}

/* One mapping of stop.any is one rule. */
static void check_one_rule(struct typing *typing, const struct typing_at *at)
{
    const struct yamlnode *node = at->node;

    if (node->kind == YAMLNODE_MAPPING &&
        (node->first == NULL || node->first != node->last)) {
        typing_fail(typing, at, "each rule is a mapping of one key", "");
    }
}

static void type_element(struct typing *typing,
                         const struct schema_key *row,
                         const struct typing_at *at)
{
    const struct schema_key *element = schema_element(row);

    begin_element(typing, row, at->index);
    type_value(typing, element, at);
    if (element->type == SCHEMA_MAPPING && strcmp(row->path, "stop.any") == 0) {
        check_one_rule(typing, at);
    }
}

static void set_count(struct typing *typing,
                      const struct schema_key *row,
                      uint32_t count)
{
    if (row->count_offset > 0) {
        memcpy((char *)typing->spec + row->count_offset, &count, sizeof(count));
    }
}

static void fail_count(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at)
{
    char buffer[64];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "takes ");
    text_u64(&text, row->least);
    if (row->most != row->least) {
        text_add(&text, " to ");
        text_u64(&text, row->most);
    }
    text_add(&text, row->most == 1 ? " value" : " values");
    typing_fail(typing, at, buffer, "");
}

static void type_list(struct typing *typing,
                      const struct schema_key *row,
                      const struct typing_at *at)
{
    const struct schema_key *element = schema_element(row);
    uint32_t count = 0;

    if (element->field == FIELD_BIT) {
        memset((char *)typing->spec + element->offset, 0, sizeof(uint32_t));
    }
    if (at->node->kind != YAMLNODE_SEQUENCE) {
        struct typing_at only = *at;

        only.index = 0;
        only.base = 0;
        type_element(typing, row, &only);
        count = 1;
    }
    for (const struct yamlnode *c =
             at->node->kind == YAMLNODE_SEQUENCE ? at->node->first : NULL;
         c != NULL && count <= row->most; c = c->next) {
        struct typing_at one = element_at(at, c, count, row->stride);

        if (count < row->most) {
            type_element(typing, row, &one);
        }
        count++;
    }
    if (count < row->least || count > row->most) {
        fail_count(typing, row, at);
        count = count > row->most ? (uint32_t)row->most : count;
    }
    set_count(typing, row, count);
}

static void mark(struct typing *typing,
                 const struct schema_key *row,
                 const struct typing_at *at)
{
    struct jobfile_origins *origins = typing->origins;
    uint32_t bit = 1u << (at->index < 31 ? at->index : 31);

    if (at->node->source > 0) {
        origins->set[schema_index(row)] |= bit;
    } else {
        origins->file[schema_index(row)] |= bit;
    }
}

static void type_value(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at)
{
    struct typing_at here = *at;

    here.example = row->example;
    mark(typing, row, at);
    switch (row->type) {
    case SCHEMA_REFUSED:
        typing_fail_key(typing, at, row->refusal, "");
        return;
    case SCHEMA_MAPPING:
        type_mapping(typing, row, &here);
        return;
    case SCHEMA_LIST:
        type_list(typing, row, &here);
        return;
    case SCHEMA_POLICIES:
        typing_policies(typing, row, &here);
        return;
    case SCHEMA_WORD:
    case SCHEMA_TEXT:
    case SCHEMA_FLAG:
    case SCHEMA_WHOLE:
    case SCHEMA_REAL:
    case SCHEMA_RATIO:
        typing_scalar(typing, row, &here);
        return;
    }
}

void typing_job(struct typing *typing, const struct yamlnode *root)
{
    struct typing_at at = {.node = root};

    type_keys(typing, &at, "");
}
