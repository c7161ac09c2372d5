#include "base/log.h"

#include "base/clock.h"
#include "base/jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TIME_BYTES = 24 }; /* 2026-11-24T09:30:00.123Z */

static int ends[2];

static int open_pipe(void **state)
{
    (void)state;
    if (pipe(ends) != 0) {
        return -1;
    }
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static int close_pipe(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* All that was logged, as a string. */
static void read_log(char *out, size_t size)
{
    ssize_t count = read(ends[0], out, size - 1);

    out[count > 0 ? count : 0] = '\0';
}

static void test_log__writes_time_process_level_module_event(void **state)
{
    char line[2000];

    (void)state;
    log_open(ends[1], LOG_INFO, "w3");

    log_line(LOG_INFO, "link", "peer_lost", "peer=%s after_ms=%d", "w1", 600);

    read_log(line, sizeof(line));
    assert_string_equal(line + TIME_BYTES,
                        " w3 info link peer_lost peer=w1 after_ms=600\n");
    assert_int_equal(line[4], '-');
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_int_equal(line[TIME_BYTES - 1], 'Z');
}

static void test_log__leaves_out_what_is_empty(void **state)
{
    char line[2000];

    (void)state;
    log_open(ends[1], LOG_INFO, "");

    log_line(LOG_ERROR, "store", "disk_full", "%s", "");

    read_log(line, sizeof(line));
    assert_string_equal(line + TIME_BYTES, " error store disk_full\n");
}

static void test_log__is_silent_below_its_level(void **state)
{
    char line[2000];

    (void)state;
    log_open(ends[1], LOG_WARN, "c");

    log_line(LOG_DEBUG, "m", "e", "n=%d", 1);
    log_line(LOG_INFO, "m", "e", "n=%d", 2);
    read_log(line, sizeof(line));
    assert_string_equal(line, "");

    log_line(LOG_WARN, "m", "e", "n=%d", 3);
    read_log(line, sizeof(line));
    assert_string_equal(line + TIME_BYTES, " c warn m e n=3\n");
}

static void test_log__escapes_control_characters(void **state)
{
    char line[2000];

    (void)state;
    log_open(ends[1], LOG_INFO, "c");

    log_line(LOG_INFO, "m", "e", "name=%s", "a\nb\x1b[2J\x7f\r\xc3\xa9");

    read_log(line, sizeof(line));
    assert_string_equal(line + TIME_BYTES,
                        " c info m e name=a\\nb\\x1b[2J\\x7f\\x0d\xc3\xa9\n");
}

static void test_log__cuts_a_line_at_1000_bytes(void **state)
{
    char value[3000];
    char line[4000];

    (void)state;
    log_open(ends[1], LOG_INFO, "c");
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';

    log_line(LOG_INFO, "m", "e", "v=%s", value);
    read_log(line, sizeof(line));
    assert_int_equal(strlen(line), 1000);
    assert_int_equal(line[999], '\n');
    assert_int_equal(line[998], 'v');

    memset(value, '\n', sizeof(value) - 1);
    log_line(LOG_INFO, "m", "e", "v=%s", value);
    read_log(line, sizeof(line));
    assert_int_equal(strlen(line), 1000);
    assert_ptr_equal(strchr(line, '\n'), line + 999);
}

static void test_log__keeps_errno(void **state)
{
    (void)state;
    log_open(ends[1], LOG_INFO, "c");
    errno = EDOM;

    log_line(LOG_INFO, "m", "e", "n=%d", 1);

    assert_int_equal(errno, EDOM);
}

static void test_log__survives_a_descriptor_that_fails(void **state)
{
    (void)state;
    log_open(ends[0], LOG_INFO, "c"); /* the reading end */

    log_line(LOG_INFO, "m", "e", "n=%d", 1);

    log_open(ends[1], LOG_INFO, "c");
    log_line(LOG_INFO, "m", "e", "n=%d", 2); /* and that one was lost */
}

/* Were it waited for, a coordinator whose log nobody reads would answer no
 * one: seen with a test that had other things to do. */
static void test_log__does_not_wait_for_who_does_not_read(void **state)
{
    static char all[1 << 20];
    uint64_t begun_ms = clock_now_ms();
    char line[100];
    int count = 0;
    int missing = 0;

    (void)state;
    log_open(ends[1], LOG_INFO, "c");

    for (int i = 0; i < 5000; i++) { /* ten times what a pipe holds */
        log_line(LOG_INFO, "m", "e", "%0100d", i);
    }
    assert_true(clock_now_ms() - begun_ms < 5000);

    read_log(all, sizeof(all));
    for (const char *at = all; *at != '\0'; at = strchr(at, '\n') + 1) {
        (void)snprintf(line, sizeof(line), " c info m e 0");
        assert_memory_equal(at + TIME_BYTES, line, strlen(line));
        count++;
    }
    assert_in_range(count, 100, 4999);

    log_line(LOG_INFO, "m", "e", "n=1"); /* somebody reads again */
    read_log(all, sizeof(all));
    assert_int_equal(sscanf(all + TIME_BYTES,
                            " c warn log lines_lost count=%d why=", &missing),
                     1);
    assert_int_equal(missing, 5000 - count);
    assert_non_null(strstr(all, " c info m e n=1\n"));
}

static void log_100(void *owner)
{
    for (int i = 0; i < 100; i++) {
        log_line(LOG_INFO, "m", "e", "who=%s", (const char *)owner);
    }
}

static void test_log__keeps_the_lines_of_two_threads_apart(void **state)
{
    static char first[] = "aaaaaaaaaaaaaaaaaaaaaaaa";
    static char second[] = "bbbbbbbbbbbbbbbbbbbbbbbb";
    static char all[200 * 100];
    struct thread *a = NULL;
    struct thread *b = NULL;
    int lines = 0;

    (void)state;
    log_open(ends[1], LOG_INFO, "c");

    assert_int_equal(thread_open(log_100, first, &a), STATUS_OK);
    assert_int_equal(thread_open(log_100, second, &b), STATUS_OK);
    thread_join(a);
    thread_join(b);

    read_log(all, sizeof(all));
    for (char *at = all; *at != '\0'; lines++) {
        char *end = strchr(at, '\n');

        assert_non_null(end);
        *end = '\0';
        at += TIME_BYTES + strlen(" c info m e who=");
        assert_true(strcmp(at, first) == 0 || strcmp(at, second) == 0);
        at = end + 1;
    }
    assert_int_equal(lines, 200);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        TEST(test_log__writes_time_process_level_module_event),
        TEST(test_log__leaves_out_what_is_empty),
        TEST(test_log__is_silent_below_its_level),
        TEST(test_log__escapes_control_characters),
        TEST(test_log__cuts_a_line_at_1000_bytes),
        TEST(test_log__keeps_errno),
        TEST(test_log__survives_a_descriptor_that_fails),
        TEST(test_log__does_not_wait_for_who_does_not_read),
        TEST(test_log__keeps_the_lines_of_two_threads_apart),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
