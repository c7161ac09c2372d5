#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/keyfile.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char dir[64];
    char path[96];
    char why[ERROR_BYTES_MAX];
};

static void put(const struct world *w,
                const void *bytes,
                size_t size,
                mode_t mode)
{
    int fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/cajal-keyfile-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/key", w->dir);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    (void)unlink(w->path);
    (void)rmdir(w->path);
    (void)rmdir(w->dir);
    free(w);
    return 0;
}

static enum status take(struct world *w,
                        enum keyfile_kind kind,
                        size_t bytes_max)
{
    struct keyfile file = {.text = NULL};
    enum status status =
        keyfile_read(w->path, kind, bytes_max, &file, w->why, sizeof(w->why));

    keyfile_free(&file);
    return status;
}

static void test_keyfile__reads_a_whole_file(void **state)
{
    struct world *w = *state;
    struct keyfile file = {.text = NULL};
    uint64_t live = mem_live();

    put(w, "secret\n", 7, 0600);
    assert_int_equal(
        keyfile_read(w->path, KEYFILE_SECRET, 7, &file, w->why, sizeof(w->why)),
        STATUS_OK);
    assert_string_equal(file.text, "secret\n");
    assert_int_equal(file.size, 7);
    keyfile_free(&file);
    assert_int_equal(mem_live(), live);
}

static void test_keyfile__refuses_a_secret_that_others_can_read(void **state)
{
    struct world *w = *state;
    static const mode_t open_modes[] = {0640, 0604, 0644, 0610, 0666};

    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        put(w, "x", 1, open_modes[i]);
        assert_int_equal(take(w, KEYFILE_SECRET, 10), STATUS_REFUSED);
        assert_non_null(strstr(w->why, "chmod 600"));
    }
    put(w, "x", 1, 0400);
    assert_int_equal(take(w, KEYFILE_SECRET, 10), STATUS_OK);
}

static void test_keyfile__refuses_a_list_that_others_can_write(void **state)
{
    struct world *w = *state;

    put(w, "x", 1, 0644);
    assert_int_equal(take(w, KEYFILE_PUBLIC, 10), STATUS_OK);
    put(w, "x", 1, 0664);
    assert_int_equal(take(w, KEYFILE_PUBLIC, 10), STATUS_REFUSED);
    assert_non_null(strstr(w->why, "chmod go-w"));
}

static void test_keyfile__refuses_what_is_no_text_of_that_size(void **state)
{
    struct world *w = *state;

    put(w, "12345678", 8, 0600);
    assert_int_equal(take(w, KEYFILE_SECRET, 7), STATUS_INVALID);
    put(w,
        "12\0"
        "45",
        5, 0600);
    assert_int_equal(take(w, KEYFILE_SECRET, 7), STATUS_INVALID);
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(take(w, KEYFILE_SECRET, 7), STATUS_NOT_FOUND);
    assert_int_equal(mkdir(w->path, 0700), 0);
    assert_int_equal(take(w, KEYFILE_SECRET, 7), STATUS_INVALID);
    assert_int_equal(rmdir(w->path), 0);
    assert_int_equal(mkfifo(w->path, 0600), 0); /* must not hang */
    assert_int_equal(take(w, KEYFILE_SECRET, 7), STATUS_INVALID);
}

static void test_keyfile__a_stamp_moves_with_the_file(void **state)
{
    struct world *w = *state;
    uint64_t first = 0;

    assert_int_equal(keyfile_stamp(w->path), 0);
    put(w, "x", 1, 0600);
    first = keyfile_stamp(w->path);
    assert_int_not_equal(first, 0);
    assert_int_equal(keyfile_stamp(w->path), first);
    put(w, "xy", 2, 0600);
    assert_int_not_equal(keyfile_stamp(w->path), first);
}

static void test_keyfile__survives_want_of_memory(void **state)
{
    struct world *w = *state;

    put(w, "x", 1, 0600);
    mem_fail_at(1);
    assert_int_equal(take(w, KEYFILE_SECRET, 7), STATUS_NO_MEMORY);
    mem_fail_at(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keyfile__reads_a_whole_file),
        TEST(test_keyfile__refuses_a_secret_that_others_can_read),
        TEST(test_keyfile__refuses_a_list_that_others_can_write),
        TEST(test_keyfile__refuses_what_is_no_text_of_that_size),
        TEST(test_keyfile__a_stamp_moves_with_the_file),
        TEST(test_keyfile__survives_want_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
