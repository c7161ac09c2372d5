#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/yamldoc.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static struct yamldoc *doc;
static struct yamlfault fault;

static int teardown(void **state)
{
    (void)state;
    yamldoc_close(doc);
    doc = NULL;
    return mem_live() == 0 ? 0 : -1;
}

static enum status parse(const char *text, struct yamlnode **out)
{
    assert_int_equal(yamldoc_open(strlen(text), &doc), STATUS_OK);
    return yamldoc_parse(doc, text, strlen(text), 5, &fault, out);
}

static void test_yamldoc__keeps_texts_and_places(void **state)
{
    struct yamlnode *root = NULL;
    struct yamlnode *node;

    (void)state;
    assert_int_equal(parse("a: 1e-3\n"
                           "b: [x, \"y z\", {c: no}]\n",
                           &root),
                     STATUS_OK);

    assert_int_equal(root->kind, YAMLNODE_MAPPING);
    node = yamlnode_child(root, "a", 1);
    assert_memory_equal(node->text, "1e-3", 4);
    assert_int_equal(node->line, 1);
    assert_int_equal(node->column, 4);
    assert_int_equal(node->end_column, 8);
    assert_int_equal(node->source, 5);
    assert_false(node->quoted);
    node = yamlnode_child(root, "b", 1);
    assert_int_equal(node->kind, YAMLNODE_SEQUENCE);
    assert_int_equal(node->key->line, 2);
    assert_true(yamlnode_element(node, 1)->quoted);
    assert_int_equal(yamlnode_element(node, 1)->text_size, 3);
    node = yamlnode_child(yamlnode_element(node, 2), "c", 1);
    assert_memory_equal(node->text, "no", 2);
    assert_int_equal(node->column, 19);
    assert_null(yamlnode_child(root, "c", 1));
    assert_null(yamlnode_element(yamlnode_child(root, "b", 1), 3));
}

static void test_yamldoc__counts_columns_in_characters(void **state)
{
    struct yamlnode *root = NULL;

    (void)state;
    assert_int_equal(parse("\xEF\xBB\xBF\xc3\xa9\xc3\xa9: x\n", &root),
                     STATUS_OK);

    assert_int_equal(root->first->key->column, 1);
    assert_int_equal(root->first->column, 5);
}

static void test_yamldoc__makes_an_empty_value_of_nothing(void **state)
{
    struct yamlnode *root = NULL;

    (void)state;
    assert_int_equal(parse("# only a comment\n", &root), STATUS_OK);

    assert_true(yamlnode_empty(root));
}

static void test_yamldoc__bounds_aliases_before_they_grow(void **state)
{
    struct yamlnode *root = NULL;

    (void)state;
    assert_int_equal(
        parse("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", &root),
        STATUS_INVALID);

    assert_int_equal(fault.line, 1);
    assert_int_equal(fault.column, 4);
    assert_null(root);
}

static void test_yamldoc__bounds_depth(void **state)
{
    struct yamlnode *root = NULL;

    (void)state;
    assert_int_equal(parse("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", &root),
                     STATUS_OK);
    yamldoc_close(doc);
    assert_int_equal(parse("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", &root),
                     STATUS_INVALID);
    assert_int_equal(fault.column, 17);
}

/* The texts with most nodes and with most text for their bytes. */
static void test_yamldoc__has_room_for_the_densest_texts(void **state)
{
    static const char *const patterns[] = {"[?,",      "?,",  "?,",
                                           "\"\\L\",", "[],", "a,"};
    size_t count = 1000;

    (void)state;
    for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
        size_t step = strlen(patterns[p]);
        char *text = calloc(1, count * step + 3);
        struct yamlnode *root = NULL;

        assert_non_null(text);
        text[0] = '[';
        for (size_t i = 0; i < count; i++) {
            memcpy(text + 1 + i * step, patterns[p], step);
        }
        text[1 + count * step] = ']';
        (void)parse(text, &root);
        assert_null(strstr(fault.message, "too m"));
        yamldoc_close(doc);
        doc = NULL;
        free(text);
    }
}

static void test_yamldoc__fails_cleanly_without_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        mem_fail_at(n);
        assert_int_equal(yamldoc_open(100, &doc), STATUS_NO_MEMORY);
        mem_fail_at(0);
        assert_int_equal(mem_live(), 0);
        assert_null(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_yamldoc__keeps_texts_and_places,
                                  teardown),
        cmocka_unit_test_teardown(test_yamldoc__counts_columns_in_characters,
                                  teardown),
        cmocka_unit_test_teardown(test_yamldoc__makes_an_empty_value_of_nothing,
                                  teardown),
        cmocka_unit_test_teardown(test_yamldoc__bounds_aliases_before_they_grow,
                                  teardown),
        cmocka_unit_test_teardown(test_yamldoc__bounds_depth, teardown),
        cmocka_unit_test_teardown(test_yamldoc__has_room_for_the_densest_texts,
                                  teardown),
        cmocka_unit_test_teardown(test_yamldoc__fails_cleanly_without_memory,
                                  teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
