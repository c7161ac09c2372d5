#include "proto/schema.h"

#include <string.h>

/* What other tools call it, and the path that it has here. */
static const struct {
    const char *there;
    const char *here;
} synonyms[] = {
    {"learning_rate", "train.lr"},
    {"rate", "train.lr"},
    {"batch_size", "train.batch"},
    {"epochs", "data.tasks.passes"},
    {"max_steps", "stop.any.steps"},
    {"layers", "model.hidden"},
    {"hidden_layers", "model.hidden"},
    {"neurons", "model.hidden.units"},
    {"width", "model.hidden.units"},
    {"eps", "train.optimizer.epsilon"},
    {"grad_clip", "train.clip"},
    {"num_workers", "run.workers"},
    {"max_width", "plasticity.grow.max_units"},
    {"dataset", "data"},
    {"holdout", "data.hold_out"},
};

const char *schema_name(const struct schema_key *key)
{
    const char *dot = strrchr(key->path, '.');

    return dot == NULL ? key->path : dot + 1;
}

size_t schema_index(const struct schema_key *key)
{
    size_t count;

    return (size_t)(key - schema_table(&count));
}

bool schema_is_child(const struct schema_key *key, const char *parent)
{
    size_t size = strlen(parent);
    const char *name = schema_name(key);

    if (size == 0) {
        return name == key->path && strchr(name, '[') == NULL;
    }
    return (size_t)(name - key->path) == size + 1 &&
           strncmp(key->path, parent, size) == 0 && strchr(name, '[') == NULL;
}

static bool is_word(const char *word, const char *text, size_t size)
{
    return strlen(word) == size && memcmp(word, text, size) == 0;
}

const struct schema_key *schema_find(const char *parent,
                                     const char *key,
                                     size_t key_size)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (schema_is_child(&table[i], parent) &&
            is_word(schema_name(&table[i]), key, key_size)) {
            return &table[i];
        }
    }
    return NULL;
}

const struct schema_key *schema_row(const char *path)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].path, path) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

const struct schema_key *schema_element(const struct schema_key *list)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);
    size_t size = strlen(list->path);

    for (size_t i = 0; i < count; i++) {
        if (strncmp(table[i].path, list->path, size) == 0 &&
            strcmp(table[i].path + size, "[]") == 0) {
            return &table[i];
        }
    }
    return NULL;
}

const char *schema_synonym(const char *key, size_t key_size)
{
    for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
        if (is_word(synonyms[i].there, key, key_size)) {
            return synonyms[i].here;
        }
    }
    return NULL;
}

bool schema_find_elsewhere(const char *key,
                           size_t key_size,
                           struct text *out_path)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (table[i].type == SCHEMA_REFUSED ||
            !is_word(schema_name(&table[i]), key, key_size)) {
            continue;
        }
        for (const char *c = table[i].path; *c != '\0'; c++) {
            if (*c != '[' && *c != ']') {
                text_add_bytes(out_path, c, 1);
            }
        }
        return true;
    }
    return false;
}

bool schema_is_secret(const char *key, size_t key_size)
{
    static const char *const words[] = {
        "password", "passwd",     "passphrase", "token",     "secret",
        "apikey",   "credential", "privatekey", "accesskey",
    };
    char plain[SCHEMA_PATH_BYTES_MAX];
    size_t used = 0;

    for (size_t i = 0; i < key_size && used < sizeof(plain); i++) {
        char c = key[i];

        if (c == '_' || c == '-' || c == ' ') {
            continue;
        }
        plain[used++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    if (used > 0 && plain[used - 1] == 's') {
        used--; /* the plural */
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t size = strlen(words[i]);

        if (size <= used && memcmp(plain + used - size, words[i], size) == 0) {
            return true;
        }
    }
    return false;
}
