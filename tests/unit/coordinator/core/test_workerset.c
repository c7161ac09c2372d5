#include "coordinator/core/workerset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_workerset__holds_numbers_of_all_words(void **state)
{
    static const uint32_t numbers[] = {0, 63, 64, 700, MEMBERS_MAX - 1};
    struct worker_set set = {{0}};
    uint32_t at = 0;

    (void)state;
    assert_true(worker_set_is_empty(&set));
    for (uint32_t i = 5; i > 0; i--) {
        worker_set_add(&set, numbers[i - 1]);
        worker_set_add(&set, numbers[i - 1]);
    }

    assert_int_equal(worker_set_count(&set), 5);
    assert_false(worker_set_has(&set, 65));
    for (uint32_t w = worker_set_next(&set, 0); w != NO_WORKER;
         w = worker_set_next(&set, w + 1)) {
        assert_true(at < 5);
        assert_int_equal(w, numbers[at++]);
        assert_true(worker_set_has(&set, w));
    }
    assert_int_equal(at, 5);
    assert_int_equal(worker_set_next(&set, 65), 700);
    assert_int_equal(worker_set_next(&set, MEMBERS_MAX), NO_WORKER);
}

static void test_workerset__loses_what_is_dropped(void **state)
{
    struct worker_set set = {{0}};
    struct worker_set other = {{0}};

    (void)state;
    worker_set_add(&set, 64);
    worker_set_add(&set, 65);
    worker_set_add(&other, 65);
    assert_false(worker_set_equal(&set, &other));
    assert_true(worker_set_meets(&set, &other));
    worker_set_drop(&set, 64);
    worker_set_drop(&set, 900);

    assert_true(worker_set_equal(&set, &other));
    worker_set_add(&other, 3);
    worker_set_join(&set, &other);
    assert_true(worker_set_equal(&set, &other));
    worker_set_clear(&set);
    assert_false(worker_set_meets(&set, &other));
    assert_true(worker_set_is_empty(&set));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workerset__holds_numbers_of_all_words),
        cmocka_unit_test(test_workerset__loses_what_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
