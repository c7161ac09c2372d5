/* Who is known, up to the most that may be; and what is kept up to date so that
 * an event does not cost more where they are many. */
#include "coordinator/core/members.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct members *members = mem_new(sizeof(*members));

    assert_non_null(members);
    members_init(members);
    *state = members;
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static enum status join(struct members *members,
                        uint32_t number,
                        uint32_t peer,
                        uint64_t now_ms)
{
    struct wire_hello hello = {.incarnation = 1, .protocol = WIRE_PROTOCOL};
    enum status status = STATUS_OK;
    char why[ERROR_BYTES_MAX];
    uint32_t worker;

    (void)snprintf(hello.name, sizeof(hello.name), "w%u", (unsigned)number);
    worker = members_join(members, peer, &hello, now_ms, &status, why);
    if (worker != NO_WORKER && number < MEMBERS_MAX) {
        assert_int_equal(worker, number);
    }
    return worker == NO_WORKER ? status : STATUS_OK;
}

static void test_members__has_room_for_all_and_for_no_more(void **state)
{
    struct members *members = *state;
    uint32_t last = MEMBERS_MAX - 1;

    for (uint32_t w = 0; w < MEMBERS_MAX; w++) {
        assert_int_equal(join(members, w, 5 + w, 0), STATUS_OK);
    }

    assert_int_equal(members_present(members), MEMBERS_MAX);
    assert_int_equal(join(members, MEMBERS_MAX, 4, 0), STATUS_BUSY);
    assert_int_equal(members_of_peer(members, 5 + last), last);
    members_leave(members, 70); /* one that is gone makes room */
    assert_int_equal(join(members, MEMBERS_MAX, 4, 0), STATUS_OK);
    assert_int_equal(members_of_peer(members, 4), 70);
    assert_int_equal(members_of_peer(members, 75), NO_WORKER);
    assert_int_equal(members_find(members, "w1023"), last);
    assert_int_equal(members_find(members, "w70"), 70);
}

/* Their numbers, modulo the most, are the same. */
static void test_members__tells_peers_of_one_chain_apart(void **state)
{
    struct members *members = *state;
    uint32_t peers[] = {9, 9 + MEMBERS_MAX, 9 + 2 * MEMBERS_MAX};

    for (uint32_t w = 0; w < 3; w++) {
        (void)join(members, w, peers[w], 0);
    }
    members_leave(members, 1);

    assert_int_equal(members_of_peer(members, peers[0]), 0);
    assert_int_equal(members_of_peer(members, peers[1]), NO_WORKER);
    assert_int_equal(members_of_peer(members, peers[2]), 2);
    (void)join(members, 0, 77, 0); /* again, by another connection */
    assert_int_equal(members_of_peer(members, peers[0]), NO_WORKER);
    assert_int_equal(members_of_peer(members, 77), 0);
    members_leave(members, 2);
    members_leave(members, 0);
    assert_int_equal(members_of_peer(members, 77), NO_WORKER);
}

static void test_members__knows_who_is_silent_for_longest(void **state)
{
    struct members *members = *state;

    assert_int_equal(members_deadline(members, 100), UINT64_MAX);
    (void)join(members, 200, 1, 10);
    (void)join(members, 100, 2, 20);
    (void)join(members, 300, 3, 30);
    members_hear(members, 200, 40);
    members_hear(members, 300, 50);
    members_hear(members, 300, 60);

    assert_int_equal(members_silent(members, 119, 100), NO_WORKER);
    assert_int_equal(members_silent(members, 120, 100), 100);
    members_leave(members, 100);
    assert_int_equal(members_deadline(members, 100), 140);
    assert_int_equal(members_silent(members, 140, 100), 200);
    members_leave(members, 200);
    assert_int_equal(members_silent(members, 159, 100), NO_WORKER);
    assert_int_equal(members_silent(members, 160, 100), 300);
    members_leave(members, 300);
    assert_int_equal(members_silent(members, 999, 100), NO_WORKER);
}

static void test_members__are_spared_once_each(void **state)
{
    struct members *members = *state;

    (void)join(members, 0, 1, 10);
    (void)join(members, 1, 2, 20);
    assert_true(members_spare(members, 100));
    (void)join(members, 2, 3, 110);
    members_hear(members, 1, 120);
    assert_true(members_spare(members, 130)); /* but for w0 */

    assert_int_equal(members_silent(members, 200, 100), 0);
    members_leave(members, 0);
    assert_int_equal(members_deadline(members, 100), 230);
    assert_false(members_spare(members, 140));
}

static void test_members__are_counted_as_they_change(void **state)
{
    struct members *members = *state;
    const struct census *census;

    (void)join(members, 5, 1, 30);
    (void)join(members, 500, 2, 10);
    (void)join(members, 900, 3, 20);
    census = members_census(members);
    assert_int_equal(census->present, 3);
    assert_int_equal(census->idle, 3);
    assert_int_equal(census->idle_since_ms, 10);

    members->items[500].training = true;
    members->items[900].draining = true;
    members_changed(members);
    census = members_census(members);
    assert_int_equal(census->open, 2);
    assert_int_equal(census->idle, 1);
    assert_int_equal(worker_set_count(&census->going), 1);
    assert_true(worker_set_has(&census->going, 900));
    assert_int_equal(census->idle_since_ms, 30);

    members_leave(members, 5);
    census = members_census(members);
    assert_int_equal(census->present, 2);
    assert_int_equal(census->idle, 0);
    assert_ptr_equal(census, members_counted(members));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_members__has_room_for_all_and_for_no_more),
        TEST(test_members__tells_peers_of_one_chain_apart),
        TEST(test_members__knows_who_is_silent_for_longest),
        TEST(test_members__are_spared_once_each),
        TEST(test_members__are_counted_as_they_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
