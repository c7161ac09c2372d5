#include "coordinator/shell/links/peers.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct curvekey no_key;

static int setup(void **state)
{
    struct peers *peers = mem_new(sizeof(*peers));

    assert_non_null(peers);
    *state = peers;
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

/* As 0MQ makes them: a zero and a number. */
static void name_route(uint32_t i, unsigned char *out)
{
    out[0] = 0;
    memcpy(out + 1, &i, sizeof(i));
}

static struct peer *add(struct peers *peers, uint32_t i)
{
    unsigned char route[5];
    struct peer *peer;

    name_route(i, route);
    peer = peers_add(peers, route, sizeof(route), &no_key, "");
    peers_hear(peers, peer, (int)i);
    return peer;
}

static struct peer *find(struct peers *peers, uint32_t i)
{
    unsigned char route[5];

    name_route(i, route);
    return peers_of_routing(peers, route, sizeof(route));
}

static void test_peers__finds_each_of_very_many(void **state)
{
    struct peers *peers = *state;

    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        assert_null(find(peers, i));
        (void)add(peers, i);
    }

    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = find(peers, i);

        assert_non_null(peer);
        assert_int_equal(peer->connection, i);
        assert_ptr_equal(peers_of_number(peers, peer->number), peer);
    }
    assert_null(peers_of_number(peers, 0));
    assert_null(peers_of_number(peers, PEERS_MAX + 1));
}

static void test_peers__gives_a_dropped_entry_to_the_next(void **state)
{
    struct peers *peers = *state;
    struct peer *dropped = NULL;
    uint32_t number = 0;

    (void)add(peers, 1);
    dropped = add(peers, 2);
    number = dropped->number;
    (void)add(peers, 3);
    peers_drop(peers, dropped);

    assert_null(find(peers, 2));
    assert_null(peers_of_number(peers, number));
    assert_ptr_equal(add(peers, 4), dropped);
    assert_null(find(peers, 2));
    assert_ptr_equal(find(peers, 4), dropped);
    assert_int_not_equal(dropped->number, number);
    assert_non_null(find(peers, 3));
}

static void test_peers__a_full_table_gives_up_who_is_silent_for_longest(
    void **state)
{
    struct peers *peers = *state;

    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        (void)add(peers, i);
    }
    peers_hear(peers, find(peers, 0), 0);
    (void)add(peers, PEERS_MAX);

    assert_non_null(find(peers, 0));
    assert_null(find(peers, 1));
    assert_non_null(find(peers, PEERS_MAX));
}

static void test_peers__takes_those_whose_connections_have_ended(void **state)
{
    struct peers *peers = *state;
    uint32_t number = 0;
    uint32_t ended;

    (void)add(peers, 1);
    ended = add(peers, 2)->number;
    peers_ended(peers, 2);

    assert_true(peers_take_ended(peers, &number));
    assert_int_equal(number, ended);
    assert_null(find(peers, 2));
    assert_false(peers_take_ended(peers, &number));
    assert_non_null(find(peers, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_peers__finds_each_of_very_many),
        TEST(test_peers__gives_a_dropped_entry_to_the_next),
        TEST(test_peers__a_full_table_gives_up_who_is_silent_for_longest),
        TEST(test_peers__takes_those_whose_connections_have_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
