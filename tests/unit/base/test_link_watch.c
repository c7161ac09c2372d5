#include "tests/unit/base/linkworld.h"

#include "base/log.h"

#include <unistd.h>

static enum link_change change_soon(struct linkworld *world,
                                    struct link *watch,
                                    int *out_connection)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        enum link_change change = link_next_change(watch, out_connection);

        if (change != LINK_UNCHANGED) {
            return change;
        }
        assert_int_equal(loop_turn(world->loop, 1), STATUS_OK);
    }
    return LINK_UNCHANGED;
}

static int connection_of_next(struct linkworld *world, struct link *link)
{
    struct part part;
    size_t count = 0;
    int connection = -1;

    for (int i = 0; i < TRIES_MAX && count == 0; i++) {
        struct part parts[2];

        if (link_receive(link, parts, 2, &count) == STATUS_OK) {
            connection = link_connection(&parts[1]);
            part = parts[1];
            part_close(&parts[0]);
            part_close(&part);
        } else {
            assert_int_equal(loop_turn(world->loop, 1), STATUS_OK);
        }
    }
    return connection;
}

static void tells_of_each_connection(struct linkworld *world,
                                     const char *endpoint)
{
    struct link *router = bind_to(world, LINK_ROUTER, endpoint);
    struct link *dealer = NULL;
    struct link *watch = NULL;
    int connection = -1;
    int told = -1;

    assert_int_equal(link_watch(router, &watch), STATUS_OK);
    assert_int_equal(link_next_change(watch, &told), LINK_UNCHANGED);
    dealer = connect_to(world, LINK_DEALER, link_endpoint(router));
    assert_int_equal(change_soon(world, watch, &told), LINK_ACCEPTED);
    send_soon(world, dealer, "hello");
    connection = connection_of_next(world, router);
    assert_true(connection >= 0);
    assert_int_equal(told, connection);
    assert_int_equal(change_soon(world, watch, &told), LINK_INTRODUCED);
    assert_int_equal(told, -1);
    link_close(dealer);
    assert_int_equal(change_soon(world, watch, &told), LINK_ENDED);
    assert_int_equal(told, connection);

    link_unwatch(router, watch);
    link_close(router);
}

static void test_link_watch__tells_of_each_connection(void **state)
{
    struct linkworld *world = *state;

    tells_of_each_connection(world, world->ipc);
    tells_of_each_connection(world, "tcp://127.0.0.1:*");
}

/* Who connects is told when messages can be sent, and that they cannot be. */
static void test_link_watch__tells_who_connects(void **state)
{
    struct linkworld *world = *state;
    const struct link_options router = options_of(LINK_ROUTER);
    struct link *dealer = connect_to(world, LINK_DEALER, world->ipc);
    struct link_context *other = NULL; /* an address is given back with it */
    struct link *far = NULL;
    struct link *watch = NULL;
    struct part frame = frame_of("hello");
    int told = 0;

    assert_int_equal(link_watch(dealer, &watch), STATUS_OK);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(link_context_open(&other), STATUS_OK);
        assert_int_equal(link_bind(other, &router, world->ipc, &far),
                         STATUS_OK);
        assert_int_equal(change_soon(world, watch, &told), LINK_INTRODUCED);
        if (life == 0) {
            assert_int_equal(link_send(dealer, &frame, 1), STATUS_OK);
        }
        link_close(far);
        link_context_close(other);
        assert_int_equal(change_soon(world, watch, &told), LINK_ENDED);
    }

    link_unwatch(dealer, watch);
    link_unwatch(NULL, NULL);
    link_close(dealer);
}

int main(void)
{
#define TEST(f)                                                                \
    cmocka_unit_test_setup_teardown(f, linkworld_open, linkworld_close)
    const struct CMUnitTest tests[] = {
        TEST(test_link_watch__tells_of_each_connection),
        TEST(test_link_watch__tells_who_connects),
    };
#undef TEST

    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
