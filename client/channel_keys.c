#include "client/channel_keys.h"

#include "base/keyfile.h"
#include "client/place.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Paths of what was found; "": nothing. */
struct found {
    char ca[PATH_BYTES_MAX];
    char certificate[PATH_BYTES_MAX];
    char key[PATH_BYTES_MAX];
    char token[PATH_BYTES_MAX];
};

static bool is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ||
           strncmp(address, "unix-abstract:", 14) == 0;
}

static bool names_keys(const struct cajal_options *options)
{
    return options->keys != NULL || options->ca != NULL ||
           options->token_file != NULL;
}

static bool set(char out[PATH_BYTES_MAX], const char *path)
{
    int length = snprintf(out, PATH_BYTES_MAX, "%s", path);

    return length >= 0 && length < PATH_BYTES_MAX;
}

/* DIR/NAME into out if it is there, else "". */
static void look_for(const char *dir,
                     const char *name,
                     char out[PATH_BYTES_MAX])
{
    if (keyfile_path(dir, name, out) != STATUS_OK || access(out, F_OK) != 0) {
        out[0] = '\0';
    }
}

static void look_in(const char *dir, struct found *out)
{
    look_for(dir, "tls.crt", out->certificate);
    look_for(dir, "tls.key", out->key);
    look_for(dir, "token", out->token);
}

static enum status find(const struct cajal_options *options,
                        struct found *out,
                        char *why,
                        size_t why_size)
{
    char dir[PATH_BYTES_MAX] = "";
    char admin[PATH_BYTES_MAX];
    bool fits = true;

    *out = (struct found){.ca = ""};
    if (options->keys != NULL) {
        fits = set(dir, options->keys);
    } else if (options->token_file == NULL &&
               (keyfile_default_dir(dir) != STATUS_OK ||
                access(dir, F_OK) != 0)) {
        dir[0] = '\0';
    }
    if (dir[0] != '\0') {
        look_in(dir, out);
        look_for(dir, "ca.crt", out->ca);
        if (out->certificate[0] == '\0' && out->token[0] == '\0' &&
            keyfile_path(dir, "clients/admin", admin) == STATUS_OK) {
            look_in(admin, out);
        }
    }
    if (options->ca != NULL) {
        fits = fits && set(out->ca, options->ca);
    }
    if (options->token_file != NULL) {
        fits = fits && set(out->token, options->token_file);
        out->certificate[0] = '\0'; /* a token was asked for */
    } else if (out->certificate[0] != '\0') {
        out->token[0] = '\0';
    }
    if (!fits) {
        (void)snprintf(why, why_size, "a path of a key is too long.");
        return STATUS_INVALID;
    }
    if (out->ca[0] == '\0' && (names_keys(options) || dir[0] != '\0')) {
        (void)snprintf(why, why_size,
                       "which coordinator may be trusted? There is no ca.crt "
                       "in %s; name one with --ca FILE.",
                       dir[0] != '\0' ? dir : "--keys");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* --- Files --- */

static enum status read_token(const char *path,
                              char out[TOKEN_BYTES_MAX],
                              char *why,
                              size_t why_size)
{
    static const char scheme[] = "Bearer ";
    struct keyfile file = {.text = NULL};
    size_t size = 0;
    enum status status =
        keyfile_read(path, KEYFILE_SECRET, TOKEN_BYTES_MAX - sizeof(scheme),
                     &file, why, why_size);

    if (status != STATUS_OK) {
        return status;
    }
    size = strcspn(file.text, " \t\r\n");
    for (size_t i = 0; i < size; i++) {
        if (file.text[i] <= 0x20 || file.text[i] >= 0x7f) {
            size = 0;
        }
    }
    if (size == 0 || strspn(file.text + size, " \t\r\n") != file.size - size) {
        (void)snprintf(why, why_size, "%s is no token: one word is wanted.",
                       path);
        status = STATUS_INVALID;
    } else {
        (void)snprintf(out, TOKEN_BYTES_MAX, "%s%.*s", scheme, (int)size,
                       file.text);
    }
    keyfile_free(&file);
    return status;
}

static enum status read_pem(const char *path,
                            enum keyfile_kind kind,
                            struct keyfile *out,
                            char *why,
                            size_t why_size)
{
    enum status status =
        keyfile_read(path, kind, KEYFILE_BYTES_MAX, out, why, why_size);

    if (status == STATUS_OK && strstr(out->text, "-----BEGIN ") == NULL) {
        (void)snprintf(why, why_size, "%s is not in PEM form.", path);
        return STATUS_INVALID;
    }
    return status;
}

static enum status make_credentials(const struct found *found,
                                    struct channel_keys *out,
                                    char *why,
                                    size_t why_size)
{
    struct keyfile ca = {.text = NULL};
    struct keyfile certificate = {.text = NULL};
    struct keyfile key = {.text = NULL};
    grpc_ssl_pem_key_cert_pair pair;
    enum status status =
        read_pem(found->ca, KEYFILE_PUBLIC, &ca, why, why_size);

    out->certified = found->certificate[0] != '\0';
    if (status == STATUS_OK && out->certified) {
        status = read_pem(found->certificate, KEYFILE_PUBLIC, &certificate, why,
                          why_size);
    }
    if (status == STATUS_OK && out->certified) {
        status = read_pem(found->key, KEYFILE_SECRET, &key, why, why_size);
    }
    if (status == STATUS_OK) {
        pair.private_key = key.text;
        pair.cert_chain = certificate.text;
        out->credentials = grpc_ssl_credentials_create(
            ca.text, out->certified ? &pair : NULL, NULL, NULL);
        out->encrypted = true;
        if (out->credentials == NULL) {
            (void)snprintf(why, why_size, "gRPC does not take these keys.");
            status = STATUS_INVALID;
        }
    }
    keyfile_free(&key);
    keyfile_free(&certificate);
    keyfile_free(&ca);
    return status;
}

enum status channel_keys_load(const struct cajal_options *options,
                              struct channel_keys *out,
                              char *why,
                              size_t why_size)
{
    bool local = place_is_local(options->address);
    struct found found;
    enum status status = STATUS_OK;

    *out = (struct channel_keys){.encrypted = false};
    if (options->insecure && options->token_file != NULL) {
        (void)snprintf(why, why_size,
                       "a token is sent only where it is encrypted: leave "
                       "--insecure or --token-file out.");
        return STATUS_INVALID;
    }
    if (is_unix(options->address) || options->insecure ||
        (local && !names_keys(options))) {
        out->credentials = grpc_insecure_credentials_create();
        return STATUS_OK;
    }
    status = find(options, &found, why, why_size);
    if (status != STATUS_OK) {
        return status;
    }
    if (found.ca[0] == '\0') {
        (void)snprintf(why, why_size,
                       "%s is not on this machine, and there are no keys to "
                       "speak to it with: name them with --keys DIR (an admin "
                       "makes them: cajal keys add client NAME --role ROLE). "
                       "Or use an ssh tunnel; or, where the network is yours "
                       "alone, add --insecure.",
                       options->address);
        return STATUS_INVALID;
    }
    if (found.token[0] != '\0') {
        status = read_token(found.token, out->token, why, why_size);
    }
    if (status == STATUS_OK) {
        status = make_credentials(&found, out, why, why_size);
    }
    if (status != STATUS_OK) {
        channel_keys_fini(out);
    }
    return status;
}

void channel_keys_fini(struct channel_keys *keys)
{
    volatile char *token = keys->token;

    for (size_t i = 0; i < sizeof(keys->token); i++) {
        token[i] = '\0';
    }
    if (keys->credentials != NULL) {
        grpc_channel_credentials_release(keys->credentials);
    }
    keys->credentials = NULL;
}
