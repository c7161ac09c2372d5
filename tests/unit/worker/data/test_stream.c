#include "worker/data/stream.h"

#include "base/check.h"
#include "base/rng.h"
#include "tests/unit/worker/data/idxfiles.h"
#include <stdbool.h>

static const char FASHION_DIR[] = "/usr/share/datasets/fashion-mnist";

enum { ROWS_MAX = 256, SEED = 7, GUARD = 10 };

static char said[512];
static float x[ROWS_MAX * PIXELS];
static uint32_t labels[ROWS_MAX];

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

/* The name of the example in a row, from its first pixel. */
static uint32_t name_in(uint32_t row)
{
    return (uint32_t)(x[row * PIXELS] * 255.0F + 0.5F);
}

/* Reads the whole of a task one row at a time and counts each name. */
static void count_names(struct stream *stream,
                        uint32_t task,
                        uint64_t first,
                        int *seen)
{
    memset(seen, 0, 256 * sizeof(*seen));
    for (uint64_t i = 0; i < TRAIN_COUNT; i++) {
        stream_train(stream, task, first + i, 1, x, labels);
        assert_int_equal(labels[0], label_of(name_in(0)));
        seen[name_in(0)]++;
    }
}

static void test_stream__shows_each_example_once_a_pass(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    int seen[256];
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.task_specs[0].passes = 3;
    stream = open_stream(&spec);

    for (uint64_t pass = 0; pass < 3; pass++) {
        count_names(stream, 0, pass * TRAIN_COUNT, seen);
        for (uint32_t name = 0; name < 256; name++) {
            assert_int_equal(seen[name], name < TRAIN_COUNT);
        }
    }
    stream_close(stream);
}

/* The order by its definition: seed, task and pass decide. */
static void test_stream__orders_by_seed_task_and_pass(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 2);
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.task_specs[0].examples = 100; /* a part of a third pass */
    stream = open_stream(&spec);

    for (uint32_t task = 0; task < 2; task++) {
        stream_train(stream, task, 0, 100, x, labels);
        for (uint32_t pass = 0; pass < 3; pass++) {
            uint32_t order[TRAIN_COUNT];

            for (uint32_t i = 0; i < TRAIN_COUNT; i++) {
                order[i] = i;
            }
            for (uint32_t i = TRAIN_COUNT - 1; i > 0; i--) {
                const uint32_t j =
                    rng_below(rng_draw(SEED, RNG_ORDER, task, pass, i), i + 1);
                const uint32_t item = order[i];

                order[i] = order[j];
                order[j] = item;
            }
            for (uint32_t i = 0; i < TRAIN_COUNT; i++) {
                const uint32_t row = pass * TRAIN_COUNT + i;

                if (row < 100) {
                    assert_int_equal(name_in(row), order[i]);
                }
            }
        }
    }
    stream_close(stream);
}

static void test_stream__keeps_the_file_order_if_asked(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    struct stream *stream;
    uint32_t last = 0;

    files_write_sets(*state, 0);
    spec.shuffle = false;
    spec.guard_examples = GUARD;
    stream = open_stream(&spec);

    stream_train(stream, 0, 0, TRAIN_COUNT - GUARD, x, labels);

    for (uint32_t row = 1; row < TRAIN_COUNT - GUARD; row++) {
        assert_true(name_in(row) > name_in(row - 1));
        last = name_in(row);
    }
    assert_true(last >= TRAIN_COUNT - GUARD - 1);
    stream_close(stream);
}

/* Every kind, read in one go, and read by another stream in chunks of changing
 * size, from the end, tasks mixed, evaluation and guard between. */
static void test_stream__is_the_same_however_it_is_read(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    static float again[ROWS_MAX * PIXELS];
    static uint32_t again_labels[ROWS_MAX];
    struct stream *whole;
    struct stream *parts;

    files_write_sets(*state, 0);
    spec.guard_examples = GUARD;
    spec.task_specs_count = 5;
    for (uint32_t i = 0; i < 5; i++) {
        spec.task_specs[i] =
            (struct task_spec){.kind = (enum task_kind)(TASK_NONE + i),
                               .count = 2,
                               .examples = 75};
    }
    whole = open_stream(&spec);
    parts = open_stream(&spec);

    for (uint64_t at = 75, size = 1; at > 0; at -= size) {
        size = at < size % 7 + 1 ? at : size % 7 + 1;
        for (uint32_t task = 0; task < 10; task++) {
            stream_train(whole, task, 0, 75, x, labels);
            stream_evaluate(parts, 9 - task, 1, 1, again, NULL);
            stream_guard(parts, (task + 3) % 10, 0, 1, again, NULL);
            stream_train(parts, task, at - size, (uint32_t)size, again, NULL);
            stream_train(parts, task, at - size, (uint32_t)size, NULL,
                         again_labels);
            assert_memory_equal(again, x + (at - size) * PIXELS,
                                size * PIXELS * sizeof(*x));
            assert_memory_equal(again_labels, labels + at - size,
                                size * sizeof(*labels));
        }
    }
    stream_close(parts);
    stream_close(whole);
}

static void test_stream__never_trains_on_the_guard(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    int seen[256] = {0};
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.guard_examples = GUARD;
    spec.task_specs[0].passes = 4;
    stream = open_stream(&spec);

    stream_train(stream, 0, 0, 4 * (TRAIN_COUNT - GUARD), x, NULL);
    for (uint32_t row = 0; row < 4 * (TRAIN_COUNT - GUARD); row++) {
        seen[name_in(row)]++;
    }
    assert_int_equal(stream_guard_count(stream, 0), GUARD);
    stream_guard(stream, 0, 0, GUARD, x, labels);
    for (uint32_t row = 0; row < GUARD; row++) {
        assert_int_equal(seen[name_in(row)], 0);
        assert_int_equal(labels[row], label_of(name_in(row)));
        seen[name_in(row)] = 4;
    }

    for (uint32_t name = 0; name < 256; name++) {
        assert_int_equal(seen[name], name < TRAIN_COUNT ? 4 : 0);
    }
    stream_close(stream);
}

static void test_stream__evaluates_the_whole_other_file(void **state)
{
    const struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    struct stream *stream;

    files_write_sets(*state, 0);
    stream = open_stream(&spec);

    assert_int_equal(stream_evaluate_count(stream, 0), EVALUATE_COUNT);
    stream_evaluate(stream, 0, 0, EVALUATE_COUNT, x, labels);

    for (uint32_t row = 0; row < EVALUATE_COUNT; row++) {
        assert_int_equal(name_in(row), 200 + row);
        assert_int_equal(labels[row], label_of(200 + row));
    }
    assert_int_equal(stream_guard_count(stream, 0), 0);
    stream_close(stream);
}

/* One permutation for all three sets of a task: examples are found again by
 * undoing it. */
static void test_stream__permutes_all_sets_of_a_task_alike(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_PERMUTE_PIXELS, 2);
    float as_is[PIXELS];
    float permuted[3][PIXELS];
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.guard_examples = 1;
    spec.shuffle = false;
    stream = open_stream(&spec);

    stream_evaluate(stream, 0, 3, 1, as_is, NULL);
    stream_evaluate(stream, 1, 3, 1, permuted[0], NULL);
    stream_train(stream, 0, 5, 1, x, NULL);
    stream_train(stream, 1, 5, 1, permuted[1], NULL);
    stream_guard(stream, 0, 0, 1, x + PIXELS, NULL);
    stream_guard(stream, 1, 0, 1, permuted[2], NULL);

    assert_memory_not_equal(as_is, permuted[0], sizeof(as_is));
    for (uint32_t i = 0; i < PIXELS; i++) {
        uint32_t from = 0;

        while (as_is[from] != permuted[0][i]) {
            from++; /* the pattern has no value twice */
            assert_true(from < PIXELS);
        }
        assert_true(x[from] == permuted[1][i]);
        assert_true(x[PIXELS + from] == permuted[2][i]);
    }
    stream_close(stream);
}

static void test_stream__renames_labels_in_all_sets_of_a_task(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_PERMUTE_LABELS, 6);
    uint32_t to[CLASSES];
    bool changed = false;
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.guard_examples = GUARD;
    stream = open_stream(&spec);

    for (uint32_t task = 0; task < 6; task++) {
        stream_train(stream, task, 0, TRAIN_COUNT - GUARD, x, labels);
        for (uint32_t row = 0; row < TRAIN_COUNT - GUARD; row++) {
            to[label_of(name_in(row))] = labels[row];
        }
        stream_evaluate(stream, task, 0, EVALUATE_COUNT, x, labels);
        for (uint32_t row = 0; row < EVALUATE_COUNT; row++) {
            assert_int_equal(labels[row], to[label_of(name_in(row))]);
        }
        stream_guard(stream, task, 0, GUARD, x, labels);
        for (uint32_t row = 0; row < GUARD; row++) {
            assert_int_equal(labels[row], to[label_of(name_in(row))]);
        }
        for (uint32_t label = 0; label < CLASSES; label++) {
            assert_true(task > 0 || to[label] == label);
            changed = changed || to[label] != label;
        }
    }
    assert_true(changed);
    stream_close(stream);
}

static void test_stream__splits_all_sets_by_class(void **state)
{
    struct data_spec spec = spec_of(*state, TASK_SPLIT_CLASSES, 2);
    uint64_t train = 0;
    uint64_t guard = 0;
    uint64_t evaluate = 0;
    struct stream *stream;

    files_write_sets(*state, 0);
    spec.guard_examples = GUARD;
    spec.shuffle = false;
    stream = open_stream(&spec);

    for (uint32_t task = 0; task < 2; task++) {
        const uint64_t n = stream_shape(stream)->task_examples[task];
        const uint64_t g = stream_guard_count(stream, task);
        const uint64_t e = stream_evaluate_count(stream, task);

        stream_train(stream, task, 0, (uint32_t)n, x, labels);
        for (uint32_t row = 0; row < n; row++) {
            assert_int_equal(labels[row] / 2, task);
            assert_int_equal(labels[row], label_of(name_in(row)));
            assert_true(row == 0 || name_in(row) > name_in(row - 1));
        }
        stream_guard(stream, task, 0, (uint32_t)g, NULL, labels);
        for (uint32_t row = 0; row < g; row++) {
            assert_int_equal(labels[row] / 2, task);
        }
        stream_evaluate(stream, task, 0, (uint32_t)e, NULL, labels);
        for (uint32_t row = 0; row < e; row++) {
            assert_int_equal(labels[row] / 2, task);
        }
        train += n;
        guard += g;
        evaluate += e;
    }
    assert_int_equal(train, TRAIN_COUNT - GUARD);
    assert_int_equal(guard, GUARD);
    assert_int_equal(evaluate, EVALUATE_COUNT);
    stream_close(stream);
}

static void test_stream__rotates_by_equal_parts_of_a_turn(void **state)
{
    const struct data_spec spec = spec_of(*state, TASK_ROTATE, 4);
    float as_is[PIXELS];
    struct stream *stream;

    files_write_sets(*state, 0);
    stream = open_stream(&spec);
    stream_evaluate(stream, 0, 0, 1, as_is, NULL);
    stream_evaluate(stream, 2, 0, 1, x, NULL);
    for (uint32_t i = 0; i < PIXELS; i++) { /* half a turn */
        const float off = x[i] - as_is[PIXELS - 1 - i];

        assert_true(off < 1e-6F);
        assert_true(off > -1e-6F);
    }
    stream_close(stream);
}

static void assert_mock(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void test_stream__ends_with_its_tasks(void **state)
{
    const struct data_spec spec = spec_of(*state, TASK_NONE, 1);
    struct stream *stream;

    files_write_sets(*state, 0);
    stream = open_stream(&spec);
    check_hook = assert_mock;

    stream_train(stream, 0, TRAIN_COUNT, 0, x, labels);
    expect_assert_failure(stream_train(stream, 0, TRAIN_COUNT, 1, x, labels));
    expect_assert_failure(stream_train(stream, 0, UINT64_MAX, 2, x, labels));
    expect_assert_failure(stream_train(stream, 1, 0, 1, x, labels));
    expect_assert_failure(
        stream_evaluate(stream, 0, 1, EVALUATE_COUNT, x, labels));
    expect_assert_failure(stream_guard(stream, 0, 0, 1, x, labels));

    check_hook = NULL;
    stream_close(stream);
}

/* The published facts about Fashion-MNIST: 6000 and 1000 images a class, and
 * pixels with a mean of 0.2860. */
static void test_stream__reads_fashion_mnist(void **state)
{
    struct data_spec spec = {.format = DATA_IDX,
                             .guard_examples = 1000,
                             .shuffle = true,
                             .task_specs_count = 1};
    static float image[784];
    static int seen[10];
    struct stream *stream = NULL;
    double sum = 0.0;
    uint32_t label;

    (void)state;
    if (access(FASHION_DIR, R_OK) != 0) {
        skip();
    }
    memcpy(spec.dir, FASHION_DIR, sizeof(FASHION_DIR));
    spec.task_specs[0] =
        (struct task_spec){.kind = TASK_NONE, .count = 1, .passes = 1};
    stream = open_stream(&spec);

    assert_int_equal(stream_shape(stream)->inputs, 784);
    assert_int_equal(stream_shape(stream)->classes, 10);
    assert_int_equal(stream_shape(stream)->task_examples[0], 59000);
    for (uint32_t i = 0; i < 60000; i++) {
        if (i < 59000) {
            stream_train(stream, 0, i, 1, image, &label);
        } else {
            stream_guard(stream, 0, i - 59000, 1, image, &label);
        }
        for (uint32_t p = 0; p < 784; p++) {
            sum += (double)image[p];
        }
        seen[label]++;
    }
    for (int c = 0; c < 10; c++) {
        assert_int_equal(seen[c], 6000);
    }
    assert_in_range(sum / (60000.0 * 784) * 1e6, 285950, 286050);
    assert_int_equal(stream_evaluate_count(stream, 0), 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        stream_evaluate(stream, 0, i, 1, NULL, &label);
        seen[label]++;
    }
    for (int c = 0; c < 10; c++) {
        assert_int_equal(seen[c], 7000);
    }
    stream_close(stream);
}

#define WITH_FILES(test)                                                       \
    cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_stream__shows_each_example_once_a_pass),
        WITH_FILES(test_stream__orders_by_seed_task_and_pass),
        WITH_FILES(test_stream__keeps_the_file_order_if_asked),
        WITH_FILES(test_stream__is_the_same_however_it_is_read),
        WITH_FILES(test_stream__never_trains_on_the_guard),
        WITH_FILES(test_stream__evaluates_the_whole_other_file),
        WITH_FILES(test_stream__permutes_all_sets_of_a_task_alike),
        WITH_FILES(test_stream__renames_labels_in_all_sets_of_a_task),
        WITH_FILES(test_stream__splits_all_sets_by_class),
        WITH_FILES(test_stream__rotates_by_equal_parts_of_a_turn),
        WITH_FILES(test_stream__ends_with_its_tasks),
        cmocka_unit_test(test_stream__reads_fashion_mnist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
