#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "client/safetensors.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char directory[64];
    char path[96];
    char temporary[104];
};

static int make(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    (void)snprintf(place->directory, sizeof(place->directory),
                   "/tmp/test-safetensors-XXXXXX");
    if (mkdtemp(place->directory) == NULL) {
        return -1;
    }
    (void)snprintf(place->path, sizeof(place->path), "%s/a.safetensors",
                   place->directory);
    (void)snprintf(place->temporary, sizeof(place->temporary), "%s.tmp",
                   place->path);
    *state = place;
    return 0;
}

static int drop(void **state)
{
    struct place *place = *state;

    (void)unlink(place->path);
    (void)unlink(place->temporary);
    (void)rmdir(place->directory);
    free(place);
    return 0;
}

static size_t read_back(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t count = 0;

    assert_non_null(file);
    count = fread(out, 1, size, file);
    (void)fclose(file);
    return count;
}

static const struct safetensor small[] = {
    {.name = "hidden1.weight", .shape = {2, 3}, .rank = 2},
    {.name = "hidden1.bias", .shape = {2}, .rank = 1},
};
static const float weight[6] = {1, 2, 3, 4, 5, 6};
static const float bias[2] = {7, 8};

static void test_safetensors__writes_an_empty_set_as_sixteen_bytes(void **state)
{
    struct place *place = *state;
    const struct safetensors_options options = {.tensors_count = 0};
    struct safetensors *file = NULL;
    char bytes[64];

    assert_int_equal(safetensors_open(place->path, &options, &file), STATUS_OK);
    assert_int_equal(safetensors_finish(file), STATUS_OK);
    safetensors_close(file);

    assert_int_equal(read_back(place->path, bytes, sizeof(bytes)), 16);
    assert_memory_equal(bytes, "\x08\0\0\0\0\0\0\0{}      ", 16);
}

static void test_safetensors__writes_the_reference_bytes(void **state)
{
    static const char header[] =
        "{\"123456\":{\"dtype\":\"F32\",\"shape\":[1,2,3],"
        "\"data_offsets\":[0,24]}}";
    struct place *place = *state;
    const struct safetensor tensor = {
        .name = "123456", .shape = {1, 2, 3}, .rank = 3};
    const struct safetensors_options options = {.tensors = &tensor,
                                                .tensors_count = 1};
    struct safetensors *file = NULL;
    char bytes[128];

    assert_int_equal(strlen(header), 64); /* needs no padding */
    assert_int_equal(safetensors_open(place->path, &options, &file), STATUS_OK);
    assert_int_equal(safetensors_bytes(file), 8 + 64 + 24);
    assert_int_equal(safetensors_write(file, 0, 0, weight, 24), STATUS_OK);
    assert_int_equal(safetensors_finish(file), STATUS_OK);
    safetensors_close(file);

    assert_int_equal(read_back(place->path, bytes, sizeof(bytes)), 96);
    assert_memory_equal(bytes, "\x40\0\0\0\0\0\0\0", 8);
    assert_memory_equal(bytes + 8, header, 64);
    assert_memory_equal(bytes + 72, weight, 24);
}

static void test_safetensors__takes_parts_and_tensors_in_any_order(void **state)
{
    struct place *place = *state;
    const struct safetensors_text texts[] = {{"format", "pt"},
                                             {"cajal.step", "7"}};
    const struct safetensors_options options = {
        .tensors = small, .tensors_count = 2, .texts = texts, .texts_count = 2};
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"cajal.step\":\"7\"},"
        "\"hidden1.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],"
        "\"data_offsets\":[0,24]},"
        "\"hidden1.bias\":{\"dtype\":\"F32\",\"shape\":[2],"
        "\"data_offsets\":[24,32]}}";
    struct safetensors *file = NULL;
    char bytes[512];
    size_t size = 0;
    size_t padded = (strlen(header) + 7) / 8 * 8;

    assert_int_equal(safetensors_open(place->path, &options, &file), STATUS_OK);
    assert_int_equal(safetensors_write(file, 1, 0, bias, 8), STATUS_OK);
    assert_int_equal(safetensors_write(file, 0, 0, weight, 10), STATUS_OK);
    assert_int_equal(
        safetensors_write(file, 0, 10, (const char *)weight + 10, 14),
        STATUS_OK);
    assert_int_equal(safetensors_finish(file), STATUS_OK);
    safetensors_close(file);

    size = read_back(place->path, bytes, sizeof(bytes));
    assert_int_equal(size, 8 + padded + 32);
    assert_int_equal((unsigned char)bytes[0], padded);
    assert_memory_equal(bytes + 8, header, strlen(header));
    for (size_t i = 8 + strlen(header); i < 8 + padded; i++) {
        assert_int_equal(bytes[i], ' ');
    }
    assert_memory_equal(bytes + 8 + padded, weight, 24);
    assert_memory_equal(bytes + 8 + padded + 24, bias, 8);
}

static void test_safetensors__refuses_holes_overlap_and_excess(void **state)
{
    struct place *place = *state;
    const struct safetensors_options options = {.tensors = small,
                                                .tensors_count = 2};
    struct safetensors *file = NULL;

    assert_int_equal(safetensors_open(place->path, &options, &file), STATUS_OK);

    assert_int_equal(safetensors_write(file, 0, 4, weight, 4), STATUS_INVALID);
    assert_int_equal(safetensors_write(file, 0, 0, weight, 8), STATUS_OK);
    assert_int_equal(safetensors_write(file, 0, 4, weight, 4), STATUS_INVALID);
    assert_int_equal(safetensors_write(file, 0, 8, weight, 20), STATUS_INVALID);
    assert_int_equal(safetensors_finish(file), STATUS_INVALID);
    safetensors_close(file);
}

static void test_safetensors__leaves_nothing_where_it_is_not_finished(
    void **state)
{
    struct place *place = *state;
    const struct safetensors_options options = {.tensors = small,
                                                .tensors_count = 2};
    struct safetensors *file = NULL;

    assert_int_equal(safetensors_open(place->path, &options, &file), STATUS_OK);
    assert_int_equal(access(place->temporary, F_OK), 0);
    safetensors_close(file);

    assert_int_not_equal(access(place->temporary, F_OK), 0);
    assert_int_not_equal(access(place->path, F_OK), 0);
}

static void test_safetensors__refuses_sizes_that_overflow(void **state)
{
    struct place *place = *state;
    const struct safetensor huge = {
        .name = "x", .shape = {UINT64_MAX / 2, 9}, .rank = 2};
    const struct safetensors_options options = {.tensors = &huge,
                                                .tensors_count = 1};
    struct safetensors *file = NULL;

    assert_int_equal(safetensors_open(place->path, &options, &file),
                     STATUS_INVALID);
    assert_null(file);
}

static void test_safetensors__reports_a_place_that_cannot_be_written(
    void **state)
{
    const struct safetensors_options options = {.tensors_count = 0};
    struct safetensors *file = NULL;

    (void)state;
    assert_int_equal(
        safetensors_open("/nowhere/at/all.safetensors", &options, &file),
        STATUS_IO);
    assert_null(file);
    assert_int_equal(mem_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_safetensors__writes_an_empty_set_as_sixteen_bytes, make, drop),
        cmocka_unit_test_setup_teardown(
            test_safetensors__writes_the_reference_bytes, make, drop),
        cmocka_unit_test_setup_teardown(
            test_safetensors__takes_parts_and_tensors_in_any_order, make, drop),
        cmocka_unit_test_setup_teardown(
            test_safetensors__refuses_holes_overlap_and_excess, make, drop),
        cmocka_unit_test_setup_teardown(
            test_safetensors__leaves_nothing_where_it_is_not_finished, make,
            drop),
        cmocka_unit_test_setup_teardown(
            test_safetensors__refuses_sizes_that_overflow, make, drop),
        cmocka_unit_test(
            test_safetensors__reports_a_place_that_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
