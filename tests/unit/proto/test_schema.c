#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/schema.h"
#include "proto/job.h"
#include <string.h>

static void test_schema__has_a_parent_and_an_element_for_each_row(void **state)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char parent[SCHEMA_PATH_BYTES_MAX] = "";
        size_t size = (size_t)(schema_name(&table[i]) - table[i].path);

        assert_ptr_equal(schema_row(table[i].path), &table[i]);
        assert_int_equal(schema_index(&table[i]), i);
        if (size > 0) {
            memcpy(parent, table[i].path, size - 1);
            assert_int_equal(schema_row(parent)->type, SCHEMA_MAPPING);
        }
        if (table[i].type == SCHEMA_LIST) {
            assert_non_null(schema_element(&table[i]));
        }
        if (table[i].type == SCHEMA_MAPPING && table[i].short_key != NULL) {
            assert_non_null(schema_find(table[i].path, table[i].short_key,
                                        strlen(table[i].short_key)));
        }
    }
}

static void test_schema__says_what_each_value_is(void **state)
{
    size_t count;
    const struct schema_key *table = schema_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct schema_key *row = &table[i];

        if (row->type == SCHEMA_REFUSED) {
            assert_non_null(strstr(row->refusal, "not in this release"));
            continue;
        }
        assert_non_null(row->example);
        if (row->type == SCHEMA_MAPPING || row->type == SCHEMA_LIST) {
            continue;
        }
        assert_non_null(row->help);
        assert_true(row->offset < sizeof(struct job_spec));
        if (row->type == SCHEMA_WORD) {
            assert_non_null(row->words);
        }
    }
}

static void test_schema__finds_a_child_only_under_its_parent(void **state)
{
    (void)state;
    assert_non_null(schema_find("", "train", 5));
    assert_non_null(schema_find("train", "lr", 2));
    assert_non_null(schema_find("data.tasks[]", "kind", 4));
    assert_null(schema_find("", "lr", 2));
    assert_null(schema_find("train", "l", 1));
    assert_null(schema_find("data", "tasks[]", 7));
    assert_null(schema_find("model", "units", 5));
}

static void test_schema__knows_where_a_key_belongs(void **state)
{
    char buffer[SCHEMA_PATH_BYTES_MAX];
    struct text text;

    (void)state;
    text_init(&text, buffer, sizeof(buffer));
    assert_true(schema_find_elsewhere("count", 5, &text));
    assert_string_equal(buffer, "data.tasks.count");
    assert_false(schema_find_elsewhere("from", 4, &text));
    assert_string_equal(schema_synonym("learning_rate", 13), "train.lr");
    assert_null(schema_synonym("lr", 2));
}

static void test_schema__smells_secrets(void **state)
{
    static const char *const secrets[] = {
        "password", "Password", "db_password", "API-KEY",
        "token",    "secrets",  "aws_secret",  "credentials"};
    static const char *const others[] = {"", "s", "tokenizer", "keep", "key"};

    (void)state;
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        assert_true(schema_is_secret(secrets[i], strlen(secrets[i])));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(schema_is_secret(others[i], strlen(others[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__has_a_parent_and_an_element_for_each_row),
        cmocka_unit_test(test_schema__says_what_each_value_is),
        cmocka_unit_test(test_schema__finds_a_child_only_under_its_parent),
        cmocka_unit_test(test_schema__knows_where_a_key_belongs),
        cmocka_unit_test(test_schema__smells_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
