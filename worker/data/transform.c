#include "worker/data/transform.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/data/order.h"
#include <math.h>

static const double PI = 3.14159265358979323846;

enum status transform_init(struct transform *transform,
                           const struct examples *examples,
                           uint32_t classes,
                           bool rotate)
{
    struct transform t = {
        .inputs = examples->inputs, .classes = classes, .side = examples->side};

    CHECK(classes <= CLASSES_MAX);
    CHECK(!rotate || t.side > 0);
    for (int i = 0; i < 256; i++) {
        t.level[i] = (float)i / 255.0F;
        t.exact[i] = (double)t.level[i];
    }
    t.pixels = mem_array(t.inputs, sizeof(*t.pixels));
    t.taps = rotate ? mem_array(t.inputs, sizeof(*t.taps)) : NULL;
    if (t.pixels == NULL || (rotate && t.taps == NULL)) {
        transform_fini(&t);
        return STATUS_NO_MEMORY;
    }
    *transform = t;
    return STATUS_OK;
}

void transform_fini(struct transform *transform)
{
    mem_free(transform->taps);
    mem_free(transform->pixels);
    *transform = (struct transform){.inputs = 0};
}

static void set_identity(struct transform *t)
{
    for (uint32_t i = 0; i < t->inputs; i++) {
        t->pixels[i] = i;
    }
    for (uint32_t i = 0; i < t->classes; i++) {
        t->labels[i] = i;
    }
}

/* The tap at row y, column x, which may lie between pixels or outside. */
static struct tap tap_at(double y, double x, uint32_t side)
{
    const double top = floor(y);
    const double left = floor(x);
    struct tap tap = {.weight = {0.0}};

    for (int i = 0; i < 4; i++) {
        const int down = i / 2;
        const int right = i % 2;
        const double row = top + down;
        const double column = left + right;

        if (row < 0.0 || row >= side || column < 0.0 || column >= side) {
            continue;
        }
        tap.at[i] = (uint32_t)row * side + (uint32_t)column;
        tap.weight[i] = (down == 1 ? y - top : 1.0 - (y - top)) *
                        (right == 1 ? x - left : 1.0 - (x - left));
    }
    return tap;
}

/* Turns the image anticlockwise as it is seen, rows counted downwards: each
 * pixel looks for the place that it came from. */
static void set_rotation(struct transform *t, uint32_t within, uint32_t count)
{
    const double angle = 2.0 * PI * within / count;
    const double sine = sin(angle);
    const double cosine = cos(angle);
    const double centre = (t->side - 1) / 2.0;

    for (uint32_t i = 0; i < t->inputs; i++) {
        const double y = i / t->side - centre;
        const double x = i % t->side - centre;

        t->taps[i] = tap_at(centre + x * sine + y * cosine,
                            centre + x * cosine - y * sine, t->side);
    }
}

void transform_set(struct transform *transform,
                   const struct transform_task *task)
{
    struct transform *t = transform;
    const struct order_key key = {
        .seed = task->seed,
        .purpose =
            task->kind == TASK_PERMUTE_PIXELS ? RNG_PERMUTATION : RNG_LABELS,
        .task = task->task,
    };

    if (t->is_set && t->task == task->task) {
        return;
    }
    CHECK(task->within < task->count);
    set_identity(t);
    t->kind = task->within == 0 ? TASK_NONE : task->kind;
    t->task = task->task;
    t->is_set = true;

    switch (t->kind) {
    case TASK_NONE:
    case TASK_SPLIT_CLASSES: /* chooses examples, does not change them */
        break;
    case TASK_PERMUTE_PIXELS:
        order_shuffle(&key, t->pixels, t->inputs);
        break;
    case TASK_PERMUTE_LABELS:
        order_shuffle(&key, t->labels, t->classes);
        break;
    case TASK_ROTATE:
        CHECK(t->taps != NULL);
        set_rotation(t, task->within, task->count);
        break;
    }
}

static void rotate(const struct transform *t, const uint8_t *image, float *x)
{
    for (uint32_t i = 0; i < t->inputs; i++) {
        const struct tap *tap = &t->taps[i];
        double sum = 0.0;

        for (int k = 0; k < 4; k++) {
            sum += tap->weight[k] * t->exact[image[tap->at[k]]];
        }
        x[i] = (float)sum;
    }
}

void transform_image(const struct transform *transform,
                     const uint8_t *image,
                     float *x)
{
    const struct transform *t = transform;

    CHECK(t->is_set);
    if (t->kind == TASK_ROTATE) {
        rotate(t, image, x);
        return;
    }
    if (t->kind == TASK_PERMUTE_PIXELS) {
        for (uint32_t i = 0; i < t->inputs; i++) {
            x[i] = t->level[image[t->pixels[i]]];
        }
        return;
    }
    for (uint32_t i = 0; i < t->inputs; i++) {
        x[i] = t->level[image[i]];
    }
}

uint32_t transform_label(const struct transform *transform, uint8_t label)
{
    CHECK(label < transform->classes);
    return transform->labels[label];
}
