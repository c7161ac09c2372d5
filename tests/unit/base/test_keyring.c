#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, utimensat */

#include "base/keyring.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/base/curvepairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char dir[64];
    struct keyring *keyring;
    char why[512];
    struct curvekey_pair pairs[CURVEPAIRS];
};

static void make_dir(const struct world *w, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void write_file(const struct world *w,
                       const char *name,
                       const char *text,
                       mode_t mode)
{
    char path[256];
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    (void)unlink(path); /* as whoever replaces a file does: a new inode */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void write_key(const struct world *w,
                      const char *name,
                      const char *text,
                      mode_t mode)
{
    char line[64];

    (void)snprintf(line, sizeof(line), "%s\n", text);
    write_file(w, name, line, mode);
}

static void remove_file(const struct world *w, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    assert_int_equal(unlink(path), 0);
}

/* A coordinator's directory with w1 and w2, and a worker's in it. */
static int open_world(void **state)
{
    static struct world w;

    w = (struct world){.dir = "/tmp/cajal-keys-XXXXXX"};
    assert_non_null(mkdtemp(w.dir));
    for (int i = 0; i < CURVEPAIRS; i++) {
        assert_true(curvepair(i, &w.pairs[i]));
    }
    make_dir(&w, "coordinator");
    make_dir(&w, "workers");
    make_dir(&w, "worker-w1");
    write_key(&w, "coordinator/curve.pub", curvepairs_text[0][0], 0644);
    write_key(&w, "coordinator/curve.key", curvepairs_text[0][1], 0600);
    write_key(&w, "workers/w1.pub", curvepairs_text[1][0], 0644);
    write_key(&w, "workers/w2.pub", curvepairs_text[2][0], 0644);
    write_key(&w, "worker-w1/curve.pub", curvepairs_text[1][0], 0644);
    write_key(&w, "worker-w1/curve.key", curvepairs_text[1][1], 0600);
    write_key(&w, "worker-w1/coordinator.pub", curvepairs_text[0][0], 0644);
    log_open(STDERR_FILENO, LOG_ERROR, "test");
    *state = &w;
    return 0;
}

static int remove_one(const char *path,
                      const struct stat *info,
                      int type,
                      struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int close_world(void **state)
{
    struct world *w = *state;

    keyring_close(w->keyring);
    mem_fail_at(0);
    assert_int_equal(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    return mem_live() == 0 ? 0 : -1;
}

static enum status open_side(struct world *w, enum keyring_side side)
{
    char dir[96];

    (void)snprintf(dir, sizeof(dir), "%s%s", w->dir,
                   side == KEYRING_WORKER ? "/worker-w1" : "");
    return keyring_open(dir, side, w->why, sizeof(w->why), &w->keyring);
}

static const char *name_of(const struct world *w, int pair)
{
    const char *name = keyring_name(w->keyring, &w->pairs[pair].shown);

    return name != NULL ? name : "-";
}

static void test_keyring__has_the_coordinators_keys(void **state)
{
    struct world *w = *state;

    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_OK);

    assert_memory_equal(keyring_own(w->keyring), &w->pairs[0],
                        sizeof(w->pairs[0]));
    assert_int_equal(keyring_count(w->keyring), 2);
    assert_string_equal(name_of(w, 1), "w1");
    assert_string_equal(name_of(w, 2), "w2");
    assert_string_equal(name_of(w, 0), "-");
    assert_string_equal(name_of(w, 3), "-");
}

static void test_keyring__has_a_workers_bundle(void **state)
{
    struct world *w = *state;

    assert_int_equal(open_side(w, KEYRING_WORKER), STATUS_OK);

    assert_memory_equal(keyring_own(w->keyring), &w->pairs[1],
                        sizeof(w->pairs[1]));
    assert_true(
        curvekey_equal(keyring_coordinator(w->keyring), &w->pairs[0].shown));
    assert_false(keyring_refresh(w->keyring));
    assert_string_equal(name_of(w, 1), "-");
}

static void test_keyring__sees_keys_come_change_and_go(void **state)
{
    struct world *w = *state;

    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_OK);
    assert_false(keyring_refresh(w->keyring));

    write_key(w, "workers/w3.pub", curvepairs_text[3][0], 0644);
    assert_true(keyring_refresh(w->keyring));
    assert_string_equal(name_of(w, 3), "w3");

    remove_file(w, "workers/w3.pub");
    write_key(w, "workers/w2.pub", curvepairs_text[3][0], 0644);
    assert_true(keyring_refresh(w->keyring));
    assert_string_equal(name_of(w, 3), "w2");
    assert_string_equal(name_of(w, 2), "-");

    remove_file(w, "workers/w1.pub");
    assert_true(keyring_refresh(w->keyring));
    assert_string_equal(name_of(w, 1), "-");
    assert_int_equal(keyring_count(w->keyring), 1);
    assert_false(keyring_refresh(w->keyring));
}

static void test_keyring__without_its_directory_nobody_comes_in(void **state)
{
    struct world *w = *state;
    char from[96];
    char to[96];

    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_OK);
    (void)snprintf(from, sizeof(from), "%s/workers", w->dir);
    (void)snprintf(to, sizeof(to), "%s/taken-away", w->dir);
    assert_int_equal(rename(from, to), 0);

    assert_true(keyring_refresh(w->keyring));

    assert_int_equal(keyring_count(w->keyring), 0);
    assert_string_equal(name_of(w, 1), "-");
}

static void test_keyring__refuses_a_secret_that_others_can_read(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0644, 0620};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_key(w, "coordinator/curve.key", curvepairs_text[0][1], modes[i]);
        assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_REFUSED);
        assert_non_null(strstr(w->why, "chmod 600"));
        assert_non_null(strstr(w->why, "coordinator/curve.key"));
        write_key(w, "worker-w1/curve.key", curvepairs_text[1][1], modes[i]);
        assert_int_equal(open_side(w, KEYRING_WORKER), STATUS_REFUSED);
    }
}

static void test_keyring__says_which_file_is_not_there(void **state)
{
    struct world *w = *state;

    remove_file(w, "worker-w1/coordinator.pub");
    assert_int_equal(open_side(w, KEYRING_WORKER), STATUS_NOT_FOUND);
    assert_non_null(strstr(w->why, "coordinator.pub"));
    remove_file(w, "coordinator/curve.key");
    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_NOT_FOUND);
    assert_non_null(strstr(w->why, "curve.key"));
}

static void test_keyring__refuses_a_pair_that_does_not_fit(void **state)
{
    struct world *w = *state;

    write_key(w, "coordinator/curve.pub", curvepairs_text[1][0], 0644);
    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_INVALID);
    assert_non_null(strstr(w->why, "pair"));
}

/* One worker's bad file keeps that worker out, and no other. */
static void test_keyring__a_bad_file_lets_nobody_in(void **state)
{
    struct world *w = *state;
    char line[128];

    (void)snprintf(line, sizeof(line), "%s\nmore\n", curvepairs_text[1][0]);
    write_file(w, "workers/w1.pub", line, 0644);
    write_key(w, "workers/w3.pub", curvepairs_text[3][0], 0666);
    write_file(w, "workers/w4.pub", "", 0644);
    write_key(w, "workers/..pub", curvepairs_text[0][0], 0644);
    write_key(w, "workers/.hidden.pub", curvepairs_text[0][0], 0644);
    write_key(w, "workers/a b.pub", curvepairs_text[0][0], 0644);
    write_key(w, "workers/w5.pub~", curvepairs_text[0][0], 0644);
    make_dir(w, "workers/w6.pub");

    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_OK);

    assert_int_equal(keyring_count(w->keyring), 1);
    assert_string_equal(name_of(w, 2), "w2");
    assert_string_equal(name_of(w, 0), "-");
}

static void test_keyring__a_key_of_two_names_is_nobodys(void **state)
{
    struct world *w = *state;

    write_key(w, "workers/w3.pub", curvepairs_text[1][0], 0644);
    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_OK);
    assert_int_equal(keyring_count(w->keyring), 1);
    assert_string_equal(name_of(w, 1), "-");

    remove_file(w, "workers/w3.pub");
    assert_true(keyring_refresh(w->keyring));
    assert_string_equal(name_of(w, 1), "w1");
}

static void test_keyring__says_so_when_any_allocation_fails(void **state)
{
    struct world *w = *state;
    enum status status = STATUS_NO_MEMORY;

    for (uint64_t n = 1; n < 100 && status != STATUS_OK; n++) {
        mem_fail_at(n);
        status = open_side(w, KEYRING_COORDINATOR);
        mem_fail_at(0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(mem_live(), 0);
            continue;
        }
        /* A worker's file that could not be read keeps that worker out. */
        if (keyring_count(w->keyring) < 2) {
            keyring_close(w->keyring);
            w->keyring = NULL;
            status = STATUS_NO_MEMORY;
        }
    }
    assert_int_equal(status, STATUS_OK);
}

static void test_keyring__takes_a_line_of_either_kind(void **state)
{
    static const char *const ends[] = {"", "\n", "\r\n"};
    static const char *const bad[] = {" ", "\n\n", "\n\r\n", "\t\n"};
    struct curvekey key;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", curvepairs_text[0][0],
                       ends[i]);
        assert_int_equal(keyring_parse(text, strlen(text), &key), STATUS_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", curvepairs_text[0][0],
                       bad[i]);
        assert_int_equal(keyring_parse(text, strlen(text), &key),
                         STATUS_INVALID);
    }
    assert_int_equal(keyring_parse("", 0, &key), STATUS_INVALID);
}

/* It is not the file's fault: the worker is let in as soon as there is memory,
 * without its file being touched. */
static void test_keyring__reads_again_what_it_had_no_memory_for(void **state)
{
    struct world *w = *state;
    bool changed = true;

    assert_int_equal(open_side(w, KEYRING_COORDINATOR), STATUS_OK);
    for (uint64_t n = 1; n <= 4; n++) {
        write_key(w, "workers/w3.pub", curvepairs_text[3][0], 0644);
        mem_fail_at(n); /* the new list, then each of three files */
        changed = keyring_refresh(w->keyring);
        mem_fail_at(0);
        assert_true(changed == (n > 1));
        assert_true(keyring_count(w->keyring) == 2);

        assert_true(keyring_refresh(w->keyring));
        assert_int_equal(keyring_count(w->keyring), 3);
        assert_string_equal(name_of(w, 3), "w3");
        assert_false(keyring_refresh(w->keyring));

        remove_file(w, "workers/w3.pub");
        assert_true(keyring_refresh(w->keyring));
    }
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_keyring__has_the_coordinators_keys),
        TEST(test_keyring__has_a_workers_bundle),
        TEST(test_keyring__sees_keys_come_change_and_go),
        TEST(test_keyring__without_its_directory_nobody_comes_in),
        TEST(test_keyring__refuses_a_secret_that_others_can_read),
        TEST(test_keyring__says_which_file_is_not_there),
        TEST(test_keyring__refuses_a_pair_that_does_not_fit),
        TEST(test_keyring__a_bad_file_lets_nobody_in),
        TEST(test_keyring__a_key_of_two_names_is_nobodys),
        TEST(test_keyring__says_so_when_any_allocation_fails),
        TEST(test_keyring__reads_again_what_it_had_no_memory_for),
        cmocka_unit_test(test_keyring__takes_a_line_of_either_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
