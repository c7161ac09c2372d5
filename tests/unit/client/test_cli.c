#include "client/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HELP_BYTES_MAX = 8192, WORDS_MAX = 12 };

/* A command line as one text with single spaces. */
struct line {
    char text[256];
    char *argv[WORDS_MAX];
    int argc;
    struct cli cli;
    char message[CLI_MESSAGE_BYTES_MAX];
};

static enum status parse(struct line *line, const char *text)
{
    char *word = line->text;

    memset(line, 0, sizeof(*line));
    (void)snprintf(line->text, sizeof(line->text), "%s", text);
    while (word != NULL && line->argc < WORDS_MAX) {
        char *space = strchr(word, ' ');

        line->argv[line->argc++] = word;
        if (space != NULL) {
            *space++ = '\0';
        }
        word = space;
    }
    return cli_parse(line->argc, line->argv, &line->cli, line->message,
                     sizeof(line->message));
}

static void test_cli__takes_flags_before_and_after_the_verb(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal --store a history j4 -o json -n 3"),
                     STATUS_OK);

    assert_string_equal(line.cli.verb->name, "history");
    assert_string_equal(line.cli.values[FLAG_STORE], "a");
    assert_string_equal(line.cli.arguments[0], "j4");
    assert_int_equal(line.cli.arguments_count, 1);
    assert_int_equal(line.cli.limit, 3);
    assert_true(line.cli.json);
}

static void test_cli__takes_a_verbs_flag_before_the_verb(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal -w4 run a.yaml"), STATUS_OK);

    assert_int_equal(line.cli.workers, 4);
}

static void test_cli__takes_values_in_every_form(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal run a.yaml -dw 2 --set=a.b=1 "
                                  "--set c=2 --timeout 2m"),
                     STATUS_OK);

    assert_int_equal(line.cli.workers, 2);
    assert_non_null(line.cli.values[FLAG_DETACH]);
    assert_int_equal(line.cli.sets_count, 2);
    assert_string_equal(line.cli.sets[0], "a.b=1");
    assert_string_equal(line.cli.sets[1], "c=2");
    assert_int_equal(line.cli.timeout_ms, 120000);
}

static void test_cli__takes_a_range_of_workers_for_a_job(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal run a.yaml -w 1:3"), STATUS_OK);
    assert_int_equal(line.cli.workers_min, 1);
    assert_int_equal(line.cli.workers, 3);

    assert_int_equal(parse(&line, "cajal launch a.yaml --workers=2"),
                     STATUS_OK);
    assert_int_equal(line.cli.workers_min, 0);
    assert_int_equal(line.cli.workers, 2);
}

static void test_cli__refuses_what_is_no_range_of_workers(void **state)
{
    static const char *const words[] = {
        "3:1", "0:2", "1:", ":2", "1:65", "1:2:3", "a:b", "1-2", "12345678:2"};
    struct line line;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        (void)snprintf(text, sizeof(text), "cajal run a.yaml -w %s", words[i]);
        assert_int_equal(parse(&line, text), STATUS_INVALID);
        assert_non_null(strstr(line.message, "from 1 to 64, or MIN:MAX"));
    }
    assert_int_equal(parse(&line, "cajal up -w 1:3"), STATUS_INVALID);
    assert_non_null(strstr(line.message, "a range is for `run`"));
}

static void test_cli__knows_the_verbs_of_workers(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal drain w1 --timeout 2m -o json"),
                     STATUS_OK);
    assert_string_equal(line.cli.arguments[0], "w1");
    assert_int_equal(line.cli.timeout_ms, 120000);
    assert_true(line.cli.json);

    assert_int_equal(parse(&line, "cajal cordon w1"), STATUS_OK);
    assert_int_equal(parse(&line, "cajal uncordon w1"), STATUS_OK);
    assert_int_equal(parse(&line, "cajal drain"), STATUS_INVALID);
    assert_non_null(strstr(line.message, "Usage: cajal drain WORKER"));
    assert_non_null(strstr(cli_help_exit_codes(), "\n  8    still going"));
}

static void test_cli__treats_all_as_words_after_two_dashes(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal export -- @ --json"), STATUS_OK);

    assert_string_equal(line.cli.arguments[1], "--json");
    assert_false(line.cli.json);
}

static void test_cli__suggests_the_nearest_verb(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal histroy"), STATUS_INVALID);

    assert_non_null(strstr(line.message, "Did you mean \"history\"?"));
}

static void test_cli__explains_words_of_other_tools(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal checkout v3"), STATUS_INVALID);
    assert_non_null(strstr(line.message, "`restore`"));

    assert_int_equal(parse(&line, "cajal log"), STATUS_INVALID);
    assert_non_null(strstr(line.message, "`history`"));

    assert_int_equal(parse(&line, "cajal fork v3"), STATUS_INVALID);
    assert_non_null(strstr(line.message, "cannot fork"));
}

static void test_cli__never_suggests_what_the_tool_keeps_to_itself(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal supervize"), STATUS_INVALID);

    assert_null(strstr(line.message, "supervise"));
}

static void test_cli__suggests_the_nearest_flag(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal run a.yaml --wrokers 2"),
                     STATUS_INVALID);

    assert_non_null(strstr(line.message, "Did you mean --workers?"));
}

static void test_cli__refuses_a_flag_of_another_verb(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal jobs --workers 2"), STATUS_INVALID);

    assert_non_null(strstr(line.message, "no flag of `jobs`"));
}

static void test_cli__says_what_is_missing_or_too_much(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        {"cajal run", "cajal run JOB.yaml"},
        {"cajal diff v1", "cajal diff A B"},
        {"cajal diff v1 v2 v3", "one too many"},
        {"cajal run a.yaml --workers", "needs N"},
        {"cajal run a.yaml --workers two", "a number from 1 to 64"},
        {"cajal run a.yaml --workers 65", "a number from 1 to 64"},
        {"cajal jobs --timeout soon", "a time such as 30s"},
        {"cajal jobs -o yaml", "table, wide or json"},
        {"cajal jobs --yes=1", "no value"},
        {"cajal jobs -x", "unknown flag -x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct line line;

        assert_int_equal(parse(&line, cases[i].line), STATUS_INVALID);
        if (strstr(line.message, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].line, line.message);
        }
    }
}

static void test_cli__knows_that_json_was_wanted_when_it_fails(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "cajal nonsense -o json"), STATUS_INVALID);
    assert_true(line.cli.json);

    assert_int_equal(parse(&line, "cajal nonsense"), STATUS_INVALID);
    assert_false(line.cli.json);
}

static void test_cli__reads_durations(void **state)
{
    uint32_t ms = 7;

    (void)state;
    assert_int_equal(cli_duration("30", &ms), STATUS_OK);
    assert_int_equal(ms, 30000);
    assert_int_equal(cli_duration("250ms", &ms), STATUS_OK);
    assert_int_equal(ms, 250);
    assert_int_equal(cli_duration("1.5s", &ms), STATUS_OK);
    assert_int_equal(ms, 1500);
    assert_int_equal(cli_duration("1h", &ms), STATUS_OK);
    assert_int_equal(ms, 3600000);

    assert_int_equal(cli_duration("0", &ms), STATUS_INVALID);
    assert_int_equal(cli_duration("-1s", &ms), STATUS_INVALID);
    assert_int_equal(cli_duration("1 s", &ms), STATUS_INVALID);
    assert_int_equal(cli_duration("1e9h", &ms), STATUS_INVALID);
    assert_int_equal(ms, 3600000);
}

static void assert_fits(const char *name, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        if (length > CLI_HELP_COLUMNS_MAX) {
            fail_msg("%s: %.*s", name, (int)length, text);
        }
        text += length + (text[length] == '\n');
    }
}

static void test_cli__helps_within_eighty_columns(void **state)
{
    size_t count = 0;
    const struct cli_verb *verbs = cli_verbs(&count);
    char text[HELP_BYTES_MAX];

    (void)state;
    cli_help(NULL, text, sizeof(text));
    assert_fits("all", text);
    assert_true(strlen(text) + 1 < sizeof(text));
    assert_fits("exit-codes", cli_help_exit_codes());

    for (size_t i = 0; i < count; i++) {
        cli_help(&verbs[i], text, sizeof(text));
        assert_fits(verbs[i].name, text);
        assert_non_null(strstr(text, verbs[i].summary));
    }
}

static void test_cli__lists_every_verb_but_its_own(void **state)
{
    size_t count = 0;
    const struct cli_verb *verbs = cli_verbs(&count);
    char text[HELP_BYTES_MAX];

    (void)state;
    cli_help(NULL, text, sizeof(text));

    for (size_t i = 0; i < count; i++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "\n  %s ", verbs[i].name);
        if (verbs[i].group == GROUP_HIDDEN) {
            assert_null(strstr(text, line));
        } else if (strstr(text, line) == NULL) {
            fail_msg("%s is not in the help", verbs[i].name);
        }
    }
}

static void test_cli__has_a_whole_and_unambiguous_table(void **state)
{
    size_t count = 0;
    const struct cli_verb *verbs = cli_verbs(&count);
    const struct cli_flag *flags = cli_flags();

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_non_null(verbs[i].run);
        assert_true(verbs[i].arguments_most <= CLI_ARGUMENTS_MAX);
        assert_true(verbs[i].arguments_least <= verbs[i].arguments_most);
        assert_ptr_equal(cli_find(verbs[i].name), &verbs[i]);
    }
    for (size_t i = 0; i < FLAGS_COUNT; i++) {
        assert_non_null(flags[i].help);
        for (size_t j = i + 1; j < FLAGS_COUNT; j++) {
            assert_string_not_equal(flags[i].name, flags[j].name);
            assert_true(flags[i].letter == 0 ||
                        flags[i].letter != flags[j].letter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cli__takes_flags_before_and_after_the_verb),
        cmocka_unit_test(test_cli__takes_a_verbs_flag_before_the_verb),
        cmocka_unit_test(test_cli__takes_values_in_every_form),
        cmocka_unit_test(test_cli__takes_a_range_of_workers_for_a_job),
        cmocka_unit_test(test_cli__refuses_what_is_no_range_of_workers),
        cmocka_unit_test(test_cli__knows_the_verbs_of_workers),
        cmocka_unit_test(test_cli__treats_all_as_words_after_two_dashes),
        cmocka_unit_test(test_cli__suggests_the_nearest_verb),
        cmocka_unit_test(test_cli__explains_words_of_other_tools),
        cmocka_unit_test(
            test_cli__never_suggests_what_the_tool_keeps_to_itself),
        cmocka_unit_test(test_cli__suggests_the_nearest_flag),
        cmocka_unit_test(test_cli__refuses_a_flag_of_another_verb),
        cmocka_unit_test(test_cli__says_what_is_missing_or_too_much),
        cmocka_unit_test(test_cli__knows_that_json_was_wanted_when_it_fails),
        cmocka_unit_test(test_cli__reads_durations),
        cmocka_unit_test(test_cli__helps_within_eighty_columns),
        cmocka_unit_test(test_cli__lists_every_verb_but_its_own),
        cmocka_unit_test(test_cli__has_a_whole_and_unambiguous_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
