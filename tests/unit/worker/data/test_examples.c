#include "worker/data/examples.h"

#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/worker/data/idxfiles.h"

static char said[512];
static struct made made;

static enum status open_set(const struct files *files,
                            uint32_t outputs,
                            struct examples *out)
{
    struct why why = {.text = said, .size = sizeof(said)};

    said[0] = '\0';
    return examples_init(out, &(struct idx_place){.dir = files->dir}, "train",
                         outputs, &why);
}

static void write_set(const struct files *files)
{
    const struct set train = {"train", 0, TRAIN_COUNT, SIDE, SIDE, 0};

    files_write_set(files, &train);
}

/* An IDX file whose items are all `value`. */
static void write_file(const struct files *files,
                       const char *name,
                       uint32_t rank,
                       const uint32_t *dims,
                       uint32_t value)
{
    uint64_t items = 1;

    made_begin(&made, rank, dims);
    for (uint32_t i = 0; i < rank; i++) {
        items *= dims[i];
    }
    for (uint64_t i = 0; i < items && made.size < FILE_BYTES_MAX; i++) {
        made_add(&made, value);
    }
    files_write(files, name, made.bytes, made.size);
}

static void expect_refusal(const struct files *files,
                           uint32_t outputs,
                           enum status status,
                           const char *says)
{
    struct examples examples = {.count = 0};
    const uint64_t live = mem_live();

    assert_int_equal(open_set(files, outputs, &examples), status);
    assert_non_null(strstr(said, says));
    assert_int_equal(mem_live(), live);
}

static void test_examples__are_images_and_their_labels(void **state)
{
    const struct files *files = *state;
    struct examples examples = {.count = 0};

    write_set(files);

    assert_int_equal(open_set(files, 0, &examples), STATUS_OK);

    assert_int_equal(examples.count, TRAIN_COUNT);
    assert_int_equal(examples.inputs, PIXELS);
    assert_int_equal(examples.side, SIDE);
    assert_int_equal(examples.classes, CLASSES);
    for (uint32_t e = 0; e < TRAIN_COUNT; e++) {
        assert_int_equal(examples_label(&examples, e), label_of(e));
        for (uint32_t p = 0; p < PIXELS; p++) {
            assert_int_equal(examples_image(&examples, e)[p], pixel_of(e, p));
        }
    }
    examples_fini(&examples);
}

static void test_examples__may_be_rectangles(void **state)
{
    const struct files *files = *state;
    const struct set train = {"train", 0, TRAIN_COUNT, 3, 4, 0};
    struct examples examples = {.count = 0};

    files_write_set(files, &train);

    assert_int_equal(open_set(files, 0, &examples), STATUS_OK);

    assert_int_equal(examples.inputs, 12);
    assert_int_equal(examples.side, 0);
    examples_fini(&examples);
}

static void test_examples__must_have_a_label_each(void **state)
{
    const struct files *files = *state;

    write_set(files);
    write_file(files, FILE_NAMES[1], 1, (uint32_t[]){TRAIN_COUNT - 1}, 0);

    expect_refusal(files, 0, STATUS_CORRUPT,
                   "train-labels-idx1-ubyte has 39 labels, but there are 40 "
                   "images");
}

static void test_examples__must_have_labels_below_the_outputs(void **state)
{
    const struct files *files = *state;
    struct examples examples = {.count = 0};

    write_set(files);

    expect_refusal(files, CLASSES - 1, STATUS_INVALID,
                   "train-labels-idx1-ubyte has a label out of range: 3 at "
                   "example 1, but the model has 3 outputs");
    assert_int_equal(open_set(files, CLASSES, &examples), STATUS_OK);
    examples_fini(&examples);
}

static void test_examples__must_have_the_rank_of_their_kind(void **state)
{
    const struct files *files = *state;

    write_set(files);
    write_file(files, FILE_NAMES[1], 2, (uint32_t[]){TRAIN_COUNT, 1}, 0);
    expect_refusal(files, 0, STATUS_CORRUPT, "labels-idx1-ubyte has 2 dim");

    write_file(files, FILE_NAMES[0], 1, (uint32_t[]){TRAIN_COUNT}, 0);
    expect_refusal(files, 0, STATUS_CORRUPT, "images-idx3-ubyte has one dim");
}

static void test_examples__must_have_pixels_but_not_too_many(void **state)
{
    const struct files *files = *state;

    write_set(files);
    write_file(files, FILE_NAMES[0], 3, (uint32_t[]){0, 5, 5}, 0);
    expect_refusal(files, 0, STATUS_CORRUPT, "not hold a single pixel");
    write_file(files, FILE_NAMES[0], 3, (uint32_t[]){5, 0, 5}, 0);
    expect_refusal(files, 0, STATUS_CORRUPT, "not hold a single pixel");

    made_begin(&made, 2, (uint32_t[]){1, UNITS_MAX + 1});
    {
        const size_t size = made.size + UNITS_MAX + 1;
        uint8_t *bytes = calloc(1, size);

        assert_non_null(bytes);
        memcpy(bytes, made.bytes, made.size);
        files_write(files, FILE_NAMES[0], bytes, size);
        free(bytes);
    }
    expect_refusal(files, 0, STATUS_INVALID, "has 65537 pixels an image");
}

static void test_examples__hash_both_files_as_unpacked(void **state)
{
    const struct files *files = *state;
    const struct set packed = {"train", 0, TRAIN_COUNT, SIDE, SIDE, 1};
    struct examples examples = {.count = 0};
    struct hash plain[2];
    struct hash unpacked[2];

    write_set(files);
    assert_int_equal(open_set(files, 0, &examples), STATUS_OK);
    examples_hash(&examples, plain);
    examples_fini(&examples);
    files_remove(files, FILE_NAMES[0]);
    files_remove(files, FILE_NAMES[1]);
    files_write_set(files, &packed);
    assert_int_equal(open_set(files, 0, &examples), STATUS_OK);
    examples_hash(&examples, unpacked);
    examples_fini(&examples);

    assert_true(hash_equal(&plain[0], &unpacked[0]));
    assert_true(hash_equal(&plain[1], &unpacked[1]));
    assert_false(hash_equal(&plain[0], &plain[1]));
}

#define WITH_FILES(test)                                                       \
    cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_examples__are_images_and_their_labels),
        WITH_FILES(test_examples__may_be_rectangles),
        WITH_FILES(test_examples__must_have_a_label_each),
        WITH_FILES(test_examples__must_have_labels_below_the_outputs),
        WITH_FILES(test_examples__must_have_the_rank_of_their_kind),
        WITH_FILES(test_examples__must_have_pixels_but_not_too_many),
        WITH_FILES(test_examples__hash_both_files_as_unpacked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
