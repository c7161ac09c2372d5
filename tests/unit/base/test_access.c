#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct access_list list;

static enum status parse(enum access_kind kind,
                         const char *text,
                         uint32_t *out_line)
{
    return access_parse(kind, text, strlen(text), &list, out_line);
}

static void test_access__reads_roles_with_comments(void **state)
{
    uint32_t line = 0;

    (void)state;
    assert_int_equal(parse(ACCESS_ROLES,
                           "# who\n\n ada  viewer # she looks\r\n"
                           "bob\toperator\ncarol-2.x admin",
                           &line),
                     STATUS_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(access_by_name(&list, "ada")->role, ACCESS_VIEWER);
    assert_int_equal(access_by_name(&list, "bob")->role, ACCESS_OPERATOR);
    assert_int_equal(access_by_name(&list, "carol-2.x")->role, ACCESS_ADMIN);
    assert_null(access_by_name(&list, "ad"));
    assert_null(access_by_name(&list, "Ada"));
}

static void test_access__finds_tokens_by_hash_alone(void **state)
{
    uint32_t line = 0;
    struct hash hash;

    (void)state;
    assert_int_equal(parse(ACCESS_TOKENS, "bob operator " HEX "\n", &line),
                     STATUS_OK);
    memcpy(&hash, &list.entries[0].hash, sizeof(hash));
    assert_int_equal(hash.b[1], 0x11);
    assert_string_equal(access_by_hash(&list, &hash)->name, "bob");
    hash.b[31] ^= 1;
    assert_null(access_by_hash(&list, &hash));
}

static void test_access__one_bad_line_spoils_all(void **state)
{
    static const struct {
        enum access_kind kind;
        const char *text;
    } bad[] = {
        {ACCESS_ROLES, "ada viewer\nbob\n"},
        {ACCESS_ROLES, "ada viewer\nbob boss\n"},
        {ACCESS_ROLES, "ada viewer\nbob admin please\n"},
        {ACCESS_ROLES, "ada viewer\nada admin\n"},
        {ACCESS_ROLES, "ada viewer\n../x admin\n"},
        {ACCESS_ROLES, "ada viewer\n-x admin\n"},
        {ACCESS_ROLES, "ada viewer\n\xc3\xa4 admin\n"},
        {ACCESS_ROLES, "ada viewer\nbob ADMIN\n"},
        {ACCESS_TOKENS, "ada viewer " HEX "\nbob admin " HEX "\n"},
        {ACCESS_TOKENS, "ada viewer " HEX "\nbob admin 00\n"},
        {ACCESS_TOKENS, "# \nbob admin " HEX "0\n"},
        {ACCESS_REVOKED, HEX " ada\nbob " HEX "\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t line = 0;

        assert_int_equal(parse(bad[i].kind, bad[i].text, &line),
                         STATUS_INVALID);
        assert_int_equal(line, 2);
        assert_int_equal(list.count, 0);
    }
}

/* A file that is cut anywhere gives less, never something else. */
static void test_access__a_cut_file_lets_nobody_new_in(void **state)
{
    static const char text[] = "ada viewer\nbob admin\n";

    (void)state;
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        uint32_t line = 0;
        enum status status =
            access_parse(ACCESS_ROLES, text, size, &list, &line);

        if (status == STATUS_OK) {
            for (uint32_t i = 0; i < list.count; i++) {
                const char *name = list.entries[i].name;

                assert_true(strcmp(name, "ada") == 0 ||
                            strcmp(name, "bob") == 0);
            }
        } else {
            assert_int_equal(list.count, 0);
        }
    }
}

static void test_access__has_a_most(void **state)
{
    char *text = malloc((ACCESS_MAX + 1) * 16);
    size_t used = 0;
    uint32_t line = 0;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < ACCESS_MAX; i++) {
        used += (size_t)sprintf(text + used, "n%d viewer\n", i);
    }
    assert_int_equal(access_parse(ACCESS_ROLES, text, used, &list, &line),
                     STATUS_OK);
    used += (size_t)sprintf(text + used, "more viewer\n");
    assert_int_equal(access_parse(ACCESS_ROLES, text, used, &list, &line),
                     STATUS_INVALID);
    assert_int_equal(line, ACCESS_MAX + 1);
    free(text);
}

static void test_access__knows_its_own_words(void **state)
{
    (void)state;
    for (int role = ACCESS_VIEWER; role <= ACCESS_ADMIN; role++) {
        const char *name = access_role_name((enum access_role)role);

        assert_int_equal(access_role_find(name, strlen(name)), role);
    }
    assert_int_equal(access_role_find("none", 4), ACCESS_NONE);
    assert_int_equal(access_role_find("adm", 3), ACCESS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access__reads_roles_with_comments),
        cmocka_unit_test(test_access__finds_tokens_by_hash_alone),
        cmocka_unit_test(test_access__one_bad_line_spoils_all),
        cmocka_unit_test(test_access__a_cut_file_lets_nobody_new_in),
        cmocka_unit_test(test_access__has_a_most),
        cmocka_unit_test(test_access__knows_its_own_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
