#include "base/keyring.h"

#include "base/access.h"
#include "base/keyfile.h"
#include "base/limits.h"
#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* A key, a line's end (of either kind), and one more to see that there is
     * too much. */
    FILE_BYTES_MAX = CURVEKEY_TEXT + 3
};

struct entry {
    char name[NAME_BYTES_MAX];
    uint64_t stamp; /* of its file */
    bool good;
    struct curvekey key;
};

struct keyring {
    char workers[PATH_BYTES_MAX]; /* directory; "": a worker's ring */
    struct curvekey_pair own;
    struct curvekey coordinator;
    uint32_t count;
    struct entry *entries; /* by name */
};

enum status keyring_parse(const char *text, size_t size, struct curvekey *out)
{
    if (size > 0 && text[size - 1] == '\n') {
        size--;
    }
    if (size > 0 && text[size - 1] == '\r') {
        size--;
    }
    return curvekey_parse(text, size, out);
}

static void say(char why[ERROR_BYTES_MAX], const char *path, const char *what)
{
    struct text text;

    text_init(&text, why, ERROR_BYTES_MAX);
    text_add(&text, path);
    text_add(&text, what);
}

static enum status read_key(const char *dir,
                            const char *name,
                            enum keyfile_kind kind,
                            struct curvekey *out,
                            char why[ERROR_BYTES_MAX])
{
    char path[PATH_BYTES_MAX];
    struct keyfile file = {.text = NULL};
    enum status status = keyfile_path(dir, name, path);

    if (status != STATUS_OK) {
        say(why, dir, ": its path is too long.");
        return status;
    }
    status =
        keyfile_read(path, kind, FILE_BYTES_MAX, &file, why, ERROR_BYTES_MAX);
    if (status != STATUS_OK) {
        return status;
    }
    status = keyring_parse(file.text, file.size, out);
    if (status != STATUS_OK) {
        say(why, path, " is no CURVE key: one line of 40 characters (Z85).");
    }
    keyfile_free(&file);
    return status;
}

/* --- Who may come in --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name,
                  ((const struct entry *)b)->name);
}

/* "NAME.pub"; anything else in the directory is none of ours. */
static bool take_name(const char *file, char out[NAME_BYTES_MAX])
{
    static const char end[] = ".pub";
    size_t size = strlen(file);

    if (size < sizeof(end) || strcmp(file + size - strlen(end), end) != 0) {
        return false;
    }
    size -= strlen(end);
    if (!access_is_name(file, size)) {
        return false;
    }
    memcpy(out, file, size);
    out[size] = '\0';
    return true;
}

static bool make_path(const struct keyring *keyring,
                      const char *name,
                      char out[PATH_BYTES_MAX])
{
    int length =
        snprintf(out, PATH_BYTES_MAX, "%s/%s.pub", keyring->workers, name);

    return length > 0 && length < PATH_BYTES_MAX;
}

/* Names and stamps, without a look into the files. */
static enum status list(const struct keyring *keyring,
                        struct entry *entries,
                        uint32_t *out_count)
{
    DIR *dir = opendir(keyring->workers);
    const struct dirent *item = NULL;
    uint32_t count = 0;

    if (dir == NULL) {
        return STATUS_NOT_FOUND;
    }
    while ((item = readdir(dir)) != NULL) {
        struct entry *entry = &entries[count];
        char path[PATH_BYTES_MAX];

        if (count == KEYRING_NAMES_MAX) {
            log_line(LOG_WARN, "keyring", "too_many_keys", "dir=\"%s\" max=%d",
                     keyring->workers, KEYRING_NAMES_MAX);
            break;
        }
        *entry = (struct entry){.good = false};
        if (take_name(item->d_name, entry->name) &&
            make_path(keyring, entry->name, path)) {
            entry->stamp = keyfile_stamp(path);
            count++;
        }
    }
    (void)closedir(dir);
    qsort(entries, count, sizeof(*entries), by_name);
    *out_count = count;
    return STATUS_OK;
}

static void read_entry(const struct keyring *keyring, struct entry *entry)
{
    char file[NAME_BYTES_MAX + sizeof(".pub")];
    char why[ERROR_BYTES_MAX] = "";
    enum status status = STATUS_OK;

    (void)snprintf(file, sizeof(file), "%s.pub", entry->name);
    status = read_key(keyring->workers, file, KEYFILE_PUBLIC, &entry->key, why);
    entry->good = status == STATUS_OK;
    if (status == STATUS_NO_MEMORY) {
        entry->stamp = 0; /* nothing was wrong with the file: again */
    }
    if (!entry->good) {
        log_line(LOG_WARN, "keyring", "key_refused", "worker=%s why=\"%s\"",
                 entry->name, why);
    }
}

/* A key of two names is nobody's: it would not say who comes. */
static void refuse_doubles(struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool doubled = false;

        for (uint32_t j = i + 1; entries[i].good && j < count; j++) {
            if (entries[j].good &&
                curvekey_equal(&entries[i].key, &entries[j].key)) {
                log_line(LOG_WARN, "keyring", "key_of_two_names",
                         "worker=%s other=%s", entries[i].name,
                         entries[j].name);
                entries[j].good = false;
                doubled = true;
            }
        }
        entries[i].good = entries[i].good && !doubled;
    }
}

static bool is_same(const struct keyring *keyring,
                    const struct entry *entries,
                    uint32_t count)
{
    if (count != keyring->count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(entries[i].name, keyring->entries[i].name) != 0 ||
            entries[i].stamp != keyring->entries[i].stamp) {
            return false;
        }
    }
    return true;
}

/* A directory that cannot be read lets nobody in: it may have been taken away
 * just to that end. */
bool keyring_refresh(struct keyring *keyring)
{
    struct entry *entries = NULL;
    struct entry *old = keyring->entries;
    uint32_t count = 0;

    if (keyring->workers[0] == '\0') {
        return false;
    }
    entries = mem_array(KEYRING_NAMES_MAX, sizeof(*entries));
    if (entries == NULL) {
        return false; /* in a second, again */
    }
    if (list(keyring, entries, &count) != STATUS_OK) {
        count = 0;
    }
    if (old != NULL && is_same(keyring, entries, count)) {
        mem_free(entries);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        read_entry(keyring, &entries[i]);
    }
    refuse_doubles(entries, count);
    keyring->entries = entries;
    keyring->count = count;
    mem_free(old);
    log_line(LOG_INFO, "keyring", "keys_read", "dir=\"%s\" known=%u",
             keyring->workers, (unsigned)keyring_count(keyring));
    return true;
}

const char *keyring_name(const struct keyring *keyring,
                         const struct curvekey *key)
{
    for (uint32_t i = 0; i < keyring->count; i++) {
        if (keyring->entries[i].good &&
            curvekey_equal(&keyring->entries[i].key, key)) {
            return keyring->entries[i].name;
        }
    }
    return NULL;
}

uint32_t keyring_count(const struct keyring *keyring)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < keyring->count; i++) {
        count += keyring->entries[i].good ? 1 : 0;
    }
    return count;
}

uint32_t keyring_keys(const struct keyring *keyring, struct curvekey *keys)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < keyring->count; i++) {
        if (keyring->entries[i].good) {
            keys[count++] = keyring->entries[i].key;
        }
    }
    return count;
}

/* --- Opening --- */

static enum status read_own(struct keyring *keyring,
                            const char *dir,
                            char why[ERROR_BYTES_MAX])
{
    enum status status =
        read_key(dir, "curve.key", KEYFILE_SECRET, &keyring->own.secret, why);

    if (status == STATUS_OK) {
        status = read_key(dir, "curve.pub", KEYFILE_PUBLIC, &keyring->own.shown,
                          why);
    }
    if (status == STATUS_OK) {
        status = link_keys_check(&keyring->own);
        if (status != STATUS_OK) {
            say(why, dir,
                ": curve.pub and curve.key in it are not of one pair.");
        }
    }
    return status;
}

static enum status read_all(struct keyring *keyring,
                            const char *dir,
                            enum keyring_side side,
                            char why[ERROR_BYTES_MAX])
{
    char own[PATH_BYTES_MAX];
    enum status status = STATUS_OK;

    if (side == KEYRING_WORKER) {
        status = read_own(keyring, dir, why);
        if (status == STATUS_OK) {
            status = read_key(dir, "coordinator.pub", KEYFILE_PUBLIC,
                              &keyring->coordinator, why);
        }
        return status;
    }
    status = keyfile_path(dir, "coordinator", own);
    if (status == STATUS_OK) {
        status = keyfile_path(dir, "workers", keyring->workers);
    }
    if (status != STATUS_OK) {
        say(why, dir, ": its path is too long.");
        return status;
    }
    status = read_own(keyring, own, why);
    if (status == STATUS_OK) {
        (void)keyring_refresh(keyring);
        status = keyring->entries != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    return status;
}

enum status keyring_open(const char *dir,
                         enum keyring_side side,
                         char *why,
                         size_t why_size,
                         struct keyring **out)
{
    char text[ERROR_BYTES_MAX] = "there is no memory for the keys.";
    struct keyring *keyring = mem_new(sizeof(*keyring));
    enum status status = STATUS_NO_MEMORY;

    if (keyring != NULL) {
        status = read_all(keyring, dir, side, text);
    }
    if (status != STATUS_OK) {
        (void)snprintf(why, why_size, "%s", text);
        keyring_close(keyring);
        return status;
    }
    *out = keyring;
    return STATUS_OK;
}

void keyring_close(struct keyring *keyring)
{
    if (keyring == NULL) {
        return;
    }
    mem_free(keyring->entries);
    /* The secret does not stay behind in freed memory. */
    for (volatile unsigned char *byte = keyring->own.secret.b;
         byte < keyring->own.secret.b + CURVEKEY_BYTES; byte++) {
        *byte = 0;
    }
    mem_free(keyring);
}

const struct curvekey_pair *keyring_own(const struct keyring *keyring)
{
    return &keyring->own;
}

const struct curvekey *keyring_coordinator(const struct keyring *keyring)
{
    return &keyring->coordinator;
}
