#include "proto/jobfile.h"

#include "base/text.h"
#include "proto/jobcheck.h"
#include "proto/jobpath.h"
#include "proto/override.h"
#include "proto/quantity.h"
#include "proto/schema.h"
#include "proto/typing.h"
#include "proto/yamldoc.h"
#include <string.h>

/* The one version of the schema. */
#define SCHEMA_VERSION 1

/* Learning rate and weight decay that people expect of an optimizer. */
#define RATE_OF_ADAM 1e-3
#define DECAY_OF_ADAMW 0.01

/* One reading: everything that its steps share. */
struct reading {
    const struct jobfile_source *source;
    struct jobfile_errors *errors;
    struct yamldoc *doc;
    struct yamlnode *root;
    struct job_spec spec;
    struct jobfile_origins origins;
};

/* An error of the text as a whole, or at a place in it. */
static void fail_file(struct reading *r,
                      uint32_t line,
                      uint32_t column,
                      const char *message,
                      const char *hint)
{
    struct jobfile_error error = {.line = line, .column = column};
    struct text text;

    error.end_column = line == 1 && column == 1 ? 0 : column + 1;
    text_init(&text, error.message, sizeof(error.message));
    text_add(&text, message);
    text_init(&text, error.hint, sizeof(error.hint));
    text_add(&text, hint);
    jobfile_errors_add(r->errors, &error);
}

/* An error at a key's value, or at the nearest key around it. */
static void fail_place(struct reading *r,
                       const struct jobpath_place *place,
                       const char *message,
                       const char *other)
{
    const struct yamlnode *node = place->node;
    struct jobfile_error error = {.line = 1, .column = 1};
    struct jobpath_place see;
    struct text text;

    if (!place->found && node->key != NULL) {
        node = node->key;
    }
    error.override = node->source;
    if (place->found || node != r->root) {
        error.line = node->line;
        error.column = node->column;
        error.end_column = node->end_column;
    }
    text_init(&text, error.path, sizeof(error.path));
    text_add(&text, place->path);
    text_init(&text, error.message, sizeof(error.message));
    text_add(&text, message);
    text_init(&text, error.hint, sizeof(error.hint));
    text_add(&text, place->found ? ""
                                 : "the file does not give it: this is "
                                   "the default");
    if (other[0] != '\0') {
        jobpath_find(r->root, other, &see);
        error.see_line = see.found ? see.node->line : 0;
        error.see_column = see.node->column;
        text_init(&text, error.see_path, sizeof(error.see_path));
        text_add(&text, see.path);
    }
    jobfile_errors_add(r->errors, &error);
}

static void fail_path(struct reading *r, const char *path, const char *message)
{
    struct jobpath_place place;

    jobpath_find(r->root, path, &place);
    fail_place(r, &place, message, "");
}

static const char *advice_for(const char *message)
{
    if (strstr(message, "cannot start any token") != NULL ||
        strstr(message, "tab character") != NULL) {
        return "a tab, @, ` or % cannot begin a value: indent with blanks, and "
               "put the value in quotes";
    }
    if (strstr(message, "mapping values are not allowed") != NULL) {
        return "look for a missing line break, a wrong indentation, or a text "
               "with a colon that needs quotes";
    }
    return "";
}

static enum status read_tree(struct reading *r)
{
    const struct jobfile_source *source = r->source;
    size_t texts_bytes = source->size;
    struct yamlfault fault;
    enum status status;

    for (size_t i = 0; i < source->overrides_count; i++) {
        texts_bytes += strlen(source->overrides[i]);
    }
    if (texts_bytes > JOB_FILE_BYTES_MAX) {
        fail_file(r, 1, 1, "a job file has at most 1 MB", "");
        return STATUS_INVALID;
    }
    status = yamldoc_open(texts_bytes, &r->doc);
    if (status != STATUS_OK) {
        return status;
    }
    status =
        yamldoc_parse(r->doc, source->bytes, source->size, 0, &fault, &r->root);
    if (status == STATUS_INVALID) {
        fail_file(r, fault.line, fault.column, fault.message,
                  advice_for(fault.message));
        return status;
    }
    if (status == STATUS_OK && r->root->kind != YAMLNODE_MAPPING) {
        fail_file(r, 1, 1,
                  yamlnode_empty(r->root) ? "the file is empty"
                                          : "a job file is a mapping of keys",
                  "its first line is: version: 1");
        return STATUS_INVALID;
    }
    return status;
}

/* A wrong override is one error; the others are still tried. */
static enum status apply_overrides(struct reading *r)
{
    const struct jobfile_source *source = r->source;

    for (size_t i = 0; i < source->overrides_count; i++) {
        enum status status = override_apply(
            r->doc, r->root, source->overrides[i], (uint32_t)i + 1, r->errors);

        if (status != STATUS_OK && status != STATUS_INVALID) {
            return status;
        }
    }
    return STATUS_OK;
}

/* In a file of another version other keys are right, so nothing else is said.
 * What is no number at all, or missing, is typed like any other key. */
static enum status check_version(struct reading *r)
{
    struct jobpath_place place;
    struct quantity quantity;
    uint64_t version = SCHEMA_VERSION;
    char buffer[160];
    struct text text;

    jobpath_find(r->root, "version", &place);
    if (!place.found || place.node->kind != YAMLNODE_SCALAR ||
        !quantity_parse(place.node->text, place.node->text_size, &quantity) ||
        quantity_whole(&quantity, &version) != QUANTITY_FINE ||
        version == SCHEMA_VERSION) {
        return STATUS_OK;
    }
    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "this is release " CAJAL_VERSION
                    ", which reads version 1 of the job file; version ");
    text_u64(&text, version);
    text_add(&text, version > SCHEMA_VERSION ? " needs a newer release"
                                             : " never was");
    fail_place(r, &place, buffer, "");
    return STATUS_INVALID;
}

/* "jobs/fashion.yaml" is the job fashion. */
static void name_after_file(struct reading *r)
{
    const char *name = strrchr(r->source->file_name, '/');
    const char *end;

    name = name == NULL ? r->source->file_name : name + 1;
    end = strrchr(name, '.');
    end = end == NULL || end == name ? name + strlen(name) : end;
    if (job_name_valid(name, (size_t)(end - name))) {
        memset(r->spec.name, 0, sizeof(r->spec.name));
        memcpy(r->spec.name, name, (size_t)(end - name));
    }
}

static bool is_given(const struct reading *r, const char *path, uint32_t index)
{
    size_t row = schema_index(schema_row(path));
    uint32_t bits = r->origins.file[row] | r->origins.set[row];

    return (bits >> index & 1) != 0;
}

static void finish_training(struct reading *r)
{
    struct train_spec *train = &r->spec.train;
    bool sgd = train->optimizer.kind == OPTIMIZER_SGD;

    if (!sgd && !is_given(r, "train.lr.peak", 0)) {
        train->rate.peak = RATE_OF_ADAM;
    }
    if (train->optimizer.kind == OPTIMIZER_ADAMW &&
        !is_given(r, "train.optimizer.weight_decay", 0)) {
        train->optimizer.weight_decay = DECAY_OF_ADAMW;
    }
    if (sgd && is_given(r, "train.optimizer.betas", 0)) {
        fail_path(r, "train.optimizer.betas",
                  "belongs to adam and adamw; sgd has a momentum");
    }
    if (sgd && is_given(r, "train.optimizer.epsilon", 0)) {
        fail_path(r, "train.optimizer.epsilon", "belongs to adam and adamw");
    }
}

static void finish_tasks(struct reading *r)
{
    for (uint32_t i = 0; i < r->spec.data.task_specs_count; i++) {
        char path[JOB_PATH_BYTES_MAX];
        struct text text;

        if (!is_given(r, "data.tasks[].examples", i) ||
            !is_given(r, "data.tasks[].passes", i)) {
            continue;
        }
        text_init(&text, path, sizeof(path));
        text_add(&text, "data.tasks[");
        text_u64(&text, i);
        text_add(&text, "].passes");
        fail_path(r, path,
                  "a task's length is given by examples or by passes, not by "
                  "both");
    }
}

/* Examples to judge edits by are set aside where something is judged. */
static void finish_guard(struct reading *r)
{
    bool guard = is_given(r, "plasticity.guard", 0);
    bool prune = job_has_role(&r->spec, ROLE_PRUNE);

    if (!is_given(r, "data.hold_out.guard", 0)) {
        r->spec.data.guard_examples =
            guard || prune ? GUARD_EXAMPLES_DEFAULT : 0;
        return;
    }
    if (guard && !prune && r->spec.data.guard_examples == 0) {
        fail_path(r, "data.hold_out.guard",
                  "plasticity.guard needs guard examples, 2000 by default");
    }
}

static void finish(struct reading *r)
{
    finish_training(r);
    finish_tasks(r);
    finish_guard(r);
    /* Never dropped: where a job came from and what a person asked for. */
    r->spec.keep.on |= 1u << CAUSE_START | 1u << CAUSE_RESTORE |
                       1u << CAUSE_MANUAL | 1u << CAUSE_END;
}

/* A key that was told about already says nothing more: what was typed in its
 * place is a default. */
static bool is_told(const struct jobfile_errors *errors, const char *path)
{
    for (uint32_t i = 0; i < errors->count; i++) {
        const char *told = errors->items[i].path;

        if (jobpath_covers(told, path) || jobpath_covers(path, told)) {
            return true;
        }
    }
    return false;
}

static void add_faults(struct reading *r)
{
    struct jobfile_errors typed = *r->errors;
    struct job_faults faults;

    job_faults(&r->spec, &faults);
    for (uint32_t i = 0; i < faults.count; i++) {
        const struct job_fault *fault = &faults.items[i];
        struct jobpath_place place;
        struct jobpath_place other;

        jobpath_find(r->root, fault->path, &place);
        jobpath_find(r->root, fault->other, &other);
        if (is_told(&typed, place.path) ||
            (fault->other[0] != '\0' && is_told(&typed, other.path))) {
            continue;
        }
        fail_place(r, &place, fault->message, fault->other);
    }
}

static enum status read_job(struct reading *r)
{
    struct typing typing = {&r->spec, r->errors, &r->origins};
    enum status status = read_tree(r);

    if (status == STATUS_OK) {
        status = apply_overrides(r);
    }
    if (status == STATUS_OK) {
        status = check_version(r);
    }
    if (status != STATUS_OK) {
        return status;
    }
    job_defaults(&r->spec);
    name_after_file(r);
    typing_job(&typing, r->root);
    finish(r);
    add_faults(r);
    return r->errors->total > 0 ? STATUS_INVALID : STATUS_OK;
}

enum status jobfile_parse(const struct jobfile_source *source,
                          struct job_spec *out,
                          struct jobfile_origins *origins,
                          struct jobfile_errors *errors)
{
    struct reading r = {.source = source, .errors = errors};
    enum status status;

    errors->count = 0;
    errors->total = 0;
    status = read_job(&r);
    yamldoc_close(r.doc);
    if (status != STATUS_OK) {
        return status;
    }
    memcpy(out, &r.spec, sizeof(*out));
    if (origins != NULL) {
        *origins = r.origins;
    }
    return STATUS_OK;
}
