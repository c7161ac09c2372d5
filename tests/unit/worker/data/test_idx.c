#include "worker/data/idx.h"

#include "base/mem.h"
#include "tests/unit/worker/data/idxfiles.h"
#include <sys/stat.h>

enum { HEADER_BYTES = 16, WHOLE_BYTES = HEADER_BYTES + 4 * 3 * 2 };

static char said[512];
static struct made made;
static uint8_t packed[FILE_BYTES_MAX];

static struct why *why(void)
{
    static struct why sentence = {.text = said, .size = sizeof(said)};

    said[0] = '\0';
    return &sentence;
}

/* 4 images of 3 x 2 pixels with the values 0, 1, 2, ... */
static void make_images(void)
{
    const uint32_t dims[3] = {4, 3, 2};

    made_begin(&made, 3, dims);
    for (uint32_t i = 0; i < 24; i++) {
        made_add(&made, i);
    }
}

static enum status parse_header_of(uint32_t rank, const uint32_t *dims)
{
    struct idx idx;

    made_begin(&made, rank, dims);
    return idx_parse(made.bytes, made.size, "x", why(), &idx);
}

static void test_idx__reads_dimensions_and_items(void **state)
{
    struct idx idx;

    (void)state;
    make_images();

    assert_int_equal(idx_parse(made.bytes, made.size, "x", why(), &idx),
                     STATUS_OK);

    assert_int_equal(idx.rank, 3);
    assert_int_equal(idx.dims[0], 4);
    assert_int_equal(idx.dims[1], 3);
    assert_int_equal(idx.dims[2], 2);
    assert_int_equal(idx.dims[3], 1);
    assert_int_equal(idx.items_count, 24);
    assert_int_equal(idx.items[23], 23);
}

static void test_idx__says_how_much_of_a_truncated_file_is_there(void **state)
{
    struct idx idx;

    (void)state;
    make_images();

    for (size_t size = 0; size < made.size; size++) {
        /* A copy of its own, so that reading beyond it is seen. */
        uint8_t *part = malloc(size + 1);

        assert_non_null(part);
        memcpy(part, made.bytes, size);
        assert_int_equal(idx_parse(part, size, "images", why(), &idx),
                         STATUS_CORRUPT);
        assert_non_null(strstr(said, "images is truncated: "));
        free(part);
    }
    assert_string_equal(said, "images is truncated: 39 of 40 bytes");
}

static void test_idx__refuses_trailing_bytes(void **state)
{
    struct idx idx;

    (void)state;
    make_images();
    made_add(&made, 0);

    assert_int_equal(idx_parse(made.bytes, made.size, "x", why(), &idx),
                     STATUS_CORRUPT);

    assert_string_equal(
        said, "x has trailing bytes after the 40 that its header says");
}

static void test_idx__names_what_is_wrong_with_the_magic(void **state)
{
    const struct {
        size_t at;
        uint8_t value;
        const char *says;
    } rows[] = {
        {0, 0x1f, "not an IDX file: it begins with 1f 00"},
        {1, 1, "not an IDX file: it begins with 00 01"},
        {2, 0x0d, "type code 0x0d"},
        {3, 0, "0 dimensions"},
        {3, 5, "5 dimensions"},
        {3, 255, "255 dimensions"},
    };
    struct idx idx;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_images();
        made.bytes[rows[i].at] = rows[i].value;
        assert_int_equal(idx_parse(made.bytes, made.size, "x", why(), &idx),
                         STATUS_CORRUPT);
        assert_non_null(strstr(said, rows[i].says));
    }
}

static void test_idx__refuses_sizes_that_overflow_or_exceed_the_cap(
    void **state)
{
    const uint32_t most = UINT32_MAX;

    (void)state;
    assert_int_equal(parse_header_of(4, (uint32_t[]){most, most, most, most}),
                     STATUS_INVALID);
    assert_int_equal(parse_header_of(3, (uint32_t[]){1u << 31, 1u << 31, 4}),
                     STATUS_INVALID);
    assert_int_equal(parse_header_of(2, (uint32_t[]){1u << 16, 1u << 16}),
                     STATUS_INVALID);
    assert_non_null(strstr(said, "more than the 4294967296 bytes"));
    assert_int_equal(parse_header_of(2, (uint32_t[]){1u << 16, 65535}),
                     STATUS_CORRUPT); /* allowed, but not there */
}

static void test_idx__accepts_a_dimension_of_zero(void **state)
{
    (void)state;
    assert_int_equal(parse_header_of(1, (uint32_t[]){0}), STATUS_OK);
    assert_int_equal(parse_header_of(3, (uint32_t[]){7, 0, 9}), STATUS_OK);
}

static void test_idx__unpacks_gzip(void **state)
{
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();
    size_t size;

    (void)state;
    make_images();
    size = pack(made.bytes, made.size, packed, sizeof(packed));

    assert_int_equal(idx_unpack(packed, size, "x", why(), &file), STATUS_OK);

    assert_int_equal(file.size, made.size);
    assert_memory_equal(file.bytes, made.bytes, made.size);
    assert_ptr_equal(file.idx.items, file.bytes + HEADER_BYTES);
    idx_file_fini(&file);
    assert_int_equal(mem_live(), live);
}

static void test_idx__unpacks_a_file_of_several_members(void **state)
{
    struct idx_file file = {.bytes = NULL};
    size_t size;

    (void)state;
    make_images();
    size = pack(made.bytes, 10, packed, sizeof(packed));
    size += pack(made.bytes + 10, 20, packed + size, sizeof(packed) - size);
    size += pack(made.bytes + 30, 10, packed + size, sizeof(packed) - size);

    assert_int_equal(idx_unpack(packed, size, "x", why(), &file), STATUS_OK);

    assert_memory_equal(file.bytes, made.bytes, made.size);
    idx_file_fini(&file);
}

static void test_idx__notices_packed_bytes_cut_at_every_length(void **state)
{
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();
    size_t size;

    (void)state;
    make_images();
    size = pack(made.bytes, made.size, packed, sizeof(packed));

    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(idx_unpack(packed, cut, "x", why(), &file),
                         STATUS_CORRUPT);
        assert_non_null(strstr(said, "x is truncated"));
        assert_int_equal(mem_live(), live);
    }
}

static void test_idx__notices_plain_bytes_cut_before_packing(void **state)
{
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();

    (void)state;
    make_images();

    for (size_t cut = 0; cut < made.size; cut++) {
        const size_t size = pack(made.bytes, cut, packed, sizeof(packed));

        assert_int_equal(idx_unpack(packed, size, "x", why(), &file),
                         STATUS_CORRUPT);
        assert_non_null(strstr(said, "x is truncated"));
        assert_int_equal(mem_live(), live);
    }
}

static void test_idx__notices_damage_inside_of_gzip(void **state)
{
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();
    size_t size;

    (void)state;
    make_images();
    size = pack(made.bytes, made.size, packed, sizeof(packed));

    packed[size - 6] ^= 1; /* the check sum */
    assert_int_equal(idx_unpack(packed, size, "x", why(), &file),
                     STATUS_CORRUPT);
    assert_string_equal(said, "x is not sound gzip data: incorrect data check");
    assert_int_equal(idx_unpack(made.bytes, made.size, "x", why(), &file),
                     STATUS_CORRUPT);
    assert_string_equal(said,
                        "x is not sound gzip data: incorrect header check");
    assert_int_equal(mem_live(), live);
}

static void test_idx__stops_where_more_comes_than_the_header_says(void **state)
{
    const uint32_t dims[1] = {2};
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();
    size_t size;

    (void)state;
    for (size_t extra = 1; extra < 50000; extra = extra * 5 + 1) {
        made_begin(&made, 1, dims);
        for (size_t i = 0; i < 2 + extra; i++) {
            made_add(&made, 0);
        }
        size = pack(made.bytes, made.size, packed, sizeof(packed));
        assert_int_equal(idx_unpack(packed, size, "x", why(), &file),
                         STATUS_CORRUPT);
        assert_string_equal(
            said, "x has trailing bytes after the 10 that its header says");
        assert_int_equal(mem_live(), live);
    }
}

static void test_idx__stops_a_bomb_longer_than_the_longest_header(void **state)
{
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();
    size_t size;

    (void)state;
    make_images();
    while (made.size < FILE_BYTES_MAX) {
        made_add(&made, 0);
    }
    size = pack(made.bytes, made.size, packed, sizeof(packed));

    assert_int_equal(idx_unpack(packed, size, "x", why(), &file),
                     STATUS_CORRUPT);

    assert_string_equal(
        said, "x has trailing bytes after the 40 that its header says");
    assert_int_equal(mem_live(), live);
}

/* A few bytes that promise 4 GB fail for their size, not for want of memory:
 * nothing may be allocated for them. */
static void test_idx__does_not_allocate_what_a_lying_header_says(void **state)
{
    const uint32_t dims[3] = {65535, 256, 255};
    struct idx_file file = {.bytes = NULL};
    size_t size;

    (void)state;
    made_begin(&made, 3, dims);
    made_add(&made, 0);
    size = pack(made.bytes, made.size, packed, sizeof(packed));

    assert_int_equal(idx_unpack(packed, size, "x", why(), &file),
                     STATUS_CORRUPT);

    assert_non_null(strstr(said, "too few to hold the 4278124816 that"));
}

static void test_idx__prefers_the_plain_file(void **state)
{
    const struct files *files = *state;
    struct idx_file file = {.bytes = NULL};

    make_images();
    files_write(files, "file", made.bytes, made.size);
    made.bytes[HEADER_BYTES] = 99;
    files_write_packed(files, "file", made.bytes, made.size);

    assert_int_equal(idx_file_init(&file,
                                   &(struct idx_place){.dir = files->dir},
                                   "file", why()),
                     STATUS_OK);

    assert_int_equal(file.idx.items[0], 0);
    idx_file_fini(&file);
}

static void test_idx__reads_the_packed_file_where_no_plain_one_is(void **state)
{
    const struct files *files = *state;
    struct idx_file file = {.bytes = NULL};

    make_images();
    files_write_packed(files, "file", made.bytes, made.size);

    assert_int_equal(idx_file_init(&file,
                                   &(struct idx_place){.dir = files->dir},
                                   "file", why()),
                     STATUS_OK);

    assert_memory_equal(file.bytes, made.bytes, made.size);
    idx_file_fini(&file);
}

static void test_idx__names_a_missing_file(void **state)
{
    const struct files *files = *state;
    struct idx_file file = {.bytes = NULL};
    char expected[256];

    assert_int_equal(idx_file_init(&file,
                                   &(struct idx_place){.dir = files->dir},
                                   "file", why()),
                     STATUS_NOT_FOUND);

    (void)snprintf(expected, sizeof(expected),
                   "%s/file: no such file, neither plain nor as .gz",
                   files->dir);
    assert_string_equal(said, expected);
}

static void test_idx__refuses_what_is_not_a_regular_file(void **state)
{
    const struct files *files = *state;
    struct idx_file file = {.bytes = NULL};
    char path[192];

    files_path(files, "file", "", path);
    assert_int_equal(mkfifo(path, 0600), 0);

    assert_int_equal(idx_file_init(&file,
                                   &(struct idx_place){.dir = files->dir},
                                   "file", why()),
                     STATUS_INVALID);

    assert_non_null(strstr(said, "/file is not a regular file"));
}

/* A sparse file: it takes no room on the disk. */
static void test_idx__refuses_a_file_above_the_cap(void **state)
{
    const struct files *files = *state;
    struct idx_file file = {.bytes = NULL};
    char path[192];

    files_write(files, "file", "", 0);
    files_path(files, "file", "", path);
    assert_int_equal(truncate(path, (off_t)IDX_BYTES_MAX + 1), 0);

    assert_int_equal(idx_file_init(&file,
                                   &(struct idx_place){.dir = files->dir},
                                   "file", why()),
                     STATUS_INVALID);

    assert_non_null(strstr(said, "/file holds more than the 4294967296"));
}

static void test_idx__refuses_a_path_too_long(void **state)
{
    struct idx_file file = {.bytes = NULL};
    char dir[1024];

    (void)state;
    memset(dir, 'd', sizeof(dir));
    dir[sizeof(dir) - 1] = '\0';

    assert_int_equal(
        idx_file_init(&file, &(struct idx_place){.dir = dir}, "file", why()),
        STATUS_INVALID);
}

static void test_idx__survives_the_failure_of_each_allocation(void **state)
{
    const struct files *files = *state;
    struct idx_file file = {.bytes = NULL};
    const uint64_t live = mem_live();
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    make_images();
    files_write_packed(files, "file", made.bytes, made.size);

    while (status != STATUS_OK) {
        mem_fail_at(++n);
        status = idx_file_init(&file, &(struct idx_place){.dir = files->dir},
                               "file", why());
        mem_fail_at(0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_non_null(strstr(said, "memory"));
            assert_int_equal(mem_live(), live);
        }
    }
    assert_true(n > 3); /* packed bytes, zlib's state, the file, success */
    idx_file_fini(&file);
    assert_int_equal(mem_live(), live);
}

#define WITH_FILES(test)                                                       \
    cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx__reads_dimensions_and_items),
        cmocka_unit_test(test_idx__says_how_much_of_a_truncated_file_is_there),
        cmocka_unit_test(test_idx__refuses_trailing_bytes),
        cmocka_unit_test(test_idx__names_what_is_wrong_with_the_magic),
        cmocka_unit_test(
            test_idx__refuses_sizes_that_overflow_or_exceed_the_cap),
        cmocka_unit_test(test_idx__accepts_a_dimension_of_zero),
        cmocka_unit_test(test_idx__unpacks_gzip),
        cmocka_unit_test(test_idx__unpacks_a_file_of_several_members),
        cmocka_unit_test(test_idx__notices_packed_bytes_cut_at_every_length),
        cmocka_unit_test(test_idx__notices_plain_bytes_cut_before_packing),
        cmocka_unit_test(test_idx__notices_damage_inside_of_gzip),
        cmocka_unit_test(test_idx__stops_where_more_comes_than_the_header_says),
        cmocka_unit_test(test_idx__stops_a_bomb_longer_than_the_longest_header),
        cmocka_unit_test(test_idx__does_not_allocate_what_a_lying_header_says),
        WITH_FILES(test_idx__prefers_the_plain_file),
        WITH_FILES(test_idx__reads_the_packed_file_where_no_plain_one_is),
        WITH_FILES(test_idx__names_a_missing_file),
        WITH_FILES(test_idx__refuses_what_is_not_a_regular_file),
        WITH_FILES(test_idx__refuses_a_file_above_the_cap),
        WITH_FILES(test_idx__refuses_a_path_too_long),
        WITH_FILES(test_idx__survives_the_failure_of_each_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
