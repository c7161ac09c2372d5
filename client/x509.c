#include "client/x509.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

enum {
    SERIAL_BITS = 159, /* RFC 5280 allows 20 bytes, and no negative number */
    DAY_S = 86400,
    /* A list never grows old by itself; it is replaced. */
    CRL_LIFE_S = 3650 * DAY_S,
    VERSION_3 = 2,
    CRL_VERSION_2 = 1
};

static enum status refused(void)
{
    ERR_clear_error();
    return STATUS_IO;
}

/* --- Texts --- */

static BIO *reader(const char *text)
{
    return BIO_new_mem_buf(text, -1);
}

/* False: there is more than fits, NUL included. */
static bool take_text(BIO *bio, char *out, size_t size)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);

    if (length < 0 || (size_t)length >= size) {
        return false;
    }
    memcpy(out, data, (size_t)length);
    out[length] = '\0';
    return true;
}

static bool write_certificate(X509 *certificate, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool done = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1 &&
                take_text(bio, out, size);

    BIO_free(bio);
    return done;
}

static bool write_key(EVP_PKEY *key, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool done =
        bio != NULL &&
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
        take_text(bio, out, size);

    BIO_free(bio);
    return done;
}

static X509 *read_certificate(const char *text)
{
    BIO *bio = reader(text);
    X509 *certificate =
        bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(const char *text)
{
    BIO *bio = reader(text);
    EVP_PKEY *key =
        bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return key;
}

/* --- Making --- */

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool done =
        number != NULL &&
        BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) ==
            1 &&
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return done;
}

static bool set_name(X509 *certificate, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(certificate);

    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      (const unsigned char *)name, -1, -1,
                                      0) == 1;
}

static bool set_times(X509 *certificate, int64_t from_s, int64_t until_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(certificate), from_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), until_s) != NULL;
}

static bool extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension = NULL;
    bool done = false;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool is_ip(const char *host)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, host, bytes) == 1 ||
           inet_pton(AF_INET6, host, bytes) == 1;
}

/* "DNS:localhost,IP:127.0.0.1": OpenSSL's own small language, so a host with a
 * comma in it would be two. False: such a host, or too many. */
static bool add_hosts(X509 *certificate, const struct x509_request *request)
{
    char value[X509_HOSTS_MAX * (NAME_BYTES_MAX + 8)];
    size_t used = 0;

    if (request->hosts_count == 0) {
        return true;
    }
    if (request->hosts_count > X509_HOSTS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < request->hosts_count; i++) {
        const char *host = request->hosts[i];
        int length = 0;

        if (strpbrk(host, ",; \t\n") != NULL || host[0] == '\0' ||
            strlen(host) >= NAME_BYTES_MAX) {
            return false;
        }
        length = snprintf(value + used, sizeof(value) - used, "%s%s:%s",
                          i > 0 ? "," : "", is_ip(host) ? "IP" : "DNS", host);
        CHECK(length > 0);
        used += (size_t)length;
        CHECK(used < sizeof(value));
    }
    return extend(certificate, NULL, NID_subject_alt_name, value);
}

static bool begin(X509 *certificate,
                  EVP_PKEY *key,
                  const struct x509_request *request)
{
    return X509_set_version(certificate, VERSION_3) == 1 &&
           set_serial(certificate) && set_name(certificate, request->name) &&
           set_times(certificate, request->from_s, request->until_s) &&
           X509_set_pubkey(certificate, key) == 1;
}

static bool give(X509 *certificate, EVP_PKEY *key, struct x509_pair *out)
{
    return write_certificate(certificate, out->certificate,
                             sizeof(out->certificate)) &&
           write_key(key, out->key, sizeof(out->key));
}

enum status x509_make_ca(const char *name,
                         int64_t from_s,
                         int64_t until_s,
                         struct x509_pair *out)
{
    const struct x509_request request = {
        .name = name, .from_s = from_s, .until_s = until_s};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = X509_new();
    bool done =
        key != NULL && ca != NULL && begin(ca, key, &request) &&
        X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 &&
        extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        extend(ca, ca, NID_subject_key_identifier, "hash") &&
        X509_sign(ca, key, EVP_sha256()) > 0 && give(ca, key, out);

    X509_free(ca);
    EVP_PKEY_free(key);
    return done ? STATUS_OK : refused();
}

enum status x509_issue(const struct x509_pair *ca,
                       const struct x509_request *request,
                       struct x509_pair *out)
{
    X509 *issuer = read_certificate(ca->certificate);
    EVP_PKEY *issuer_key = read_key(ca->key);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    bool done =
        issuer != NULL && issuer_key != NULL && key != NULL && made != NULL &&
        X509_check_private_key(issuer, issuer_key) == 1 &&
        begin(made, key, request) &&
        X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
        extend(made, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
        extend(made, issuer, NID_key_usage, "critical,digitalSignature") &&
        extend(made, issuer, NID_ext_key_usage,
               request->server ? "serverAuth" : "clientAuth") &&
        extend(made, issuer, NID_subject_key_identifier, "hash") &&
        extend(made, issuer, NID_authority_key_identifier, "keyid") &&
        add_hosts(made, request) &&
        X509_sign(made, issuer_key, EVP_sha256()) > 0 && give(made, key, out);

    X509_free(made);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    X509_free(issuer);
    return done ? STATUS_OK : refused();
}

/* --- Reading --- */

static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    ASN1_TIME *origin = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;
    bool done =
        origin != NULL && ASN1_TIME_diff(&days, &seconds, origin, time) == 1;

    ASN1_TIME_free(origin);
    *out = (int64_t)days * DAY_S + seconds;
    return done;
}

static void take_host(const GENERAL_NAME *name, struct x509_facts *out)
{
    char *host = out->hosts[out->hosts_count];
    const ASN1_STRING *value = NULL;
    int family = 0;

    if (out->hosts_count == X509_HOSTS_MAX) {
        return;
    }
    if (name->type == GEN_DNS) {
        value = name->d.dNSName;
        (void)snprintf(host, NAME_BYTES_MAX, "%.*s", ASN1_STRING_length(value),
                       (const char *)ASN1_STRING_get0_data(value));
        out->hosts_count++;
    } else if (name->type == GEN_IPADD) {
        value = name->d.iPAddress;
        family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
        if ((family == AF_INET || ASN1_STRING_length(value) == 16) &&
            inet_ntop(family, ASN1_STRING_get0_data(value), host,
                      NAME_BYTES_MAX) != NULL) {
            out->hosts_count++;
        }
    }
}

static void take_hosts(const X509 *certificate, struct x509_facts *out)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        take_host(sk_GENERAL_NAME_value(names, i), out);
    }
    GENERAL_NAMES_free(names);
}

enum status x509_read(const char *pem, struct x509_facts *out)
{
    X509 *certificate = read_certificate(pem);
    bool done = false;

    *out = (struct x509_facts){.hosts_count = 0};
    if (certificate == NULL) {
        ERR_clear_error();
        return STATUS_INVALID;
    }
    done = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                                     NID_commonName, out->name,
                                     sizeof(out->name)) > 0 &&
           seconds_of(X509_get0_notBefore(certificate), &out->from_s) &&
           seconds_of(X509_get0_notAfter(certificate), &out->until_s) &&
           write_certificate(certificate, out->pem, sizeof(out->pem));
    take_hosts(certificate, out);
    X509_free(certificate);
    ERR_clear_error();
    return done ? STATUS_OK : STATUS_INVALID;
}

enum status x509_subject_hash(const char *certificate,
                              char out[X509_HASH_BYTES])
{
    X509 *read = read_certificate(certificate);
    int ok = 0;
    unsigned long hash = 0;

    if (read == NULL) {
        ERR_clear_error();
        return STATUS_INVALID;
    }
    hash = X509_NAME_hash_ex(X509_get_subject_name(read), NULL, NULL, &ok);
    X509_free(read);
    if (ok != 1) {
        return refused();
    }
    (void)snprintf(out, X509_HASH_BYTES, "%08lx", hash & 0xffffffffUL);
    return STATUS_OK;
}

/* --- The list of revoked certificates --- */

static X509_CRL *read_list(const char *text)
{
    BIO *bio = reader(text);
    X509_CRL *list =
        bio != NULL ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return list;
}

static bool write_list(X509_CRL *list, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool done = bio != NULL && PEM_write_bio_X509_CRL(bio, list) == 1 &&
                take_text(bio, out, size);

    BIO_free(bio);
    return done;
}

static bool date_list(X509_CRL *list, const X509_CRL *old, int64_t now_s)
{
    int64_t date_s = now_s - DAY_S;
    int64_t old_s = 0;
    ASN1_TIME *date = NULL;
    ASN1_TIME *end = NULL;
    bool done = false;

    if (old != NULL && seconds_of(X509_CRL_get0_lastUpdate(old), &old_s) &&
        old_s >= date_s) {
        date_s = old_s + 1;
    }
    date = ASN1_TIME_set(NULL, date_s);
    end = ASN1_TIME_set(NULL, now_s + CRL_LIFE_S);
    done = date != NULL && end != NULL &&
           X509_CRL_set1_lastUpdate(list, date) == 1 &&
           X509_CRL_set1_nextUpdate(list, end) == 1;
    ASN1_TIME_free(date);
    ASN1_TIME_free(end);
    return done;
}

static bool add_revoked(X509_CRL *list,
                        const ASN1_INTEGER *serial,
                        const ASN1_TIME *date)
{
    X509_REVOKED *entry = X509_REVOKED_new();

    if (entry != NULL &&
        X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)serial) == 1 &&
        X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)date) == 1 &&
        X509_CRL_add0_revoked(list, entry) == 1) {
        return true; /* the list has it */
    }
    X509_REVOKED_free(entry);
    return false;
}

static bool add_all(X509_CRL *list, X509_CRL *old, const X509 *one)
{
    STACK_OF(X509_REVOKED) *before =
        old != NULL ? X509_CRL_get_REVOKED(old) : NULL;
    const ASN1_TIME *date = X509_CRL_get0_lastUpdate(list);

    for (int i = 0; i < sk_X509_REVOKED_num(before); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(before, i);

        if (!add_revoked(list, X509_REVOKED_get0_serialNumber(entry),
                         X509_REVOKED_get0_revocationDate(entry))) {
            return false;
        }
    }
    return one == NULL || add_revoked(list, X509_get0_serialNumber(one), date);
}

enum status x509_revoke(const struct x509_pair *ca,
                        const char *old,
                        const char *certificate,
                        int64_t now_s,
                        char out[X509_CRL_BYTES_MAX])
{
    X509 *issuer = read_certificate(ca->certificate);
    EVP_PKEY *key = read_key(ca->key);
    X509_CRL *before = old[0] != '\0' ? read_list(old) : NULL;
    X509 *one = certificate != NULL ? read_certificate(certificate) : NULL;
    X509_CRL *list = X509_CRL_new();
    bool done =
        issuer != NULL && key != NULL && list != NULL &&
        (old[0] == '\0' || before != NULL) &&
        (certificate == NULL || one != NULL) &&
        X509_CRL_set_version(list, CRL_VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer)) == 1 &&
        date_list(list, before, now_s) && add_all(list, before, one) &&
        X509_CRL_sort(list) == 1 &&
        X509_CRL_sign(list, key, EVP_sha256()) > 0 &&
        write_list(list, out, X509_CRL_BYTES_MAX);

    X509_CRL_free(list);
    X509_free(one);
    X509_CRL_free(before);
    EVP_PKEY_free(key);
    X509_free(issuer);
    return done ? STATUS_OK : refused();
}
