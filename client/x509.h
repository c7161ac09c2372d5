/* x509.h - certificates of our own authority; x509.c alone sees OpenSSL.
 *
 * Keys are EC P-256, signatures ECDSA with SHA-256 (RFC 5280, 5480). A
 * certificate's common name is the identity; the names that a host is reached
 * by are subject alternative names. Texts are PEM. Nothing here touches a
 * file. Errors: IO where OpenSSL refuses, INVALID for what cannot be read. */
#ifndef CLIENT_X509_H
#define CLIENT_X509_H

#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    X509_KEY_BYTES_MAX = 1024,
    X509_CERTIFICATE_BYTES_MAX = 8192,
    /* 1024 revoked certificates at 40 bytes each, in base64. */
    X509_CRL_BYTES_MAX = 96 << 10,
    X509_HOSTS_MAX = 24,
    X509_HASH_BYTES = 9 /* 8 hexadecimal digits and a NUL */
};

struct x509_pair {
    char key[X509_KEY_BYTES_MAX]; /* "" where only the certificate is known */
    char certificate[X509_CERTIFICATE_BYTES_MAX];
};

struct x509_request {
    const char *name;
    const char *const *hosts; /* DNS names and IP addresses */
    unsigned hosts_count;
    bool server;    /* else for a client */
    int64_t from_s; /* since 1970 */
    int64_t until_s;
};

/* What a certificate says. */
struct x509_facts {
    char name[NAME_BYTES_MAX];
    char hosts[X509_HOSTS_MAX][NAME_BYTES_MAX];
    unsigned hosts_count;
    int64_t from_s;
    int64_t until_s;
    /* As OpenSSL, and so gRPC, writes it again. */
    char pem[X509_CERTIFICATE_BYTES_MAX];
};

/* A self-signed authority that may sign certificates and lists, no more. */
enum status x509_make_ca(const char *name,
                         int64_t from_s,
                         int64_t until_s,
                         struct x509_pair *out) MUST_CHECK;

/* A new key, and its certificate signed by ca. */
enum status x509_issue(const struct x509_pair *ca,
                       const struct x509_request *request,
                       struct x509_pair *out) MUST_CHECK;

enum status x509_read(const char *pem, struct x509_facts *out) MUST_CHECK;

/* The next list of revoked certificates: those of old ("" for none) and one
 * more (NULL for none). Its date is later than old's, by at least a second,
 * but lies a day back where it can: OpenSSL takes the later of two lists, and
 * none that is dated in the future. */
enum status x509_revoke(const struct x509_pair *ca,
                        const char *old,
                        const char *certificate,
                        int64_t now_s,
                        char out[X509_CRL_BYTES_MAX]) MUST_CHECK;

/* The name under which OpenSSL looks for an authority's files: 8 digits. */
enum status x509_subject_hash(const char *certificate,
                              char out[X509_HASH_BYTES]) MUST_CHECK;

#endif /* CLIENT_X509_H */
