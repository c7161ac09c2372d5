/* idxfiles.h - small IDX files in a directory of their own, for tests.
 *
 * Bodies are in this header, static inline, because a test program is linked
 * with the folder it tests and nothing else. */
#ifndef TESTS_UNIT_WORKER_DATA_IDXFILES_H
#define TESTS_UNIT_WORKER_DATA_IDXFILES_H

#include "proto/job.h"
#include "worker/data/idx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

enum {
    FILE_BYTES_MAX = 1 << 16,
    TRAIN_COUNT = 40,
    EVALUATE_COUNT = 12,
    SIDE = 5,
    PIXELS = SIDE * SIDE,
    CLASSES = 4
};

struct files {
    char dir[64];
};

/* What an IDX file is made of. */
struct made {
    uint8_t bytes[FILE_BYTES_MAX];
    size_t size;
};

static inline void made_begin(struct made *made,
                              uint32_t rank,
                              const uint32_t *dims)
{
    made->size = 0;
    made->bytes[made->size++] = 0;
    made->bytes[made->size++] = 0;
    made->bytes[made->size++] = 8;
    made->bytes[made->size++] = (uint8_t)rank;
    for (uint32_t i = 0; i < rank; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            made->bytes[made->size++] = (uint8_t)(dims[i] >> shift);
        }
    }
}

static inline void made_add(struct made *made, uint32_t value)
{
    assert_true(made->size < FILE_BYTES_MAX);
    made->bytes[made->size++] = (uint8_t)value;
}

/* Example e of a set: its first pixel is its name (e, or 200 + e in t10k),
 * the others are a pattern. */
static inline uint8_t pixel_of(uint32_t name, uint32_t pixel)
{
    return (uint8_t)(pixel == 0 ? name : name * 7 + pixel * 31 + 3);
}

static inline uint32_t label_of(uint32_t name)
{
    return name * 7 % 11 % CLASSES;
}

/* The bytes of one member of the gzip format; returns their count. */
static inline size_t pack(const void *bytes,
                          size_t size,
                          uint8_t *out,
                          size_t out_size)
{
    z_stream z;

    memset(&z, 0, sizeof(z));
    assert_int_equal(
        deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)out_size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&z), Z_OK);
    return out_size - z.avail_out;
}

static inline void files_path(const struct files *files,
                              const char *name,
                              const char *suffix,
                              char out[192])
{
    (void)snprintf(out, 192, "%s/%s%s", files->dir, name, suffix);
}

static inline void files_write(const struct files *files,
                               const char *name,
                               const void *bytes,
                               size_t size)
{
    char path[192];
    FILE *file;

    files_path(files, name, "", path);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Writes NAME.gz. */
static inline void files_write_packed(const struct files *files,
                                      const char *name,
                                      const void *bytes,
                                      size_t size)
{
    static uint8_t packed[FILE_BYTES_MAX + 1024];
    char packed_name[96];

    (void)snprintf(packed_name, sizeof(packed_name), "%s.gz", name);
    files_write(files, packed_name, packed,
                pack(bytes, size, packed, sizeof(packed)));
}

static inline void files_remove(const struct files *files, const char *name)
{
    char path[192];

    files_path(files, name, "", path);
    (void)unlink(path);
    files_path(files, name, ".gz", path);
    (void)unlink(path);
}

/* Writes images and labels of a set of count examples, rows x columns. */
struct set {
    const char *name; /* train, t10k */
    uint32_t first;   /* name of its first example */
    uint32_t count;
    uint32_t rows;
    uint32_t columns;
    int packed;
};

static inline void files_write_set(const struct files *files,
                                   const struct set *set)
{
    static struct made made;
    const uint32_t dims[3] = {set->count, set->rows, set->columns};
    char name[64];

    made_begin(&made, 3, dims);
    for (uint32_t e = 0; e < set->count; e++) {
        for (uint32_t p = 0; p < set->rows * set->columns; p++) {
            made_add(&made, pixel_of(set->first + e, p));
        }
    }
    (void)snprintf(name, sizeof(name), "%s-images-idx3-ubyte", set->name);
    (set->packed ? files_write_packed : files_write)(files, name, made.bytes,
                                                     made.size);

    made_begin(&made, 1, dims);
    for (uint32_t e = 0; e < set->count; e++) {
        made_add(&made, label_of(set->first + e));
    }
    (void)snprintf(name, sizeof(name), "%s-labels-idx1-ubyte", set->name);
    (set->packed ? files_write_packed : files_write)(files, name, made.bytes,
                                                     made.size);
}

static const char *const FILE_NAMES[] = {
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
};

static inline void files_write_sets(const struct files *files, int packed)
{
    const struct set train = {"train", 0, TRAIN_COUNT, SIDE, SIDE, packed};
    const struct set evaluate = {"t10k", 200,  EVALUATE_COUNT,
                                 SIDE,   SIDE, packed};

    files_write_set(files, &train);
    files_write_set(files, &evaluate);
}

/* The data of one mapping; the tests change what they are about. */
static inline struct data_spec spec_of(const struct files *files,
                                       enum task_kind kind,
                                       uint32_t count)
{
    struct data_spec spec = {
        .format = DATA_IDX,
        .shuffle = true,
        .task_specs_count = 1,
        .task_specs = {{.kind = kind, .count = count, .passes = 1}},
    };

    (void)snprintf(spec.dir, sizeof(spec.dir), "%s", files->dir);
    return spec;
}

/* An empty directory. */
static inline int files_setup(void **state)
{
    struct files *files = calloc(1, sizeof(*files));

    if (files == NULL) {
        return -1;
    }
    (void)snprintf(files->dir, sizeof(files->dir), "/tmp/cajal-data-XXXXXX");
    if (mkdtemp(files->dir) == NULL) {
        free(files);
        return -1;
    }
    *state = files;
    return 0;
}

static inline int files_teardown(void **state)
{
    struct files *files = *state;

    for (size_t i = 0; i < 4; i++) {
        files_remove(files, FILE_NAMES[i]);
    }
    files_remove(files, "file");
    (void)rmdir(files->dir);
    free(files);
    return 0;
}

#endif /* TESTS_UNIT_WORKER_DATA_IDXFILES_H */
