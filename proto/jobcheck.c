#include "proto/jobcheck.h"

#include "base/text.h"
#include "proto/utf8.h"
#include <string.h>

/* Whole numbers up to here are exact in a double. */
#define WHOLE_MAX 9007199254740992.0
#define COUNT_AT_MOST 1e12
/* A grant's steps are 32 bits wide, and an interval is a unit of recovery. */
#define REPORT_STEPS_MAX 1e7

struct bounds {
    double least;
    double most;
};

static void add_number(struct text *text, double value)
{
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value) {
        text_u64(text, (uint64_t)value);
        return;
    }
    text_real(text, value, 9);
}

/* The next free fault, its path set; NULL: the list is full. */
static struct job_fault *fault_new(struct job_faults *faults, const char *path)
{
    struct job_fault *fault;
    struct text text;

    if (faults->count == JOB_FAULTS_MAX) {
        return NULL;
    }
    fault = &faults->items[faults->count++];
    memset(fault, 0, sizeof(*fault));
    text_init(&text, fault->path, sizeof(fault->path));
    text_add(&text, path);
    return fault;
}

static void fault_add(struct job_faults *faults,
                      const char *path,
                      const char *message,
                      const char *other)
{
    struct job_fault *fault = fault_new(faults, path);
    struct text text;

    if (fault == NULL) {
        return;
    }
    text_init(&text, fault->message, sizeof(fault->message));
    text_add(&text, message);
    text_init(&text, fault->other, sizeof(fault->other));
    text_add(&text, other);
}

/* NaN is outside every range. */
static void check_range(struct job_faults *faults,
                        const char *path,
                        double value,
                        struct bounds bounds)
{
    struct job_fault *fault;
    struct text text;

    if (value >= bounds.least && value <= bounds.most) {
        return;
    }
    fault = fault_new(faults, path);
    if (fault == NULL) {
        return;
    }
    text_init(&text, fault->message, sizeof(fault->message));
    text_add(&text, "must be ");
    add_number(&text, bounds.least);
    text_add(&text, " to ");
    add_number(&text, bounds.most);
    text_add(&text, ", got ");
    add_number(&text, value);
}

static void check_whole(struct job_faults *faults,
                        const char *path,
                        double value,
                        struct bounds bounds)
{
    uint32_t before = faults->count;

    check_range(faults, path, value, bounds);
    if (faults->count == before && value >= 0 && value <= WHOLE_MAX &&
        value != (double)(uint64_t)value) {
        fault_add(faults, path, "must be a whole number", "");
    }
}

/* Numbers of an enum are 1 .. most; a decoder may have put any in. */
static void check_kind(struct job_faults *faults,
                       const char *path,
                       unsigned kind,
                       unsigned most)
{
    if (kind < 1 || kind > most) {
        fault_add(faults, path, "is none of the kinds that there are", "");
    }
}

/* base[index].key, or base.key where only one is there. */
static void path_of(char *out,
                    const char *base,
                    uint32_t index,
                    const char *key)
{
    struct text text;

    text_init(&text, out, JOB_PATH_BYTES_MAX);
    text_add(&text, base);
    if (index != UINT32_MAX) {
        text_add(&text, "[");
        text_u64(&text, index);
        text_add(&text, "]");
    }
    if (key[0] != '\0') {
        text_add(&text, ".");
        text_add(&text, key);
    }
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

bool job_name_valid(const char *name, size_t size)
{
    bool number = true; /* j12 is a job's number and v12 a version's */

    if (size < 1 || size >= NAME_BYTES_MAX || !is_letter_or_digit(name[0])) {
        return false;
    }
    for (size_t i = 1; i < size; i++) {
        char c = name[i];

        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
        if (c < '0' || c > '9') {
            number = false;
        }
    }
    return !(number && size > 1 && (name[0] == 'j' || name[0] == 'v'));
}

bool job_has_role(const struct job_spec *spec, enum role role)
{
    return spec->roles[role].count > 0;
}

const char *role_name(enum role role)
{
    switch (role) {
    case ROLE_RENEW:
        return "renew";
    case ROLE_GROW:
        return "grow";
    case ROLE_PRUNE:
        return "prune";
    case ROLES_COUNT:
        break;
    }
    return "?";
}

void job_policy_path(const struct job_spec *spec,
                     enum role role,
                     uint32_t policy,
                     const char *key,
                     char *out)
{
    char base[JOB_PATH_BYTES_MAX];
    struct text text;

    text_init(&text, base, sizeof(base));
    text_add(&text, "plasticity.");
    text_add(&text, role_name(role));
    path_of(out, base, spec->roles[role].count > 1 ? policy : UINT32_MAX, key);
}

/* Size of a text that must end within its array; size: it does not. */
static size_t text_size(const char *data, size_t size)
{
    size_t n = 0;

    while (n < size && data[n] != '\0') {
        n++;
    }
    return n;
}

/* Ends within its array and can be shown; "" is no path. */
static bool is_path(const char path[PATH_BYTES_MAX])
{
    size_t size = text_size(path, PATH_BYTES_MAX);
    size_t shown = 0;

    while (shown < size && utf8_size(path + shown, size - shown) > 0) {
        shown += utf8_size(path + shown, size - shown);
    }
    return size > 0 && size < PATH_BYTES_MAX && shown == size;
}

static void check_data(struct job_faults *faults, const struct data_spec *data)
{
    check_kind(faults, "data.format", data->format, DATA_IDX);
    if (!is_path(data->dir)) {
        fault_add(faults, "data.dir",
                  "must be the path of a directory: 1 to 511 bytes of UTF-8",
                  "");
    }
    if (data->guard_examples != 0 &&
        data->guard_examples < GUARD_EXAMPLES_MIN) {
        fault_add(faults, "data.hold_out.guard",
                  "must be 0 or at least 256: fewer examples cannot tell "
                  "damage from noise",
                  "");
    }
    check_range(faults, "data.hold_out.guard", (double)data->guard_examples,
                (struct bounds){0, COUNT_AT_MOST});
}

static void check_task(struct job_faults *faults,
                       const struct task_spec *task,
                       uint32_t index)
{
    char path[JOB_PATH_BYTES_MAX];

    path_of(path, "data.tasks", index, "kind");
    check_kind(faults, path, task->kind, TASK_ROTATE);
    path_of(path, "data.tasks", index, "count");
    check_range(faults, path, task->count, (struct bounds){1, TASKS_MAX});
    path_of(path, "data.tasks", index, "examples");
    check_range(faults, path, (double)task->examples,
                (struct bounds){0, COUNT_AT_MOST});
    path_of(path, "data.tasks", index, "passes");
    check_range(faults, path, task->passes, (struct bounds){1, 1e6});
}

static void check_tasks(struct job_faults *faults, const struct data_spec *data)
{
    uint64_t total = 0;

    if (data->task_specs_count < 1 || data->task_specs_count > TASK_SPECS_MAX) {
        fault_add(faults, "data.tasks", "must be 1 to 16 mappings", "");
        return;
    }
    for (uint32_t i = 0; i < data->task_specs_count; i++) {
        check_task(faults, &data->task_specs[i],
                   data->task_specs_count == 1 ? UINT32_MAX : i);
        total += data->task_specs[i].count;
    }
    if (total > TASKS_MAX && data->task_specs_count > 1) {
        fault_add(faults, "data.tasks", "the counts sum to more than 1024", "");
    }
}

static void check_model(struct job_faults *faults,
                        const struct model_spec *model)
{
    char path[JOB_PATH_BYTES_MAX];

    if (model->hidden_count < 1 || model->hidden_count >= LAYERS_MAX) {
        fault_add(faults, "model.hidden", "must be 1 to 15 layers", "");
        return;
    }
    for (uint32_t i = 0; i < model->hidden_count; i++) {
        path_of(path, "model.hidden", i, "units");
        check_range(faults, path, model->hidden[i].units,
                    (struct bounds){1, UNITS_MAX});
        path_of(path, "model.hidden", i, "activation");
        check_kind(faults, path, model->hidden[i].activation, ACTIVATION_GELU);
    }
    check_range(faults, "model.output.classes", model->outputs,
                (struct bounds){0, UNITS_MAX});
    check_range(faults, "model.shards", model->shards,
                (struct bounds){1, SHARDS_MAX});
}

static void check_optimizer(struct job_faults *faults,
                            const struct optimizer_spec *optimizer)
{
    const struct bounds share = {0, 0.999999};

    check_kind(faults, "train.optimizer.name", optimizer->kind,
               OPTIMIZER_ADAMW);
    check_range(faults, "train.optimizer.momentum", optimizer->momentum, share);
    check_range(faults, "train.optimizer.betas[0]", optimizer->beta1, share);
    check_range(faults, "train.optimizer.betas[1]", optimizer->beta2, share);
    check_range(faults, "train.optimizer.epsilon", optimizer->epsilon,
                (struct bounds){1e-30, 1});
    check_range(faults, "train.optimizer.weight_decay", optimizer->weight_decay,
                (struct bounds){0, 100});
    if (optimizer->momentum != 0 && optimizer->kind != OPTIMIZER_SGD) {
        fault_add(faults, "train.optimizer.momentum",
                  "belongs to sgd; adam and adamw have betas",
                  "train.optimizer.name");
    }
}

static void check_train(struct job_faults *faults,
                        const struct train_spec *train)
{
    check_optimizer(faults, &train->optimizer);
    if (!(train->rate.peak > 0)) {
        fault_add(faults, "train.lr.peak", "must be above 0", "");
    } else {
        /* Far above any sense, so that a person may watch a job overflow. */
        check_range(faults, "train.lr.peak", train->rate.peak,
                    (struct bounds){0, 1e6});
    }
    check_kind(faults, "train.lr.schedule", train->rate.schedule,
               SCHEDULE_COSINE);
    check_range(faults, "train.lr.warmup", (double)train->rate.warmup_steps,
                (struct bounds){0, COUNT_AT_MOST});
    check_kind(faults, "train.lr.over", train->rate.over, OVER_TASK);
    check_range(faults, "train.batch", train->batch,
                (struct bounds){1, BATCH_MAX});
    check_range(faults, "train.microbatches", train->microbatches,
                (struct bounds){1, MICROBATCHES_MAX});
    if (train->microbatches > train->batch && train->batch > 0 &&
        train->microbatches <= MICROBATCHES_MAX) {
        fault_add(faults, "train.microbatches",
                  "must not be more than the rows of a batch", "train.batch");
    }
    check_range(faults, "train.clip", train->clip, (struct bounds){0, 1e9});
}

static void check_stop_rule(struct job_faults *faults,
                            const struct job_spec *spec,
                            uint32_t index)
{
    const struct stop_rule *rule = &spec->stop_rules[index];
    char path[JOB_PATH_BYTES_MAX];

    switch (rule->kind) {
    case STOP_STEPS:
        path_of(path, "stop.any", index, "steps");
        check_whole(faults, path, rule->value,
                    (struct bounds){1, COUNT_AT_MOST});
        return;
    case STOP_LOSS:
        path_of(path, "stop.any", index, "loss");
        check_range(faults, path, rule->value, (struct bounds){0, 1e9});
        return;
    case STOP_NO_GAIN:
        path_of(path, "stop.any", index, "no_gain");
        check_whole(faults, path, rule->value, (struct bounds){1, 1e6});
        if (!spec->evaluate.at_task_end) {
            fault_add(faults, path, "counts evaluations, and this job has none",
                      "evaluate.every");
        }
        return;
    }
    path_of(path, "stop.any", index, "");
    fault_add(faults, path, "is none of the rules that there are", "");
}

static void check_evaluate(struct job_faults *faults,
                           const struct job_spec *spec)
{
    _Static_assert(EVALUATED_TASKS_MAX == 126, "the sentence says so");
    check_kind(faults, "evaluate.on", spec->evaluate.on, EVALUATE_SEEN);
    if (spec->evaluate.at_task_end && spec->evaluate.on == EVALUATE_SEEN &&
        job_tasks_count(spec) > EVALUATED_TASKS_MAX) {
        fault_add(faults, "evaluate.on",
                  "in this release, seen is for jobs of at most 126 tasks; "
                  "current is for any number",
                  "data.tasks");
    }
}

static void check_stop(struct job_faults *faults, const struct job_spec *spec)
{
    if (spec->stop_rules_count > STOP_RULES_MAX) {
        fault_add(faults, "stop.any", "must be at most 4 rules", "");
        return;
    }
    for (uint32_t i = 0; i < spec->stop_rules_count; i++) {
        check_stop_rule(faults, spec, i);
    }
    check_range(faults, "report.every", (double)spec->report_every_steps,
                (struct bounds){1, REPORT_STEPS_MAX});
}

static bool counts_whole(enum value_kind kind)
{
    return kind == VALUE_STEPS || kind == VALUE_INTERVALS ||
           kind == VALUE_UNITS;
}

static void check_policy_keys(struct job_faults *faults,
                              const struct job_spec *spec,
                              enum role role,
                              uint32_t index)
{
    const struct policy_spec *policy = &spec->roles[role].policies[index];
    const struct policy_entry *entry = policy_find(policy->policy);
    char path[JOB_PATH_BYTES_MAX];

    for (size_t k = 0; entry->keys[k].name != NULL; k++) {
        const struct policy_key *key = &entry->keys[k];
        struct bounds bounds = {key->least, key->most};

        job_policy_path(spec, role, index, key->name, path);
        if (counts_whole(key->kind)) {
            check_whole(faults, path, policy->value[k], bounds);
        } else {
            check_range(faults, path, policy->value[k], bounds);
        }
    }
}

/* A layer that starts wider than it may grow to is a contradiction. */
static void check_max_units(struct job_faults *faults,
                            const struct job_spec *spec,
                            uint32_t index)
{
    const struct policy_spec *policy = &spec->roles[ROLE_GROW].policies[index];
    unsigned key = policy->policy == POLICY_SCHEDULE
                       ? (unsigned)SCHEDULE_MAX_UNITS
                       : (unsigned)PLATEAU_MAX_UNITS;
    double max_units = policy->value[key];
    char path[JOB_PATH_BYTES_MAX];
    char other[JOB_PATH_BYTES_MAX];
    char message[JOB_FAULT_BYTES_MAX];
    struct text text;
    uint32_t widest = 0;

    for (uint32_t i = 1; i < spec->model.hidden_count && i < LAYERS_MAX; i++) {
        if (spec->model.hidden[i].units > spec->model.hidden[widest].units) {
            widest = i;
        }
    }
    if (!(max_units >= 1) || max_units >= spec->model.hidden[widest].units) {
        return; /* fine, or out of its own range and told already */
    }
    job_policy_path(spec, ROLE_GROW, index, "max_units", path);
    path_of(other, "model.hidden", widest, "units");
    text_init(&text, message, sizeof(message));
    add_number(&text, max_units);
    text_add(&text, " is below the starting width ");
    text_u64(&text, spec->model.hidden[widest].units);
    fault_add(faults, path, message, other);
}

static bool policy_repeats(const struct role_spec *role, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (role->policies[i].policy == role->policies[index].policy) {
            return true;
        }
    }
    return false;
}

static void check_role(struct job_faults *faults,
                       const struct job_spec *spec,
                       enum role role)
{
    char path[JOB_PATH_BYTES_MAX];

    if (spec->roles[role].count > POLICIES_MAX) {
        job_policy_path(spec, role, 0, "", path);
        fault_add(faults, path, "must be at most 4 policies", "");
        return;
    }
    for (uint32_t i = 0; i < spec->roles[role].count; i++) {
        const struct policy_entry *entry =
            policy_find(spec->roles[role].policies[i].policy);

        job_policy_path(spec, role, i, "policy", path);
        if (entry == NULL || entry->role != (int)role) {
            fault_add(faults, path, "is no policy of this role", "");
            continue;
        }
        if (policy_repeats(&spec->roles[role], i)) {
            fault_add(faults, path, "the same policy stands here twice", "");
        }
        check_policy_keys(faults, spec, role, i);
        if (role == ROLE_GROW) {
            check_max_units(faults, spec, i);
        }
    }
}

static void check_plasticity(struct job_faults *faults,
                             const struct job_spec *spec)
{
    for (unsigned role = 0; role < ROLES_COUNT; role++) {
        check_role(faults, spec, (enum role)role);
    }
    check_range(faults, "plasticity.guard.tolerance", spec->guard_tolerance,
                (struct bounds){0, 1});
    if (job_has_role(spec, ROLE_PRUNE) && spec->data.guard_examples == 0) {
        fault_add(faults, "data.hold_out.guard",
                  "a prune policy needs guard examples, 2000 by default",
                  "plasticity.prune");
    }
}

/* The file in it has a name of its own, of at most MIRROR_NAME_BYTES. Workers
 * and a coordinator that is started again run in other directories. */
static void check_store(struct job_faults *faults,
                        const struct store_spec *store)
{
    if (store->mirror[0] == '\0') {
        return;
    }
    if (!is_path(store->mirror) ||
        strlen(store->mirror) + MIRROR_NAME_BYTES >= PATH_BYTES_MAX) {
        fault_add(faults, "store.mirror",
                  "must be the path of a directory: 1 to 383 bytes of UTF-8",
                  "");
    } else if (store->mirror[0] != '/') {
        fault_add(faults, "store.mirror", "must be an absolute path", "");
    }
}

static void check_keep_and_run(struct job_faults *faults,
                               const struct job_spec *spec)
{
    const uint32_t causes = (2u << CAUSE_END) - (1u << CAUSE_START);

    check_range(faults, "keep.every", (double)spec->keep.every_steps,
                (struct bounds){0, COUNT_AT_MOST});
    if ((spec->keep.on & ~causes) != 0) {
        fault_add(faults, "keep.on", "is none of the causes that there are",
                  "");
    }
    check_range(faults, "keep.last", spec->keep.last, (struct bounds){0, 1e6});
    check_range(faults, "run.workers", spec->run.workers,
                (struct bounds){1, WORKERS_MAX});
    if (spec->run.workers_min > spec->run.workers &&
        spec->run.workers <= WORKERS_MAX) {
        fault_add(faults, "run.workers", "is a range from more to fewer", "");
    }
    check_range(faults, "run.threads", spec->run.threads,
                (struct bounds){1, THREADS_MAX});
}

void job_faults(const struct job_spec *spec, struct job_faults *out)
{
    out->count = 0;
    if (!job_name_valid(spec->name,
                        text_size(spec->name, sizeof(spec->name)))) {
        fault_add(out, "name",
                  "must be 1 to 63 of a-z A-Z 0-9 . _ -, begin with a letter "
                  "or digit, and not read as a number of a job (j7) or a "
                  "version (v7)",
                  "");
    }
    check_data(out, &spec->data);
    check_tasks(out, &spec->data);
    check_model(out, &spec->model);
    check_kind(out, "loss", spec->loss, LOSS_MEAN_SQUARED_ERROR);
    check_train(out, &spec->train);
    check_evaluate(out, spec);
    check_stop(out, spec);
    check_plasticity(out, spec);
    check_keep_and_run(out, spec);
    check_store(out, &spec->store);
}
