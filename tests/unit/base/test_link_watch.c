#include "base/link.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* Tries of a millisecond each: what takes longer will never come. */
    TRIES_MAX = 5000,
    PART_BYTES_MAX = 1000
};

/* What each test starts with: a context and a directory for ipc files. */
struct world {
    struct link_context *context;
    struct loop *loop; /* nothing in it: to wait a millisecond */
    char directory[64];
    char ipc[128]; /* an endpoint in it */
};

static int open_world(void **state)
{
    static struct world world;

    world = (struct world){.directory = "/tmp/cajal-watch-XXXXXX"};
    if (mkdtemp(world.directory) == NULL) {
        return -1;
    }
    snprintf(world.ipc, sizeof(world.ipc), "ipc://%s/s", world.directory);
    *state = &world;
    if (loop_open(&world.loop) != STATUS_OK) {
        return -1;
    }
    return link_context_open(&world.context) == STATUS_OK ? 0 : -1;
}

static int close_world(void **state)
{
    struct world *world = *state;

    link_context_close(world->context);
    loop_close(world->loop);
    (void)unlink(world->ipc + strlen("ipc://"));
    (void)rmdir(world->directory);
    return mem_live() == 0 ? 0 : -1;
}

static struct link_options options_of(enum link_kind kind)
{
    return (struct link_options){.kind = kind,
                                 .part_bytes_max = PART_BYTES_MAX};
}

static struct link *bind_to(struct world *world,
                            enum link_kind kind,
                            const char *endpoint)
{
    const struct link_options options = options_of(kind);
    struct link *link = NULL;

    assert_int_equal(link_bind(world->context, &options, endpoint, &link),
                     STATUS_OK);
    return link;
}

static struct link *connect_to(struct world *world,
                               enum link_kind kind,
                               const char *endpoint)
{
    struct link_options options = options_of(kind);
    struct link *link = NULL;

    options.routing_id = kind == LINK_DEALER ? "w7" : NULL;
    assert_int_equal(link_connect(world->context, &options, endpoint, &link),
                     STATUS_OK);
    return link;
}

static struct part frame_of(const char *string)
{
    struct part frame;

    assert_int_equal(part_init_copy(&frame, string, strlen(string)), STATUS_OK);
    return frame;
}

/* Sends one part as soon as the peer is there. */
static void send_soon(struct world *world, struct link *link, const char *text)
{
    struct part frame = frame_of(text);

    for (int i = 0; i < TRIES_MAX; i++) {
        enum status status = link_send(link, &frame, 1);

        if (status == STATUS_OK) {
            return;
        }
        assert_int_equal(status, STATUS_BUSY);
        assert_int_equal(loop_turn(world->loop, 1), STATUS_OK);
    }
    fail_msg("no peer came");
}

static enum link_change change_soon(struct world *world,
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

static int connection_of_next(struct world *world, struct link *link)
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

static void tells_of_each_connection(struct world *world, const char *endpoint)
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
    struct world *world = *state;

    tells_of_each_connection(world, world->ipc);
    tells_of_each_connection(world, "tcp://127.0.0.1:*");
}

/* Who connects is told when messages can be sent, and that they cannot be. */
static void test_link_watch__tells_who_connects(void **state)
{
    struct world *world = *state;
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_link_watch__tells_of_each_connection),
        TEST(test_link_watch__tells_who_connects),
    };
#undef TEST

    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
