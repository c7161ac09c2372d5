#include "proto/job.h"

#include "base/text.h"
#include "proto/jobcheck.h"
#include <string.h>

const char *cause_name(enum cause cause)
{
    switch (cause) {
    case CAUSE_START:
        return "start";
    case CAUSE_RESTORE:
        return "restore";
    case CAUSE_MANUAL:
        return "manual";
    case CAUSE_GROW:
        return "grow";
    case CAUSE_PRUNE:
        return "prune";
    case CAUSE_RENEW:
        return "renew";
    case CAUSE_TASK:
        return "task";
    case CAUSE_PERIODIC:
        return "periodic";
    case CAUSE_END:
        return "end";
    }
    return "?";
}

/* Field by field: assigning a whole struct may disturb its padding. */
static void defaults_of_training(struct train_spec *train)
{
    train->optimizer.kind = OPTIMIZER_SGD;
    train->optimizer.beta1 = 0.9;
    train->optimizer.beta2 = 0.999;
    train->optimizer.epsilon = 1e-8;
    train->rate.peak = 0.01;
    train->rate.schedule = SCHEDULE_CONSTANT;
    train->rate.over = OVER_JOB;
    train->batch = 16;
    train->microbatches = 1;
}

/* A renewal may come every interval, so it makes a version only where the job
 * asks for it; the other causes are rare. */
static uint32_t causes_kept(void)
{
    return 1u << CAUSE_START | 1u << CAUSE_RESTORE | 1u << CAUSE_MANUAL |
           1u << CAUSE_GROW | 1u << CAUSE_PRUNE | 1u << CAUSE_TASK |
           1u << CAUSE_END;
}

void job_defaults(struct job_spec *spec)
{
    /* Padding too, so that two equal jobs are equal bytes. */
    memset(spec, 0, sizeof(*spec));
    memcpy(spec->name, "job", 4);
    spec->data.format = DATA_IDX;
    spec->data.shuffle = true;
    spec->data.task_specs_count = 1;
    spec->data.task_specs[0].kind = TASK_NONE;
    spec->data.task_specs[0].count = 1;
    spec->data.task_specs[0].passes = 1;
    spec->model.shards = 1;
    spec->loss = LOSS_CROSS_ENTROPY;
    defaults_of_training(&spec->train);
    spec->evaluate.at_task_end = true;
    spec->evaluate.on = EVALUATE_CURRENT;
    spec->report_every_steps = 100;
    spec->guard_tolerance = 0.01;
    spec->keep.on = causes_kept();
    spec->run.workers = 1;
    spec->run.threads = 1;
}

enum status job_check(const struct job_spec *spec, char *why, size_t why_size)
{
    struct job_faults faults;
    struct text text;

    job_faults(spec, &faults);
    if (faults.count == 0) {
        return STATUS_OK;
    }
    text_init(&text, why, why_size);
    text_add(&text, faults.items[0].path);
    text_add(&text, ": ");
    text_add(&text, faults.items[0].message);
    return STATUS_INVALID;
}

uint32_t job_tasks_count(const struct job_spec *spec)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < spec->data.task_specs_count; i++) {
        total += spec->data.task_specs[i].count;
    }
    return total;
}

/* How a setting's number holds a policy's key. */
enum { SETTING_ROLE = 100, SETTING_POLICY = 10 };

/* The room for units is laid out from max_units at the start, and a moving
 * average with another decay is another average: both belong to the shape. */
static bool may_be_set(enum policy_id policy, uint32_t key)
{
    switch (policy) {
    case POLICY_CONTINUAL_BACKPROP:
        return key != CBP_DECAY;
    case POLICY_SCHEDULE:
        return key != SCHEDULE_MAX_UNITS;
    case POLICY_PLATEAU:
        return key != PLATEAU_MAX_UNITS;
    case POLICY_CONTRIBUTION:
        return true;
    case POLICY_NONE:
        break;
    }
    return false;
}

/* The number of keys that the policy at role and index has; 0: none there. */
static uint32_t keys_count(const struct job_spec *spec,
                           uint32_t role,
                           uint32_t index)
{
    const struct policy_entry *entry;
    uint32_t count = 0;

    if (role >= ROLES_COUNT || index >= spec->roles[role].count ||
        index >= POLICIES_MAX) {
        return 0;
    }
    entry = policy_find(spec->roles[role].policies[index].policy);
    while (entry != NULL && entry->keys[count].name != NULL) {
        count++;
    }
    return count;
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static enum status find_policy_setting(const struct job_spec *spec,
                                       const char *key,
                                       uint32_t *out_setting)
{
    for (uint32_t role = 0; role < ROLES_COUNT; role++) {
        for (uint32_t p = 0; p < spec->roles[role].count; p++) {
            enum policy_id policy = spec->roles[role].policies[p].policy;

            for (uint32_t k = 0; k < keys_count(spec, role, p); k++) {
                char path[JOB_PATH_BYTES_MAX];

                job_policy_path(spec, (enum role)role, p,
                                policy_find(policy)->keys[k].name, path);
                if (same(key, path) && may_be_set(policy, k)) {
                    *out_setting = SETTING_POLICY_BASE + role * SETTING_ROLE +
                                   p * SETTING_POLICY + k;
                    return STATUS_OK;
                }
            }
        }
    }
    return STATUS_NOT_FOUND;
}

/* The first of a setting is its name. */
static const struct {
    const char *key;
    enum setting setting;
} plain[] = {
    {"train.lr", SETTING_RATE},
    {"train.lr.peak", SETTING_RATE},
    {"train.optimizer.weight_decay", SETTING_WEIGHT_DECAY},
    {"train.clip", SETTING_CLIP},
};
enum { PLAIN_COUNT = sizeof(plain) / sizeof(plain[0]) };

enum status job_find_setting(const struct job_spec *spec,
                             const char *key,
                             uint32_t *out_setting)
{
    for (size_t i = 0; i < PLAIN_COUNT; i++) {
        if (same(key, plain[i].key)) {
            *out_setting = plain[i].setting;
            return STATUS_OK;
        }
    }
    return find_policy_setting(spec, key, out_setting);
}

void job_setting_path(const struct job_spec *spec, uint32_t setting, char *out)
{
    uint32_t rest = setting - SETTING_POLICY_BASE;
    uint32_t role = rest / SETTING_ROLE;
    uint32_t index = rest % SETTING_ROLE / SETTING_POLICY;
    uint32_t key = rest % SETTING_POLICY;
    struct text text;

    if (setting >= SETTING_POLICY_BASE && key < keys_count(spec, role, index)) {
        enum policy_id policy = spec->roles[role].policies[index].policy;

        job_policy_path(spec, (enum role)role, index,
                        policy_find(policy)->keys[key].name, out);
        return;
    }
    text_init(&text, out, JOB_PATH_BYTES_MAX);
    for (size_t i = 0; i < PLAIN_COUNT; i++) {
        if (setting == (uint32_t)plain[i].setting) {
            text_add(&text, plain[i].key);
            return;
        }
    }
}

/* Where the setting rests in spec; NULL: there is no such setting. */
static double *setting_place(struct job_spec *spec, uint32_t setting)
{
    uint32_t rest = setting - SETTING_POLICY_BASE;
    uint32_t role = rest / SETTING_ROLE;
    uint32_t index = rest % SETTING_ROLE / SETTING_POLICY;
    uint32_t key = rest % SETTING_POLICY;

    switch (setting) {
    case SETTING_RATE:
        return &spec->train.rate.peak;
    case SETTING_WEIGHT_DECAY:
        return &spec->train.optimizer.weight_decay;
    case SETTING_CLIP:
        return &spec->train.clip;
    default:
        break;
    }
    if (setting < SETTING_POLICY_BASE || key >= keys_count(spec, role, index) ||
        !may_be_set(spec->roles[role].policies[index].policy, key)) {
        return NULL;
    }
    return &spec->roles[role].policies[index].value[key];
}

enum status job_apply_setting(struct job_spec *spec,
                              uint32_t setting,
                              double value)
{
    double *place = setting_place(spec, setting);
    struct job_faults faults;
    double before;

    if (place == NULL) {
        return STATUS_INVALID;
    }
    before = *place;
    *place = value;
    job_faults(spec, &faults);
    if (faults.count > 0) {
        *place = before;
        return STATUS_INVALID;
    }
    return STATUS_OK;
}
