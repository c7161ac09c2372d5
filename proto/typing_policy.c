#include "proto/typing.h"

#include "base/text.h"
#include "proto/jobcheck.h"
#include "proto/suggest.h"
#include <string.h>

enum { NAMES_MAX = POLICY_KEYS_MAX + 1 };

/* Known from the literature and not built yet. */
static bool is_planned(const struct yamlnode *node)
{
    static const char *const names[] = {
        "redo",
        "ReDo",
        "shrink-and-perturb",
        "dropin",
        "Dropin",
        "novelty",
        "gradmax",
        "saturation",
        "GradMax",
        "cascade",
        "magnitude",
        "taylor",
        "Taylor",
        "optimal-brain-damage",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (yamlnode_is(node, names[i])) {
            return true;
        }
    }
    return false;
}

static void add_policies(struct text *text, uint32_t role)
{
    size_t count;
    const struct policy_entry *table = policy_table(&count);
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if ((uint32_t)table[i].role == role) {
            text_add(text, first ? "" : ", ");
            text_add(text, table[i].name);
            first = false;
        }
    }
}

static const struct policy_entry *entry_of(const struct yamlnode *node)
{
    size_t count;
    const struct policy_entry *table = policy_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (yamlnode_is(node, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

/* Not a policy of the role: of another one, of another release, mistyped. */
static void fail_policy(struct typing *typing,
                        const struct schema_key *row,
                        const struct typing_at *at)
{
    const struct policy_entry *entry = entry_of(at->node);
    size_t count;
    const struct policy_entry *table = policy_table(&count);
    char buffer[256];
    struct suggest suggest;
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    jobfile_quote(&text, at->node->text, at->node->text_size);
    if (entry != NULL) {
        text_add(&text, " is a policy of plasticity.");
        text_add(&text, role_name((enum role)entry->role));
        text_add(&text, "; here there is: ");
        add_policies(&text, row->role);
    } else if (is_planned(at->node)) {
        text_add(&text, " is not in this release; there is: ");
        add_policies(&text, row->role);
    } else {
        text_add(&text, " is no policy; there is: ");
        add_policies(&text, row->role);
        suggest_init(&suggest, at->node->text, at->node->text_size);
        for (size_t i = 0; i < count; i++) {
            if ((uint32_t)table[i].role == row->role) {
                suggest_offer(&suggest, table[i].name);
            }
        }
        if (suggest.best != NULL) {
            text_add(&text, ". Did you mean \"");
            text_add(&text, suggest.best);
            text_add(&text, "\"?");
        }
    }
    typing_fail(typing, at, buffer, "");
}

/* `max_units: 512` says its unit in its name. */
static bool names_units(const struct policy_key *key)
{
    return strstr(key->name, "units") != NULL;
}

static bool type_key(struct typing *typing,
                     const struct policy_key *key,
                     const struct typing_at *at,
                     double *out)
{
    struct typing_unit unit = {NULL, false};
    uint64_t whole = 0;

    switch (key->kind) {
    case VALUE_NUMBER:
        return typing_real(typing, at, out);
    case VALUE_RATIO:
        return typing_ratio(typing, at, false, out);
    case VALUE_OF_MEAN:
        return typing_ratio(typing, at, true, out);
    case VALUE_STEPS:
        unit.name = "steps";
        break;
    case VALUE_INTERVALS:
        unit.name = "intervals";
        break;
    case VALUE_UNITS:
        unit.name = "units";
        unit.bare = names_units(key);
        break;
    }
    if (!typing_whole(typing, at, unit, &whole)) {
        return false;
    }
    *out = (double)whole;
    return true;
}

static void example_of(const struct policy_key *key, char *out, size_t size)
{
    static const char *const values[] = {
        [VALUE_NUMBER] = "1e-4",           [VALUE_RATIO] = "1%",
        [VALUE_OF_MEAN] = "1% of mean",    [VALUE_STEPS] = "100 steps",
        [VALUE_INTERVALS] = "5 intervals", [VALUE_UNITS] = "16 units",
    };
    struct text text;

    text_init(&text, out, size);
    text_add(&text, key->name);
    text_add(&text, ": ");
    text_add(&text, values[key->kind]);
}

/* The index of the policy's key of that name; UINT32_MAX: none. */
static uint32_t key_index(const struct policy_entry *entry,
                          const struct yamlnode *name)
{
    for (uint32_t k = 0; entry->keys[k].name != NULL; k++) {
        if (yamlnode_is(name, entry->keys[k].name)) {
            return k;
        }
    }
    return UINT32_MAX;
}

/* `every` of a plateau: a key of another policy, in the wrong company. */
static bool fail_foreign_key(struct typing *typing,
                             const struct policy_entry *entry,
                             const struct typing_at *at)
{
    size_t count;
    const struct policy_entry *table = policy_table(&count);
    char buffer[128];
    struct text text;

    for (size_t i = 0; i < count; i++) {
        if (key_index(&table[i], at->node->key) == UINT32_MAX) {
            continue;
        }
        text_init(&text, buffer, sizeof(buffer));
        text_add(&text, "unknown key of ");
        text_add(&text, entry->name);
        text_add(&text, "; it belongs to the policy ");
        text_add(&text, table[i].name);
        typing_fail_key(typing, at, buffer, "");
        return true;
    }
    return false;
}

static void type_policy_key(struct typing *typing,
                            const struct schema_key *row,
                            const struct policy_entry *entry,
                            struct typing_at *at)
{
    const char *known[NAMES_MAX + 1] = {"policy"};
    struct policy_spec *policy =
        &typing->spec->roles[row->role].policies[at->index];
    uint32_t k = key_index(entry, at->node->key);
    char example[64];

    if (k == UINT32_MAX && fail_foreign_key(typing, entry, at)) {
        return;
    }
    if (k == UINT32_MAX) {
        for (k = 0; entry->keys[k].name != NULL; k++) {
            known[k + 1] = entry->keys[k].name;
        }
        known[k + 1] = NULL;
        typing_unknown(typing, at, known);
        return;
    }
    example_of(&entry->keys[k], example, sizeof(example));
    at->example = example;
    (void)type_key(typing, &entry->keys[k], at, &policy->value[k]);
    if (at->node->source > 0) {
        typing->origins->policy_set[row->role][at->index] |= 1u << k;
    } else {
        typing->origins->policy_file[row->role][at->index] |= 1u << k;
    }
}

static void check_given(struct typing *typing,
                        const struct policy_entry *entry,
                        const struct typing_at *at)
{
    for (size_t k = 0; entry->keys[k].name != NULL; k++) {
        const struct policy_key *key = &entry->keys[k];
        struct typing_at missing = *at;
        char example[64];
        struct text text;

        if (key->initial == key->initial || /* not NaN: it has a default */
            yamlnode_child(at->node, key->name, strlen(key->name)) != NULL) {
            continue;
        }
        text_init(&text, missing.path, sizeof(missing.path));
        text_add(&text, at->path);
        text_add(&text, ".");
        text_add(&text, key->name);
        example_of(key, example, sizeof(example));
        missing.example = example;
        typing_fail_key(typing, &missing, "is missing", "");
    }
}

static void type_policy_keys(struct typing *typing,
                             const struct schema_key *row,
                             const struct policy_entry *entry,
                             const struct typing_at *at)
{
    struct policy_spec *policy =
        &typing->spec->roles[row->role].policies[at->index];

    policy->policy = entry->id;
    for (size_t k = 0; entry->keys[k].name != NULL; k++) {
        bool given = entry->keys[k].initial != entry->keys[k].initial;

        policy->value[k] =
            given ? entry->keys[k].least : entry->keys[k].initial;
    }
    if (at->node->kind != YAMLNODE_MAPPING) {
        check_given(typing, entry, at);
        return;
    }
    for (const struct yamlnode *c = at->node->first; c != NULL; c = c->next) {
        struct typing_at child;

        typing_child(at, c, &child);
        if (typing_skips(typing, at->node, &child) ||
            yamlnode_is(c->key, "policy")) {
            continue;
        }
        type_policy_key(typing, row, entry, &child);
    }
    check_given(typing, entry, at);
}

/* `{policy: plateau, ...}`, or the bare name of a policy. */
static void type_policy(struct typing *typing,
                        const struct schema_key *row,
                        const struct typing_at *at)
{
    struct typing_at name = *at;
    const struct policy_entry *entry;

    if (at->node->kind == YAMLNODE_MAPPING) {
        name.node = yamlnode_child(at->node, "policy", strlen("policy"));
        if (name.node == NULL) {
            typing_fail_key(typing, at, "names no policy", "");
            return;
        }
        typing_child(at, name.node, &name);
        name.example = row->example;
    }
    if (name.node->kind != YAMLNODE_SCALAR || yamlnode_empty(name.node)) {
        typing_fail_key(typing, &name, "must name a policy", "");
        return;
    }
    entry = entry_of(name.node);
    if (entry == NULL || (uint32_t)entry->role != row->role) {
        fail_policy(typing, row, &name);
        return;
    }
    type_policy_keys(typing, row, entry, at);
}

void typing_policies(struct typing *typing,
                     const struct schema_key *row,
                     const struct typing_at *at)
{
    struct role_spec *role = &typing->spec->roles[row->role];
    struct typing_at one = *at;
    uint32_t count = 0;

    if (at->node->kind != YAMLNODE_SEQUENCE) {
        one.index = 0;
        role->count = 1;
        type_policy(typing, row, &one);
        return;
    }
    for (const struct yamlnode *c = at->node->first; c != NULL; c = c->next) {
        struct text text;

        if (count == POLICIES_MAX) {
            typing_fail(typing, at, "takes at most 4 policies", "");
            break;
        }
        one.node = c;
        one.index = count++;
        text_init(&text, one.path, sizeof(one.path));
        text_add(&text, at->path);
        text_add(&text, "[");
        text_u64(&text, one.index);
        text_add(&text, "]");
        type_policy(typing, row, &one);
    }
    role->count = count;
}
