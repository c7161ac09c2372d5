#include "coordinator/shell/gc/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { VERSIONS_MAX = 64 };

/* A history as a word: a letter each, from v1 on. Upper case is the head, "t"
 * in spared is a tag. */
static uint32_t cause_of(char letter)
{
    static const char letters[] = " srmgpntbe"; /* b: periodic beat, n: renew */
    const char *at = strchr(letters, letter | 0x20);

    return (uint32_t)(at - letters);
}

static void decide(const char *history,
                   const char *spared,
                   uint32_t last,
                   char *out)
{
    struct keep_spec keep = {.last = last};
    struct retained versions[VERSIONS_MAX];
    size_t count = strlen(history);
    size_t doomed = 0;
    size_t gone = 0;

    memset(versions, 0, sizeof(versions));
    for (size_t v = 0; v < count; v++) {
        versions[v].number = v + 1;
        versions[v].cause = cause_of(history[v]);
        versions[v].head = history[v] < 'a';
        versions[v].spared = spared[v] == 't';
        versions[v].parents_count = v > 0 ? 1 : 0;
        versions[v].parents[0] = v;
        if (versions[v].cause == CAUSE_RESTORE) { /* of v2 */
            versions[v].parents_count = 2;
            versions[v].parents[1] = 2;
        }
    }
    doomed = retention_decide(&keep, versions, count);
    for (size_t v = 0; v < count; v++) {
        out[v] = versions[v].stays ? '+' : '-';
        gone += !versions[v].stays;
    }
    out[count] = '\0';
    assert_int_equal(doomed, gone);
}

static void test_retention__follows_the_table(void **state)
{
    static const struct {
        const char *history;
        const char *spared;
        uint32_t last;
        const char *stays;
    } rows[] = {
        {"", "", 0, ""},
        {"S", ".", 0, "+"},
        /* Start, the head and its parent, the last of each cause. */
        {"sbbbbbB", ".......", 0, "+----++"},
        {"sgpgpbbbB", ".........", 0, "+--++--++"},
        {"sntntnbE", "........", 0, "+---++++"},
        /* The newest of all. */
        {"sbbbbbbB", "........", 3, "+----+++"},
        {"sbbbbbbB", "........", 5, "+--+++++"},
        {"sbbbbbbB", "........", 50, "++++++++"},
        /* What a person asked for, and names. */
        {"sbmbbbbB", "........", 1, "+-+---++"},
        {"sbbbbbbB", "..t.t...", 1, "+-+-+-++"},
        /* A restore: where its line begins, and where the head was. */
        {"sbbbbrbbbB", "..........", 1, "++--++--++"},
        {"sbbbbrbbrB", "..........", 1, "++--++-+++"},
        /* The head went back to before what was newest. */
        {"sbbBbb", "......", 1, "+-++-+"},
        /* Several ends: of a job that was resumed after its first. */
        {"sbebbE", "......", 0, "+-+-++"},
    };
    char stays[VERSIONS_MAX + 1];

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        decide(rows[r].history, rows[r].spared, rows[r].last, stays);
        if (strcmp(stays, rows[r].stays) != 0) {
            fprintf(stderr, "%s last %u: %s, not %s\n", rows[r].history,
                    (unsigned)rows[r].last, stays, rows[r].stays);
        }
        assert_string_equal(stays, rows[r].stays);
    }
}

/* A version of a cause that a later release may have made. */
static void test_retention__keeps_what_it_does_not_know(void **state)
{
    struct keep_spec keep = {.last = 0};
    struct retained versions[3] = {{.number = 1, .cause = 0},
                                   {.number = 2, .cause = 77},
                                   {.number = 3, .cause = CAUSE_END}};

    (void)state;
    assert_int_equal(retention_decide(&keep, versions, 3), 0);
}

/* Deciding again what was decided changes nothing. */
static void test_retention__of_what_is_left_takes_no_more(void **state)
{
    char stays[VERSIONS_MAX + 1];
    char left[VERSIONS_MAX + 1] = "";
    size_t count = 0;

    (void)state;
    decide("sbgbpbbtbgbbB", ".............", 2, stays);
    for (size_t v = 0; stays[v] != '\0'; v++) {
        if (stays[v] == '+') {
            left[count++] = "sbgbpbbtbgbbB"[v];
        }
    }
    left[count] = '\0';
    decide(left, "..............", 2, stays);
    assert_int_equal(strspn(stays, "+"), count);
}

static void test_retention__runs_by_itself_with_keep_last_only(void **state)
{
    (void)state;
    assert_int_equal(retention_slack(&(struct keep_spec){.last = 0}),
                     UINT32_MAX);
    assert_int_equal(retention_slack(&(struct keep_spec){.last = 3}), 4);
    assert_int_equal(retention_slack(&(struct keep_spec){.last = 400}), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retention__follows_the_table),
        cmocka_unit_test(test_retention__keeps_what_it_does_not_know),
        cmocka_unit_test(test_retention__of_what_is_left_takes_no_more),
        cmocka_unit_test(test_retention__runs_by_itself_with_keep_last_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
