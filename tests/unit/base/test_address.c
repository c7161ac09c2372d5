#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void test_address__tells_this_machine_from_others(void **state)
{
    static const char *const local[] = {
        "unix:/run/c",      "ipc:///run/w",      "127.0.0.1:7070",
        "ipv4:127.1.2.3:1", "localhost:7070",    "[::1]:7070",
        "ipv6:[::1]:7070",  "tcp://127.0.0.1:1", "tcp://localhost:1",
        "tcp://[::1]:7070",
    };
    static const char *const open_to_all[] = {
        "0.0.0.0:7070", "ipv4:10.0.0.1:1", "tcp://*:7070",
        "[::]:7070",    "lab1:7070",       "127.0.0.1.example.org:7070",
        "127.0.0.1",    "tcp://0.0.0.0:1", "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        assert_true(address_is_local(local[i]));
    }
    for (size_t i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]); i++) {
        assert_false(address_is_local(open_to_all[i]));
    }
}

static void test_address__names_the_file_of_a_socket(void **state)
{
    (void)state;
    assert_string_equal(address_path("unix:/run/c"), "/run/c");
    assert_string_equal(address_path("ipc:///run/w"), "/run/w");
    assert_null(address_path("tcp://127.0.0.1:1"));
}

static void test_address__sees_who_listens(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/cajal-address-XXXXXX";
    char address[160];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", dir);
    (void)snprintf(address, sizeof(address), "ipc://%s", name.sun_path);
    assert_false(address_is_answered(address));
    assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
    assert_false(address_is_answered(address)); /* a file that is left over */
    assert_int_equal(listen(fd, 4), 0);
    assert_true(address_is_answered(address));
    assert_false(address_is_answered("tcp://127.0.0.1:1"));
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(name.sun_path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_address__a_peer_is_an_address_without_its_port(void **state)
{
    char name[NAME_BYTES_MAX];
    char many[200];

    (void)state;
    address_without_port("ipv4:10.0.0.2:4242", name);
    assert_string_equal(name, "ipv4:10.0.0.2");
    address_without_port("ipv6:%5Bfe80::1%5D:4242", name);
    assert_string_equal(name, "ipv6:%5Bfe80::1%5D");
    address_without_port("unix:", name);
    assert_string_equal(name, "unix:");
    memset(many, 'x', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    address_without_port(many, name);
    assert_int_equal(strlen(name), NAME_BYTES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address__tells_this_machine_from_others),
        cmocka_unit_test(test_address__names_the_file_of_a_socket),
        cmocka_unit_test(test_address__sees_who_listens),
        cmocka_unit_test(test_address__a_peer_is_an_address_without_its_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
