#include "coordinator/shell/gc/leases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_leases__hold_until_they_are_dropped(void **state)
{
    struct leases leases = {.first = NULL};
    struct lease a = {.leases = NULL};
    struct lease b = {.leases = NULL};

    (void)state;
    leases_take(&leases, &a, 1, 5, 5);
    leases_take(&leases, &b, 1, 5, 5);
    assert_true(leases_hold(&leases, 1, 5));
    assert_false(leases_hold(&leases, 1, 4));
    assert_false(leases_hold(&leases, 2, 5));
    lease_drop(&a);
    lease_drop(&a); /* twice is once */
    assert_true(leases_hold(&leases, 1, 5));
    lease_drop(&b);
    assert_false(leases_hold(&leases, 1, 5));
}

static void test_leases__of_a_follower_move_on(void **state)
{
    struct leases leases = {.first = NULL};
    struct lease lease = {.leases = NULL};

    (void)state;
    leases_take(&leases, &lease, 1, 8, UINT64_MAX);
    assert_false(leases_hold(&leases, 1, 7));
    assert_true(leases_hold(&leases, 1, 8) && leases_hold(&leases, 1, 900));
    atomic_store(&lease.from, 20);
    assert_false(leases_hold(&leases, 1, 19));
    assert_true(leases_hold(&leases, 1, 20));
    lease_drop(&lease);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leases__hold_until_they_are_dropped),
        cmocka_unit_test(test_leases__of_a_follower_move_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
