/* fixture.h - a store in a directory of its own, for the tests of storage.
 *
 * Each test gets a new directory below /tmp, and it is gone afterwards. */
#ifndef TESTS_UNIT_STORAGE_FIXTURE_H
#define TESTS_UNIT_STORAGE_FIXTURE_H

#include "base/log.h"
#include "base/mem.h"
#include "storage/fault.h"
#include "storage/inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Room for a few records: what a test writes makes it grow. */
enum { TINY_MAP_BYTES = 128 << 10 };

struct fixture {
    char dir[64];
    char why[512];
    struct store *store; /* open after fixture_setup_open */
    uint64_t live;       /* blocks of memory before the test */
};

static inline enum status fixture_open_as(struct fixture *f,
                                          uint64_t map_bytes,
                                          const struct filesystem *filesystem)
{
    return store_open_with(&(struct store_options){.dir = f->dir,
                                                   .map_bytes = map_bytes,
                                                   .filesystem = filesystem,
                                                   .why = f->why,
                                                   .why_size = sizeof(f->why)},
                           &f->store);
}

static inline void fixture_open(struct fixture *f)
{
    enum status status = fixture_open_as(f, TINY_MAP_BYTES, NULL);

    if (status != STATUS_OK) {
        fprintf(stderr, "%s\n", f->why);
    }
    assert_int_equal(status, STATUS_OK);
}

static inline void fixture_close(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

    assert_non_null(f);
    log_open(quiet, LOG_ERROR, "test");
    snprintf(f->dir, sizeof(f->dir), "/tmp/cajal-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->live = mem_live();
    *state = f;
    return 0;
}

static inline int fixture_setup_open(void **state)
{
    fixture_setup(state);
    fixture_open(*state);
    return 0;
}

/* Takes fd, a directory, and removes all that is below it. */
static inline void fixture_empty(int fd)
{
    DIR *names = fdopendir(fd);
    struct dirent *name = NULL;

    assert_non_null(names);
    while ((name = readdir(names)) != NULL) {
        if (strcmp(name->d_name, ".") == 0 || strcmp(name->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(fd, name->d_name, 0) != 0) {
            fixture_empty(openat(fd, name->d_name, O_RDONLY | O_DIRECTORY));
            unlinkat(fd, name->d_name, AT_REMOVEDIR);
        }
    }
    closedir(names);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    fault_at(0, 0);
    mem_fail_at(0);
    fixture_close(f);
    fixture_empty(open(f->dir, O_RDONLY | O_DIRECTORY));
    assert_int_equal(rmdir(f->dir), 0);
    assert_int_equal(mem_live(), f->live);
    free(f);
    return 0;
}

static inline void fixture_path(const struct fixture *f,
                                const char *name,
                                char out[128])
{
    snprintf(out, 128, "%s/%s", f->dir, name);
}

/* --- Content --- */

/* Bytes that differ from one seed to the next and do not compress. */
static inline void fill(unsigned char *bytes, size_t size, uint32_t seed)
{
    uint32_t word = seed * 2654435761U + 1;

    for (size_t i = 0; i < size; i++) {
        word = word * 1664525U + 1013904223U;
        bytes[i] = (unsigned char)(word >> 24);
    }
}

static unsigned char fixture_bytes[CHUNK_BYTES_MAX];

/* One chunk, made of its seed; its bytes are good until the next call. */
static inline struct chunk make_chunk(uint32_t seed, size_t size)
{
    struct chunk chunk = {.bytes = fixture_bytes, .size = size};

    fill(fixture_bytes, size, seed);
    hash_bytes(fixture_bytes, size, &chunk.hash);
    return chunk;
}

static inline struct hash put_chunk(struct fixture *f,
                                    uint32_t seed,
                                    size_t size)
{
    struct chunk chunk = make_chunk(seed, size);

    assert_int_equal(store_put_chunks(f->store, &chunk, 1), STATUS_OK);
    return chunk.hash;
}

/* Applies and closes. */
static inline enum status apply(struct fixture *f, struct batch *batch)
{
    enum status status = store_apply(f->store, batch);

    batch_close(batch);
    return status;
}

static inline struct batch *make_batch(void)
{
    struct batch *batch = NULL;

    assert_int_equal(batch_open(&batch), STATUS_OK);
    return batch;
}

static inline void add_text(struct batch *batch,
                            enum record_log log,
                            uint64_t job,
                            const char *text)
{
    assert_int_equal(batch_append(batch, log, job, text, strlen(text)),
                     STATUS_OK);
}

/* A version whose manifest and summary are texts. */
static inline void add_version(struct batch *batch,
                               uint64_t job,
                               uint64_t number,
                               const char *manifest,
                               const struct hash *chunk)
{
    assert_int_equal(batch_put_version(batch, job, number, manifest,
                                       strlen(manifest), "summary", 7, chunk,
                                       chunk != NULL ? 1 : 0),
                     STATUS_OK);
}

static inline void add_ref(struct batch *batch,
                           uint64_t job,
                           const char *name,
                           uint64_t number)
{
    assert_int_equal(batch_set_ref(batch, job, name, number, 1000, "ada"),
                     STATUS_OK);
}

/* Writes what a scan tells as one text: "1=one 2=two ". */
struct story {
    char text[1024];
    size_t count;
    size_t limit; /* stops after so many; 0: never */
};

static inline bool tell_record(void *owner,
                               uint64_t key,
                               const void *bytes,
                               size_t size)
{
    struct story *story = owner;
    size_t used = strlen(story->text);

    snprintf(story->text + used, sizeof(story->text) - used, "%llu=%.*s ",
             (unsigned long long)key, (int)size, (const char *)bytes);
    story->count++;
    return story->count != story->limit;
}

static inline bool tell_ref(void *owner,
                            const char *name,
                            uint64_t number,
                            uint64_t wall_ms,
                            const char *actor)
{
    struct story *story = owner;
    size_t used = strlen(story->text);

    snprintf(story->text + used, sizeof(story->text) - used, "%s=%llu@%llu/%s ",
             name, (unsigned long long)number, (unsigned long long)wall_ms,
             actor);
    story->count++;
    return story->count != story->limit;
}

static inline void assert_log(struct fixture *f,
                              enum record_log log,
                              uint64_t job,
                              const char *wanted)
{
    struct story story = {.count = 0};

    assert_int_equal(store_scan_log(f->store, log, job, 1, tell_record, &story),
                     STATUS_OK);
    assert_string_equal(story.text, wanted);
}

/* --- Damage --- */

/* Flips one bit of the byte `at` after each place in data.mdb where bytes
 * stand; the store must be closed. Returns how many places there were. */
static inline size_t damage(const struct fixture *f,
                            const void *bytes,
                            size_t size,
                            size_t at)
{
    char path[128];
    size_t found = 0;
    struct stat status;
    unsigned char *file = NULL;
    int fd = -1;

    fixture_path(f, "data.mdb", path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    file = malloc((size_t)status.st_size);
    assert_non_null(file);
    assert_int_equal(pread(fd, file, (size_t)status.st_size, 0),
                     status.st_size);
    for (size_t i = 0; i + size <= (size_t)status.st_size; i++) {
        if (memcmp(file + i, bytes, size) == 0) {
            unsigned char byte = file[i + at] ^ 1;

            assert_int_equal(pwrite(fd, &byte, 1, (off_t)(i + at)), 1);
            found++;
        }
    }
    free(file);
    close(fd);
    return found;
}

#endif /* TESTS_UNIT_STORAGE_FIXTURE_H */
