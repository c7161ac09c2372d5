#include "client/watch.h"

#include "client/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static cJSON *event_of(const char *kind)
{
    Cajal__V1__Event m = CAJAL__V1__EVENT__INIT;
    Cajal__V1__LayerWidth hidden = CAJAL__V1__LAYER_WIDTH__INIT;
    Cajal__V1__LayerWidth output = CAJAL__V1__LAYER_WIDTH__INIT;
    Cajal__V1__LayerWidth *layers[] = {&hidden, &output};

    hidden.name = (char *)"hidden1";
    hidden.units = 116;
    output.name = (char *)"output";
    output.units = 10;
    m.wall_ms = 1764000000000;
    m.job = (char *)"j4";
    m.kind = (char *)kind;
    m.state = (char *)"running";
    m.step = 2140;
    m.steps = 9380;
    m.task = 2;
    m.tasks = 10;
    m.loss = 0.412;
    m.accuracy = 0.842;
    m.version = (char *)"v3";
    m.layers = layers;
    m.n_layers = 2;
    m.workers = 2;
    m.examples_per_second = 12345.6;
    if (strcmp(kind, "progress") != 0) {
        m.text = (char *)"grow hidden1 100->116\033[2J";
    }
    return json_event(&m);
}

static char *plain(const char *kind)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cJSON *event = event_of(kind);

    watch_plain_line(event, out);
    (void)fclose(out);
    cJSON_Delete(event);
    return text;
}

static void test_watch__tells_programs_one_plain_line(void **state)
{
    char *text = plain("progress");

    (void)state;
    assert_string_equal(
        text, "2025-11-24T16:00:00Z j4 state=running step=2140/9380 task=2 "
              "loss=0.412 acc=0.842 shape=116-10 version=v3 workers=2 "
              "examples_per_second=12345\n");
    free(text);
}

static void test_watch__tells_programs_what_happened(void **state)
{
    char *text = plain("grow");

    (void)state;
    assert_string_equal(text,
                        "2025-11-24T16:00:00Z j4 event=grow state=running "
                        "step=2140/9380 task=2 version=v3 "
                        "text=\"grow hidden1 100->116?[2J\"\n");
    free(text);
}

static void test_watch__draws_progress_for_people(void **state)
{
    const struct look look = {.columns = 80, .terminal = true, .commas = true};
    cJSON *event = event_of("progress");
    char line[512];

    (void)state;
    watch_progress_line(&look, event, 7, line, sizeof(line));

    assert_string_equal(line, "task2 (3 of 10) ##........ "
                              "2,140/9,380  7s left  acc 0.842 loss 0.412  "
                              "116-10");
    cJSON_Delete(event);
}

static void test_watch__says_what_is_waited_for(void **state)
{
    const struct look look = {.columns = 80, .terminal = true};
    Cajal__V1__Event m = CAJAL__V1__EVENT__INIT;
    cJSON *event = NULL;
    char line[512];

    (void)state;
    m.state = (char *)"waiting";
    m.text = (char *)"needs 2 workers, 1 is there: w0";
    event = json_event(&m);
    watch_progress_line(&look, event, -1, line, sizeof(line));

    assert_string_equal(line, "waiting: needs 2 workers, 1 is there: w0");
    cJSON_Delete(event);
}

static void test_watch__keeps_the_terminal_safe(void **state)
{
    const struct look look = {.columns = 80, .terminal = true};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cJSON *event = event_of("grow");

    (void)state;
    watch_event_line(&look, event, 63, out);
    (void)fclose(out);
    cJSON_Delete(event);

    assert_string_equal(text,
                        " 01:03  v3    grow      grow hidden1 100->116?[2J\n");
    free(text);
}

static char *shown(int columns, const char *reason)
{
    const struct look look = {.columns = columns, .terminal = true};
    Cajal__V1__Event m = CAJAL__V1__EVENT__INIT;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cJSON *event = NULL;

    m.kind = (char *)"grow";
    m.text = (char *)reason;
    event = json_event(&m);
    watch_event_line(&look, event, 7, out);
    (void)fclose(out);
    cJSON_Delete(event);
    return text;
}

static void test_watch__hangs_what_does_not_fit_below_its_column(void **state)
{
    static const struct {
        int columns;
        const char *reason;
        const char *shown;
    } rows[] = {
        {51, "hidden2 +16 (plateau): at most 8.12%",
         " 00:07        grow      hidden2 +16 (plateau): at\n"
         "                        most 8.12%\n"},
        {51, "one two three four five six seven eight nine ten eleven twelve",
         " 00:07        grow      one two three four five six\n"
         "                        seven eight nine ten eleven\n"
         "                        twelve\n"},
        /* the 27 columns that there are, and one more */
        {51, "hidden2 +16, plateau of 3.3",
         " 00:07        grow      hidden2 +16, plateau of 3.3\n"},
        {51, "hidden2 +16, plateau of 3.33",
         " 00:07        grow      hidden2 +16, plateau of\n"
         "                        3.33\n"},
        /* columns are characters, not bytes */
        {51, "hidden2 \xe2\x86\x92 16, plateau of 33",
         " 00:07        grow      hidden2 \xe2\x86\x92 16, plateau of 33\n"},
        /* neither a word that is too long nor a narrow terminal */
        {51, "a_word_that_is_longer_than_the_room_for_it",
         " 00:07        grow      "
         "a_word_that_is_longer_than_the_room_for_it\n"},
        {43, "hidden2 +16 (plateau): at most 8.12%",
         " 00:07        grow      hidden2 +16 (plateau): at most 8.12%\n"},
        {0, "hidden2 +16 (plateau): at most 8.12%",
         " 00:07        grow      hidden2 +16 (plateau): at most 8.12%\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = shown(rows[i].columns, rows[i].reason);

        assert_string_equal(text, rows[i].shown);
        free(text);
    }
}

/* "recovered" is the longest kind; what follows stands below the others. */
static void test_watch__every_kind_fits_its_column(void **state)
{
    const struct look look = {.columns = 80, .terminal = true};
    Cajal__V1__Event m = CAJAL__V1__EVENT__INIT;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cJSON *event = NULL;

    (void)state;
    m.kind = (char *)"recovered";
    m.text = (char *)"goes on 1.1 s after it stopped, 45 steps to compute "
                     "again";
    event = json_event(&m);
    watch_event_line(&look, event, 7, out);
    (void)fclose(out);
    cJSON_Delete(event);

    assert_string_equal(text, " 00:07        recovered goes on 1.1 s after it "
                              "stopped, 45 steps to compute\n"
                              "                        again\n");
    free(text);
}

static void test_watch__hides_what_comes_by_the_hundred(void **state)
{
    (void)state;
    assert_true(watch_shows("grow"));
    assert_true(watch_shows("fault"));
    assert_true(watch_shows("recovered"));
    assert_false(watch_shows("renew"));
    assert_false(watch_shows("decision"));
}

/* Events are durable and numbered: no doubles and no gaps where a watch comes
 * back, also where it had heard no more than where the job is. */
static void test_watch__goes_on_behind_what_it_has_heard(void **state)
{
    (void)state;
    assert_int_equal(watch_next(1, 1), 2);   /* an event */
    assert_int_equal(watch_next(2, 1), 2);   /* progress behind it */
    assert_int_equal(watch_next(0, 41), 42); /* joined in the middle */
    assert_int_equal(watch_next(0, 0), 1);   /* before the first event */
    assert_int_equal(watch_next(1, 0), 1);
}

static void test_watch__takes_only_finished_for_done(void **state)
{
    (void)state;
    assert_int_equal(watch_exit_code("finished"), EXIT_DONE);
    assert_int_equal(watch_exit_code("failed"), EXIT_NO);
    assert_int_equal(watch_exit_code("paused"), EXIT_NO);
    assert_int_equal(watch_exit_code("cancelled"), EXIT_NO);
}

static void test_watch__maps_every_status_to_an_exit_code(void **state)
{
    (void)state;
    assert_int_equal(tool_exit_code(STATUS_OK, 0), 0);
    assert_int_equal(tool_exit_code(STATUS_INVALID, 3), 2);
    assert_int_equal(tool_exit_code(STATUS_NOT_FOUND, 5), 3);
    assert_int_equal(tool_exit_code(STATUS_REFUSED, 7), 4);
    assert_int_equal(tool_exit_code(STATUS_UNAVAILABLE, 14), 5);
    assert_int_equal(tool_exit_code(STATUS_DEADLINE, 4), 5);
    assert_int_equal(tool_exit_code(STATUS_CONFLICT, 9), 6);
    assert_int_equal(tool_exit_code(STATUS_STALE, 10), 6);
    assert_int_equal(tool_exit_code(STATUS_CORRUPT, 15), 7);
    assert_int_equal(tool_exit_code(STATUS_FULL, 0), 7);
    assert_int_equal(tool_exit_code(STATUS_IO, 13), 70);
    assert_int_equal(tool_exit_code(STATUS_IO, 0), 7);
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
        cmocka_unit_test(test_watch__tells_programs_one_plain_line),
        cmocka_unit_test(test_watch__tells_programs_what_happened),
        cmocka_unit_test(test_watch__draws_progress_for_people),
        cmocka_unit_test(test_watch__says_what_is_waited_for),
        cmocka_unit_test(test_watch__keeps_the_terminal_safe),
        cmocka_unit_test(test_watch__hangs_what_does_not_fit_below_its_column),
        cmocka_unit_test(test_watch__every_kind_fits_its_column),
        cmocka_unit_test(test_watch__hides_what_comes_by_the_hundred),
        cmocka_unit_test(test_watch__goes_on_behind_what_it_has_heard),
        cmocka_unit_test(test_watch__takes_only_finished_for_done),
        cmocka_unit_test(test_watch__maps_every_status_to_an_exit_code),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
