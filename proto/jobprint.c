#include "proto/jobprint.h"

#include "proto/jobcheck.h"
#include "proto/quantity.h"
#include "proto/schema.h"
#include <string.h>

struct printing {
    const struct job_spec *spec;
    const struct jobfile_origins *origins;
    struct text *out;
    unsigned depth;
    bool dash;      /* the next line begins an element of a list */
    uint32_t index; /* of the element that we are in */
    size_t base;    /* its distance from element 0, in bytes */
};

static void print_children(struct printing *p, const char *parent);

static void begin_line(struct printing *p, const char *name)
{
    for (unsigned i = p->dash ? 1 : 0; i < p->depth; i++) {
        text_add(p->out, "  ");
    }
    text_add(p->out, p->dash ? "- " : "");
    p->dash = false;
    text_add(p->out, name);
    text_add(p->out, ":");
}

static void end_line(struct printing *p, uint32_t file, uint32_t set)
{
    if (p->origins != NULL && set != 0) {
        text_add(p->out, "  # --set");
    } else if (p->origins != NULL && file == 0) {
        text_add(p->out, "  # default");
    }
    text_add(p->out, "\n");
}

/* Bits of a list printed on one line count together. */
static void end_key(struct printing *p, const struct schema_key *row, bool any)
{
    uint32_t bits = any ? UINT32_MAX : 1u << p->index;
    size_t i = schema_index(row);

    if (p->origins == NULL) {
        end_line(p, 0, 0);
        return;
    }
    end_line(p, p->origins->file[i] & bits, p->origins->set[i] & bits);
}

static const void *field_of(const struct printing *p,
                            const struct schema_key *row)
{
    return (const char *)p->spec + row->offset + p->base;
}

static uint64_t whole_of(const struct printing *p, const struct schema_key *row)
{
    const void *field = field_of(p, row);
    uint32_t narrow = 0;
    uint64_t wide = 0;
    bool flag = false;

    switch (row->field) {
    case FIELD_U32:
    case FIELD_BIT:
        memcpy(&narrow, field, sizeof(narrow));
        return narrow;
    case FIELD_U64:
        memcpy(&wide, field, sizeof(wide));
        return wide;
    case FIELD_BOOL:
        memcpy(&flag, field, sizeof(flag));
        return flag;
    case FIELD_STOP:
        return (uint64_t)((const struct stop_rule *)field)->value;
    case FIELD_NONE:
    case FIELD_F64:
    case FIELD_NAME:
    case FIELD_PATH:
        return 0;
    }
    return 0;
}

static double real_of(const struct printing *p, const struct schema_key *row)
{
    const void *field = field_of(p, row);
    double value;

    if (row->field == FIELD_STOP) {
        return ((const struct stop_rule *)field)->value;
    }
    memcpy(&value, field, sizeof(value));
    return value;
}

static const char *word_of(const struct schema_key *row, uint64_t value)
{
    if (row->words == NULL) {
        return NULL;
    }
    for (const struct schema_word *w = row->words; w->word != NULL; w++) {
        if (w->value == value && w->refusal == NULL) {
            return w->word;
        }
    }
    return NULL;
}

static bool is_plain(const char *text)
{
    if (text[0] == '-') {
        return false;
    }
    for (const char *c = text; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

        if (!letter && !(*c >= '0' && *c <= '9') && *c != '/' && *c != '.' &&
            *c != '_' && *c != '-') {
            return false;
        }
    }
    return true;
}

static void print_text(struct text *out, const char *text)
{
    if (is_plain(text)) {
        text_add(out, text);
        return;
    }
    text_add(out, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        text_add(out, *c == '"' || *c == '\\' ? "\\" : "");
        text_add_bytes(out, c, 1);
    }
    text_add(out, "\"");
}

/* "2:" of a range 2:8. */
static void print_least(struct printing *p, const struct schema_key *row)
{
    uint32_t least = 0;

    if (row->least_offset != 0) {
        memcpy(&least, (const char *)p->spec + row->least_offset,
               sizeof(least));
    }
    if (least != 0) {
        text_u64(p->out, least);
        text_add(p->out, ":");
    }
}

static void print_value(struct printing *p, const struct schema_key *row)
{
    const char *word;

    if (row->field == FIELD_NONE) {
        text_add(p->out, row->fixed);
        return;
    }
    switch (row->type) {
    case SCHEMA_TEXT:
        print_text(p->out, field_of(p, row));
        return;
    case SCHEMA_REAL:
        quantity_print(p->out, real_of(p, row), 0);
        return;
    case SCHEMA_RATIO:
        quantity_print(p->out, real_of(p, row), 2);
        text_add(p->out, "%");
        return;
    case SCHEMA_WORD:
    case SCHEMA_WHOLE:
        break;
    case SCHEMA_MAPPING:
    case SCHEMA_LIST:
    case SCHEMA_POLICIES:
    case SCHEMA_FLAG:
    case SCHEMA_REFUSED:
        return;
    }
    word = word_of(row, whole_of(p, row));
    if (word != NULL) {
        text_add(p->out, word);
        return;
    }
    print_least(p, row);
    text_u64(p->out, whole_of(p, row));
    if (row->unit != NULL && !row->bare) {
        text_add(p->out, " ");
        text_add(p->out, row->unit);
    }
}

/* [a, b]: the numbers of betas, or the words whose bits are set. */
static void print_flow(struct printing *p, const struct schema_key *row)
{
    const struct schema_key *element = schema_element(row);
    struct printing inner = *p;
    bool first = true;

    if (row->fixed != NULL) {
        text_add(p->out, row->fixed);
        return;
    }
    text_add(p->out, "[");
    for (uint32_t i = 0; element->field != FIELD_BIT && i < row->most; i++) {
        text_add(p->out, i > 0 ? ", " : "");
        inner.base = i * row->stride;
        print_value(&inner, element);
    }
    for (const struct schema_word *w = element->words;
         element->field == FIELD_BIT && w->word != NULL; w++) {
        if ((whole_of(p, element) >> w->value & 1) == 0) {
            continue;
        }
        text_add(p->out, first ? "" : ", ");
        text_add(p->out, w->word);
        first = false;
    }
    text_add(p->out, "]");
}

static void print_elements(struct printing *p, const struct schema_key *row)
{
    uint32_t count;

    memcpy(&count, (const char *)p->spec + row->count_offset, sizeof(count));
    p->depth += 2;
    for (uint32_t i = 0; i < count; i++) {
        p->dash = true;
        p->index = i;
        p->base = i * row->stride;
        print_children(p, schema_element(row)->path);
    }
    p->dash = false;
    p->index = 0;
    p->base = 0;
    p->depth -= 2;
}

static void print_policy_value(struct text *out,
                               const struct policy_key *key,
                               double value)
{
    switch (key->kind) {
    case VALUE_NUMBER:
        quantity_print(out, value, 0);
        return;
    case VALUE_RATIO:
        quantity_print(out, value, 2);
        text_add(out, "%");
        return;
    case VALUE_OF_MEAN:
        quantity_print(out, value, 2);
        text_add(out, "% of mean");
        return;
    case VALUE_STEPS:
        text_u64(out, (uint64_t)value);
        text_add(out, " steps");
        return;
    case VALUE_INTERVALS:
        text_u64(out, (uint64_t)value);
        text_add(out, " intervals");
        return;
    case VALUE_UNITS:
        text_u64(out, (uint64_t)value);
        text_add(out, " units");
        return;
    }
}

static void print_policy(struct printing *p, uint32_t role, uint32_t index)
{
    const struct policy_spec *policy = &p->spec->roles[role].policies[index];
    const struct policy_entry *entry = policy_find(policy->policy);
    uint32_t file = 0;
    uint32_t set = 0;

    if (p->origins != NULL) {
        file = p->origins->policy_file[role][index];
        set = p->origins->policy_set[role][index];
    }
    begin_line(p, "policy");
    text_add(p->out, " ");
    text_add(p->out, entry->name);
    text_add(p->out, "\n"); /* has no default */
    for (uint32_t k = 0; entry->keys[k].name != NULL; k++) {
        begin_line(p, entry->keys[k].name);
        text_add(p->out, " ");
        print_policy_value(p->out, &entry->keys[k], policy->value[k]);
        end_line(p, file >> k & 1, set >> k & 1);
    }
}

static void print_policies(struct printing *p, const struct schema_key *row)
{
    uint32_t count = p->spec->roles[row->role].count;

    p->depth += count > 1 ? 2 : 1;
    for (uint32_t i = 0; i < count; i++) {
        p->dash = count > 1;
        print_policy(p, row->role, i);
    }
    p->depth -= count > 1 ? 2 : 1;
}

static bool is_path(const struct schema_key *row, const char *path)
{
    return strcmp(row->path, path) == 0;
}

/* What says nothing in this job, or would not be read back as it is. */
static bool is_silent(const struct printing *p, const struct schema_key *row)
{
    const struct job_spec *spec = p->spec;
    bool sgd = spec->train.optimizer.kind == OPTIMIZER_SGD;

    if (row->type == SCHEMA_REFUSED) {
        return true;
    }
    if (row->type == SCHEMA_POLICIES) {
        return spec->roles[row->role].count == 0;
    }
    if (row->field == FIELD_STOP) {
        return (uint32_t)spec->stop_rules[p->index].kind != row->stop;
    }
    if (is_path(row, "store.mirror")) {
        return spec->store.mirror[0] == '\0';
    }
    if (is_path(row, "stop")) {
        return spec->stop_rules_count == 0;
    }
    if (is_path(row, "plasticity.guard")) {
        return spec->data.guard_examples == 0;
    }
    if (is_path(row, "data.tasks[].examples")) {
        return spec->data.task_specs[p->index].examples == 0;
    }
    if (is_path(row, "data.tasks[].passes")) {
        return spec->data.task_specs[p->index].examples != 0;
    }
    if (is_path(row, "train.optimizer.momentum")) {
        return !sgd;
    }
    if (is_path(row, "train.optimizer.betas") ||
        is_path(row, "train.optimizer.epsilon")) {
        return sgd;
    }
    return false;
}

/* A mapping without anything to say leaves no line. */
static void print_mapping(struct printing *p, const struct schema_key *row)
{
    size_t header = p->out->used;
    size_t used;

    begin_line(p, schema_name(row));
    text_add(p->out, "\n");
    used = p->out->used;
    p->depth++;
    print_children(p, row->path);
    p->depth--;
    if (p->out->used == used) {
        p->out->used = header;
        p->out->data[header] = '\0';
    }
}

static void print_key(struct printing *p, const struct schema_key *row)
{
    if (row->type == SCHEMA_MAPPING) {
        print_mapping(p, row);
        return;
    }
    begin_line(p, schema_name(row));
    if (row->type == SCHEMA_POLICIES) {
        text_add(p->out, "\n");
        print_policies(p, row);
        return;
    }
    if (row->type == SCHEMA_LIST && !row->flow) {
        text_add(p->out, "\n");
        print_elements(p, row);
        return;
    }
    text_add(p->out, " ");
    if (row->type == SCHEMA_LIST) {
        print_flow(p, row);
        end_key(p, row, true);
        return;
    }
    print_value(p, row);
    end_key(p, row, false);
}

static void print_children(struct printing *p, const char *parent)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (schema_is_child(&table[i], parent) && !is_silent(p, &table[i])) {
            print_key(p, &table[i]);
        }
    }
}

void jobprint(const struct job_spec *spec,
              const struct jobfile_origins *origins,
              struct text *out)
{
    struct printing p = {.spec = spec, .origins = origins, .out = out};

    print_children(&p, "");
}
