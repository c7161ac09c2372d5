#define _DEFAULT_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/shell/service/service_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

enum { PEERS = ACCEPT_PER_PEER_MAX + 20 };

static int listener = -1;
static struct sockaddr_in where;

static int setup(void **state)
{
    socklen_t size = sizeof(where);

    (void)state;
    memset(&where, 0, sizeof(where));
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(listener, (struct sockaddr *)(void *)&where, sizeof(where)), 0);
    assert_int_equal(listen(listener, 1024), 0);
    assert_int_equal(
        getsockname(listener, (struct sockaddr *)(void *)&where, &size), 0);
    accept_prepare();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close(listener);
}

/* From a loopback address of its own: 127.0.0.HOST. */
static int connect_from(uint32_t host)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    from.sin_addr.s_addr = htonl(0x7f000000U + host);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&from, sizeof(from)),
                     0);
    assert_int_equal(
        connect(fd, (struct sockaddr *)(void *)&where, sizeof(where)), 0);
    return fd;
}

static int take_all(int *fds)
{
    int count = 0;
    int fd = -1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        fds[count++] = fd;
    }
    assert_int_equal(errno, EAGAIN);
    return count;
}

static void test_accept__bounds_the_connections_of_a_peer(void **state)
{
    static int far[PEERS];
    static int near[PEERS + 1];
    uint64_t refused = accept_refused();
    int count = 0;
    int other = -1;

    (void)state;
    for (int i = 0; i < PEERS; i++) {
        far[i] = connect_from(2);
    }
    count = take_all(near);
    assert_int_equal(count, ACCEPT_PER_PEER_MAX);
    assert_int_equal(accept_refused() - refused, PEERS - ACCEPT_PER_PEER_MAX);

    other = connect_from(3); /* somebody else is not concerned */
    assert_int_equal(take_all(near + count), 1);
    assert_int_equal(close(other), 0);
    assert_int_equal(close(near[count]), 0);

    assert_int_equal(close(near[7]), 0); /* one goes, one may come */
    other = connect_from(2);
    assert_int_equal(take_all(near + 7), 1);
    assert_int_equal(close(other), 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(close(near[i]), 0);
    }
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(close(far[i]), 0);
    }
}

/* gRPC gives its listener up at EMFILE, so it must never see one. */
static void test_accept__never_fails_for_want_of_descriptors(void **state)
{
    struct rlimit before;
    struct rlimit few;
    int far[4];
    int fd = -1;
    int rest[64];
    int used = 0;
    uint64_t refused = accept_refused();

    (void)state;
    for (int i = 0; i < 4; i++) {
        far[i] = connect_from(4);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (used < 64 && (fd = dup(listener)) >= 0) {
        rest[used++] = fd;
    }
    assert_int_equal(accept4(listener, NULL, NULL, SOCK_NONBLOCK), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(accept_refused() - refused, 4);

    while (used > 0) {
        assert_int_equal(close(rest[--used]), 0);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(close(far[i]), 0);
    }
    far[0] = connect_from(4);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(far[0]), 0);
}

/* 0MQ's listener blocks. SIGALRM ends a test that waits. */
static void test_accept__does_not_wait_for_more(void **state)
{
    static int far[ACCEPT_PER_PEER_MAX + 2];
    static int near[ACCEPT_PER_PEER_MAX];
    int flags = fcntl(listener, F_GETFL);

    (void)state;
    assert_int_equal(fcntl(listener, F_SETFL, flags & ~O_NONBLOCK), 0);
    (void)alarm(30);
    for (int i = 0; i < ACCEPT_PER_PEER_MAX; i++) {
        far[i] = connect_from(5);
        near[i] = accept4(listener, NULL, NULL, 0);
        assert_true(near[i] >= 0);
    }
    for (int i = ACCEPT_PER_PEER_MAX; i < ACCEPT_PER_PEER_MAX + 2; i++) {
        far[i] = connect_from(5);
    }
    assert_int_equal(accept4(listener, NULL, NULL, 0), -1);
    assert_int_equal(errno, EAGAIN);
    (void)alarm(0);
    for (int i = 0; i < ACCEPT_PER_PEER_MAX; i++) {
        assert_int_equal(close(near[i]), 0);
    }
    for (int i = 0; i < ACCEPT_PER_PEER_MAX + 2; i++) {
        assert_int_equal(close(far[i]), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_accept__bounds_the_connections_of_a_peer),
        TEST(test_accept__never_fails_for_want_of_descriptors),
        TEST(test_accept__does_not_wait_for_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
