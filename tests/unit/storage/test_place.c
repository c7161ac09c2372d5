#include "storage/place.h"

#include "tests/unit/storage/fixture.h"

#include <signal.h>
#include <sys/wait.h>

static enum status claim_dir(struct fixture *f, const char *dir, int *out)
{
    return place_claim(&(struct place_options){.dir = dir,
                                               .why = f->why,
                                               .why_size = sizeof(f->why)},
                       out);
}

static void test_place__makes_the_directories_above(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat status;
    int lock = -1;

    fixture_path(f, "a/b/c/", path);
    assert_int_equal(claim_dir(f, path, &lock), STATUS_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    place_release(lock);
    assert_int_equal(claim_dir(f, path, &lock), STATUS_OK);
    place_release(lock);
}

static void test_place__names_who_holds_the_lock(void **state)
{
    struct fixture *f = *state;
    char pid[32];
    int lock = -1;
    int other = -7;

    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_int_equal(claim_dir(f, f->dir, &lock), STATUS_OK);
    assert_int_equal(claim_dir(f, f->dir, &other), STATUS_CONFLICT);
    assert_int_equal(other, -7);
    assert_non_null(strstr(f->why, pid));
    place_release(lock);
    assert_int_equal(claim_dir(f, f->dir, &other), STATUS_OK);
    place_release(other);
}

/* Another process, so that the lock's text is not our own pid; and its end,
 * without a word, gives the lock back. */
static void test_place__the_lock_ends_with_its_process(void **state)
{
    struct fixture *f = *state;
    char pid[32];
    char byte = 0;
    int told[2];
    int status = 0;
    int lock = -1;
    pid_t child = -1;

    assert_int_equal(pipe(told), 0);
    child = fork();
    if (child == 0) {
        status = (int)claim_dir(f, f->dir, &lock);
        if (write(told[1], status == 0 ? "+" : "-", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(byte, '+');
    snprintf(pid, sizeof(pid), "process %ld", (long)child);
    assert_int_equal(claim_dir(f, f->dir, &lock), STATUS_CONFLICT);
    assert_non_null(strstr(f->why, pid));

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(claim_dir(f, f->dir, &lock), STATUS_OK);
    place_release(lock);
    close(told[0]);
    close(told[1]);
}

static void test_place__refuses_a_path_of_a_strange_length(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES_MAX + 1];
    int lock = -1;

    assert_int_equal(claim_dir(f, "", &lock), STATUS_INVALID);
    memset(path, 'x', sizeof(path));
    path[PATH_BYTES_MAX] = '\0';
    assert_int_equal(claim_dir(f, path, &lock), STATUS_INVALID);
    assert_non_null(strstr(f->why, "1 to 511 bytes"));
}

static void test_place__says_why_a_directory_cannot_be_made(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int lock = -1;

    fixture_path(f, "file", path);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(claim_dir(f, path, &lock), STATUS_IO);
    fixture_path(f, "file/below", path);
    assert_int_equal(claim_dir(f, path, &lock), STATUS_IO);
    assert_non_null(strstr(f->why, "Not a directory"));
}

static void test_place__syncs_a_directory_that_is_there(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(place_sync(f->dir), STATUS_OK);
    assert_int_equal(place_sync("/no/such/place"), STATUS_IO);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_place__makes_the_directories_above),
        TEST(test_place__names_who_holds_the_lock),
        TEST(test_place__the_lock_ends_with_its_process),
        TEST(test_place__refuses_a_path_of_a_strange_length),
        TEST(test_place__says_why_a_directory_cannot_be_made),
        TEST(test_place__syncs_a_directory_that_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
