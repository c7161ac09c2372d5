#include "coordinator/shell/service/rights.h"

#include "base/keyfile.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LISTS_COUNT = 3 };

struct list {
    const char *file; /* below the directory */
    enum access_kind kind;
    uint64_t stamp;
    bool broken; /* and then nobody gets in by it */
    struct access_list entries;
};

struct rights {
    const char *dir;
    bool read; /* at least once */
    struct list lists[LISTS_COUNT];
};

enum { LIST_ROLES = 0, LIST_TOKENS, LIST_REVOKED };

/* Looking is for viewers. What takes a worker's or the disk's time, or changes
 * a job, is for operators. Ending the coordinator is for admins. */
static const enum access_role needed[RPC_METHODS_COUNT] = {
    [RPC_ABOUT] = ACCESS_VIEWER,        [RPC_LAUNCH] = ACCESS_OPERATOR,
    [RPC_PROBE] = ACCESS_OPERATOR,      [RPC_LIST_JOBS] = ACCESS_VIEWER,
    [RPC_STATUS] = ACCESS_VIEWER,       [RPC_WATCH] = ACCESS_VIEWER,
    [RPC_CANCEL] = ACCESS_OPERATOR,     [RPC_PAUSE] = ACCESS_OPERATOR,
    [RPC_RESUME] = ACCESS_OPERATOR,     [RPC_SET] = ACCESS_OPERATOR,
    [RPC_HISTORY] = ACCESS_VIEWER,      [RPC_SHOW] = ACCESS_VIEWER,
    [RPC_DIFF] = ACCESS_VIEWER,         [RPC_RESTORE] = ACCESS_OPERATOR,
    [RPC_UNDO] = ACCESS_OPERATOR,       [RPC_TAG] = ACCESS_OPERATOR,
    [RPC_LIST_TAGS] = ACCESS_VIEWER,    [RPC_PULL] = ACCESS_VIEWER,
    [RPC_FOLLOW] = ACCESS_VIEWER,       [RPC_EVALUATE] = ACCESS_OPERATOR,
    [RPC_METRICS] = ACCESS_VIEWER,      [RPC_VERIFY] = ACCESS_OPERATOR,
    [RPC_LIST_WORKERS] = ACCESS_VIEWER, [RPC_CORDON] = ACCESS_OPERATOR,
    [RPC_UNCORDON] = ACCESS_OPERATOR,   [RPC_DRAIN] = ACCESS_OPERATOR,
    [RPC_LOGS] = ACCESS_VIEWER,         [RPC_SHUTDOWN] = ACCESS_ADMIN,
    [RPC_BACKUP] = ACCESS_ADMIN,        [RPC_GC] = ACCESS_ADMIN,
};

enum access_role rights_needed(enum rpc_method method)
{
    return (unsigned)method < RPC_METHODS_COUNT ? needed[method] : ACCESS_NONE;
}

const char *identity_label(const struct identity *identity)
{
    if (identity->name[0] != '\0') {
        return identity->name;
    }
    return identity->kind == IDENTITY_LOCAL ? "local" : "unknown";
}

/* --- Reading --- */

/* A list that is not there is empty, but for the one that takes rights away. */
static enum status read_file(const struct list *list,
                             const char *path,
                             struct access_list *out,
                             char *why,
                             size_t why_size)
{
    struct keyfile file = {.text = NULL};
    uint32_t line = 0;
    enum status status = keyfile_read(
        path, KEYFILE_PUBLIC, KEYFILE_LIST_BYTES_MAX, &file, why, why_size);

    out->count = 0;
    if (status == STATUS_NOT_FOUND && list->kind != ACCESS_REVOKED) {
        return STATUS_OK;
    }
    if (status == STATUS_NOT_FOUND) {
        (void)snprintf(why, why_size,
                       "%s is not there, so nobody knows which certificates "
                       "are revoked. If none are, make an empty one.",
                       path);
    }
    if (status == STATUS_OK) {
        status = access_parse(list->kind, file.text, file.size, out, &line);
        if (status != STATUS_OK) {
            (void)snprintf(why, why_size,
                           "%s: line %" PRIu32 " is wrong, and half a list "
                           "would let the wrong ones in.",
                           path, line);
        }
    }
    keyfile_free(&file);
    return status;
}

static enum status read_list(const char *dir,
                             struct list *list,
                             char *why,
                             size_t why_size)
{
    char path[PATH_BYTES_MAX];
    enum status status = keyfile_path(dir, list->file, path);

    list->entries.count = 0;
    list->stamp = 0;
    (void)snprintf(why, why_size, "--keys %s is too long.", dir);
    if (status == STATUS_OK) {
        list->stamp = keyfile_stamp(path);
        status = read_file(list, path, &list->entries, why, why_size);
        if (status == STATUS_NO_MEMORY) {
            list->stamp = 0; /* nothing was wrong with the file: again */
        }
    }
    list->broken = status != STATUS_OK;
    return status;
}

static bool has_changed(const struct rights *rights, const struct list *list)
{
    char path[PATH_BYTES_MAX];

    return keyfile_path(rights->dir, list->file, path) == STATUS_OK &&
           keyfile_stamp(path) != list->stamp;
}

bool rights_refresh(struct rights *rights)
{
    char why[ERROR_BYTES_MAX];
    bool changed = false;

    for (int i = 0; i < LISTS_COUNT; i++) {
        struct list *list = &rights->lists[i];

        if (!rights->read || has_changed(rights, list)) {
            if (read_list(rights->dir, list, why, sizeof(why)) != STATUS_OK) {
                log_line(LOG_ERROR, "rights", "list_refused",
                         "file=%s why=\"%s\"", list->file, why);
            }
            changed = true;
        }
    }
    if (changed) {
        log_line(LOG_INFO, "rights", "lists_read",
                 "roles=%" PRIu32 " tokens=%" PRIu32 " revoked=%" PRIu32,
                 rights->lists[LIST_ROLES].entries.count,
                 rights->lists[LIST_TOKENS].entries.count,
                 rights->lists[LIST_REVOKED].entries.count);
    }
    rights->read = true;
    return changed;
}

static void name_lists(struct list lists[LISTS_COUNT])
{
    lists[LIST_ROLES].file = "roles";
    lists[LIST_ROLES].kind = ACCESS_ROLES;
    lists[LIST_TOKENS].file = "tokens";
    lists[LIST_TOKENS].kind = ACCESS_TOKENS;
    lists[LIST_REVOKED].file = "revoked/certificates";
    lists[LIST_REVOKED].kind = ACCESS_REVOKED;
}

enum status rights_check(const char *dir, char *why, size_t why_size)
{
    struct rights *rights = mem_new(sizeof(*rights));
    enum status status = STATUS_OK;

    if (rights == NULL) {
        (void)snprintf(why, why_size, "out of memory.");
        return STATUS_NO_MEMORY;
    }
    name_lists(rights->lists);
    for (int i = 0; status == STATUS_OK && i < LISTS_COUNT; i++) {
        status = read_list(dir, &rights->lists[i], why, why_size);
    }
    mem_free(rights);
    return status;
}

enum status rights_open(const char *dir, struct rights **out)
{
    struct rights *rights = mem_new(sizeof(*rights));

    if (rights == NULL) {
        return STATUS_NO_MEMORY;
    }
    rights->dir = dir;
    name_lists(rights->lists);
    (void)rights_refresh(rights);
    *out = rights;
    return STATUS_OK;
}

void rights_close(struct rights *rights)
{
    mem_free(rights);
}

/* --- Judging --- */

static enum verdict unknown(char *why, size_t why_size, const char *text)
{
    (void)snprintf(why, why_size, "%s", text);
    return VERDICT_UNKNOWN;
}

/* VERDICT_ALLOWED: it has *out_role, which may still be too little. */
static enum verdict by_certificate(const struct rights *rights,
                                   const struct identity *identity,
                                   enum access_role *out_role,
                                   char *why,
                                   size_t why_size)
{
    const struct list *revoked = &rights->lists[LIST_REVOKED];
    const struct list *roles = &rights->lists[LIST_ROLES];
    const struct access_entry *entry = NULL;

    if (revoked->broken || roles->broken) {
        return unknown(why, why_size,
                       "the coordinator's list of roles or of revoked "
                       "certificates is damaged, so nobody is let in. Its log "
                       "says where.");
    }
    /* By its key; lists of earlier releases have the hash of its PEM text. */
    if (access_by_hash(&revoked->entries, &identity->key) != NULL ||
        access_by_hash(&revoked->entries, &identity->hash) != NULL) {
        (void)snprintf(why, why_size,
                       "this certificate of \"%s\" has been revoked. Ask an "
                       "admin for a new one.",
                       identity->name);
        return VERDICT_UNKNOWN;
    }
    entry = access_by_name(&roles->entries, identity->name);
    if (entry == NULL) {
        (void)snprintf(why, why_size,
                       "\"%s\" has no role here. An admin gives one: cajal "
                       "keys add client NAME --role ROLE",
                       identity->name);
        return VERDICT_FORBIDDEN;
    }
    *out_role = entry->role;
    return VERDICT_ALLOWED;
}

static enum verdict by_token(const struct rights *rights,
                             struct identity *identity,
                             enum access_role *out_role,
                             char *why,
                             size_t why_size)
{
    const struct list *tokens = &rights->lists[LIST_TOKENS];
    const struct access_entry *entry = NULL;

    if (tokens->broken) {
        return unknown(why, why_size,
                       "the coordinator's list of tokens is damaged, so no "
                       "token is let in. Its log says where.");
    }
    entry = access_by_hash(&tokens->entries, &identity->hash);
    if (entry == NULL) {
        return unknown(why, why_size,
                       "the token is none of this coordinator's, or has been "
                       "revoked. Ask an admin for a new one.");
    }
    memcpy(identity->name, entry->name, sizeof(identity->name));
    *out_role = entry->role;
    return VERDICT_ALLOWED;
}

static enum verdict role_of(const struct rights *rights,
                            struct identity *identity,
                            enum access_role *out_role,
                            char *why,
                            size_t why_size)
{
    switch (identity->kind) {
    case IDENTITY_LOCAL:
        *out_role = ACCESS_ADMIN;
        return VERDICT_ALLOWED;
    case IDENTITY_ANYONE:
        if (rights == NULL) {
            *out_role = ACCESS_ADMIN;
            return VERDICT_ALLOWED;
        }
        break;
    case IDENTITY_CERTIFICATE:
        if (rights != NULL) {
            return by_certificate(rights, identity, out_role, why, why_size);
        }
        break;
    case IDENTITY_TOKEN:
        if (rights != NULL) {
            return by_token(rights, identity, out_role, why, why_size);
        }
        break;
    case IDENTITY_NONE:
        break;
    }
    return unknown(why, why_size,
                   "this coordinator wants to know who calls: give a client's "
                   "keys with --keys DIR, or a token with --token-file FILE. "
                   "An admin makes them: cajal keys add client NAME --role "
                   "ROLE");
}

enum verdict rights_judge(const struct rights *rights,
                          struct identity *identity,
                          enum rpc_method method,
                          char *why,
                          size_t why_size)
{
    enum access_role role = ACCESS_NONE;
    enum access_role least = rights_needed(method);
    enum verdict verdict = role_of(rights, identity, &role, why, why_size);
    size_t count = 0;

    if (verdict != VERDICT_ALLOWED) {
        return verdict;
    }
    if (least == ACCESS_NONE) {
        least = ACCESS_ADMIN;
    }
    if (role < least) {
        (void)snprintf(
            why, why_size, "%s is for the role %s, and \"%s\" is %s.",
            strrchr(rpc_table(&count)[method].path, '/') + 1,
            access_role_name(least), identity->name, access_role_name(role));
        return VERDICT_FORBIDDEN;
    }
    return VERDICT_ALLOWED;
}
