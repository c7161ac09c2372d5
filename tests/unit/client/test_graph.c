#include "client/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_BYTES_MAX = 8192 };

static void add_line(char *out, const char *lanes, const char *name)
{
    size_t used = strlen(out);

    (void)snprintf(out + used, TEXT_BYTES_MAX - used, "%s%s%s\n", lanes,
                   name[0] != '\0' ? " " : "", name);
}

/* The whole graph as text: lanes, then the version's name. */
static void draw(const struct graph_item *items, size_t count, char *out)
{
    struct graph graph;
    char lanes[GRAPH_BYTES_MAX];

    out[0] = '\0';
    graph_init(&graph);
    for (size_t i = 0; i < count; i++) {
        while (graph_join(&graph, &items[i], lanes)) {
            add_line(out, lanes, "");
        }
        graph_row(&graph, &items[i], lanes);
        add_line(out, lanes, items[i].name);
        if (graph_split(&graph, &items[i], lanes)) {
            add_line(out, lanes, "");
        }
    }
}

static void test_graph__draws_a_line(void **state)
{
    const struct graph_item items[] = {
        {"v2", {"v1"}, 1}, {"v1", {"v0"}, 1}, {"v0", {NULL}, 0}};
    char text[TEXT_BYTES_MAX];

    (void)state;
    draw(items, 3, text);

    assert_string_equal(text, "* v2\n"
                              "* v1\n"
                              "* v0\n");
}

static void test_graph__shows_where_a_restore_came_from(void **state)
{
    const struct graph_item items[] = {
        {"v4", {"v1"}, 1}, {"v3", {"v2"}, 1}, {"v2", {"v1"}, 1},
        {"v1", {"v0"}, 1}, {"v0", {NULL}, 0},
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    draw(items, 5, text);

    assert_string_equal(text, "* v4\n"
                              "| * v3\n"
                              "| * v2\n"
                              "|/\n"
                              "* v1\n"
                              "* v0\n");
}

static void test_graph__opens_a_lane_for_a_second_parent(void **state)
{
    const struct graph_item items[] = {
        {"v4", {"v3", "v1"}, 2},
        {"v3", {"v2"}, 1},
        {"v2", {"v1"}, 1},
        {"v1", {NULL}, 0},
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    draw(items, 4, text);

    assert_string_equal(text, "* v4\n"
                              "|\\\n"
                              "* | v3\n"
                              "* | v2\n"
                              "|/\n"
                              "* v1\n");
}

static void test_graph__crosses_a_lane_that_lies_between(void **state)
{
    const struct graph_item items[] = {
        {"v6", {"v1"}, 1}, {"v5", {"v0"}, 1}, {"v4", {"v1"}, 1},
        {"v1", {"v0"}, 1}, {"v0", {NULL}, 0},
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    draw(items, 5, text);

    assert_string_equal(text, "* v6\n"
                              "| * v5\n"
                              "| | * v4\n"
                              "|_|/\n"
                              "* | v1\n"
                              "|/\n"
                              "* v0\n");
}

static void test_graph__stays_within_its_lanes(void **state)
{
    char names[40][8];
    struct graph_item items[40];
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < 40; i++) { /* forty heads, no common parent */
        (void)snprintf(names[i], sizeof(names[i]), "h%zu", i);
        items[i] = (struct graph_item){names[i], {"gone"}, 1};
        if (i % 2 == 1) {
            items[i] = (struct graph_item){names[i], {names[i], "x"}, 2};
        }
    }
    draw(items, 40, text);

    assert_non_null(strstr(text, "h39"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph__draws_a_line),
        cmocka_unit_test(test_graph__shows_where_a_restore_came_from),
        cmocka_unit_test(test_graph__opens_a_lane_for_a_second_parent),
        cmocka_unit_test(test_graph__crosses_a_lane_that_lies_between),
        cmocka_unit_test(test_graph__stays_within_its_lanes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
