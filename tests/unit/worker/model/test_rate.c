#include "worker/model/shard.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-12);
}

static void test_rate__warms_up_and_stays(void **state)
{
    const struct rate_spec rate = {0.1, SCHEDULE_CONSTANT, 10, OVER_JOB};

    (void)state;
    near(rate_at(&rate, 0, 100, 0, 0), 0.01);
    near(rate_at(&rate, 4, 100, 0, 0), 0.05);
    near(rate_at(&rate, 9, 100, 0, 0), 0.1);
    near(rate_at(&rate, 10, 100, 0, 0), 0.1);
    near(rate_at(&rate, 1000, 100, 0, 0), 0.1);
}

static void test_rate__falls_to_zero_at_the_end(void **state)
{
    struct rate_spec rate = {0.1, SCHEDULE_LINEAR, 0, OVER_JOB};

    (void)state;
    near(rate_at(&rate, 0, 100, 0, 0), 0.1);
    near(rate_at(&rate, 25, 100, 0, 0), 0.075);
    near(rate_at(&rate, 100, 100, 0, 0), 0);
    near(rate_at(&rate, 500, 100, 0, 0), 0);
    rate.schedule = SCHEDULE_COSINE;
    near(rate_at(&rate, 0, 100, 0, 0), 0.1);
    near(rate_at(&rate, 50, 100, 0, 0), 0.05);
    near(rate_at(&rate, 100, 100, 0, 0), 0);
}

static void test_rate__runs_over_the_task_where_asked(void **state)
{
    const struct rate_spec rate = {0.1, SCHEDULE_LINEAR, 10, OVER_TASK};

    (void)state;
    near(rate_at(&rate, 777, 1000, 0, 110), 0.01);
    near(rate_at(&rate, 777, 1000, 10, 110), 0.1);
    near(rate_at(&rate, 777, 1000, 60, 110), 0.05);
    near(rate_at(&rate, 777, 1000, 20, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate__warms_up_and_stays),
        cmocka_unit_test(test_rate__falls_to_zero_at_the_end),
        cmocka_unit_test(test_rate__runs_over_the_task_where_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
