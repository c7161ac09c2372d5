#include "coordinator/shell/requests/setting.h"

#include "base/mem.h"
#include "proto/codec.h"
#include "proto/jobcheck.h"
#include "proto/quantity.h"
#include "proto/suggest.h"

#include <stdio.h>
#include <string.h>

enum {
    KEY_BYTES_MAX = 128,
    /* Digits of job_find_setting's number. */
    PER_ROLE = 100,
    PER_POLICY = 10
};

/* How the value of a setting is written. */
static enum value_kind kind_of(const struct job_spec *spec, uint32_t setting)
{
    uint32_t rest = setting - SETTING_POLICY_BASE;
    uint32_t role = rest / PER_ROLE;
    uint32_t index = rest % PER_ROLE / PER_POLICY;
    uint32_t key = rest % PER_POLICY;
    const struct policy_entry *entry = NULL;

    if (setting < SETTING_POLICY_BASE || role >= ROLES_COUNT ||
        index >= spec->roles[role].count) {
        return VALUE_NUMBER;
    }
    entry = policy_find(spec->roles[role].policies[index].policy);
    for (uint32_t k = 0; entry != NULL && entry->keys[k].name != NULL; k++) {
        if (k == key) {
            return entry->keys[k].kind;
        }
    }
    return VALUE_NUMBER;
}

static bool is_word(const struct quantity *quantity, const char *word)
{
    size_t size = strlen(word);

    return quantity->unit_size == size &&
           memcmp(quantity->unit, word, size) == 0;
}

/* "step" or "steps". */
static bool is_counted(const struct quantity *quantity, const char *word)
{
    size_t size = strlen(word);

    return (quantity->unit_size == size ||
            (quantity->unit_size == size + 1 && quantity->unit[size] == 's')) &&
           memcmp(quantity->unit, word, size) == 0;
}

/* A percentage is made a ratio. */
static bool unit_fits(struct quantity *quantity, enum value_kind kind)
{
    bool bare = quantity->unit_size == 0;

    switch (kind) {
    case VALUE_NUMBER:
        return bare;
    case VALUE_RATIO:
        if (is_word(quantity, "%")) {
            quantity_percent(quantity);
            return true;
        }
        return bare;
    case VALUE_OF_MEAN:
        if (is_word(quantity, "% of mean")) {
            quantity_percent(quantity);
            return true;
        }
        return is_word(quantity, "of mean");
    case VALUE_STEPS:
        return is_counted(quantity, "step");
    case VALUE_INTERVALS:
        return is_counted(quantity, "interval");
    case VALUE_UNITS:
        return bare || is_counted(quantity, "unit");
    }
    return false;
}

static const char *example_of(enum value_kind kind)
{
    switch (kind) {
    case VALUE_NUMBER:
        return "1e-3";
    case VALUE_RATIO:
        return "1%";
    case VALUE_OF_MEAN:
        return "1% of mean";
    case VALUE_STEPS:
        return "100 steps";
    case VALUE_INTERVALS:
        return "5 intervals";
    case VALUE_UNITS:
        return "16 units";
    }
    return "1";
}

static enum status check(const struct job_spec *spec,
                         const struct grant_setting *setting,
                         const char *key,
                         char *why)
{
    struct job_spec *copy = mem_new(sizeof(*copy));
    enum status status = STATUS_NO_MEMORY;

    if (copy != NULL) {
        *copy = *spec;
        status = job_apply_setting(copy, setting->setting, setting->value);
        mem_free(copy);
    }
    if (status != STATUS_OK) {
        (void)snprintf(why, ERROR_BYTES_MAX,
                       "%s cannot have this value: it is out of range", key);
    }
    return status;
}

/* The key that may be set and is nearest to the one typed; "": none is near.
 * out: JOB_PATH_BYTES_MAX. */
static void nearest(const struct job_spec *spec, const char *typed, char *out)
{
    struct suggest suggest;
    uint32_t last = SETTING_POLICY_BASE + ROLES_COUNT * PER_ROLE;

    suggest_init(&suggest, typed, strlen(typed));
    out[0] = '\0';
    for (uint32_t setting = SETTING_RATE; setting < last; setting++) {
        char key[JOB_PATH_BYTES_MAX];
        uint32_t found = 0;

        job_setting_path(spec, setting, key);
        if (key[0] == '\0' ||
            job_find_setting(spec, key, &found) != STATUS_OK) {
            continue; /* no such key, or one that stays */
        }
        suggest_offer(&suggest, key);
        if (suggest.best != NULL) {
            memcpy(out, key, sizeof(key));
            suggest.best = NULL; /* key ends with this turn */
        }
    }
}

/* Why key cannot be set, and what can. */
static void refuse_key(const struct job_spec *spec, const char *key, char *why)
{
    char near[JOB_PATH_BYTES_MAX] = "";
    size_t size = strlen(key);

    if (size >= KEY_BYTES_MAX ||
        !codec_printable((const unsigned char *)key, size)) {
        key = "this key";
    } else {
        nearest(spec, key, near);
    }
    if (near[0] != '\0') {
        (void)snprintf(why, ERROR_BYTES_MAX,
                       "%s cannot be set while a job runs. Did you mean %s?",
                       key, near);
        return;
    }
    (void)snprintf(why, ERROR_BYTES_MAX,
                   "%s cannot be set while a job runs. Try train.lr, or a key "
                   "of one of the job's policies, like plasticity.renew.rate",
                   key);
}

enum status setting_parse(const struct job_spec *spec,
                          const char *key,
                          const char *value,
                          struct grant_setting *out,
                          char *why)
{
    struct grant_setting setting = {.setting = 0};
    struct quantity quantity;
    enum value_kind kind = VALUE_NUMBER;
    size_t size = strlen(key);

    if (job_find_setting(spec, key, &setting.setting) != STATUS_OK) {
        refuse_key(spec, key, why);
        return STATUS_INVALID;
    }
    kind = kind_of(spec, setting.setting);
    size = strlen(value);
    if (size >= KEY_BYTES_MAX || !quantity_parse(value, size, &quantity) ||
        !unit_fits(&quantity, kind) ||
        quantity_real(&quantity, &setting.value) != QUANTITY_FINE) {
        (void)snprintf(why, ERROR_BYTES_MAX, "%s takes a value like this: %s",
                       key, example_of(kind));
        return STATUS_INVALID;
    }
    *out = setting;
    return check(spec, &setting, key, why);
}
