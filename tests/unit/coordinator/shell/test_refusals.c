#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/shell/refusals.h"

#include <stdio.h>
#include <string.h>

static struct refusals table;

static int setup(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    return 0;
}

static void test_refusals__a_peer_is_logged_once_a_minute(void **state)
{
    uint64_t silent = 9;

    (void)state;
    assert_true(refusals_note(&table, "ipv4:10.0.0.2", 1000, &silent));
    assert_int_equal(silent, 0);
    for (int i = 0; i < 500; i++) {
        assert_false(refusals_note(&table, "ipv4:10.0.0.2", 1000 + (uint64_t)i,
                                   &silent));
    }
    assert_true(refusals_note(&table, "ipv4:10.0.0.2", 61000, &silent));
    assert_int_equal(silent, 500);
    assert_int_equal(table.total, 502);
}

static void test_refusals__peers_do_not_silence_each_other(void **state)
{
    uint64_t silent = 0;

    (void)state;
    assert_true(refusals_note(&table, "a", 1000, &silent));
    assert_true(refusals_note(&table, "b", 1000, &silent));
    assert_false(refusals_note(&table, "a", 1001, &silent));
}

/* Not even a thousand addresses can fill the disk. */
static void test_refusals__all_peers_together_have_a_most(void **state)
{
    uint64_t silent = 0;
    int lines = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char peer[32];

        (void)snprintf(peer, sizeof(peer), "ipv6:%d", i);
        lines += refusals_note(&table, peer, 1000 + (uint64_t)i, &silent);
    }
    assert_in_range(lines, REFUSALS_PEERS_MAX, 200);
    assert_int_equal(table.total, 5000);
}

static void test_refusals__a_peer_is_an_address_without_its_port(void **state)
{
    char name[NAME_BYTES_MAX];
    char many[200];

    (void)state;
    refusals_peer_name("ipv4:10.0.0.2:4242", name);
    assert_string_equal(name, "ipv4:10.0.0.2");
    refusals_peer_name("ipv6:%5Bfe80::1%5D:4242", name);
    assert_string_equal(name, "ipv6:%5Bfe80::1%5D");
    refusals_peer_name("unix:", name);
    assert_string_equal(name, "unix:");
    memset(many, 'x', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    refusals_peer_name(many, name);
    assert_int_equal(strlen(name), NAME_BYTES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_refusals__a_peer_is_logged_once_a_minute,
                               setup),
        cmocka_unit_test_setup(test_refusals__peers_do_not_silence_each_other,
                               setup),
        cmocka_unit_test_setup(test_refusals__all_peers_together_have_a_most,
                               setup),
        cmocka_unit_test_setup(
            test_refusals__a_peer_is_an_address_without_its_port, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
