#include "client/print.h"

#include "client/json.h"
#include "client/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void render_fn(struct print *print, const cJSON *document);

/* What render makes of a document of `columns` columns; 0: not a terminal. */
static char *rendered(const char *json,
                      render_fn *render,
                      int columns,
                      size_t *left_out)
{
    char *text = NULL;
    size_t size = 0;
    cJSON *document = cJSON_Parse(json);
    struct print print = {.out = open_memstream(&text, &size),
                          .look = {.columns = columns,
                                   .terminal = columns > 0,
                                   .commas = columns > 0}};

    assert_non_null(document);
    render(&print, document);
    (void)fclose(print.out);
    cJSON_Delete(document);
    if (left_out != NULL) {
        *left_out = print.left_out;
    }
    return text;
}

static void assert_renders(const char *json,
                           render_fn *render,
                           int columns,
                           const char *expected)
{
    char *text = rendered(json, render, columns, NULL);

    assert_string_equal(text, expected);
    free(text);
}

static const char history[] =
    "{\"versions\":["
    "{\"version\":\"v4\",\"parents\":[\"v1\"],\"step\":938,"
    "\"cause\":\"restore\",\"reason\":\"restore v1\",\"shape\":[784,100,"
    "100,10],\"parameters\":89610,\"accuracy\":0.861,"
    "\"time\":\"2026-11-24T12:00:00Z\",\"hash\":\"8c1f2a\","
    "\"tags\":[\"good\"],\"head\":true,\"bytes\":415000},"
    "{\"version\":\"v3\",\"parents\":[\"v2\"],\"step\":2140,"
    "\"cause\":\"grow\",\"reason\":\"grow hidden1 100->116\","
    "\"shape\":[784,116,100,10],\"parameters\":103770,\"accuracy\":0.829,"
    "\"time\":\"2026-11-24T12:00:00Z\",\"hash\":\"8c1f2a\",\"tags\":[],"
    "\"head\":false,\"bytes\":415000},"
    "{\"version\":\"v2\",\"parents\":[\"v1\"],\"step\":1876,"
    "\"cause\":\"task\",\"reason\":\"end of task1\",\"shape\":[784,100,100,"
    "10],\"parameters\":89610,\"accuracy\":0.848,"
    "\"time\":\"2026-11-24T12:00:00Z\",\"hash\":\"8c1f2a\",\"tags\":[],"
    "\"head\":false,\"bytes\":415000},"
    "{\"version\":\"v1\",\"parents\":[\"v0\"],\"step\":938,"
    "\"cause\":\"task\",\"reason\":\"end of task0\",\"shape\":[784,100,100,"
    "10],\"parameters\":89610,\"accuracy\":0.861,"
    "\"time\":\"2026-11-24T12:00:00Z\",\"hash\":\"8c1f2a\",\"tags\":[],"
    "\"head\":false,\"bytes\":415000},"
    "{\"version\":\"v0\",\"parents\":[],\"step\":0,\"cause\":\"start\","
    "\"reason\":\"\",\"shape\":[784,100,100,10],\"parameters\":89610,"
    "\"accuracy\":null,\"time\":\"2026-11-24T12:00:00Z\","
    "\"hash\":\"8c1f2a\",\"tags\":[],\"head\":false,\"bytes\":415000}]}";

static void test_print__shows_history_at_80_columns(void **state)
{
    (void)state;
    assert_renders(history, print_history, 80,
                   "     VERSION  NAMES     STEP  WHAT                   SHAPE "
                   "            ACC\n"
                   "*    v4       @, good    938  restore v1             "
                   "784-100-100-10  0.861\n"
                   "| *  v3                2,140  grow hidden1 100->116  "
                   "784-116-100-10  0.829\n"
                   "| *  v2                1,876  end of task1           "
                   "784-100-100-10  0.848\n"
                   "|/\n"
                   "*    v1                  938  end of task0           "
                   "784-100-100-10  0.861\n"
                   "*    v0                    0  start                  "
                   "784-100-100-10      -\n");
}

static const char workers[] =
    "{\"workers\":[{\"worker\":\"w0\",\"name\":\"w0\",\"host\":\"n1\",\"pid\":"
    "7,"
    "\"state\":\"busy\",\"job\":\"j1\",\"shards\":3,\"shard_steps\":1200,"
    "\"bytes_sent\":2000000,\"kept_bytes\":39000000,\"buddy_bytes\":38000000,"
    "\"seen_seconds\":0.2,\"lag\":0,\"reason\":\"\",\"threads\":1,"
    "\"kernels\":\"Haswell\",\"endpoint\":\"ipc://x\"}]}";

static void test_print__shows_workers_with_all_their_columns(void **state)
{
    size_t left_out = 0;
    char *text = rendered(workers, print_workers, 0, &left_out);

    (void)state;
    assert_int_equal(left_out, 0);
    assert_non_null(strstr(text, "39 MB"));
    assert_non_null(strstr(text, "38 MB"));
    assert_non_null(strstr(text, "Haswell"));
    free(text);
}

static void test_print__drops_columns_at_60(void **state)
{
    size_t left_out = 0;
    char *text = rendered(history, print_history, 60, &left_out);

    (void)state;
    assert_int_equal(left_out, 3);
    assert_string_equal(
        text, "     VERSION   STEP  WHAT                   SHAPE\n"
              "*    v4         938  restore v1             784-100-100-10\n"
              "| *  v3       2,140  grow hidden1 100->116  784-116-100-10\n"
              "| *  v2       1,876  end of task1           784-100-100-10\n"
              "|/\n"
              "*    v1         938  end of task0           784-100-100-10\n"
              "*    v0           0  start                  784-100-100-10\n");
    free(text);
}

static void test_print__never_passes_the_width(void **state)
{
    static const int widths[] = {20, 40, 60, 80, 120};

    (void)state;
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        char *text = rendered(history, print_history, widths[i], NULL);
        char *line = text;

        while (*line != '\0') {
            size_t length = strcspn(line, "\n");

            if (length > (size_t)widths[i]) {
                fail_msg("%d columns: %.*s", widths[i], (int)length, line);
            }
            line += length + 1;
        }
        free(text);
    }
}

static void test_print__leaves_nothing_out_for_programs(void **state)
{
    size_t left_out = 7;
    char *text = rendered(history, print_history, 0, &left_out);

    (void)state;
    assert_int_equal(left_out, 0);
    assert_non_null(strstr(text, "2140")); /* no separators */
    assert_non_null(strstr(text, "2026-11-24T12:00:00Z"));
    assert_non_null(strstr(text, "8c1f2a"));
    assert_null(strstr(text, "\033"));
    free(text);
}

static const char diff[] =
    "{\"from\":\"v3\",\"to\":\"v7\",\"layers\":["
    "{\"name\":\"hidden1\",\"units_from\":116,\"units_to\":109,"
    "\"inputs_from\":784,\"inputs_to\":784,\"parameters_from\":91060,"
    "\"parameters_to\":85565,\"moved\":0.412,\"added\":[],"
    "\"removed\":[\"u1\",\"u2\",\"u3\",\"u4\",\"u5\",\"u6\",\"u7\"]},"
    "{\"name\":\"hidden2\",\"units_from\":100,\"units_to\":116,"
    "\"inputs_from\":116,\"inputs_to\":109,\"parameters_from\":11700,"
    "\"parameters_to\":12760,\"moved\":0.63,\"added\":[\"u8\",\"u9\","
    "\"u10\",\"u11\",\"u12\",\"u13\",\"u14\",\"u15\",\"u16\",\"u17\"],"
    "\"removed\":[\"u20\"]},"
    "{\"name\":\"output\",\"units_from\":10,\"units_to\":10,"
    "\"inputs_from\":100,\"inputs_to\":116,\"parameters_from\":1010,"
    "\"parameters_to\":1170,\"moved\":0.38,\"added\":[],\"removed\":[]}]}";

static void test_print__shows_a_diff_layer_by_layer(void **state)
{
    (void)state;
    assert_renders(
        diff, print_diff, 80,
        "v3 -> v7\n"
        "\n"
        "LAYER    FROM     TO        UNITS  PARAMS FROM  PARAMS TO  CHANGE  "
        "MOVED\n"
        "hidden1  784-116  784-109      -7       91,060     85,565  -5,495  "
        "0.412\n"
        "hidden2  116-100  109-116  +10 -1       11,700     12,760  +1,060  "
        "0.630\n"
        "output   100-10   116-10        0        1,010      1,170    +160  "
        "0.380\n"
        "total                                  103,770     99,495  -4,275\n"
        "\n"
        "hidden1 - u1 u2 u3 u4 u5 u6 u7\n"
        "hidden2 + u8 u9 u10 u11 u12 u13 u14 u15 and 2 more\n"
        "hidden2 - u20\n");
}

static void test_print__keeps_the_diff_readable_at_60(void **state)
{
    (void)state;
    assert_renders(
        diff, print_diff, 60,
        "v3 -> v7\n"
        "\n"
        "LAYER    FROM     TO        UNITS  PARAMS TO  CHANGE  MOVED\n"
        "hidden1  784-116  784-109      -7     85,565  -5,495  0.412\n"
        "hidden2  116-100  109-116  +10 -1     12,760  +1,060  0.630\n"
        "output   100-10   116-10        0      1,170    +160  0.380\n"
        "total                                 99,495  -4,275\n"
        "\n"
        "hidden1 - u1 u2 u3 u4 u5 u6 u7\n"
        "hidden2 + u8 u9 u10 u11 u12 u13 u14 u15 and 2 more\n"
        "hidden2 - u20\n");
}

static void test_print__shows_metrics(void **state)
{
    (void)state;
    assert_renders(
        "{\"tasks\":[{\"task\":0,\"examples\":6400,"
        "\"online_accuracy\":0.7246,\"online_loss\":0.91,\"dormant\":0.02,"
        "\"held_out\":[{\"task\":0,\"accuracy\":0.8}]},"
        "{\"task\":1,\"examples\":6400,\"online_accuracy\":0.5,"
        "\"online_loss\":1.2,\"dormant\":0,\"held_out\":["
        "{\"task\":0,\"accuracy\":0.6},{\"task\":1,\"accuracy\":0.8}]},"
        "{\"task\":2,\"examples\":50,\"online_accuracy\":0.5,"
        "\"online_loss\":1.2,\"dormant\":0,\"held_out\":[]}]}",
        print_metrics, 80,
        "TASK   EXAMPLES  ONLINE ACC  ONLINE LOSS  HELD OUT  ALL MEASURED  "
        "DORMANT\n"
        "task0     6,400       0.725        0.910     0.800         0.800  "
        "  0.020\n"
        "task1     6,400       0.500        1.200     0.800         0.700  "
        "  0.000\n"
        "task2        50       0.500        1.200         -             -  "
        "  0.000\n");
}

static void test_print__shows_jobs_with_their_reason(void **state)
{
    (void)state;
    assert_renders(
        "{\"jobs\":[{\"job\":\"j5\",\"name\":\"fashion\","
        "\"state\":\"waiting\",\"reason\":\"needs 4 workers, 2 are there\","
        "\"step\":0,\"steps\":9380,\"shape\":[784,100,10],\"head\":\"v0\","
        "\"created\":\"2026-11-24T12:00:00Z\"}]}",
        print_jobs, 80,
        "JOB  NAME     STATE       STEP  SHAPE       REASON\n"
        "j5   fashion  waiting  0/9,380  784-100-10  needs 4 workers, 2 are "
        "there\n");
}

/* Before its first version a job has none to name. */
static void test_print__names_no_version_where_there_is_none(void **state)
{
    static const char status[] =
        "{\"job\":\"j1\",\"name\":\"a\",\"state\":\"waiting\",\"head\":\"%s\","
        "\"versions\":%d}";
    char json[200];
    char *text = NULL;

    (void)state;
    (void)snprintf(json, sizeof(json), status, "", 0);
    text = rendered(json, print_status, 80, NULL);
    assert_null(strstr(text, "version"));
    free(text);
    (void)snprintf(json, sizeof(json), status, "v2", 3);
    text = rendered(json, print_status, 80, NULL);
    assert_non_null(strstr(text, "version     v2, 3 in all"));
    free(text);
}

static void test_print__says_which_tasks_are_left_out(void **state)
{
    (void)state;
    assert_renders("{\"tasks\":[{\"task\":174,\"examples\":10,"
                   "\"accuracy\":1,\"loss\":0.5}],\"examples\":10,"
                   "\"accuracy\":1,\"loss\":0.5,\"left_out\":174}",
                   print_evaluation, 80,
                   "TASK     EXAMPLES  ACCURACY   LOSS\n"
                   "task174        10     1.000  0.500\n"
                   "all            10     1.000  0.500\n"
                   "The oldest 174 tasks are left out: 126 are evaluated at "
                   "most.\n");
}

static void test_print__lets_nobody_drive_the_terminal(void **state)
{
    char *text = rendered("{\"tags\":[{\"name\":\"a\\u001b[2Jb\","
                          "\"version\":\"v1\"}]}",
                          print_tags, 80, NULL);

    (void)state;
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "a?[2Jb"));
    free(text);
}

static void test_print__paints_only_where_it_may(void **state)
{
    static const struct table_column columns[] = {{"STATE", false, 0, false}};
    struct look look = {.columns = 80, .terminal = true, .color = true};
    struct table *table = table_open(columns, 1);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    table_add_painted(table, "failed", PAINT_BAD);
    assert_int_equal(table_print(table, &look, false, out), 0);
    (void)fclose(out);
    table_close(table);

    assert_string_equal(text, "\033[2mSTATE\033[0m\n"
                              "\033[31mfailed\033[0m\n");
    free(text);
}

static void test_print__follows_the_rules_of_colour(void **state)
{
    static const struct {
        struct look_inputs inputs;
        bool color;
    } cases[] = {
        {{.terminal = true}, true},
        {{.terminal = false}, false},
        {{.terminal = true, .term = "dumb"}, false},
        {{.terminal = true, .no_color = "1"}, false},
        {{.terminal = true, .no_color = ""}, true},
        {{.terminal = false, .force_color = "1"}, true},
        {{.terminal = false, .force_color = "1", .no_color = "1"}, false},
        {{.terminal = false, .flag_color = true, .no_color = "1"}, true},
        {{.terminal = true, .flag_no_color = true, .flag_color = true}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(look_wants_color(&cases[i].inputs), cases[i].color);
    }
}

static void test_print__writes_numbers_for_people(void **state)
{
    const struct look people = {.commas = true};
    char text[40];

    (void)state;
    look_count(&people, 1234567, text);
    assert_string_equal(text, "1,234,567");
    look_count(&people, -5495, text);
    assert_string_equal(text, "-5,495");
    look_count(&people, 999, text);
    assert_string_equal(text, "999");
    look_bytes(6240000, text);
    assert_string_equal(text, "6.2 MB");
    look_bytes(999999, text);
    assert_string_equal(text, "1.0 MB");
    look_bytes(12, text);
    assert_string_equal(text, "12 B");
    look_seconds(90, text);
    assert_string_equal(text, "90s");
    look_seconds(7300, text);
    assert_string_equal(text, "2h");
}

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print__shows_history_at_80_columns),
        cmocka_unit_test(test_print__shows_workers_with_all_their_columns),
        cmocka_unit_test(test_print__drops_columns_at_60),
        cmocka_unit_test(test_print__never_passes_the_width),
        cmocka_unit_test(test_print__leaves_nothing_out_for_programs),
        cmocka_unit_test(test_print__shows_a_diff_layer_by_layer),
        cmocka_unit_test(test_print__keeps_the_diff_readable_at_60),
        cmocka_unit_test(test_print__shows_metrics),
        cmocka_unit_test(test_print__shows_jobs_with_their_reason),
        cmocka_unit_test(test_print__names_no_version_where_there_is_none),
        cmocka_unit_test(test_print__says_which_tasks_are_left_out),
        cmocka_unit_test(test_print__lets_nobody_drive_the_terminal),
        cmocka_unit_test(test_print__paints_only_where_it_may),
        cmocka_unit_test(test_print__follows_the_rules_of_colour),
        cmocka_unit_test(test_print__writes_numbers_for_people),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
