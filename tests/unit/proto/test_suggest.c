#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/suggest.h"
#include <string.h>

static void test_suggest__measures_edits_and_swaps(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"abc", "", 3},
        {"same", "same", 0},
        {"optimiser", "optimizer", 1},
        {"reul", "relu", 1},
        {"kitten", "sitting", 3},
        {"ab", "ba", 1},
        {"ca", "abc", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(suggest_distance(cases[i].a, strlen(cases[i].a),
                                          cases[i].b, strlen(cases[i].b)),
                         cases[i].distance);
    }
}

static void test_suggest__takes_the_nearest_of_those_that_are_near(void **state)
{
    struct suggest suggest;

    (void)state;
    suggest_init(&suggest, "worker", 6);
    suggest_offer(&suggest, "threads");
    assert_null(suggest.best);
    suggest_offer(&suggest, "walker");
    suggest_offer(&suggest, "workers");
    suggest_offer(&suggest, "corker");
    assert_string_equal(suggest.best, "workers");
}

static void test_suggest__leaves_long_words_alone(void **state)
{
    static char word[SUGGEST_BYTES_MAX + 2];
    struct suggest suggest;

    (void)state;
    memset(word, 'a', SUGGEST_BYTES_MAX + 1);
    suggest_init(&suggest, word, SUGGEST_BYTES_MAX + 1);

    suggest_offer(&suggest, word);

    assert_null(suggest.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suggest__measures_edits_and_swaps),
        cmocka_unit_test(
            test_suggest__takes_the_nearest_of_those_that_are_near),
        cmocka_unit_test(test_suggest__leaves_long_words_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
