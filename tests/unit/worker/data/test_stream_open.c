/* What stream_open accepts, tells and refuses; test_stream.c reads. */
#include "worker/data/stream.h"

#include "base/mem.h"
#include "tests/unit/worker/data/idxfiles.h"

enum { SEED = 7, GUARD = 10 };

static char said[512];

static struct stream *open_stream(const struct data_spec *spec)
{
    struct stream *stream = NULL;

    said[0] = '\0';
    assert_int_equal(
        stream_open(&(struct stream_options){.data = spec, .seed = SEED}, said,
                    sizeof(said), &stream),
        STATUS_OK);
    return stream;
}

static void expect_refusal(const struct data_spec *spec,
                           uint32_t outputs,
                           enum status status,
                           const char *says)
{
    struct stream *stream = NULL;
    const uint64_t live = mem_live();

    said[0] = '\0';
    assert_int_equal(stream_open(&(struct stream_options){.data = spec,
                                                          .seed = SEED,
                                                          .outputs = outputs},
                                 said, sizeof(said), &stream),
                     status);
    assert_non_null(strstr(said, says));
    assert_null(stream);
    assert_int_equal(mem_live(), live);
}

static void test_stream_open__tells_the_shape_of_the_data(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 2);
    const struct data_shape *shape;
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.guard_examples = GUARD;
    spec.task_specs[0].passes = 3;
    spec.task_specs_count = 2;
    spec.task_specs[1] = (struct task_spec){
        .kind = TASK_PERMUTE_PIXELS, .count = 1, .examples = 1000};
    stream = open_stream(&spec);
    shape = stream_shape(stream);

    assert_int_equal(shape->inputs, PIXELS);
    assert_int_equal(shape->classes, CLASSES);
    assert_int_equal(shape->train_examples, TRAIN_COUNT - GUARD);
    assert_int_equal(shape->guard_examples, GUARD);
    assert_int_equal(shape->evaluate_examples, EVALUATE_COUNT);
    assert_int_equal(shape->tasks_count, 3);
    assert_int_equal(shape->task_examples[0], 3 * (TRAIN_COUNT - GUARD));
    assert_int_equal(shape->task_examples[1], 3 * (TRAIN_COUNT - GUARD));
    assert_int_equal(shape->task_examples[2], 1000);
    stream_close(stream);
}

static void test_stream_open__hashes_what_is_in_the_files(void **state)
{
    const struct set other = {"t10k", 201, EVALUATE_COUNT, SIDE, SIDE, 0};
    const struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    struct stream *stream;
    struct hash hashes[3];

    for (int i = 0; i < 3; i++) {
        for (int f = 0; f < 4; f++) {
            files_remove(*state, FILE_NAMES[f]);
        }
        files_write_sets(*state, i == 1); /* plain, packed, another */
        if (i == 2) {
            files_write_set(*state, &other);
        }
        stream = open_stream(&spec);
        hashes[i] = stream_shape(stream)->hash;
        stream_close(stream);
    }

    assert_true(hash_equal(&hashes[0], &hashes[1]));
    assert_false(hash_equal(&hashes[0], &hashes[2]));
}

static void test_stream_open__refuses_tasks_that_do_not_fit_the_data(
    void **state)
{
    struct data_spec spec = spec_of(*state, TASK_SPLIT_CLASSES, 3);

    files_write_sets(*state, 0);
    expect_refusal(&spec, 0, STATUS_INVALID,
                   "split-classes cannot divide the 4 classes of the data "
                   "into 3 equal tasks");
    spec = spec_of(*state, TASK_SPLIT_CLASSES, 8);
    expect_refusal(&spec, 0, STATUS_INVALID, "into 8 equal tasks");

    spec = spec_of(*state, TASK_NONE, 1);
    expect_refusal(&spec, 3, STATUS_INVALID, "has a label out of range");

    spec.guard_examples = TRAIN_COUNT;
    expect_refusal(&spec, 0, STATUS_INVALID, "the guard wants 40 examples");
    spec.guard_examples = UINT64_MAX;
    expect_refusal(&spec, 0, STATUS_INVALID, "the guard wants");
}

static void test_stream_open__refuses_to_rotate_rectangles(void **state)
{
    const struct set train = {"train", 0, TRAIN_COUNT, 3, 4, 0};
    const struct set evaluate = {"t10k", 200, EVALUATE_COUNT, 3, 4, 0};
    const struct data_spec spec = spec_of(*state, TASK_ROTATE, 4);

    files_write_set(*state, &train);
    files_write_set(*state, &evaluate);

    expect_refusal(&spec, 0, STATUS_INVALID, "rotate needs square images");
}

static void test_stream_open__refuses_specs_that_make_no_sense(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 1);

    files_write_sets(*state, 0);
    spec.format = (enum data_format)9;
    expect_refusal(&spec, 0, STATUS_INVALID, "format");
    spec = spec_of(*state, TASK_NONE, 1);
    spec.task_specs_count = 0;
    expect_refusal(&spec, 0, STATUS_INVALID, "1 to 16 mappings");
    spec.task_specs_count = TASK_SPECS_MAX + 1;
    expect_refusal(&spec, 0, STATUS_INVALID, "1 to 16 mappings");
    spec = spec_of(*state, (enum task_kind)99, 1);
    expect_refusal(&spec, 0, STATUS_INVALID, "kind");
    spec = spec_of(*state, TASK_NONE, 0);
    expect_refusal(&spec, 0, STATUS_INVALID, "count of 1 or more");
    spec = spec_of(*state, TASK_NONE, TASKS_MAX + 1);
    expect_refusal(&spec, 0, STATUS_INVALID, "1025 tasks, but at most 1024");
    spec = spec_of(*state, TASK_NONE, 1);
    spec.task_specs[0].examples = UINT64_MAX;
    expect_refusal(&spec, 0, STATUS_INVALID, "but at most 281474976710656");
    spec = spec_of(*state, TASK_NONE, 1);
    memset(spec.dir, 'd', sizeof(spec.dir));
    expect_refusal(&spec, 0, STATUS_INVALID, "data.dir is too long");
}

static void test_stream_open__refuses_a_task_without_examples(void **state)
{
    const struct set few = {"t10k", 0, 1, SIDE, SIDE, 0};
    const struct data_spec spec = spec_of(*state, TASK_SPLIT_CLASSES, 4);

    files_write_sets(*state, 0);
    files_write_set(*state, &few);

    expect_refusal(&spec, 0, STATUS_INVALID,
                   "task 1 has no examples in the t10k file");
}

static void test_stream_open__names_the_file_that_is_wrong(void **state)
{
    const struct set large = {"t10k", 0, EVALUATE_COUNT, 6, 6, 0};
    const struct data_spec spec = spec_of(*state, TASK_NONE, 1);

    for (int f = 0; f < 4; f++) {
        files_write_sets(*state, 0);
        files_remove(*state, FILE_NAMES[f]);
        expect_refusal(&spec, 0, STATUS_NOT_FOUND, FILE_NAMES[f]);
        files_write(*state, FILE_NAMES[f], "abcd", 4);
        expect_refusal(&spec, 0, STATUS_CORRUPT, FILE_NAMES[f]);
        files_write_packed(*state, FILE_NAMES[f], "abcd", 4);
        expect_refusal(&spec, 0, STATUS_CORRUPT, "61 62"); /* the plain one */
        files_remove(*state, FILE_NAMES[f]);
        files_write_packed(*state, FILE_NAMES[f], "abcd", 4);
        expect_refusal(&spec, 0, STATUS_CORRUPT, ".gz is not an IDX file");
        files_remove(*state, FILE_NAMES[f]);
    }
    files_write_sets(*state, 0);
    files_write_set(*state, &large);
    expect_refusal(&spec, 0, STATUS_CORRUPT, "images of another size");
}

static void test_stream_open__survives_the_failure_of_each_allocation(
    void **state)
{
    struct data_spec spec = spec_of(*state, TASK_ROTATE, 2);
    const uint64_t live = mem_live();
    struct stream *stream = NULL;
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    spec.task_specs_count = 2;
    spec.task_specs[1] =
        (struct task_spec){.kind = TASK_SPLIT_CLASSES, .count = 2, .passes = 1};
    files_write_sets(*state, 1);

    while (status != STATUS_OK) {
        mem_fail_at(++n);
        said[0] = '\0';
        status =
            stream_open(&(struct stream_options){.data = &spec, .seed = SEED},
                        said, sizeof(said), &stream);
        mem_fail_at(0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_non_null(strstr(said, "memory"));
            assert_null(stream);
            assert_int_equal(mem_live(), live);
        }
    }
    assert_true(n > 20);
    stream_close(stream);
    assert_int_equal(mem_live(), live);
}

static void test_stream_open__closes_nothing(void **state)
{
    (void)state;
    stream_close(NULL);
}

#define WITH_FILES(test)                                                       \
    cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_stream_open__tells_the_shape_of_the_data),
        WITH_FILES(test_stream_open__hashes_what_is_in_the_files),
        WITH_FILES(test_stream_open__refuses_tasks_that_do_not_fit_the_data),
        WITH_FILES(test_stream_open__refuses_to_rotate_rectangles),
        WITH_FILES(test_stream_open__refuses_specs_that_make_no_sense),
        WITH_FILES(test_stream_open__refuses_a_task_without_examples),
        WITH_FILES(test_stream_open__names_the_file_that_is_wrong),
        WITH_FILES(test_stream_open__survives_the_failure_of_each_allocation),
        cmocka_unit_test(test_stream_open__closes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
