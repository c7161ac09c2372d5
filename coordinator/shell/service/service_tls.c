#include "coordinator/shell/service/service_tls.h"

#include "base/certkey.h"
#include "base/keyfile.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum status tls_check(const char *keys, char *why, size_t why_size)
{
    static const struct {
        const char *name;
        enum keyfile_kind kind;
    } files[] = {{"coordinator/tls.key", KEYFILE_SECRET},
                 {"coordinator/tls.crt", KEYFILE_PUBLIC},
                 {"ca.crt", KEYFILE_PUBLIC}};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[PATH_BYTES_MAX];
        struct keyfile file = {.text = NULL};

        status = keyfile_path(keys, files[i].name, path);
        if (status != STATUS_OK) {
            (void)snprintf(why, why_size, "--keys %s is too long.", keys);
            return status;
        }
        status = keyfile_read(path, files[i].kind, KEYFILE_BYTES_MAX, &file,
                              why, why_size);
        if (status == STATUS_OK && strstr(file.text, "-----BEGIN ") == NULL) {
            (void)snprintf(why, why_size,
                           "%s is not in PEM form. Was it made by cajal keys "
                           "init?",
                           path);
            status = STATUS_INVALID;
        }
        keyfile_free(&file);
        if (status == STATUS_NOT_FOUND) {
            (void)snprintf(why, why_size,
                           "%s is not there. Make keys: cajal keys init "
                           "--keys %s",
                           path, keys);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

grpc_server_credentials *tls_credentials(const char *keys)
{
    char key[PATH_BYTES_MAX];
    char certificate[PATH_BYTES_MAX];
    char ca[PATH_BYTES_MAX];
    char revoked[PATH_BYTES_MAX];
    grpc_tls_certificate_provider *provider = NULL;
    grpc_tls_credentials_options *options = NULL;

    if (keyfile_path(keys, "coordinator/tls.key", key) != STATUS_OK ||
        keyfile_path(keys, "coordinator/tls.crt", certificate) != STATUS_OK ||
        keyfile_path(keys, "ca.crt", ca) != STATUS_OK ||
        keyfile_path(keys, "crl", revoked) != STATUS_OK) {
        return NULL;
    }
    provider = grpc_tls_certificate_provider_file_watcher_create(
        key, certificate, ca, TLS_REFRESH_S);
    options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider); /* options holds it */
    grpc_tls_credentials_options_watch_root_certs(options);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    grpc_tls_credentials_options_set_cert_request_type(
        options, GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    if (access(revoked, R_OK | X_OK) == 0) {
        grpc_tls_credentials_options_set_crl_directory(options, revoked);
    }
    return grpc_tls_server_credentials_create(options); /* takes options */
}

/* --- Identity --- */

/* A property that stands once in the context; NULL: none, or several. */
static const grpc_auth_property *single(const grpc_auth_context *context,
                                        const char *name)
{
    grpc_auth_property_iterator at =
        grpc_auth_context_find_properties_by_name(context, name);
    const grpc_auth_property *found = grpc_auth_property_iterator_next(&at);

    if (found == NULL || grpc_auth_property_iterator_next(&at) != NULL) {
        return NULL;
    }
    return found;
}

/* The names of certificates of our own making are plain; others are nobody. */
static void take_certificate(const grpc_auth_context *context,
                             struct identity *out)
{
    const grpc_auth_property *name =
        single(context, GRPC_X509_CN_PROPERTY_NAME);
    const grpc_auth_property *pem =
        single(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);

    if (name == NULL || pem == NULL ||
        !access_is_name(name->value, name->value_length) ||
        certkey_hash(pem->value, pem->value_length, &out->key) != STATUS_OK) {
        return;
    }
    out->kind = IDENTITY_CERTIFICATE;
    memcpy(out->name, name->value, name->value_length);
    out->name[name->value_length] = '\0';
    hash_bytes(pem->value, pem->value_length, &out->hash);
}

static bool take_token(const grpc_metadata_array *metadata,
                       struct identity *out)
{
    static const char scheme[] = "Bearer ";
    const size_t skip = sizeof(scheme) - 1;

    for (size_t i = 0; i < metadata->count; i++) {
        const grpc_metadata *entry = &metadata->metadata[i];
        const char *value = (const char *)GRPC_SLICE_START_PTR(entry->value);
        size_t size = GRPC_SLICE_LENGTH(entry->value);

        if (grpc_slice_str_cmp(entry->key, "authorization") != 0) {
            continue;
        }
        out->kind = IDENTITY_TOKEN;
        if (size >= skip && memcmp(value, scheme, skip) == 0) {
            hash_bytes(value + skip, size - skip, &out->hash);
        } else { /* another scheme: the hash of nothing is no token's */
            hash_bytes("", 0, &out->hash);
        }
        return true;
    }
    return false;
}

void tls_identify(grpc_call *call,
                  const grpc_metadata_array *metadata,
                  struct identity *out)
{
    grpc_auth_context *context = NULL;

    *out = (struct identity){.kind = IDENTITY_NONE};
    if (take_token(metadata, out)) {
        return;
    }
    context = grpc_call_auth_context(call);
    if (context != NULL && grpc_auth_context_peer_is_authenticated(context)) {
        take_certificate(context, out);
    }
    grpc_auth_context_release(context);
}
