#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void check_positive(int number)
{
    CHECK(number > 0);
}

/* Runs a failing check in a child; returns how the child ended. */
static int fail_in_child(const char *file,
                         int line,
                         const char *condition,
                         char out[2048])
{
    ssize_t count = 0;
    size_t used = 0;
    int code = 0;
    int ends[2];
    pid_t child = 0;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};

        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        check_hook = NULL;
        check_fail(file, line, condition);
    }
    close(ends[1]);
    while ((count = read(ends[0], out + used, 2047 - used)) > 0) {
        used += (size_t)count;
    }
    out[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    return code;
}

static void test_check__lets_a_true_condition_pass(void **state)
{
    (void)state;

    check_positive(1);
}

static void test_check__calls_the_hook_on_a_false_condition(void **state)
{
    (void)state;

    expect_assert_failure(check_positive(0));
}

static void test_check__prints_one_line_and_aborts(void **state)
{
    char out[2048];
    int code = 0;

    (void)state;

    code = fail_in_child("base/x.c", 1203, "a == b", out);

    assert_true(WIFSIGNALED(code));
    assert_int_equal(WTERMSIG(code), SIGABRT);
    assert_string_equal(out, "base/x.c:1203: CHECK failed: a == b\n");
}

static void test_check__cuts_a_line_that_is_too_long(void **state)
{
    char condition[1000];
    char out[2048];

    (void)state;
    memset(condition, 'c', sizeof(condition));
    condition[sizeof(condition) - 1] = '\0';

    (void)fail_in_child("x.c", 1, condition, out);

    assert_int_equal(strlen(out), 512);
    assert_int_equal(out[511], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__lets_a_true_condition_pass),
        cmocka_unit_test(test_check__calls_the_hook_on_a_false_condition),
        cmocka_unit_test(test_check__prints_one_line_and_aborts),
        cmocka_unit_test(test_check__cuts_a_line_that_is_too_long),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
