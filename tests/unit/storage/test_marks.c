#include "storage/marks.h"

#include "tests/unit/storage/named.h"

static void test_marks__find_what_was_put_and_nothing_else(void **state)
{
    struct marks marks = {.room = 0};
    struct hash hash = hash_of(1, 8);

    (void)state;
    assert_int_equal(marks_get(&marks, &hash), 0);
    for (uint32_t i = 1; i <= 5000; i++) {
        hash = hash_of(i, 8);
        assert_int_equal(marks_put(&marks, &hash, i, 0), STATUS_OK);
    }
    for (uint32_t i = 1; i <= 10000; i++) {
        hash = hash_of(i, 8);
        assert_int_equal(marks_get(&marks, &hash), i <= 5000 ? i : 0);
    }
    marks_fini(&marks);
    assert_int_equal(mem_live(), 0);
}

static void test_marks__a_number_is_only_raised(void **state)
{
    struct marks marks = {.room = 0};
    struct hash hash = hash_of(1, 8);

    (void)state;
    assert_int_equal(marks_put(&marks, &hash, 7, 0), STATUS_OK);
    assert_int_equal(marks_put(&marks, &hash, 3, 0), STATUS_OK);
    assert_int_equal(marks_get(&marks, &hash), 7);
    assert_int_equal(marks_put(&marks, &hash, 9, 0), STATUS_OK);
    assert_int_equal(marks_get(&marks, &hash), 9);
    assert_int_equal(marks.count, 1);
    marks_fini(&marks);
}

/* However long it is in use, it holds no more than what is above the floor. */
static void test_marks__leave_out_what_is_below_the_floor(void **state)
{
    struct marks marks = {.room = 0};

    (void)state;
    for (uint32_t i = 1; i <= 100000; i++) {
        struct hash hash = hash_of(i, 8);

        assert_int_equal(marks_put(&marks, &hash, i, i > 50 ? i - 50 : 0),
                         STATUS_OK);
        assert_int_equal(marks_get(&marks, &hash), i);
    }
    assert_true(marks.room <= 1024);
    for (uint32_t i = 99951; i <= 100000; i++) {
        struct hash hash = hash_of(i, 8);

        assert_int_equal(marks_get(&marks, &hash), i);
    }
    marks_fini(&marks);
}

static void test_marks__stay_whole_without_memory(void **state)
{
    struct marks marks = {.room = 0};
    uint32_t put = 0;

    (void)state;
    for (uint32_t i = 1; put < 1000; i++) {
        struct hash hash = hash_of(put + 1, 8);
        enum status status = STATUS_OK;

        mem_fail_at(i % 2);
        status = marks_put(&marks, &hash, put + 1, 0);
        mem_fail_at(0);
        assert_true(status == STATUS_OK || status == STATUS_NO_MEMORY);
        put += status == STATUS_OK;
    }
    for (uint32_t i = 1; i <= put; i++) {
        struct hash hash = hash_of(i, 8);

        assert_int_equal(marks_get(&marks, &hash), i);
    }
    marks_fini(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks__find_what_was_put_and_nothing_else),
        cmocka_unit_test(test_marks__a_number_is_only_raised),
        cmocka_unit_test(test_marks__leave_out_what_is_below_the_floor),
        cmocka_unit_test(test_marks__stay_whole_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
