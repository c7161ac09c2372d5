/* keydir_inside.h - what the files behind keydir.h share: careful files. */
#ifndef CLIENT_KEYDIR_INSIDE_H
#define CLIENT_KEYDIR_INSIDE_H

#include "base/keyfile.h"
#include "client/keydir.h"
#include "client/keypair.h"
#include "client/x509.h"

/* Puts a sentence into dir->why; returns status. */
enum status keydir_say(struct keydir *dir,
                       enum status status,
                       const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

/* DIR/NAME, where name is a format; INVALID: too long. */
enum status keydir_path(struct keydir *dir,
                        char out[PATH_BYTES_MAX],
                        const char *format,
                        ...) __attribute__((format(printf, 3, 4))) MUST_CHECK;

enum keydir_write {
    WRITE_NEW = 1, /* CONFLICT if it is there, unless dir->force */
    WRITE_OVER
};

/* Writes the whole text durably; secret: mode 600, else 644. */
enum status keydir_put(struct keydir *dir,
                       const char *path,
                       const char *text,
                       bool secret,
                       enum keydir_write how) MUST_CHECK;

/* A directory, mode 700; one that is there is fine. */
enum status keydir_make(struct keydir *dir, const char *path) MUST_CHECK;

/* Reads a file of the directory into text, "" where it is not there. */
enum status keydir_get(struct keydir *dir,
                       const char *path,
                       enum keyfile_kind kind,
                       char *text,
                       size_t size) MUST_CHECK;

bool keydir_has(const char *path);

/* Moves it to revoked/DATE-NAME. */
enum status keydir_retire(struct keydir *dir,
                          const char *path,
                          const char *name) MUST_CHECK;

enum status keydir_load_ca(struct keydir *dir,
                           struct x509_pair *out) MUST_CHECK;

/* Replaces the lines of roles or tokens (file) that begin with name by line;
 * NULL: takes them out. */
enum status keydir_edit(struct keydir *dir,
                        const char *file,
                        const char *name,
                        const char *line) MUST_CHECK;

/* --- keydir_issue.c --- */

enum status keydir_x509_fault(struct keydir *dir, const char *what);

/* keydir_put and keydir_make at DIR/NAME, and at DIR/FOLDER/FILE; .key and
 * token are secrets. */
enum status keydir_put_in(struct keydir *dir,
                          const char *name,
                          const char *text,
                          bool secret,
                          enum keydir_write how) MUST_CHECK;
enum status keydir_put_at(struct keydir *dir,
                          const char *folder,
                          const char *file,
                          const char *text,
                          enum keydir_write how) MUST_CHECK;
enum status keydir_make_in(struct keydir *dir, const char *name) MUST_CHECK;

/* tls.key and tls.crt; curve.key and curve.pub, a new pair whose public line
 * is given back too. */
enum status keydir_put_pair(struct keydir *dir,
                            const char *folder,
                            const struct x509_pair *pair,
                            enum keydir_write how) MUST_CHECK;
enum status keydir_put_curve(struct keydir *dir,
                             const char *folder,
                             char public_line[KEYPAIR_TEXT_BYTES + 1],
                             enum keydir_write how) MUST_CHECK;

/* The next list of revoked certificates, with one more; NULL: none more. */
enum status keydir_put_crl(struct keydir *dir,
                           const struct x509_pair *ca,
                           const char *certificate) MUST_CHECK;

/* The certificate of that text is good no more: for TLS and for rights. */
enum status keydir_revoke_certificate(struct keydir *dir,
                                      const char *pem) MUST_CHECK;

/* The certificate of FOLDER is about to be replaced: a copy stays beside it,
 * until it is revoked. A copy of a rotation that was cut short, which is not
 * the present certificate, is revoked now. */
enum status keydir_keep_old(struct keydir *dir, const char *folder) MUST_CHECK;
enum status keydir_revoke_old(struct keydir *dir,
                              const char *folder) MUST_CHECK;

/* --- keydir_change.c, keydir_coordinator.c --- */

/* Clocks of two hosts are seldom further apart. */
enum { KEYDIR_SKEW_S = 3600 };

/* The bundle, whole, in clients/NAME; a role is given last. */
enum status keydir_make_client(struct keydir *dir,
                               const struct keydir_client *client) MUST_CHECK;

/* The certificate, with the names that the present one has; the key for
 * CURVE, which the bundles of workers learn. */
enum status keydir_rotate_coordinator(struct keydir *dir) MUST_CHECK;
enum status keydir_rotate_curve(struct keydir *dir) MUST_CHECK;

#endif /* CLIENT_KEYDIR_INSIDE_H */
