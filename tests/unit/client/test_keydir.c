#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/curvekey.h"
#include "base/keyfile.h"
#include "client/keydir.h"
#include "client/x509.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY_S = 86400 };

struct world {
    char root[64];
    char path[96];
    struct keydir dir;
};

static int setup(void **state)
{
    static const char *const hosts[] = {"train1.example.org", "10.1.2.3"};
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    (void)snprintf(w->root, sizeof(w->root), "/tmp/cajal-keydir-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    (void)snprintf(w->path, sizeof(w->path), "%s/a/keys", w->root);
    assert_int_equal(keydir_open(w->path, true, &w->dir), STATUS_OK);
    assert_int_equal(keydir_init(&w->dir, hosts, 2), STATUS_OK);
    *state = w;
    return 0;
}

static void remove_all(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry = NULL;
    char below[512];

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        if (unlink(below) != 0) {
            remove_all(below);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

static int teardown(void **state)
{
    struct world *w = *state;

    keydir_close(&w->dir);
    remove_all(w->root);
    free(w);
    return 0;
}

static void get(struct world *w, const char *name, char *text, size_t size)
{
    char path[PATH_BYTES_MAX];
    char why[ERROR_BYTES_MAX];
    struct keyfile file;

    assert_int_equal(keyfile_path(w->path, name, path), STATUS_OK);
    assert_int_equal(
        keyfile_read(path, KEYFILE_PUBLIC, size - 1, &file, why, sizeof(why)),
        STATUS_OK);
    memcpy(text, file.text, file.size + 1);
    keyfile_free(&file);
}

static bool has(struct world *w, const char *name)
{
    char path[PATH_BYTES_MAX];

    return keyfile_path(w->path, name, path) == STATUS_OK &&
           access(path, F_OK) == 0;
}

struct found {
    const char *name;
    struct keydir_entry entry;
    unsigned count;
};

static void look(void *owner, const struct keydir_entry *entry)
{
    struct found *found = owner;

    if (strcmp(entry->name, found->name) == 0) {
        found->entry = *entry;
        found->count++;
    }
}

static unsigned find(struct world *w,
                     const char *name,
                     struct keydir_entry *out)
{
    struct found found = {.name = name};

    assert_int_equal(keydir_each(&w->dir, look, &found), STATUS_OK);
    *out = found.entry;
    return found.count;
}

static void test_keydir__init_makes_an_authority_and_an_admin(void **state)
{
    struct world *w = *state;
    struct keydir_entry entry;

    assert_int_equal(find(w, "coordinator", &entry), 1);
    assert_non_null(strstr(entry.hosts, "localhost 127.0.0.1 ::1"));
    assert_non_null(strstr(entry.hosts, "train1.example.org 10.1.2.3"));
    assert_int_equal(entry.until_s, w->dir.now_s + KEYDIR_DAYS * DAY_S);
    assert_int_equal(find(w, "admin", &entry), 1);
    assert_int_equal(entry.role, ACCESS_ADMIN);
    assert_int_equal(keydir_init(&w->dir, NULL, 0), STATUS_CONFLICT);
    assert_non_null(strstr(w->dir.why, "--force"));
    w->dir.force = true;
    assert_int_equal(keydir_init(&w->dir, NULL, 0), STATUS_OK);
}

/* The format that the coordinator and its workers read. */
static void test_keydir__a_worker_gets_a_pair_and_is_known_by_it(void **state)
{
    struct world *w = *state;
    char known[64];
    char carried[64];
    char coordinator[64];
    struct curvekey key;

    assert_int_equal(keydir_add_worker(&w->dir, "w1"), STATUS_OK);
    get(w, "workers/w1.pub", known, sizeof(known));
    get(w, "worker-w1/curve.pub", carried, sizeof(carried));
    assert_string_equal(known, carried);
    assert_int_equal(strlen(known), CURVEKEY_TEXT + 1);
    assert_int_equal(known[CURVEKEY_TEXT], '\n');
    assert_int_equal(curvekey_parse(known, CURVEKEY_TEXT, &key), STATUS_OK);
    get(w, "worker-w1/coordinator.pub", carried, sizeof(carried));
    get(w, "coordinator/curve.pub", coordinator, sizeof(coordinator));
    assert_string_equal(carried, coordinator);

    assert_int_equal(keydir_add_worker(&w->dir, "w1"), STATUS_CONFLICT);
    assert_int_equal(keydir_rotate(&w->dir, "w1"), STATUS_OK);
    get(w, "workers/w1.pub", carried, sizeof(carried));
    assert_string_not_equal(known, carried);
    assert_int_equal(keydir_revoke(&w->dir, "w1"), STATUS_OK);
    assert_false(has(w, "workers/w1.pub"));
    assert_false(has(w, "worker-w1"));
    assert_int_equal(keydir_revoke(&w->dir, "w1"), STATUS_NOT_FOUND);
}

/* A file that cannot be written stands for a full disk, or a kill. */
static void test_keydir__who_cannot_rotate_keeps_what_there_was(void **state)
{
    struct world *w = *state;
    const struct keydir_client ada = {.name = "ada", .role = ACCESS_VIEWER};
    static char before[KEYFILE_BYTES_MAX];
    static char after[KEYFILE_BYTES_MAX];
    char path[256];

    assert_int_equal(keydir_add_worker(&w->dir, "w1"), STATUS_OK);
    assert_int_equal(keydir_add_client(&w->dir, &ada), STATUS_OK);
    (void)snprintf(path, sizeof(path), "%s/worker-w1/curve.key", w->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    get(w, "workers/w1.pub", before, sizeof(before));
    assert_int_not_equal(keydir_rotate(&w->dir, "w1"), STATUS_OK);
    get(w, "workers/w1.pub", after, sizeof(after));
    assert_string_equal(before, after); /* still let in */

    (void)snprintf(path, sizeof(path), "%s/clients/ada/tls.key", w->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_not_equal(keydir_rotate(&w->dir, "ada"), STATUS_OK);
    get(w, "revoked/certificates", after, sizeof(after));
    assert_null(strstr(after, " ada\n"));

    assert_int_equal(rmdir(path), 0);
    assert_int_equal(keydir_rotate(&w->dir, "ada"), STATUS_OK);
    get(w, "revoked/certificates", after, sizeof(after));
    assert_non_null(strstr(after, " ada\n"));
    assert_null(strstr(strstr(after, " ada\n") + 1, " ada\n"));
    assert_false(has(w, "clients/ada/old.crt"));
}

static void test_keydir__bundles_learn_the_new_curve_key(void **state)
{
    struct world *w = *state;
    char before[64];
    char after[64];
    char carried[64];

    assert_int_equal(keydir_add_worker(&w->dir, "w1"), STATUS_OK);
    get(w, "coordinator/curve.pub", before, sizeof(before));
    assert_int_equal(keydir_rotate(&w->dir, "coordinator-curve"), STATUS_OK);
    get(w, "coordinator/curve.pub", after, sizeof(after));
    get(w, "worker-w1/coordinator.pub", carried, sizeof(carried));
    assert_string_not_equal(before, after);
    assert_string_equal(carried, after);
}

static void test_keydir__a_client_gets_a_role_and_loses_it(void **state)
{
    struct world *w = *state;
    const struct keydir_client ada = {.name = "ada", .role = ACCESS_VIEWER};
    static char text[KEYFILE_BYTES_MAX];
    struct keydir_entry entry;

    assert_int_equal(keydir_add_client(&w->dir, &ada), STATUS_OK);
    assert_int_equal(find(w, "ada", &entry), 1);
    assert_int_equal(entry.kind, KEYDIR_CLIENT);
    assert_int_equal(entry.role, ACCESS_VIEWER);
    assert_int_equal(keydir_rotate(&w->dir, "ada"), STATUS_OK);
    assert_int_equal(keydir_revoke(&w->dir, "ada"), STATUS_OK);
    assert_int_equal(find(w, "ada", &entry), 0);
    get(w, "roles", text, sizeof(text));
    assert_null(strstr(text, "ada"));
    assert_non_null(strstr(text, "admin admin\n"));
    get(w, "revoked/certificates", text, sizeof(text));
    assert_non_null(strstr(text, " ada\n")); /* the first and the second */
    assert_non_null(strstr(strstr(text, " ada\n") + 1, " ada\n"));
}

static void test_keydir__a_token_is_kept_as_its_hash_alone(void **state)
{
    struct world *w = *state;
    const struct keydir_client bob = {
        .name = "bob", .role = ACCESS_OPERATOR, .token = true};
    static char text[KEYFILE_BYTES_MAX];
    char token[128];
    char hex[ACCESS_HEX_BYTES + 1];
    struct hash hash;

    assert_int_equal(keydir_add_client(&w->dir, &bob), STATUS_OK);
    get(w, "clients/bob/token", token, sizeof(token));
    assert_int_equal(strlen(token), ACCESS_TOKEN_BYTES + 1);
    token[ACCESS_TOKEN_BYTES] = '\0';
    hash_bytes(token, ACCESS_TOKEN_BYTES, &hash);
    hash_hex(&hash, HASH_BYTES, hex);
    get(w, "tokens", text, sizeof(text));
    assert_non_null(strstr(text, hex));
    assert_null(strstr(text, token));
    assert_false(has(w, "clients/bob/tls.key"));
}

static void test_keydir__refuses_names_that_are_paths(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {"",   ".",   "..",   "../x",       "a/b",
                                      "-x", "a b", "a\nb", "coordinator"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct keydir_client client = {.name = bad[i],
                                             .role = ACCESS_VIEWER};

        assert_int_equal(keydir_add_client(&w->dir, &client), STATUS_INVALID);
        assert_int_equal(keydir_add_worker(&w->dir, bad[i]), STATUS_INVALID);
        assert_int_equal(keydir_revoke(&w->dir, bad[i]), STATUS_INVALID);
    }
}

static void test_keydir__one_process_at_a_time(void **state)
{
    struct world *w = *state;
    struct keydir second;

    assert_int_equal(keydir_open(w->path, false, &second), STATUS_CONFLICT);
    keydir_close(&w->dir);
    assert_int_equal(keydir_open(w->path, false, &second), STATUS_OK);
    keydir_close(&second);
    assert_int_equal(keydir_open("/nowhere/at/all", false, &second),
                     STATUS_NOT_FOUND);
}

static void test_keydir__a_ca_key_that_others_can_read_signs_nothing(
    void **state)
{
    struct world *w = *state;
    const struct keydir_client ada = {.name = "ada", .role = ACCESS_VIEWER};
    char path[PATH_BYTES_MAX];

    assert_int_equal(keyfile_path(w->path, "ca.key", path), STATUS_OK);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(keydir_add_client(&w->dir, &ada), STATUS_REFUSED);
    assert_non_null(strstr(w->dir.why, "chmod 600"));
}

/* --- x509 --- */

static void test_x509__says_what_it_was_asked_to_certify(void **state)
{
    static const char *const hosts[] = {"h.example.org", "::1", "10.0.0.1"};
    struct x509_request request = {.name = "x",
                                   .hosts = hosts,
                                   .hosts_count = 3,
                                   .server = true,
                                   .from_s = 1000000000,
                                   .until_s = 1000086400};
    struct x509_pair ca;
    struct x509_pair pair;
    static struct x509_facts facts;
    const char *const bad[] = {"a,b"};

    (void)state;
    assert_int_equal(x509_make_ca("ca", 0, 4000000000, &ca), STATUS_OK);
    assert_int_equal(x509_issue(&ca, &request, &pair), STATUS_OK);
    assert_int_equal(x509_read(pair.certificate, &facts), STATUS_OK);
    assert_string_equal(facts.name, "x");
    assert_int_equal(facts.from_s, 1000000000);
    assert_int_equal(facts.until_s, 1000086400);
    assert_int_equal(facts.hosts_count, 3);
    assert_string_equal(facts.hosts[1], "::1");
    assert_string_equal(facts.pem, pair.certificate);

    request.hosts = bad; /* would be two names in OpenSSL's language */
    request.hosts_count = 1;
    assert_int_equal(x509_issue(&ca, &request, &pair), STATUS_IO);
    assert_int_equal(x509_issue(&pair, &request, &pair), STATUS_IO);
    assert_int_equal(x509_read("nonsense", &facts), STATUS_INVALID);
}

static void test_x509__cut_texts_are_no_certificates(void **state)
{
    struct x509_pair ca;
    static struct x509_facts facts;
    size_t size = 0;

    (void)state;
    assert_int_equal(x509_make_ca("ca", 0, 4000000000, &ca), STATUS_OK);
    size = strlen(ca.certificate);
    for (size_t cut = 0; cut + 1 < size; cut += 7) {
        char text[X509_CERTIFICATE_BYTES_MAX];

        memcpy(text, ca.certificate, cut);
        text[cut] = '\0';
        assert_int_equal(x509_read(text, &facts), STATUS_INVALID);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keydir__init_makes_an_authority_and_an_admin),
        TEST(test_keydir__a_worker_gets_a_pair_and_is_known_by_it),
        TEST(test_keydir__who_cannot_rotate_keeps_what_there_was),
        TEST(test_keydir__bundles_learn_the_new_curve_key),
        TEST(test_keydir__a_client_gets_a_role_and_loses_it),
        TEST(test_keydir__a_token_is_kept_as_its_hash_alone),
        TEST(test_keydir__refuses_names_that_are_paths),
        TEST(test_keydir__one_process_at_a_time),
        TEST(test_keydir__a_ca_key_that_others_can_read_signs_nothing),
        cmocka_unit_test(test_x509__says_what_it_was_asked_to_certify),
        cmocka_unit_test(test_x509__cut_texts_are_no_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
