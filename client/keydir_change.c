/* keydir_change.c - init, add, revoke, rotate. */
#include "client/keydir.h"

#include "base/check.h"
#include "client/keypair.h"
#include "client/keydir_inside.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DAY_S = 86400,
    /* Clocks of two hosts are seldom further apart. */
    SKEW_S = 3600
};

/* What the bundle of a client holds is good no more. */
static enum status revoke_bundle(struct keydir *dir, const char *name)
{
    char path[PATH_BYTES_MAX];
    char pem[X509_CERTIFICATE_BYTES_MAX];
    enum status status = keydir_path(dir, path, "clients/%s/tls.crt", name);

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
        .from_s = client->until_s != 0 ? client->from_s : dir->now_s - SKEW_S,
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

/* The bundle, whole, in clients/NAME; a role is given last. */
static enum status make_client(struct keydir *dir,
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
    return status == STATUS_OK ? make_client(dir, client) : status;
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
        status = revoke_bundle(dir, name);
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

/* --- The coordinator --- */

static enum status put_coordinator(struct keydir *dir,
                                   const struct x509_pair *ca,
                                   const char *const *hosts,
                                   unsigned hosts_count,
                                   enum keydir_write how)
{
    const struct x509_request request = {
        .name = "coordinator",
        .hosts = hosts,
        .hosts_count = hosts_count,
        .server = true,
        .from_s = dir->now_s - SKEW_S,
        .until_s = dir->now_s + (int64_t)KEYDIR_DAYS * DAY_S};
    struct x509_pair pair;
    enum status status = x509_issue(ca, &request, &pair);

    if (status != STATUS_OK) {
        return keydir_x509_fault(
            dir, "the coordinator's certificate: is each --host "
                 "a name or an address");
    }
    status = keydir_put_pair(dir, "coordinator", &pair, how);
    keypair_wipe(&pair, sizeof(pair));
    return status;
}

/* With the names that the present certificate has. */
static enum status rotate_coordinator(struct keydir *dir)
{
    char path[PATH_BYTES_MAX];
    char pem[X509_CERTIFICATE_BYTES_MAX] = "";
    const char *hosts[X509_HOSTS_MAX];
    struct x509_facts facts;
    struct x509_pair ca;
    enum status status = keydir_path(dir, path, "coordinator/tls.crt");

    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, pem, sizeof(pem));
    }
    if (status == STATUS_OK && x509_read(pem, &facts) != STATUS_OK) {
        status = keydir_say(dir, STATUS_INVALID, "%s cannot be read.", path);
    }
    if (status == STATUS_OK) {
        status = keydir_load_ca(dir, &ca);
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (unsigned i = 0; i < facts.hosts_count; i++) {
        hosts[i] = facts.hosts[i];
    }
    status = put_coordinator(dir, &ca, hosts, facts.hosts_count, WRITE_OVER);
    keypair_wipe(&ca, sizeof(ca));
    if (status == STATUS_OK) {
        status = keydir_revoke_certificate(dir, pem);
    }
    return status == STATUS_OK ? keydir_path(dir, dir->made, "coordinator")
                               : status;
}

struct telling {
    struct keydir *dir;
    enum status status;
};

/* One worker's bundle learns the coordinator's new key. */
static void tell_worker(void *owner, const struct keydir_entry *entry)
{
    struct telling *telling = owner;
    struct keydir *dir = telling->dir;
    char path[PATH_BYTES_MAX];
    char folder[NAME_BYTES_MAX + 16];
    char line[KEYPAIR_TEXT_BYTES + 8];
    enum status status = STATUS_OK;

    (void)snprintf(folder, sizeof(folder), "worker-%s", entry->name);
    if (entry->kind != KEYDIR_WORKER || !has(dir, folder, "")) {
        return;
    }
    status = keydir_path(dir, path, "coordinator/curve.pub");
    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, line, sizeof(line));
    }
    if (status == STATUS_OK) {
        status =
            keydir_put_at(dir, folder, "coordinator.pub", line, WRITE_OVER);
    }
    if (status != STATUS_OK) {
        telling->status = status;
    }
}

static enum status rotate_curve(struct keydir *dir)
{
    struct telling telling = {.dir = dir};
    char line[KEYPAIR_TEXT_BYTES + 1];
    enum status status = keydir_put_curve(dir, "coordinator", line, WRITE_OVER);

    if (status == STATUS_OK) {
        status = keydir_each(dir, tell_worker, &telling);
    }
    if (status == STATUS_OK) {
        status = telling.status;
    }
    return status == STATUS_OK ? keydir_path(dir, dir->made, "coordinator")
                               : status;
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

static enum status rotate_client(struct keydir *dir, const char *name)
{
    struct finding finding = {.name = name};
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
    status = revoke_bundle(dir, name);
    return status == STATUS_OK ? make_client(dir, &client) : status;
}

enum status keydir_rotate(struct keydir *dir, const char *name)
{
    char known[NAME_BYTES_MAX + 16];
    char to[NAME_BYTES_MAX + 16];
    enum status status = STATUS_OK;

    if (strcmp(name, "coordinator") == 0) {
        return rotate_coordinator(dir);
    }
    if (strcmp(name, "coordinator-curve") == 0) {
        return rotate_curve(dir);
    }
    status = check_name(dir, name);
    if (status != STATUS_OK) {
        return status;
    }
    if (!has(dir, "workers/", name)) {
        return has(dir, "clients/", name) ? rotate_client(dir, name)
                                          : nobody(dir, name);
    }
    (void)snprintf(known, sizeof(known), "workers/%s.pub", name);
    (void)snprintf(to, sizeof(to), "%s.pub", name);
    status = retire(dir, known, to);
    return status == STATUS_OK ? make_worker(dir, name, WRITE_OVER) : status;
}

/* --- Init --- */

static bool is_listed(const char *const *hosts,
                      unsigned count,
                      const char *host)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(hosts[i], host) == 0) {
            return true;
        }
    }
    return false;
}

static enum status make_folders(struct keydir *dir)
{
    static const char *const folders[] = {"coordinator", "workers", "clients",
                                          "crl", "revoked"};
    enum status status = STATUS_OK;

    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(folders) / sizeof(folders[0]); i++) {
        status = keydir_make_in(dir, folders[i]);
    }
    return status;
}

static enum status put_lists(struct keydir *dir, enum keydir_write how)
{
    enum status status =
        keydir_put_in(dir, "roles",
                      "# NAME ROLE: the name of a certificate; "
                      "viewer, operator or admin\n",
                      false, how);

    if (status == STATUS_OK) {
        status = keydir_put_in(dir, "tokens",
                               "# NAME ROLE HASH: BLAKE2b-256 of the token\n",
                               false, how);
    }
    if (status == STATUS_OK) {
        status = keydir_put_in(dir, "revoked/certificates",
                               "# HASH NAME: BLAKE2b-256 of a certificate's "
                               "public key\n",
                               false, how);
    }
    return status;
}

/* Everything but the authority, which is there and lends its key. */
static enum status fill(struct keydir *dir,
                        const struct x509_pair *ca,
                        const char *const *hosts,
                        unsigned hosts_count)
{
    const struct keydir_client admin = {.name = "admin", .role = ACCESS_ADMIN};
    char line[KEYPAIR_TEXT_BYTES + 1];
    enum status status = put_lists(dir, WRITE_NEW);

    if (status == STATUS_OK) {
        status = keydir_put_crl(dir, ca, NULL);
    }
    if (status == STATUS_OK) {
        status = keydir_put_curve(dir, "coordinator", line, WRITE_NEW);
    }
    if (status == STATUS_OK) {
        status = put_coordinator(dir, ca, hosts, hosts_count, WRITE_NEW);
    }
    return status == STATUS_OK ? make_client(dir, &admin) : status;
}

/* The authority's key is written first, with link: of two inits, one wins. */
static enum status put_ca(struct keydir *dir, const struct x509_pair *ca)
{
    enum status status = keydir_put_in(dir, "ca.key", ca->key, true, WRITE_NEW);

    return status == STATUS_OK
               ? keydir_put_in(dir, "ca.crt", ca->certificate, false, WRITE_NEW)
               : status;
}

enum status keydir_init(struct keydir *dir,
                        const char *const *hosts,
                        unsigned hosts_count)
{
    char own[NAME_BYTES_MAX] = "";
    char subject[NAME_BYTES_MAX];
    const char *all[KEYDIR_HOSTS_MAX + 4] = {"localhost", "127.0.0.1", "::1"};
    unsigned count = 3;
    struct x509_pair ca;
    enum status status = make_folders(dir);

    CHECK(hosts_count <= KEYDIR_HOSTS_MAX);
    if (gethostname(own, sizeof(own) - 1) == 0 && own[0] != '\0' &&
        !is_listed(all, count, own)) {
        all[count++] = own;
    }
    for (unsigned i = 0; i < hosts_count; i++) {
        if (!is_listed(all, count, hosts[i])) {
            all[count++] = hosts[i];
        }
    }
    /* Two authorities must not look alike: OpenSSL finds them by subject. */
    (void)snprintf(subject, sizeof(subject), "cajal-ca-%llx",
                   (unsigned long long)dir->now_s);
    if (status == STATUS_OK &&
        x509_make_ca(subject, dir->now_s - SKEW_S,
                     dir->now_s + (int64_t)KEYDIR_CA_DAYS * DAY_S,
                     &ca) != STATUS_OK) {
        status = keydir_x509_fault(dir, "an authority");
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = put_ca(dir, &ca);
    if (status == STATUS_OK) {
        status = fill(dir, &ca, all, count);
    }
    keypair_wipe(&ca, sizeof(ca));
    return status;
}
