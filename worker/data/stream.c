#include "worker/data/stream.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "worker/data/examples.h"
#include "worker/data/order.h"
#include "worker/data/transform.h"
#include "worker/data/why.h"
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* Keeps the pass below the 2^48 that base/rng.h allows for a key. */
static const uint64_t TASK_EXAMPLES_MAX = 1ULL << 48;

/* The three sets, each sorted into as many groups of classes. Mappings with
 * the same number of groups share one. */
struct split {
    uint32_t groups;
    struct order train;
    struct order evaluate;
    struct order guard;
};

/* The examples listed for a task, and what happens to them. */
struct place {
    const struct task_spec *spec;
    const struct split *split;
    uint32_t group;
    struct transform_task transform;
};

struct stream {
    uint64_t seed;
    bool shuffle;
    uint32_t specs_count;
    struct task_spec specs[TASK_SPECS_MAX];
    const struct split *spec_splits[TASK_SPECS_MAX]; /* into splits */
    struct data_shape shape;

    struct examples train; /* guard included */
    struct examples evaluate;
    uint32_t *drawn; /* [train.count]: guard first, then training */
    uint32_t *whole; /* [evaluate.count]: 0, 1, ... */
    uint32_t splits_count;
    struct split splits[TASK_SPECS_MAX];
    struct transform transform;

    /* The pass that was read last, shuffled. */
    uint32_t *pass_items; /* [train.count] */
    uint32_t pass_task;
    uint64_t pass;
    bool pass_is_set;
};

static uint32_t spec_groups(const struct task_spec *spec)
{
    return spec->kind == TASK_SPLIT_CLASSES ? spec->count : 1;
}

static struct place place_of(const struct stream *s, uint32_t task)
{
    uint32_t i = 0;
    uint32_t within = task;
    const struct task_spec *spec;

    CHECK(task < s->shape.tasks_count);
    while (within >= s->specs[i].count) {
        within -= s->specs[i].count;
        i++;
    }
    spec = &s->specs[i];
    return (struct place){
        .spec = spec,
        .split = s->spec_splits[i],
        .group = spec->kind == TASK_SPLIT_CLASSES ? within : 0,
        .transform = {.seed = s->seed,
                      .kind = spec->kind,
                      .task = task,
                      .within = within,
                      .count = spec->count},
    };
}

/* What the tasks ask of any data set. */
static enum status check_specs(const struct data_spec *data, struct why *why)
{
    uint64_t tasks = 0;

    if (data->format != DATA_IDX) {
        return why_say(why, STATUS_INVALID,
                       "data.format must be idx in this release");
    }
    if (memchr(data->dir, '\0', sizeof(data->dir)) == NULL) {
        return why_say(why, STATUS_INVALID, "data.dir is too long");
    }
    if (data->task_specs_count < 1 || data->task_specs_count > TASK_SPECS_MAX) {
        return why_say(why, STATUS_INVALID,
                       "data.tasks must have 1 to %d mappings", TASK_SPECS_MAX);
    }
    for (uint32_t i = 0; i < data->task_specs_count; i++) {
        const struct task_spec *spec = &data->task_specs[i];

        if (spec->kind < TASK_NONE || spec->kind > TASK_ROTATE) {
            return why_say(why, STATUS_INVALID,
                           "data.tasks has a kind unknown here");
        }
        if (spec->count < 1 || (spec->examples == 0 && spec->passes < 1)) {
            return why_say(why, STATUS_INVALID,
                           "data.tasks must have a count of 1 or more, and "
                           "examples or passes");
        }
        tasks += spec->count;
    }
    if (tasks > TASKS_MAX) {
        return why_say(why, STATUS_INVALID,
                       "data.tasks has %" PRIu64 " tasks, but at most %d",
                       tasks, TASKS_MAX);
    }
    return STATUS_OK;
}

/* What one mapping asks of the data that were found. */
static enum status check_fit(const struct stream *s,
                             const struct task_spec *spec,
                             struct why *why)
{
    if (spec->kind == TASK_ROTATE && s->train.side == 0) {
        return why_say(why, STATUS_INVALID,
                       "rotate needs square images of one channel, but those "
                       "of train-images-idx3-ubyte are not");
    }
    if (s->shape.classes % spec_groups(spec) != 0) {
        return why_say(why, STATUS_INVALID,
                       "split-classes cannot divide the %" PRIu32
                       " classes of the data into %" PRIu32 " equal tasks",
                       s->shape.classes, spec->count);
    }
    return STATUS_OK;
}

static enum status read_files(struct stream *s,
                              const struct idx_place *place,
                              uint32_t outputs,
                              struct why *why)
{
    enum status status = examples_init(&s->train, place, "train", outputs, why);

    if (status != STATUS_OK) {
        return status;
    }
    status = examples_init(&s->evaluate, place, "t10k", outputs, why);
    if (status != STATUS_OK) {
        return status;
    }
    if (s->evaluate.inputs != s->train.inputs ||
        s->evaluate.side != s->train.side) {
        return why_say(why, STATUS_CORRUPT,
                       "t10k-images-idx3-ubyte has images of another size "
                       "than train-images-idx3-ubyte");
    }
    return STATUS_OK;
}

static void fill_shape(struct stream *s, uint32_t guard)
{
    struct hash files[4];
    struct data_shape *shape = &s->shape;

    *shape = (struct data_shape){
        .inputs = s->train.inputs,
        .classes = s->train.classes > s->evaluate.classes ? s->train.classes
                                                          : s->evaluate.classes,
        .train_examples = s->train.count - guard,
        .guard_examples = guard,
        .evaluate_examples = s->evaluate.count,
    };
    for (uint32_t i = 0; i < s->specs_count; i++) {
        shape->tasks_count += s->specs[i].count;
    }
    examples_hash(&s->train, &files[0]);
    examples_hash(&s->evaluate, &files[2]);
    hash_bytes(files, sizeof(files), &shape->hash);
}

/* Sets the guard's examples aside and lists all sets. */
static enum status draw_sets(struct stream *s,
                             uint64_t guard_examples,
                             struct why *why)
{
    enum status status;

    if (guard_examples >= s->train.count) {
        return why_say(why, STATUS_INVALID,
                       "the guard wants %" PRIu64
                       " examples, but train-images-idx3-ubyte has %" PRIu32
                       " and must leave some for training",
                       guard_examples, s->train.count);
    }
    fill_shape(s, (uint32_t)guard_examples);
    s->drawn = mem_array(s->train.count, sizeof(*s->drawn));
    s->whole = mem_array(s->evaluate.count, sizeof(*s->whole));
    s->pass_items = mem_array(s->train.count, sizeof(*s->pass_items));
    if (s->drawn == NULL || s->whole == NULL || s->pass_items == NULL) {
        return why_say(why, STATUS_NO_MEMORY,
                       "there is no memory for the data's order");
    }
    for (uint32_t i = 0; i < s->evaluate.count; i++) {
        s->whole[i] = i;
    }
    status = order_draw_guard(s->seed, (uint32_t)guard_examples, s->drawn,
                              s->train.count);
    if (status != STATUS_OK) {
        return why_say(why, status, "there is no memory to draw the guard");
    }
    return STATUS_OK;
}

/* A split left half-made by a failure is closed with the stream. */
static enum status init_split(const struct stream *s, struct split *split)
{
    const uint32_t guard = (uint32_t)s->shape.guard_examples;
    struct order_source source = {
        .items = s->drawn,
        .count = guard,
        .labels = s->train.labels.idx.items,
        .classes = s->shape.classes,
        .groups = split->groups,
    };
    enum status status = order_init(&split->guard, &source);

    if (status != STATUS_OK) {
        return status;
    }
    source.items = s->drawn + guard;
    source.count = s->train.count - guard;
    status = order_init(&split->train, &source);
    if (status != STATUS_OK) {
        return status;
    }
    source.items = s->whole;
    source.count = s->evaluate.count;
    source.labels = s->evaluate.labels.idx.items;
    return order_init(&split->evaluate, &source);
}

static enum status find_split(struct stream *s,
                              uint32_t groups,
                              const struct split **out)
{
    struct split *split;
    enum status status;

    for (uint32_t i = 0; i < s->splits_count; i++) {
        if (s->splits[i].groups == groups) {
            *out = &s->splits[i];
            return STATUS_OK;
        }
    }
    CHECK(s->splits_count < TASK_SPECS_MAX);
    split = &s->splits[s->splits_count++];
    split->groups = groups;
    status = init_split(s, split);
    if (status != STATUS_OK) {
        return status;
    }
    *out = split;
    return STATUS_OK;
}

/* How long one task is; it must have something to train and to be judged on.
 * The guard's part may be empty: a rare class need not be drawn. */
static enum status measure_task(struct stream *s,
                                uint32_t task,
                                struct why *why)
{
    const struct place place = place_of(s, task);
    const uint64_t once = order_count(&place.split->train, place.group);
    uint64_t examples = place.spec->examples;

    if (once == 0 || order_count(&place.split->evaluate, place.group) == 0) {
        return why_say(why, STATUS_INVALID,
                       "task %" PRIu32 " has no examples in the %s file", task,
                       once == 0 ? "training" : "t10k");
    }
    if (examples == 0) {
        examples = place.spec->passes * once;
    }
    if (examples > TASK_EXAMPLES_MAX) {
        return why_say(why, STATUS_INVALID,
                       "task %" PRIu32 " has %" PRIu64
                       " examples, but at most %" PRIu64,
                       task, examples, TASK_EXAMPLES_MAX);
    }
    s->shape.task_examples[task] = examples;
    return STATUS_OK;
}

static enum status make_tasks(struct stream *s, struct why *why)
{
    bool rotate = false;
    enum status status;

    for (uint32_t i = 0; i < s->specs_count; i++) {
        status = check_fit(s, &s->specs[i], why);
        if (status != STATUS_OK) {
            return status;
        }
        status = find_split(s, spec_groups(&s->specs[i]), &s->spec_splits[i]);
        if (status != STATUS_OK) {
            return why_say(why, status,
                           "there is no memory for the tasks' examples");
        }
        rotate = rotate || s->specs[i].kind == TASK_ROTATE;
    }
    for (uint32_t task = 0; task < s->shape.tasks_count; task++) {
        status = measure_task(s, task, why);
        if (status != STATUS_OK) {
            return status;
        }
    }
    status = transform_init(&s->transform, &s->train, s->shape.classes, rotate);
    if (status != STATUS_OK) {
        return why_say(why, status,
                       "there is no memory for the tasks' transformations");
    }
    return STATUS_OK;
}

enum status stream_open(const struct stream_options *options,
                        char *why,
                        size_t why_size,
                        struct stream **out)
{
    const struct data_spec *data = options->data;
    const struct idx_place place = {.dir = data->dir, .cache = options->cache};
    struct why sentence = {.text = why, .size = why_size};
    struct stream *s = NULL;
    enum status status = check_specs(data, &sentence);

    if (status != STATUS_OK) {
        return status;
    }
    s = mem_new(sizeof(*s));
    if (s == NULL) {
        return why_say(&sentence, STATUS_NO_MEMORY,
                       "there is no memory for a stream");
    }
    s->seed = options->seed;
    s->shuffle = data->shuffle;
    s->specs_count = data->task_specs_count;
    memcpy(s->specs, data->task_specs, sizeof(s->specs));
    status = read_files(s, &place, options->outputs, &sentence);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = draw_sets(s, data->guard_examples, &sentence);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = make_tasks(s, &sentence);
    if (status != STATUS_OK) {
        goto fail;
    }
    *out = s;
    return STATUS_OK;

fail:
    stream_close(s);
    return status;
}

void stream_close(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    transform_fini(&stream->transform);
    for (uint32_t i = 0; i < stream->splits_count; i++) {
        order_fini(&stream->splits[i].guard);
        order_fini(&stream->splits[i].train);
        order_fini(&stream->splits[i].evaluate);
    }
    mem_free(stream->pass_items);
    mem_free(stream->whole);
    mem_free(stream->drawn);
    examples_fini(&stream->evaluate);
    examples_fini(&stream->train);
    mem_free(stream);
}

const struct data_shape *stream_shape(const struct stream *stream)
{
    return &stream->shape;
}

/* Writes one example, as the task that is set shows it, where wanted. */
static void put(const struct stream *s,
                const struct examples *from,
                uint32_t index,
                float *x,
                uint32_t *label)
{
    if (x != NULL) {
        transform_image(&s->transform, examples_image(from, index), x);
    }
    if (label != NULL) {
        *label = transform_label(&s->transform, examples_label(from, index));
    }
}

/* The examples of one pass in its order. Borrowed until the next call. */
static const uint32_t *pass_order(struct stream *s,
                                  const struct place *place,
                                  uint64_t pass)
{
    const uint32_t *items = order_items(&place->split->train, place->group);
    const uint32_t count = order_count(&place->split->train, place->group);
    const uint32_t task = place->transform.task;
    const struct order_key key = {
        .seed = s->seed, .purpose = RNG_ORDER, .task = task, .pass = pass};

    if (!s->shuffle) {
        return items;
    }
    if (!s->pass_is_set || s->pass_task != task || s->pass != pass) {
        memcpy(s->pass_items, items, count * sizeof(*items));
        order_shuffle(&key, s->pass_items, count);
        s->pass_task = task;
        s->pass = pass;
        s->pass_is_set = true;
    }
    return s->pass_items;
}

void stream_train(struct stream *stream,
                  uint32_t task,
                  uint64_t position,
                  uint32_t rows,
                  float *x,
                  uint32_t *labels)
{
    const struct place place = place_of(stream, task);
    const uint32_t once = order_count(&place.split->train, place.group);
    const uint64_t all = stream->shape.task_examples[task];

    CHECK(position <= all);
    CHECK(rows <= all - position);
    transform_set(&stream->transform, &place.transform);
    for (uint32_t row = 0; row < rows; row++) {
        const uint64_t at = position + row;
        const uint32_t *items = pass_order(stream, &place, at / once);

        put(stream, &stream->train, items[at % once],
            x == NULL ? NULL : x + (size_t)row * stream->shape.inputs,
            labels == NULL ? NULL : labels + row);
    }
}

/* A stretch of a fixed list: those of evaluation and guard. */
struct stretch {
    const struct examples *from;
    const struct order *order;
    uint64_t first;
    uint32_t rows;
};

static void put_stretch(struct stream *s,
                        const struct place *place,
                        const struct stretch *stretch,
                        float *x,
                        uint32_t *labels)
{
    const uint32_t *items = order_items(stretch->order, place->group);
    const uint64_t count = order_count(stretch->order, place->group);

    CHECK(stretch->first <= count);
    CHECK(stretch->rows <= count - stretch->first);
    transform_set(&s->transform, &place->transform);
    for (uint32_t row = 0; row < stretch->rows; row++) {
        put(s, stretch->from, items[stretch->first + row],
            x == NULL ? NULL : x + (size_t)row * s->shape.inputs,
            labels == NULL ? NULL : labels + row);
    }
}

void stream_evaluate(struct stream *stream,
                     uint32_t task,
                     uint64_t first,
                     uint32_t rows,
                     float *x,
                     uint32_t *labels)
{
    const struct place place = place_of(stream, task);
    const struct stretch stretch = {.from = &stream->evaluate,
                                    .order = &place.split->evaluate,
                                    .first = first,
                                    .rows = rows};

    put_stretch(stream, &place, &stretch, x, labels);
}

uint64_t stream_evaluate_count(const struct stream *stream, uint32_t task)
{
    const struct place place = place_of(stream, task);

    return order_count(&place.split->evaluate, place.group);
}

void stream_guard(struct stream *stream,
                  uint32_t task,
                  uint64_t first,
                  uint32_t rows,
                  float *x,
                  uint32_t *labels)
{
    const struct place place = place_of(stream, task);
    const struct stretch stretch = {.from = &stream->train,
                                    .order = &place.split->guard,
                                    .first = first,
                                    .rows = rows};

    put_stretch(stream, &place, &stretch, x, labels);
}

uint64_t stream_guard_count(const struct stream *stream, uint32_t task)
{
    const struct place place = place_of(stream, task);

    return order_count(&place.split->guard, place.group);
}
