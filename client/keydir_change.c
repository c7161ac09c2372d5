/* keydir_change.c - add, revoke and rotate: clients and workers. */
#include "client/keydir.h"

#include "client/keydir_inside.h"
#include "client/keypair.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400 };

/* What the bundle of a client holds is good no more. */
static enum status revoke_bundle(struct keydir *dir, const char *folder)
{
    char path[PATH_BYTES_MAX];
    char pem[X509_CERTIFICATE_BYTES_MAX];
    enum status status = keydir_revoke_old(dir, folder);

    if (status == STATUS_OK) {
        status = keydir_path(dir, path, "%s/tls.crt", folder);
    }
    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, pem, sizeof(pem));
    }
    if (status == STATUS_OK && pem[0] != '\0') {
        status = keydir_revoke_certificate(dir, pem);
    }
    return status;
}

/* --- Clients --- */

static bool is_taken(struct keydir *dir, const char *name)
{
    char client[PATH_BYTES_MAX];
    char worker[PATH_BYTES_MAX];

    return keydir_path(dir, client, "clients/%s", name) != STATUS_OK ||
           keydir_path(dir, worker, "workers/%s.pub", name) != STATUS_OK ||
           keydir_has(client) || keydir_has(worker);
}

static enum status check_name(struct keydir *dir, const char *name)
{
    if (!access_is_name(name, strlen(name))) {
        return keydir_say(dir, STATUS_INVALID,
                          "\"%s\" is no name for a key: letters, digits and "
                          ". _ - up to 63, a letter or digit first.",
                          name);
    }
    if (strcmp(name, "coordinator") == 0 ||
        strcmp(name, "coordinator-curve") == 0) {
        return keydir_say(dir, STATUS_INVALID,
                          "\"%s\" is the coordinator's own.", name);
    }
    return STATUS_OK;
}

static enum status put_token(struct keydir *dir,
                             const struct keydir_client *client,
                             const char *folder)
{
    char token[RANDOM_TOKEN_BYTES];
    char token_line[RANDOM_TOKEN_BYTES + 1];
    char hex[ACCESS_HEX_BYTES + 1];
    char line[ACCESS_HEX_BYTES + 2 * NAME_BYTES_MAX];
    struct hash hash;
    enum status status = STATUS_OK;

    keypair_token(token);
    hash_bytes(token, strlen(token), &hash);
    hash_hex(&hash, HASH_BYTES, hex);
    (void)snprintf(token_line, sizeof(token_line), "%s\n", token);
    (void)snprintf(line, sizeof(line), "%s %s %s", client->name,
                   access_role_name(client->role), hex);
    status = keydir_put_at(dir, folder, "token", token_line, WRITE_OVER);
    if (status == STATUS_OK) {
        status = keydir_edit(dir, "tokens", client->name, line);
    }
    keypair_wipe(token, sizeof(token));
    keypair_wipe(token_line, sizeof(token_line));
    return status;
}

static enum status put_client(struct keydir *dir,
                              const struct keydir_client *client,
                              const struct x509_pair *ca,
                              const char *folder)
{
    const struct x509_request request = {
        .name = client->name,
        .from_s =
            client->until_s != 0 ? client->from_s : dir->now_s - KEYDIR_SKEW_S,
        .until_s = client->until_s != 0
                       ? client->until_s
                       : dir->now_s + (int64_t)KEYDIR_DAYS * DAY_S};
    char line[2 * NAME_BYTES_MAX];
    struct x509_pair pair;
    enum status status = x509_issue(ca, &request, &pair);

    if (status != STATUS_OK) {
        return keydir_x509_fault(dir, "a certificate");
    }
    status = keydir_put_pair(dir, folder, &pair, WRITE_OVER);
    keypair_wipe(&pair, sizeof(pair));
    (void)snprintf(line, sizeof(line), "%s %s", client->name,
                   access_role_name(client->role));
    if (status == STATUS_OK) {
        status = keydir_edit(dir, "roles", client->name, line);
    }
    return status;
}

enum status keydir_make_client(struct keydir *dir,
                               const struct keydir_client *client)
{
    char folder[NAME_BYTES_MAX + 16];
    struct x509_pair ca;
    enum status status = keydir_load_ca(dir, &ca);

    (void)snprintf(folder, sizeof(folder), "clients/%s", client->name);
    if (status == STATUS_OK) {
        status = keydir_make_in(dir, folder);
    }
    if (status == STATUS_OK) {
        status =
            keydir_put_at(dir, folder, "ca.crt", ca.certificate, WRITE_OVER);
    }
    if (status == STATUS_OK) {
        status = client->token ? put_token(dir, client, folder)
                               : put_client(dir, client, &ca, folder);
    }
    keypair_wipe(&ca, sizeof(ca));
    if (status == STATUS_OK) {
        status = keydir_path(dir, dir->made, "%s", folder);
    }
    return status;
}

enum status keydir_add_client(struct keydir *dir,
                              const struct keydir_client *client)
{
    enum status status = check_name(dir, client->name);

    if (status == STATUS_OK && is_taken(dir, client->name)) {
        status = keydir_say(dir, STATUS_CONFLICT,
                            "\"%s\" has keys already. New ones: cajal keys "
                            "rotate %s",
                            client->name, client->name);
    }
    return status == STATUS_OK ? keydir_make_client(dir, client) : status;
}

/* --- Workers --- */

static enum status make_worker(struct keydir *dir,
                               const char *name,
                               enum keydir_write how)
{
    char folder[NAME_BYTES_MAX + 16];
    char known[NAME_BYTES_MAX + 16];
    char path[PATH_BYTES_MAX];
    char line[KEYPAIR_TEXT_BYTES + 1];
    char coordinator[KEYPAIR_TEXT_BYTES + 8] = "";
    enum status status = keydir_path(dir, path, "coordinator/curve.pub");

    (void)snprintf(folder, sizeof(folder), "worker-%s", name);
    (void)snprintf(known, sizeof(known), "workers/%s.pub", name);
    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, coordinator,
                            sizeof(coordinator));
    }
    if (status == STATUS_OK && coordinator[0] == '\0') {
        status = keydir_say(dir, STATUS_NOT_FOUND,
                            "there are no keys in %s. Make them: cajal keys "
                            "init",
                            dir->path);
    }
    if (status == STATUS_OK) {
        status = keydir_make_in(dir, folder);
    }
    if (status == STATUS_OK) {
        status = keydir_put_curve(dir, folder, line, how);
    }
    if (status == STATUS_OK) {
        status =
            keydir_put_at(dir, folder, "coordinator.pub", coordinator, how);
    }
    if (status == STATUS_OK) {
        status = keydir_put_in(dir, known, line, false, how);
    }
    if (status == STATUS_OK) {
        status = keydir_path(dir, dir->made, "%s", folder);
    }
    return status;
}

enum status keydir_add_worker(struct keydir *dir, const char *name)
{
    enum status status = check_name(dir, name);

    if (status == STATUS_OK && is_taken(dir, name)) {
        status = keydir_say(dir, STATUS_CONFLICT,
                            "\"%s\" has keys already. New ones: cajal keys "
                            "rotate %s",
                            name, name);
    }
    return status == STATUS_OK ? make_worker(dir, name, WRITE_NEW) : status;
}

/* --- Revoking --- */

static enum status retire(struct keydir *dir,
                          const char *file,
                          const char *name)
{
    char path[PATH_BYTES_MAX];
    enum status status = keydir_path(dir, path, "%s", file);

    return status == STATUS_OK ? keydir_retire(dir, path, name) : status;
}

/* The public key goes first: it is what lets a worker in. */
static enum status revoke_worker(struct keydir *dir, const char *name)
{
    char known[NAME_BYTES_MAX + 16];
    char bundle[NAME_BYTES_MAX + 16];
    char to[NAME_BYTES_MAX + 16];
    enum status status = STATUS_OK;

    (void)snprintf(known, sizeof(known), "workers/%s.pub", name);
    (void)snprintf(bundle, sizeof(bundle), "worker-%s", name);
    (void)snprintf(to, sizeof(to), "%s.pub", name);
    status = retire(dir, known, to);
    return status == STATUS_OK ? retire(dir, bundle, bundle) : status;
}

/* The role goes first: it is what lets a client in. */
static enum status revoke_client(struct keydir *dir, const char *name)
{
    char bundle[NAME_BYTES_MAX + 16];
    char to[NAME_BYTES_MAX + 16];
    enum status status = keydir_edit(dir, "roles", name, NULL);

    (void)snprintf(bundle, sizeof(bundle), "clients/%s", name);
    (void)snprintf(to, sizeof(to), "client-%s", name);
    if (status == STATUS_OK) {
        status = keydir_edit(dir, "tokens", name, NULL);
    }
    if (status == STATUS_OK) {
        status = revoke_bundle(dir, bundle);
    }
    return status == STATUS_OK ? retire(dir, bundle, to) : status;
}

static bool has(struct keydir *dir, const char *format, const char *name)
{
    char file[2 * NAME_BYTES_MAX];
    char path[PATH_BYTES_MAX];

    (void)snprintf(file, sizeof(file), "%s%s%s", format, name,
                   strcmp(format, "workers/") == 0 ? ".pub" : "");
    return keydir_path(dir, path, "%s", file) == STATUS_OK && keydir_has(path);
}

static enum status nobody(struct keydir *dir, const char *name)
{
    return keydir_say(dir, STATUS_NOT_FOUND,
                      "no worker and no client is called \"%s\". `cajal keys "
                      "list` lists them.",
                      name);
}

enum status keydir_revoke(struct keydir *dir, const char *name)
{
    enum status status = check_name(dir, name);

    if (status != STATUS_OK) {
        return status;
    }
    if (has(dir, "workers/", name)) {
        return revoke_worker(dir, name);
    }
    return has(dir, "clients/", name) ? revoke_client(dir, name)
                                      : nobody(dir, name);
}

/* --- Rotating --- */

struct finding {
    const char *name;
    struct keydir_entry entry;
    bool found;
};

static void find(void *owner, const struct keydir_entry *entry)
{
    struct finding *finding = owner;

    if ((entry->kind == KEYDIR_CLIENT || entry->kind == KEYDIR_TOKEN) &&
        strcmp(entry->name, finding->name) == 0) {
        finding->entry = *entry;
        finding->found = true;
    }
}

/* The new ones first: who is interrupted has not lost the old ones. */
static enum status rotate_client(struct keydir *dir, const char *name)
{
    struct finding finding = {.name = name};
    char folder[NAME_BYTES_MAX + 16];
    struct keydir_client client = {.name = finding.entry.name};
    enum status status = keydir_each(dir, find, &finding);

    if (status != STATUS_OK) {
        return status;
    }
    if (!finding.found || finding.entry.role == ACCESS_NONE) {
        return keydir_say(dir, STATUS_CONFLICT,
                          "\"%s\" has no role, so there is nothing to rotate.",
                          name);
    }
    client.role = finding.entry.role;
    client.token = finding.entry.kind == KEYDIR_TOKEN;
    (void)snprintf(folder, sizeof(folder), "clients/%s", name);
    status = keydir_keep_old(dir, folder);
    if (status == STATUS_OK) {
        status = keydir_make_client(dir, &client);
    }
    return status == STATUS_OK ? keydir_revoke_old(dir, folder) : status;
}

/* The new public key takes the place of the old one in one rename. */
static enum status rotate_worker(struct keydir *dir, const char *name)
{
    char path[PATH_BYTES_MAX];
    char old[KEYPAIR_TEXT_BYTES + 8];
    char to[NAME_BYTES_MAX + 16];
    enum status status = keydir_path(dir, path, "workers/%s.pub", name);

    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, old, sizeof(old));
    }
    if (status == STATUS_OK) {
        status = make_worker(dir, name, WRITE_OVER);
    }
    if (status == STATUS_OK) {
        status = keydir_path(dir, path, "revoked/%s.pub", name);
    }
    if (status == STATUS_OK) {
        status = keydir_put(dir, path, old, false, WRITE_OVER);
    }
    (void)snprintf(to, sizeof(to), "%s.pub", name);
    return status == STATUS_OK ? keydir_retire(dir, path, to) : status;
}

enum status keydir_rotate(struct keydir *dir, const char *name)
{
    enum status status = STATUS_OK;

    if (strcmp(name, "coordinator") == 0) {
        return keydir_rotate_coordinator(dir);
    }
    if (strcmp(name, "coordinator-curve") == 0) {
        return keydir_rotate_curve(dir);
    }
    status = check_name(dir, name);
    if (status != STATUS_OK) {
        return status;
    }
    if (has(dir, "workers/", name)) {
        return rotate_worker(dir, name);
    }
    return has(dir, "clients/", name) ? rotate_client(dir, name)
                                      : nobody(dir, name);
}
