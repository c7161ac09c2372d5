#include "worker/data/transform.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = 6, PIXELS = SIDE * SIDE, CLASSES = 10 };

static const double PI = 3.14159265358979323846;
/* Of pixel values 0 to 1: float keeps 24 bits, the rest is rounding in
 * double. */
static const double TOLERANCE = 1e-7;

static uint8_t image[PIXELS];
static float x[PIXELS];

static int setup(void **state)
{
    struct transform *transform = calloc(1, sizeof(*transform));
    const struct examples examples = {.inputs = PIXELS, .side = SIDE};

    for (uint32_t i = 0; i < PIXELS; i++) {
        image[i] = (uint8_t)(i * i * 37 + 11);
    }
    if (transform == NULL ||
        transform_init(transform, &examples, CLASSES, true) != STATUS_OK) {
        free(transform);
        return -1;
    }
    *state = transform;
    return 0;
}

static int teardown(void **state)
{
    transform_fini(*state);
    free(*state);
    return 0;
}

static void set(struct transform *transform,
                enum task_kind kind,
                uint32_t task,
                uint32_t within)
{
    const struct transform_task t = {
        .seed = 7, .kind = kind, .task = task, .within = within, .count = 8};

    transform_set(transform, &t);
    transform_image(transform, image, x);
}

static void assert_image_as_it_is(void)
{
    for (uint32_t i = 0; i < PIXELS; i++) {
        assert_true(x[i] == (float)image[i] / 255.0F);
    }
}

static void test_transform__divides_pixels_by_255(void **state)
{
    set(*state, TASK_NONE, 0, 0);

    assert_image_as_it_is();
}

static void test_transform__leaves_the_first_task_as_it_is(void **state)
{
    const enum task_kind kinds[] = {TASK_PERMUTE_PIXELS, TASK_PERMUTE_LABELS,
                                    TASK_ROTATE};

    for (uint32_t k = 0; k < 3; k++) {
        set(*state, kinds[k], 20 + k, 0); /* first of its mapping */
        assert_image_as_it_is();
        for (uint8_t label = 0; label < CLASSES; label++) {
            assert_int_equal(transform_label(*state, label), label);
        }
    }
}

/* The permutation by its definition. */
static void permutation(enum rng_purpose purpose,
                        uint64_t task,
                        uint32_t n,
                        uint32_t *out)
{
    for (uint32_t i = 0; i < n; i++) {
        out[i] = i;
    }
    for (uint32_t i = n - 1; i >= 1; i--) {
        const uint32_t j = rng_below(rng_draw(7, purpose, task, i, 0), i + 1);
        const uint32_t item = out[i];

        out[i] = out[j];
        out[j] = item;
    }
}

static void test_transform__permutes_pixels_by_task(void **state)
{
    uint32_t from[PIXELS];

    for (uint32_t task = 1; task < 8; task++) {
        permutation(RNG_PERMUTATION, task, PIXELS, from);
        set(*state, TASK_PERMUTE_PIXELS, task, task);
        for (uint32_t i = 0; i < PIXELS; i++) {
            assert_true(x[i] == (float)image[from[i]] / 255.0F);
        }
        assert_int_equal(transform_label(*state, 3), 3);
    }
}

static void test_transform__renames_labels_by_task(void **state)
{
    uint32_t to[CLASSES];

    for (uint32_t task = 1; task < 8; task++) {
        permutation(RNG_LABELS, task, CLASSES, to);
        set(*state, TASK_PERMUTE_LABELS, task, task);
        for (uint8_t label = 0; label < CLASSES; label++) {
            assert_int_equal(transform_label(*state, label), to[label]);
        }
        assert_image_as_it_is();
    }
}

static void test_transform__keys_permutations_by_the_task_of_the_job(
    void **state)
{
    float first[PIXELS];

    set(*state, TASK_PERMUTE_PIXELS, 3, 1);
    memcpy(first, x, sizeof(first));
    set(*state, TASK_PERMUTE_PIXELS, 4, 1);

    assert_memory_not_equal(x, first, sizeof(first));
    set(*state, TASK_PERMUTE_PIXELS, 3, 1);
    assert_memory_equal(x, first, sizeof(first));
}

static double at(int row, int column)
{
    if (row < 0 || row >= SIDE || column < 0 || column >= SIDE) {
        return 0.0;
    }
    return image[row * SIDE + column] / 255.0;
}

static double between(double y, double x_)
{
    const double row = floor(y);
    const double column = floor(x_);
    const double upper = at((int)row, (int)column) * (1 - (x_ - column)) +
                         at((int)row, (int)column + 1) * (x_ - column);
    const double lower = at((int)row + 1, (int)column) * (1 - (x_ - column)) +
                         at((int)row + 1, (int)column + 1) * (x_ - column);

    return upper * (1 - (y - row)) + lower * (y - row);
}

static void test_transform__rotates_as_the_plain_formula(void **state)
{
    const double centre = (SIDE - 1) / 2.0;

    for (uint32_t within = 0; within < 8; within++) {
        const double angle = PI * within / 4;

        set(*state, TASK_ROTATE, within, within);
        for (int r = 0; r < SIDE; r++) {
            for (int c = 0; c < SIDE; c++) {
                /* Seen with y upwards, the source is at the angle less. */
                const double right = c - centre;
                const double up = centre - r;
                const double from_right = right * cos(angle) + up * sin(angle);
                const double from_up = up * cos(angle) - right * sin(angle);
                const double expected =
                    between(centre - from_up, centre + from_right);

                assert_true(fabs((double)x[r * SIDE + c] - expected) <
                            TOLERANCE);
            }
        }
    }
}

static void test_transform__turns_a_quarter_anticlockwise(void **state)
{
    set(*state, TASK_ROTATE, 2, 2); /* of 8: 90 degrees */

    for (int r = 0; r < SIDE; r++) {
        for (int c = 0; c < SIDE; c++) {
            /* The right edge becomes the upper one. */
            assert_true(fabs((double)x[r * SIDE + c] - at(c, SIDE - 1 - r)) <
                        TOLERANCE);
        }
    }
}

static void test_transform__fills_rotated_corners_with_zero(void **state)
{
    memset(image, 255, sizeof(image));
    set(*state, TASK_ROTATE, 1, 1); /* of 8: 45 degrees */

    assert_true(x[0] == 0.0F);
    assert_true(x[SIDE - 1] == 0.0F);
    assert_true(x[PIXELS - 1] == 0.0F);
    assert_true(fabs((double)x[2 * SIDE + 2] - 1.0) < TOLERANCE);
}

static void test_transform__survives_the_failure_of_each_allocation(
    void **state)
{
    const struct examples examples = {.inputs = PIXELS, .side = SIDE};
    struct transform transform = {.inputs = 0};
    const uint64_t live = mem_live();

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(transform_init(&transform, &examples, CLASSES, true),
                         STATUS_NO_MEMORY);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
    }
}

#define WITH_TRANSFORM(test)                                                   \
    cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TRANSFORM(test_transform__divides_pixels_by_255),
        WITH_TRANSFORM(test_transform__leaves_the_first_task_as_it_is),
        WITH_TRANSFORM(test_transform__permutes_pixels_by_task),
        WITH_TRANSFORM(test_transform__renames_labels_by_task),
        WITH_TRANSFORM(
            test_transform__keys_permutations_by_the_task_of_the_job),
        WITH_TRANSFORM(test_transform__rotates_as_the_plain_formula),
        WITH_TRANSFORM(test_transform__turns_a_quarter_anticlockwise),
        WITH_TRANSFORM(test_transform__fills_rotated_corners_with_zero),
        cmocka_unit_test(
            test_transform__survives_the_failure_of_each_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
