#include "worker/data/unpacked.h"

#include "base/mem.h"
#include "tests/unit/worker/data/idxfiles.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { SIZE = 12 + 8 };

static const uint8_t IMAGE[SIZE] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0,
                                    0, 4, 1, 2, 3, 4, 5, 6, 7, 8};
static char said[512];

/* A directory with one packed file, old enough to be kept, and its cache. */
struct place {
    struct files files;
    struct files cache;
    struct idx_place idx;
};

static void source_path(const struct place *place, char out[192])
{
    files_path(&place->files, "file", ".gz", out);
}

static struct stat source_of(const struct place *place)
{
    struct stat facts;
    char path[192];

    source_path(place, path);
    assert_int_equal(stat(path, &facts), 0);
    return facts;
}

/* Old enough to be kept; each another time. */
static void write_source(const struct place *place, const uint8_t bytes[SIZE])
{
    static time_t written = 1000000000;
    struct timespec times[2] = {{.tv_sec = ++written}, {.tv_sec = written}};
    char path[192];

    files_write_packed(&place->files, "file", bytes, SIZE);
    source_path(place, path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    (void)strcpy(place->files.dir, "/tmp/cajal-unpacked-XXXXXX");
    (void)strcpy(place->cache.dir, "/tmp/cajal-unpacked-XXXXXX");
    assert_non_null(mkdtemp(place->files.dir));
    assert_non_null(mkdtemp(place->cache.dir));
    place->idx =
        (struct idx_place){.dir = place->files.dir, .cache = place->cache.dir};
    write_source(place, IMAGE);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    files_remove(&place->files, "file");
    unpacked_clear(place->cache.dir);
    assert_int_equal(rmdir(place->files.dir), 0);
    assert_int_equal(rmdir(place->cache.dir), 0); /* nothing is left */
    free(place);
    return 0;
}

/* The path of a kept file, and how many there are. */
static int kept(const struct place *place, char path[512])
{
    DIR *dir = opendir(place->cache.dir);
    const struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, 512, "%s/%s", place->cache.dir, entry->d_name);
            count++;
        }
    }
    (void)closedir(dir);
    return count;
}

static bool is_there(const struct place *place, const struct stat *source)
{
    struct unpacked found = {.bytes = NULL};
    bool there = unpacked_map(place->cache.dir, source, &found);

    if (there) {
        assert_int_equal(found.size, SIZE);
        assert_memory_equal(found.bytes, IMAGE, SIZE);
    }
    unpacked_unmap(&found);
    return there;
}

static void keep(const struct place *place, const struct stat *source)
{
    assert_true(unpacked_keep(place->cache.dir, source, IMAGE, SIZE));
}

static void test_unpacked__finds_what_was_kept(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    char path[512];

    assert_false(is_there(place, &source));
    keep(place, &source);

    assert_true(is_there(place, &source));
    assert_int_equal(kept(place, path), 1);
}

static void test_unpacked__of_a_changed_source_is_not_found(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    struct stat other[5] = {source, source, source, source, source};

    keep(place, &source);
    other[0].st_size++;
    other[1].st_ino++;
    other[2].st_dev++;
    other[3].st_mtim.tv_nsec ^= 1;
    other[4].st_ctim.tv_nsec ^= 1;

    for (int i = 0; i < 5; i++) {
        assert_false(is_there(place, &other[i]));
    }
    assert_true(is_there(place, &source));
}

/* As if the name had met another source's: the facts inside decide. */
static void test_unpacked__under_another_sources_name_is_removed(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    struct stat other = source;
    char old[512];
    char new[512];

    other.st_ino++;
    keep(place, &other);
    assert_int_equal(kept(place, new), 1);
    unpacked_clear(place->cache.dir);
    keep(place, &source);
    assert_int_equal(kept(place, old), 1);
    assert_int_equal(rename(old, new), 0);

    assert_false(is_there(place, &other));

    assert_int_equal(kept(place, old), 0);
}

static void damage(const char *path, off_t at)
{
    uint8_t byte = 0;
    int fd;

    assert_int_equal(chmod(path, 0600), 0);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void test_unpacked__damaged_anywhere_is_removed(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    struct stat facts;
    char path[512];

    keep(place, &source);
    assert_int_equal(kept(place, path), 1);
    assert_int_equal(stat(path, &facts), 0);

    for (off_t at = 0; at < facts.st_size; at++) {
        damage(path, at);
        assert_false(is_there(place, &source));
        assert_int_equal(access(path, F_OK), -1);
        keep(place, &source);
    }
    assert_true(is_there(place, &source));
}

static void test_unpacked__cut_short_anywhere_is_removed(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    struct stat facts;
    char path[512];

    keep(place, &source);
    assert_int_equal(kept(place, path), 1);
    assert_int_equal(stat(path, &facts), 0);

    for (off_t size = 0; size < facts.st_size; size++) {
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(truncate(path, size), 0);
        assert_false(is_there(place, &source));
        assert_int_equal(access(path, F_OK), -1);
        keep(place, &source);
    }
}

static void test_unpacked__that_others_may_write_does_not_count(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    char path[512];

    keep(place, &source);
    assert_int_equal(kept(place, path), 1);
    assert_int_equal(chmod(path, 0620), 0);

    assert_false(is_there(place, &source));
}

static void test_unpacked__is_not_reached_through_a_link(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    char path[512];
    char other[600];

    keep(place, &source);
    assert_int_equal(kept(place, path), 1);
    (void)snprintf(other, sizeof(other), "%s/elsewhere", place->files.dir);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);

    assert_false(is_there(place, &source));

    assert_int_equal(unlink(other), 0);
}

static void test_unpacked__of_a_source_just_written_is_not_kept(void **state)
{
    const struct place *place = *state;
    struct stat source = source_of(place);
    char path[512];

    source.st_mtim.tv_sec = time(NULL) - 1;
    assert_false(unpacked_keep(place->cache.dir, &source, IMAGE, SIZE));

    assert_int_equal(kept(place, path), 0);
}

static void test_unpacked__keeps_nothing_where_it_cannot(void **state)
{
    const struct place *place = *state;
    const struct stat source = source_of(place);
    struct unpacked found;

    assert_false(unpacked_keep(NULL, &source, IMAGE, SIZE));
    assert_false(unpacked_keep("/nowhere/at/all", &source, IMAGE, SIZE));
    assert_false(unpacked_keep("/proc", &source, IMAGE, SIZE));
    assert_false(
        unpacked_keep(place->cache.dir, &source, IMAGE, (size_t)1 << 50));
    assert_false(unpacked_map(NULL, &source, &found));
}

static void test_unpacked__files_are_few(void **state)
{
    const struct place *place = *state;
    struct stat source = source_of(place);
    char path[512];

    for (int i = 0; i < UNPACKED_FILES_MAX + 5; i++) {
        source.st_ino++;
        keep(place, &source);
    }

    assert_int_equal(kept(place, path), UNPACKED_FILES_MAX);
    assert_true(is_there(place, &source));
}

/* Several processes read and write it at once; none finds half of one. */
static void test_unpacked__many_may_write_at_once(void **state)
{
    enum { WRITERS = 4, TIMES = 50 };
    const struct place *place = *state;
    const struct stat source = source_of(place);
    pid_t writers[WRITERS];
    char path[512];

    for (int w = 0; w < WRITERS; w++) {
        writers[w] = fork();
        assert_true(writers[w] >= 0);
        if (writers[w] == 0) {
            bool good = true;

            for (int i = 0; good && i < TIMES; i++) {
                struct unpacked found = {.bytes = NULL};

                good = unpacked_keep(place->cache.dir, &source, IMAGE, SIZE) &&
                       unpacked_map(place->cache.dir, &source, &found) &&
                       memcmp(found.bytes, IMAGE, SIZE) == 0;
                unpacked_unmap(&found);
            }
            _exit(good ? 0 : 1);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int how = -1;

        assert_int_equal(waitpid(writers[w], &how, 0), writers[w]);
        assert_int_equal(how, 0);
    }

    assert_int_equal(kept(place, path), 1);
}

/* What idx_file_init makes of it */

static void read_file(const struct place *place, struct idx_file *out)
{
    struct why why = {.text = said, .size = sizeof(said)};

    assert_int_equal(idx_file_init(out, &place->idx, "file", &why), STATUS_OK);
    assert_int_equal(out->size, SIZE);
    assert_memory_equal(out->bytes, IMAGE, SIZE);
    assert_int_equal(out->idx.items_count, 8);
    assert_memory_equal(out->idx.items, IMAGE + 12, 8);
    assert_ptr_equal(out->idx.items, out->bytes + 12);
}

static void test_unpacked__is_what_a_second_reader_gets(void **state)
{
    const struct place *place = *state;
    struct idx_file first = {.bytes = NULL};
    struct idx_file second = {.bytes = NULL};
    const uint64_t live = mem_live();
    char path[512];

    read_file(place, &first);
    assert_int_equal(kept(place, path), 1);
    read_file(place, &second);

    assert_non_null(first.kept.bytes);
    assert_non_null(second.kept.bytes);
    assert_int_equal(mem_live(), live); /* neither has bytes of its own */
    idx_file_fini(&first);
    idx_file_fini(&second);
}

static void test_unpacked__removed_while_it_is_read_disturbs_nobody(
    void **state)
{
    const struct place *place = *state;
    struct idx_file file = {.bytes = NULL};

    read_file(place, &file);
    unpacked_clear(place->cache.dir);

    assert_memory_equal(file.bytes, IMAGE, SIZE);
    idx_file_fini(&file);
}

static void test_unpacked__without_a_cache_is_in_memory(void **state)
{
    struct place *place = *state;
    struct idx_file file = {.bytes = NULL};

    place->idx.cache = "/nowhere/at/all";
    read_file(place, &file);

    assert_null(file.kept.bytes);
    idx_file_fini(&file);
}

static void test_unpacked__follows_a_source_that_changes(void **state)
{
    const struct place *place = *state;
    struct idx_file file = {.bytes = NULL};
    struct why why = {.text = said, .size = sizeof(said)};
    uint8_t other[SIZE];

    read_file(place, &file);
    idx_file_fini(&file);
    memcpy(other, IMAGE, SIZE);
    other[SIZE - 1] ^= 0xff;
    write_source(place, other);

    assert_int_equal(idx_file_init(&file, &place->idx, "file", &why),
                     STATUS_OK);

    assert_memory_equal(file.bytes, other, SIZE);
    idx_file_fini(&file);
}

static void test_unpacked__damaged_is_inflated_again(void **state)
{
    const struct place *place = *state;
    struct idx_file file = {.bytes = NULL};
    char path[512];

    read_file(place, &file);
    idx_file_fini(&file);
    assert_int_equal(kept(place, path), 1);
    damage(path, SIZE - 1);

    read_file(place, &file);

    assert_non_null(file.kept.bytes);
    idx_file_fini(&file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unpacked__finds_what_was_kept),
        TEST(test_unpacked__of_a_changed_source_is_not_found),
        TEST(test_unpacked__under_another_sources_name_is_removed),
        TEST(test_unpacked__damaged_anywhere_is_removed),
        TEST(test_unpacked__cut_short_anywhere_is_removed),
        TEST(test_unpacked__that_others_may_write_does_not_count),
        TEST(test_unpacked__is_not_reached_through_a_link),
        TEST(test_unpacked__of_a_source_just_written_is_not_kept),
        TEST(test_unpacked__keeps_nothing_where_it_cannot),
        TEST(test_unpacked__files_are_few),
        TEST(test_unpacked__many_may_write_at_once),
        TEST(test_unpacked__is_what_a_second_reader_gets),
        TEST(test_unpacked__removed_while_it_is_read_disturbs_nobody),
        TEST(test_unpacked__without_a_cache_is_in_memory),
        TEST(test_unpacked__follows_a_source_that_changes),
        TEST(test_unpacked__damaged_is_inflated_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
