/* keydir_issue.c - the files of one key, and the lists of revoked ones. */
#include "base/certkey.h"
#include "base/mem.h"
#include "client/keydir_inside.h"
#include "client/keypair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REVOKED_LISTS_MAX = ACCESS_MAX + 1 };

enum status keydir_x509_fault(struct keydir *dir, const char *what)
{
    return keydir_say(dir, STATUS_IO, "OpenSSL cannot make %s.", what);
}

/* --- Pieces --- */

enum status keydir_put_in(struct keydir *dir,
                          const char *name,
                          const char *text,
                          bool secret,
                          enum keydir_write how)
{
    char path[PATH_BYTES_MAX];
    enum status status = keydir_path(dir, path, "%s", name);

    if (status != STATUS_OK) {
        return status;
    }
    return keydir_put(dir, path, text, secret, how);
}

enum status keydir_make_in(struct keydir *dir, const char *name)
{
    char path[PATH_BYTES_MAX];
    enum status status = keydir_path(dir, path, "%s", name);

    return status == STATUS_OK ? keydir_make(dir, path) : status;
}

/* FOLDER/FILE, the folder's name being short by then. */
enum status keydir_put_at(struct keydir *dir,
                          const char *folder,
                          const char *file,
                          const char *text,
                          enum keydir_write how)
{
    char name[2 * NAME_BYTES_MAX];
    size_t length = strlen(file);
    bool secret = strcmp(file, "token") == 0 ||
                  (length > 4 && strcmp(file + length - 4, ".key") == 0);

    (void)snprintf(name, sizeof(name), "%s/%s", folder, file);
    return keydir_put_in(dir, name, text, secret, how);
}

/* A key is of no use without its certificate, so the secret comes first. */
enum status keydir_put_pair(struct keydir *dir,
                            const char *folder,
                            const struct x509_pair *pair,
                            enum keydir_write how)
{
    enum status status = keydir_put_at(dir, folder, "tls.key", pair->key, how);

    if (status == STATUS_OK) {
        status = keydir_put_at(dir, folder, "tls.crt", pair->certificate, how);
    }
    return status;
}

enum status keydir_put_curve(struct keydir *dir,
                             const char *folder,
                             char public_line[KEYPAIR_TEXT_BYTES + 1],
                             enum keydir_write how)
{
    struct keypair key;
    char secret_line[KEYPAIR_TEXT_BYTES + 1];
    enum status status = STATUS_OK;

    keypair_make(&key);
    (void)snprintf(secret_line, sizeof(secret_line), "%s\n", key.secret_text);
    (void)snprintf(public_line, KEYPAIR_TEXT_BYTES + 1, "%s\n",
                   key.public_text);
    status = keydir_put_at(dir, folder, "curve.key", secret_line, how);
    if (status == STATUS_OK) {
        status = keydir_put_at(dir, folder, "curve.pub", public_line, how);
    }
    keypair_wipe(&key, sizeof(key));
    keypair_wipe(secret_line, sizeof(secret_line));
    return status;
}

/* --- Revocation --- */

/* OpenSSL looks for HASH.r0, .r1 and so on, and remembers how far it has got:
 * a running process sees the next number only. One that starts reads all, so
 * they have to be without a gap. */
enum status keydir_put_crl(struct keydir *dir,
                           const struct x509_pair *ca,
                           const char *certificate)
{
    char path[PATH_BYTES_MAX];
    char hash[X509_HASH_BYTES];
    char *old = mem_new(X509_CRL_BYTES_MAX);
    char *fresh = mem_new(X509_CRL_BYTES_MAX);
    unsigned next = 0;
    enum status status = x509_subject_hash(ca->certificate, hash);

    if (old == NULL || fresh == NULL) {
        status = keydir_say(dir, STATUS_NO_MEMORY, "out of memory.");
    }
    for (; status == STATUS_OK && next < REVOKED_LISTS_MAX; next++) {
        status = keydir_path(dir, path, "crl/%s.r%u", hash, next);
        if (status != STATUS_OK || !keydir_has(path)) {
            break;
        }
        status = keydir_get(dir, path, KEYFILE_PUBLIC, old, X509_CRL_BYTES_MAX);
    }
    if (status == STATUS_OK &&
        x509_revoke(ca, old, certificate, dir->now_s, fresh) != STATUS_OK) {
        status = keydir_x509_fault(dir, "the list of revoked certificates");
    }
    if (status == STATUS_OK) {
        status = keydir_put(dir, path, fresh, false, WRITE_OVER);
    }
    mem_free(old);
    mem_free(fresh);
    return status;
}

enum status keydir_revoke_certificate(struct keydir *dir, const char *pem)
{
    static const char list[] = "revoked/certificates";
    char hex[ACCESS_HEX_BYTES + 1];
    char line[ACCESS_HEX_BYTES + NAME_BYTES_MAX + 2];
    struct x509_facts facts;
    struct x509_pair ca;
    struct hash hash;
    enum status status = x509_read(pem, &facts);

    if (status != STATUS_OK) {
        return keydir_say(dir, status, "its certificate cannot be read.");
    }
    status = certkey_hash(facts.pem, strlen(facts.pem), &hash);
    if (status != STATUS_OK) {
        return keydir_say(dir, status, "its certificate has no key.");
    }
    hash_hex(&hash, HASH_BYTES, hex);
    (void)snprintf(line, sizeof(line), "%s %s", hex, facts.name);
    status = keydir_edit(dir, list, hex, line);
    if (status == STATUS_OK) {
        status = keydir_load_ca(dir, &ca);
    }
    if (status == STATUS_OK) {
        status = keydir_put_crl(dir, &ca, pem);
    }
    keypair_wipe(&ca, sizeof(ca));
    return status;
}

/* --- What is being replaced --- */

static enum status read_in(struct keydir *dir,
                           const char *folder,
                           const char *file,
                           char pem[X509_CERTIFICATE_BYTES_MAX])
{
    char path[PATH_BYTES_MAX];
    enum status status = keydir_path(dir, path, "%s/%s", folder, file);

    pem[0] = '\0';
    return status == STATUS_OK ? keydir_get(dir, path, KEYFILE_PUBLIC, pem,
                                            X509_CERTIFICATE_BYTES_MAX)
                               : status;
}

enum status keydir_revoke_old(struct keydir *dir, const char *folder)
{
    char pem[X509_CERTIFICATE_BYTES_MAX];
    char path[PATH_BYTES_MAX];
    enum status status = read_in(dir, folder, "old.crt", pem);

    if (status != STATUS_OK || pem[0] == '\0') {
        return status;
    }
    status = keydir_revoke_certificate(dir, pem);
    if (status == STATUS_OK) {
        status = keydir_path(dir, path, "%s/old.crt", folder);
    }
    if (status == STATUS_OK && unlink(path) != 0 && errno != ENOENT) {
        status = keydir_say(dir, STATUS_IO, "cannot remove %s: %s", path,
                            strerror(errno));
    }
    return status;
}

enum status keydir_keep_old(struct keydir *dir, const char *folder)
{
    char old[X509_CERTIFICATE_BYTES_MAX];
    char present[X509_CERTIFICATE_BYTES_MAX];
    enum status status = read_in(dir, folder, "old.crt", old);

    if (status == STATUS_OK) {
        status = read_in(dir, folder, "tls.crt", present);
    }
    if (status == STATUS_OK && old[0] != '\0' && strcmp(old, present) != 0) {
        status = keydir_revoke_old(dir, folder);
    }
    return status == STATUS_OK && present[0] != '\0'
               ? keydir_put_at(dir, folder, "old.crt", present, WRITE_OVER)
               : status;
}
