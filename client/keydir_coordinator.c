/* keydir_coordinator.c - what there is once in a directory of keys: init, the
 * coordinator's certificate and its key for CURVE. */
#include "client/keydir.h"

#include "base/check.h"
#include "client/keydir_inside.h"
#include "client/keypair.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DAY_S = 86400 };

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
        .from_s = dir->now_s - KEYDIR_SKEW_S,
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
enum status keydir_rotate_coordinator(struct keydir *dir)
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
    status = keydir_keep_old(dir, "coordinator");
    if (status == STATUS_OK) {
        status =
            put_coordinator(dir, &ca, hosts, facts.hosts_count, WRITE_OVER);
    }
    keypair_wipe(&ca, sizeof(ca));
    if (status == STATUS_OK) {
        status = keydir_revoke_old(dir, "coordinator");
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
    if (entry->kind != KEYDIR_WORKER ||
        keydir_path(dir, path, "%s", folder) != STATUS_OK ||
        !keydir_has(path)) {
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

enum status keydir_rotate_curve(struct keydir *dir)
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
    return status == STATUS_OK ? keydir_make_client(dir, &admin) : status;
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
        x509_make_ca(subject, dir->now_s - KEYDIR_SKEW_S,
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
