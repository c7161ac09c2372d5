#include "base/access.h"

#include "base/check.h"

#include <string.h>

enum { WORDS_MAX = 3 };

static const char *const role_names[] = {
    [ACCESS_NONE] = "none",
    [ACCESS_VIEWER] = "viewer",
    [ACCESS_OPERATOR] = "operator",
    [ACCESS_ADMIN] = "admin",
};

const char *access_role_name(enum access_role role)
{
    CHECK((unsigned)role <= ACCESS_ADMIN);
    return role_names[role];
}

enum access_role access_role_find(const char *word, size_t size)
{
    for (int role = ACCESS_VIEWER; role <= ACCESS_ADMIN; role++) {
        if (strlen(role_names[role]) == size &&
            memcmp(role_names[role], word, size) == 0) {
            return (enum access_role)role;
        }
    }
    return ACCESS_NONE;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9');
}

bool access_is_name(const char *name, size_t size)
{
    if (size == 0 || size >= NAME_BYTES_MAX || !is_letter_or_digit(name[0])) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_letter_or_digit(name[i]) && name[i] != '.' && name[i] != '_' &&
            name[i] != '-') {
            return false;
        }
    }
    return true;
}

/* --- One line --- */

struct word {
    const char *text;
    size_t size;
};

/* Splits a line; a comment is left out. WORDS_MAX + 1: too many. */
static size_t split(const char *line, size_t size, struct word *words)
{
    size_t count = 0;
    size_t at = 0;

    while (at < size && line[at] != '#') {
        size_t begin = at;

        if (line[at] == ' ' || line[at] == '\t' || line[at] == '\r') {
            at++;
            continue;
        }
        while (at < size && line[at] != ' ' && line[at] != '\t' &&
               line[at] != '\r' && line[at] != '#') {
            at++;
        }
        if (count == WORDS_MAX) {
            return WORDS_MAX + 1;
        }
        words[count++] = (struct word){line + begin, at - begin};
    }
    return count;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(const struct word *word, struct hash *out)
{
    if (word->size != ACCESS_HEX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < HASH_BYTES; i++) {
        int high = digit_of(word->text[2 * i]);
        int low = digit_of(word->text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out->b[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool read_name(const struct word *word, struct access_entry *out)
{
    if (!access_is_name(word->text, word->size)) {
        return false;
    }
    memcpy(out->name, word->text, word->size);
    return true;
}

static bool read_role(const struct word *word, struct access_entry *out)
{
    out->role = access_role_find(word->text, word->size);
    return out->role != ACCESS_NONE;
}

static bool read_entry(enum access_kind kind,
                       const struct word *words,
                       size_t count,
                       struct access_entry *out)
{
    memset(out, 0, sizeof(*out));
    switch (kind) {
    case ACCESS_ROLES:
        return count == 2 && read_name(&words[0], out) &&
               read_role(&words[1], out);
    case ACCESS_TOKENS:
        return count == 3 && read_name(&words[0], out) &&
               read_role(&words[1], out) && read_hash(&words[2], &out->hash);
    case ACCESS_REVOKED:
        return count == 2 && read_hash(&words[0], &out->hash) &&
               read_name(&words[1], out);
    }
    return false;
}

static bool is_twice(enum access_kind kind,
                     const struct access_list *list,
                     const struct access_entry *entry)
{
    switch (kind) {
    case ACCESS_ROLES:
        return access_by_name(list, entry->name) != NULL;
    case ACCESS_TOKENS:
        return access_by_hash(list, &entry->hash) != NULL;
    case ACCESS_REVOKED: /* revoked is revoked */
        break;
    }
    return false;
}

/* --- The whole --- */

enum status access_parse(enum access_kind kind,
                         const char *text,
                         size_t size,
                         struct access_list *out,
                         uint32_t *out_line)
{
    uint32_t line = 0;
    size_t at = 0;

    out->count = 0;
    while (at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - text) - at : size - at;
        struct word words[WORDS_MAX];
        size_t count = split(text + at, length, words);
        struct access_entry entry;

        line++;
        at += length + 1;
        if (count == 0) {
            continue;
        }
        if (out->count == ACCESS_MAX ||
            !read_entry(kind, words, count, &entry) ||
            is_twice(kind, out, &entry)) {
            out->count = 0;
            *out_line = line;
            return STATUS_INVALID;
        }
        out->entries[out->count++] = entry;
    }
    return STATUS_OK;
}

const struct access_entry *access_by_name(const struct access_list *list,
                                          const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0) {
            return &list->entries[i];
        }
    }
    return NULL;
}

const struct access_entry *access_by_hash(const struct access_list *list,
                                          const struct hash *hash)
{
    const struct access_entry *found = NULL;

    for (uint32_t i = 0; i < list->count; i++) {
        if (hash_equal_secret(&list->entries[i].hash, hash)) {
            found = &list->entries[i];
        }
    }
    return found;
}
