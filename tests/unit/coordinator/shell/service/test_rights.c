#include "coordinator/shell/service/rights.h"

#include "base/mem.h"
#include "proto/cajal/v1/control.pb-c.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char dir[64];
    char why[ERROR_BYTES_MAX];
    struct rights *rights;
};

static void put(const struct world *w, const char *file, const char *text)
{
    char path[128];
    char draft[140];
    FILE *out = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, file);
    (void)snprintf(draft, sizeof(draft), "%s.new", path);
    out = fopen(draft, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(draft, 0644), 0);
    assert_int_equal(rename(draft, path), 0);
}

static void put_hash(const struct world *w,
                     const char *file,
                     const char *format,
                     const char *secret)
{
    char text[256];
    char hex[ACCESS_HEX_BYTES + 1];
    struct hash hash;

    hash_bytes(secret, strlen(secret), &hash);
    hash_hex(&hash, HASH_BYTES, hex);
    if (strcmp(format, "token") == 0) {
        (void)snprintf(text, sizeof(text), "bob operator %s\n", hex);
    } else {
        (void)snprintf(text, sizeof(text), "%s ada\n", hex);
    }
    put(w, file, text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char path[128];

    assert_non_null(w);
    fixture_make_dir(w->dir);
    (void)snprintf(path, sizeof(path), "%s/revoked", w->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    put(w, "roles", "ada viewer\nolga operator\nroot admin\n");
    put_hash(w, "tokens", "token", "the token");
    put(w, "revoked/certificates", "");
    assert_int_equal(rights_open(w->dir, &w->rights), STATUS_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    rights_close(w->rights);
    fixture_remove_dir(w->dir);
    free(w);
    return 0;
}

static enum verdict ask(struct world *w,
                        enum identity_kind kind,
                        const char *text,
                        enum rpc_method method)
{
    struct identity identity = {.kind = kind};

    if (kind == IDENTITY_CERTIFICATE) {
        (void)snprintf(identity.name, sizeof(identity.name), "%s", text);
    }
    hash_bytes(text, strlen(text), &identity.hash);
    return rights_judge(w->rights, &identity, method, w->why, sizeof(w->why));
}

/* By the service's own descriptor, so that a new method cannot be forgotten.
 */
static void test_rights__every_method_has_a_line(void **state)
{
    size_t count = 0;
    const struct rpc_entry *table = rpc_table(&count);

    (void)state;
    assert_int_equal(count, cajal__v1__control__descriptor.n_methods);
    for (size_t m = 0; m < count; m++) {
        if (rights_needed((enum rpc_method)m) == ACCESS_NONE) {
            fail_msg("%s has no line in rights.c", table[m].path);
        }
    }
    assert_int_equal(rights_needed(RPC_SHUTDOWN), ACCESS_ADMIN);
    assert_int_equal(rights_needed(RPC_METHODS_COUNT), ACCESS_NONE);
}

/* Who may call what, all of it: each role with each method. */
static void test_rights__a_role_may_what_it_may_and_no_more(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *name;
        enum access_role role;
    } people[] = {{"ada", ACCESS_VIEWER},
                  {"olga", ACCESS_OPERATOR},
                  {"root", ACCESS_ADMIN}};

    for (int m = 0; m < RPC_METHODS_COUNT; m++) {
        enum rpc_method method = (enum rpc_method)m;

        for (size_t p = 0; p < 3; p++) {
            bool may = people[p].role >= rights_needed(method);

            assert_int_equal(
                ask(w, IDENTITY_CERTIFICATE, people[p].name, method),
                may ? VERDICT_ALLOWED : VERDICT_FORBIDDEN);
        }
        assert_int_equal(ask(w, IDENTITY_NONE, "", method), VERDICT_UNKNOWN);
        assert_int_equal(ask(w, IDENTITY_ANYONE, "", method), VERDICT_UNKNOWN);
        assert_int_equal(ask(w, IDENTITY_LOCAL, "", method), VERDICT_ALLOWED);
        assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "eve", method),
                         VERDICT_FORBIDDEN);
        assert_int_equal(ask(w, IDENTITY_TOKEN, "a token", method),
                         VERDICT_UNKNOWN);
    }
    assert_int_equal(ask(w, IDENTITY_TOKEN, "the token", RPC_LAUNCH),
                     VERDICT_ALLOWED);
    assert_int_equal(ask(w, IDENTITY_TOKEN, "the token", RPC_SHUTDOWN),
                     VERDICT_FORBIDDEN);
    assert_non_null(strstr(w->why, "\"bob\" is operator"));
}

static void test_rights__without_keys_whoever_is_there_may_all(void **state)
{
    struct identity anyone = {.kind = IDENTITY_ANYONE};
    char why[ERROR_BYTES_MAX];

    (void)state;
    assert_int_equal(
        rights_judge(NULL, &anyone, RPC_SHUTDOWN, why, sizeof(why)),
        VERDICT_ALLOWED);
    anyone.kind = IDENTITY_CERTIFICATE; /* cannot be; and then no */
    assert_int_equal(rights_judge(NULL, &anyone, RPC_ABOUT, why, sizeof(why)),
                     VERDICT_UNKNOWN);
}

static void test_rights__a_change_holds_at_once(void **state)
{
    struct world *w = *state;

    assert_false(rights_refresh(w->rights));
    put(w, "roles", "ada admin\n");
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_SHUTDOWN),
                     VERDICT_ALLOWED);
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "olga", RPC_ABOUT),
                     VERDICT_FORBIDDEN);
    put(w, "tokens", "");
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_TOKEN, "the token", RPC_ABOUT),
                     VERDICT_UNKNOWN);
}

static void test_rights__a_revoked_certificate_is_one_not_its_name(void **state)
{
    struct world *w = *state;
    struct identity other = {.kind = IDENTITY_CERTIFICATE, .name = "ada"};

    put_hash(w, "revoked/certificates", "revoked", "ada");
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_ABOUT),
                     VERDICT_UNKNOWN);
    assert_non_null(strstr(w->why, "revoked"));
    hash_bytes("her next one", 12, &other.hash);
    assert_int_equal(
        rights_judge(w->rights, &other, RPC_ABOUT, w->why, sizeof(w->why)),
        VERDICT_ALLOWED);
}

/* Another signature, another text: the same key. */
static void test_rights__a_revoked_key_is_revoked_in_any_certificate(
    void **state)
{
    struct world *w = *state;
    struct identity again = {.kind = IDENTITY_CERTIFICATE, .name = "ada"};

    put_hash(w, "revoked/certificates", "revoked", "her key");
    assert_true(rights_refresh(w->rights));
    hash_bytes("another text", 12, &again.hash);
    hash_bytes("her key", 7, &again.key);
    assert_int_equal(
        rights_judge(w->rights, &again, RPC_ABOUT, w->why, sizeof(w->why)),
        VERDICT_UNKNOWN);
    assert_non_null(strstr(w->why, "revoked"));
}

static void test_rights__no_list_of_revoked_ones_lets_nobody_in(void **state)
{
    struct world *w = *state;
    char path[128];

    assert_int_equal(rights_check(w->dir, w->why, sizeof(w->why)), STATUS_OK);
    (void)snprintf(path, sizeof(path), "%s/revoked/certificates", w->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rights_check(w->dir, w->why, sizeof(w->why)),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(w->why, "revoked/certificates is not there"));
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_ABOUT),
                     VERDICT_UNKNOWN);

    put(w, "revoked/certificates", "nonsense\n");
    assert_int_equal(rights_check(w->dir, w->why, sizeof(w->why)),
                     STATUS_INVALID);
    assert_non_null(strstr(w->why, "line 1 is wrong"));
}

static void test_rights__a_damaged_list_lets_nobody_in(void **state)
{
    struct world *w = *state;
    char path[128];

    put(w, "roles", "ada viewer\nroot king\n");
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_ABOUT),
                     VERDICT_UNKNOWN);
    assert_int_equal(ask(w, IDENTITY_TOKEN, "the token", RPC_ABOUT),
                     VERDICT_ALLOWED); /* that list is whole */

    put(w, "roles", "ada viewer\n");
    (void)snprintf(path, sizeof(path), "%s/roles", w->dir);
    assert_int_equal(chmod(path, 0666), 0); /* anybody could have written it */
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_ABOUT),
                     VERDICT_UNKNOWN);

    put(w, "roles", "ada viewer\n");
    put(w, "revoked/certificates", "nonsense\n");
    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_ABOUT),
                     VERDICT_UNKNOWN);
}

/* Nobody gets in by it meanwhile, and everybody as soon as there is memory,
 * without the file being touched. */
static void test_rights__reads_again_what_it_had_no_memory_for(void **state)
{
    struct world *w = *state;

    put(w, "roles", "ada viewer\nolga admin\n");
    mem_fail_at(1);
    assert_true(rights_refresh(w->rights));
    mem_fail_at(0);
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_STATUS),
                     VERDICT_UNKNOWN);

    assert_true(rights_refresh(w->rights));
    assert_int_equal(ask(w, IDENTITY_CERTIFICATE, "ada", RPC_STATUS),
                     VERDICT_ALLOWED);
    assert_false(rights_refresh(w->rights));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rights__every_method_has_a_line),
        TEST(test_rights__a_role_may_what_it_may_and_no_more),
        TEST(test_rights__without_keys_whoever_is_there_may_all),
        TEST(test_rights__a_change_holds_at_once),
        TEST(test_rights__a_revoked_certificate_is_one_not_its_name),
        TEST(test_rights__a_revoked_key_is_revoked_in_any_certificate),
        TEST(test_rights__no_list_of_revoked_ones_lets_nobody_in),
        TEST(test_rights__a_damaged_list_lets_nobody_in),
        TEST(test_rights__reads_again_what_it_had_no_memory_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
