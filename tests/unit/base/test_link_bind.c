/* Where links begin and end: endpoints, their files, options, linger. */
#include "tests/unit/base/linkworld.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void test_link_bind__delivers_what_linger_allows(void **state)
{
    struct linkworld *world = *state;
    struct link_options options = options_of(LINK_PUSH);
    struct link *pull = bind_to(world, LINK_PULL, world->ipc);
    struct link *push = NULL;
    struct part in[PARTS_MAX];

    options.linger_ms = 5000;
    options.heartbeat_ms = 200;
    assert_int_equal(link_connect(world->context, &options, world->ipc, &push),
                     STATUS_OK);

    send_soon(world, push, "last words");
    link_close(push);

    assert_int_equal(receive_soon(world, pull, in), 1);
    assert_frame(&in[0], "last words");
    part_close(&in[0]);
    link_close(pull);
}

static void test_link_bind__refuses_endpoints_that_make_no_sense(void **state)
{
    struct linkworld *world = *state;
    const struct link_options options = options_of(LINK_PULL);
    struct link *untouched = (struct link *)(void *)world;
    struct link *link = untouched;
    char endpoint[ENDPOINT_BYTES_MAX + 100];

    memset(endpoint, 'a', sizeof(endpoint));
    memcpy(endpoint, "inproc://", 9);
    endpoint[ENDPOINT_BYTES_MAX] = '\0';

    assert_int_equal(link_bind(world->context, &options, "nonsense", &link),
                     STATUS_INVALID);
    assert_int_equal(link_bind(world->context, &options, "gopher://x", &link),
                     STATUS_INVALID);
    assert_int_equal(link_bind(world->context, &options, "", &link),
                     STATUS_INVALID);
    assert_int_equal(link_bind(world->context, &options, endpoint, &link),
                     STATUS_INVALID);
    assert_int_equal(
        link_connect(world->context, &options, "tcp://127.0.0.1", &link),
        STATUS_INVALID);
    memcpy(endpoint, "ipc:///", 7);
    endpoint[120] = '\0'; /* a sun_path has 108 bytes */
    assert_int_equal(link_bind(world->context, &options, endpoint, &link),
                     STATUS_INVALID);
    assert_ptr_equal(link, untouched);
}

static void test_link_bind__says_io_when_the_system_refuses(void **state)
{
    struct linkworld *world = *state;
    const struct link_options options = options_of(LINK_PULL);
    struct link *first = bind_to(world, LINK_PULL, "tcp://127.0.0.1:*");
    struct link *second = NULL;

    assert_int_equal(
        link_bind(world->context, &options, link_endpoint(first), &second),
        STATUS_IO);
    assert_int_equal(
        link_bind(world->context, &options, "ipc:///nowhere/at/all/s", &second),
        STATUS_IO);
    assert_null(second);
    link_close(first);
}

static void test_link_bind__binds_where_a_dead_process_left_its_file(
    void **state)
{
    struct linkworld *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct link *pull = NULL;
    struct link *push = NULL;
    struct part in[PARTS_MAX];

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s",
             world->directory);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(access(address.sun_path, F_OK), 0);

    pull = bind_to(world, LINK_PULL, world->ipc);
    push = connect_to(world, LINK_PUSH, world->ipc);
    send_soon(world, push, "alive");

    assert_int_equal(receive_soon(world, pull, in), 1);
    part_close(&in[0]);
    link_close(push);
    link_close(pull);
}

static void test_link_bind__gives_an_inproc_name_back_at_once(void **state)
{
    struct linkworld *world = *state;

    for (int i = 0; i < 200; i++) {
        struct link *link = bind_to(world, LINK_PAIR, "inproc://x");

        link_close(link);
    }
}

static void test_link_bind__checks_its_options(void **state)
{
    struct linkworld *world = *state;
    struct link_options options = options_of(LINK_PULL);
    struct link *link = NULL;

    options.part_bytes_max = 0;
    expect_assert_failure(
        (void)!link_bind(world->context, &options, "inproc://x", &link));
    options = options_of(LINK_PULL);
    options.linger_ms = -1; /* for ever: nobody may ask for that */
    expect_assert_failure(
        (void)!link_bind(world->context, &options, "inproc://x", &link));
    options = options_of(LINK_ROUTER);
    options.routing_id = "w1";
    expect_assert_failure(
        (void)!link_bind(world->context, &options, "inproc://x", &link));
}

int main(void)
{
#define TEST(f)                                                                \
    cmocka_unit_test_setup_teardown(f, linkworld_open, linkworld_close)
    const struct CMUnitTest tests[] = {
        TEST(test_link_bind__delivers_what_linger_allows),
        TEST(test_link_bind__refuses_endpoints_that_make_no_sense),
        TEST(test_link_bind__says_io_when_the_system_refuses),
        TEST(test_link_bind__binds_where_a_dead_process_left_its_file),
        TEST(test_link_bind__gives_an_inproc_name_back_at_once),
        TEST(test_link_bind__checks_its_options),
    };
#undef TEST

    check_hook = check_to_cmocka;
    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
