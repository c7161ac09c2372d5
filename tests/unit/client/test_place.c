#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */

#include "client/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_place__prefers_the_flag_then_the_environment(void **state)
{
    struct place_inputs inputs = {.store_flag = "/a",
                                  .cajal_store = "/b",
                                  .xdg_data_home = "/c",
                                  .home = "/d"};
    char path[PATH_BYTES_MAX];

    (void)state;
    assert_int_equal(place_choose_store(&inputs, path, sizeof(path)),
                     STATUS_OK);
    assert_string_equal(path, "/a");

    inputs.store_flag = NULL;
    assert_int_equal(place_choose_store(&inputs, path, sizeof(path)),
                     STATUS_OK);
    assert_string_equal(path, "/b");

    inputs.cajal_store = "";
    assert_int_equal(place_choose_store(&inputs, path, sizeof(path)),
                     STATUS_OK);
    assert_string_equal(path, "/c/cajal/store");

    inputs.xdg_data_home = "relative"; /* XDG: as if not set */
    assert_int_equal(place_choose_store(&inputs, path, sizeof(path)),
                     STATUS_OK);
    assert_string_equal(path, "/d/.local/share/cajal/store");

    inputs.home = NULL;
    assert_int_equal(place_choose_store(&inputs, path, sizeof(path)),
                     STATUS_INVALID);
}

static void test_place__keys_the_sockets_by_the_stores_path(void **state)
{
    const struct place_inputs inputs = {.xdg_runtime_dir = "/run/user/7",
                                        .user = 7};
    char a[PATH_BYTES_MAX];
    char b[PATH_BYTES_MAX];

    (void)state;
    assert_int_equal(place_choose_runtime(&inputs, "/x", 0, a, sizeof(a)),
                     STATUS_OK);
    assert_int_equal(place_choose_runtime(&inputs, "/y", 0, b, sizeof(b)),
                     STATUS_OK);

    assert_int_equal(strlen(a), strlen("/run/user/7/cajal/") + 12);
    assert_memory_equal(a, "/run/user/7/cajal/", 18);
    assert_string_not_equal(a, b);
}

static void test_place__falls_back_to_tmp(void **state)
{
    struct place_inputs inputs = {.xdg_runtime_dir = "/run/user/7", .user = 7};
    char path[PATH_BYTES_MAX];
    char deep[SOCKET_PATH_BYTES_MAX];

    (void)state;
    assert_int_equal(place_choose_runtime(&inputs, "/x", 1, path, sizeof(path)),
                     STATUS_OK);
    assert_memory_equal(path, "/tmp/cajal-7/", 13);
    assert_int_equal(place_choose_runtime(&inputs, "/x", 2, path, sizeof(path)),
                     STATUS_NOT_FOUND);

    inputs.xdg_runtime_dir = NULL;
    assert_int_equal(place_choose_runtime(&inputs, "/x", 0, path, sizeof(path)),
                     STATUS_OK);
    assert_memory_equal(path, "/tmp/cajal-7/", 13);

    memset(deep, 'd', sizeof(deep));
    deep[0] = '/';
    deep[75] = '\0'; /* with the rest above what a socket's address holds */
    inputs.xdg_runtime_dir = deep;
    assert_int_equal(place_choose_runtime(&inputs, "/x", 0, path, sizeof(path)),
                     STATUS_OK);
    assert_memory_equal(path, "/tmp/cajal-7/", 13);
}

static void test_place__knows_what_stays_on_this_machine(void **state)
{
    static const char *const local[] = {
        "unix:/tmp/x", "unix-abstract:x",  "localhost:1", "127.0.0.1:1",
        "127.1.2.3",   "ipv4:127.0.0.1:1", "[::1]:1",     "ipv6:[::1]:1",
    };
    static const char *const remote[] = {
        "10.0.0.1:1", "example.org:1", "127.example.org:1",
        "dns:///x",   "0.0.0.0:1",     "localhost.evil.org:1",
        "[::]:1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        assert_true(place_is_local(local[i]));
    }
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        assert_false(place_is_local(remote[i]));
    }
}

/* --- on a real directory --- */

static int make(void **state)
{
    char *base = strdup("/tmp/test-place-XXXXXX");

    *state = base;
    if (mkdtemp(base) == NULL) {
        return -1;
    }
    return setenv("XDG_RUNTIME_DIR", base, 1);
}

static int drop(void **state)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/cajal", (char *)*state);
    place_remove_store(path);
    place_remove_store(*state);
    free(*state);
    return 0;
}

static void test_place__finds_one_place_by_any_path_to_a_store(void **state)
{
    const char *base = *state;
    char store[128];
    char way[192];
    char why[256];
    struct place a;
    struct place b;

    (void)snprintf(store, sizeof(store), "%s/s", base);
    (void)snprintf(way, sizeof(way), "%s/./s/../s", base);
    assert_int_equal(place_find(store, true, &a, why, sizeof(why)), STATUS_OK);
    assert_int_equal(place_find(way, false, &b, why, sizeof(why)), STATUS_OK);

    assert_string_equal(a.store, b.store);
    assert_string_equal(a.runtime, b.runtime);
    assert_false(place_answers(&a));
}

static void test_place__says_that_a_store_is_not_there(void **state)
{
    struct place place;
    char why[256] = "";
    char store[128];

    (void)snprintf(store, sizeof(store), "%s/none", (const char *)*state);
    assert_int_equal(place_find(store, false, &place, why, sizeof(why)),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(why, "there is no store at"));
}

static void test_place__refuses_sockets_in_a_directory_open_to_others(
    void **state)
{
    const char *base = *state;
    struct place place;
    struct place again;
    char why[512] = "";
    char store[128];

    (void)snprintf(store, sizeof(store), "%s/s", base);
    assert_int_equal(place_find(store, true, &place, why, sizeof(why)),
                     STATUS_OK);
    assert_int_equal(chmod(place.runtime, 0755), 0);

    /* The preferred place is passed over; the other one is as strict. */
    assert_int_equal(place_find(store, true, &again, why, sizeof(why)),
                     STATUS_OK);
    assert_string_not_equal(place.runtime, again.runtime);
    assert_int_equal(chmod(again.runtime, 0755), 0);
    assert_int_equal(place_find(store, true, &place, why, sizeof(why)),
                     STATUS_INVALID);
    assert_non_null(strstr(why, "chmod 700"));
    place_remove_store(again.runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place__prefers_the_flag_then_the_environment),
        cmocka_unit_test(test_place__keys_the_sockets_by_the_stores_path),
        cmocka_unit_test(test_place__falls_back_to_tmp),
        cmocka_unit_test(test_place__knows_what_stays_on_this_machine),
        cmocka_unit_test_setup_teardown(
            test_place__finds_one_place_by_any_path_to_a_store, make, drop),
        cmocka_unit_test_setup_teardown(
            test_place__says_that_a_store_is_not_there, make, drop),
        cmocka_unit_test_setup_teardown(
            test_place__refuses_sockets_in_a_directory_open_to_others, make,
            drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
