/* keydir_list.c - what is in a directory of keys. */
#include "client/keydir.h"

#include "base/mem.h"
#include "client/keydir_inside.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED_MAX = 4096 };

static bool read_certificate(struct keydir *dir,
                             const char *file,
                             struct x509_facts *out)
{
    char path[PATH_BYTES_MAX];
    char pem[X509_CERTIFICATE_BYTES_MAX];

    return keydir_path(dir, path, "%s", file) == STATUS_OK &&
           keydir_get(dir, path, KEYFILE_PUBLIC, pem, sizeof(pem)) ==
               STATUS_OK &&
           x509_read(pem, out) == STATUS_OK;
}

static void tell_own(struct keydir *dir, keydir_fn *fn, void *owner)
{
    struct keydir_entry entry = {.kind = KEYDIR_CA, .name = "ca"};
    struct x509_facts facts;
    size_t used = 0;

    if (read_certificate(dir, "ca.crt", &facts)) {
        entry.until_s = facts.until_s;
        fn(owner, &entry);
    }
    entry = (struct keydir_entry){.kind = KEYDIR_COORDINATOR,
                                  .name = "coordinator"};
    if (!read_certificate(dir, "coordinator/tls.crt", &facts)) {
        return;
    }
    entry.until_s = facts.until_s;
    for (unsigned i = 0; i < facts.hosts_count; i++) {
        int length = snprintf(entry.hosts + used, sizeof(entry.hosts) - used,
                              "%s%s", i > 0 ? " " : "", facts.hosts[i]);

        used += length > 0 ? (size_t)length : 0;
        if (used >= sizeof(entry.hosts)) {
            break; /* cut; the text is whole up to there */
        }
    }
    fn(owner, &entry);
}

static enum status load(struct keydir *dir,
                        const char *file,
                        enum access_kind kind,
                        struct access_list *out)
{
    char path[PATH_BYTES_MAX];
    struct keyfile text = {.text = NULL};
    uint32_t line = 0;
    enum status status = keydir_path(dir, path, "%s", file);

    out->count = 0;
    if (status != STATUS_OK) {
        return status;
    }
    status = keyfile_read(path, KEYFILE_PUBLIC, KEYFILE_LIST_BYTES_MAX, &text,
                          dir->why, sizeof(dir->why));
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = access_parse(kind, text.text, text.size, out, &line);
        if (status != STATUS_OK) {
            (void)keydir_say(dir, status, "line %u of %s is wrong.",
                             (unsigned)line, path);
        }
    }
    keyfile_free(&text);
    return status;
}

static void tell_client(struct keydir *dir,
                        const char *name,
                        const struct access_list *lists,
                        keydir_fn *fn,
                        void *owner)
{
    struct keydir_entry entry = {.kind = KEYDIR_CLIENT};
    char file[2 * NAME_BYTES_MAX];
    struct x509_facts facts;
    const struct access_entry *found = NULL;

    (void)snprintf(entry.name, sizeof(entry.name), "%s", name);
    (void)snprintf(file, sizeof(file), "clients/%s/tls.crt", name);
    if (read_certificate(dir, file, &facts)) {
        entry.until_s = facts.until_s;
        found = access_by_name(&lists[0], name);
    } else {
        entry.kind = KEYDIR_TOKEN;
        found = access_by_name(&lists[1], name);
    }
    entry.role = found != NULL ? found->role : ACCESS_NONE;
    fn(owner, &entry);
}

static void tell_worker(const char *file, keydir_fn *fn, void *owner)
{
    struct keydir_entry entry = {.kind = KEYDIR_WORKER};

    (void)snprintf(entry.name, sizeof(entry.name), "%.*s",
                   (int)(strlen(file) - strlen(".pub")), file);
    fn(owner, &entry);
}

static bool ends_in_pub(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && strcmp(name + length - 4, ".pub") == 0;
}

struct names {
    char (*names)[NAME_BYTES_MAX];
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Those that are names of ours, in order; at most LISTED_MAX. */
static enum status read_names(struct keydir *dir,
                              const char *path,
                              struct names *out)
{
    DIR *directory = opendir(path);
    struct dirent *entry = NULL;

    out->count = 0;
    if (directory == NULL) {
        return STATUS_OK;
    }
    out->names = mem_array(LISTED_MAX, NAME_BYTES_MAX);
    if (out->names == NULL) {
        (void)closedir(directory);
        return keydir_say(dir, STATUS_NO_MEMORY, "out of memory.");
    }
    while (out->count < LISTED_MAX && (entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);

        if (access_is_name(entry->d_name, length)) {
            memcpy(out->names[out->count++], entry->d_name, length + 1);
        }
    }
    (void)closedir(directory);
    qsort(out->names, out->count, NAME_BYTES_MAX, by_text);
    return STATUS_OK;
}

static enum status each_in(struct keydir *dir,
                           const char *folder,
                           const struct access_list *lists,
                           keydir_fn *fn,
                           void *owner)
{
    bool workers = strcmp(folder, "workers") == 0;
    struct names names = {.names = NULL};
    char path[PATH_BYTES_MAX];
    enum status status = keydir_path(dir, path, "%s", folder);

    if (status == STATUS_OK) {
        status = read_names(dir, path, &names);
    }
    for (size_t i = 0; status == STATUS_OK && i < names.count; i++) {
        if (!workers) {
            tell_client(dir, names.names[i], lists, fn, owner);
        } else if (ends_in_pub(names.names[i])) {
            tell_worker(names.names[i], fn, owner);
        }
    }
    mem_free(names.names);
    return status;
}

enum status keydir_each(struct keydir *dir, keydir_fn *fn, void *owner)
{
    struct access_list *lists = mem_array(2, sizeof(*lists));
    enum status status = STATUS_OK;

    if (lists == NULL) {
        return keydir_say(dir, STATUS_NO_MEMORY, "out of memory.");
    }
    status = load(dir, "roles", ACCESS_ROLES, &lists[0]);
    if (status == STATUS_OK) {
        status = load(dir, "tokens", ACCESS_TOKENS, &lists[1]);
    }
    if (status == STATUS_OK) {
        tell_own(dir, fn, owner);
        status = each_in(dir, "workers", lists, fn, owner);
    }
    if (status == STATUS_OK) {
        status = each_in(dir, "clients", lists, fn, owner);
    }
    mem_free(lists);
    return status;
}
