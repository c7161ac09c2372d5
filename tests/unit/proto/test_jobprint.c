#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/jobcode.h"
#include "proto/jobfile.h"
#include "proto/jobprint.h"
#include <string.h>

#define SHORTEST                                                               \
    "version: 1\ndata: {format: idx, dir: /d}\nmodel: {hidden: [8]}\n"

static const char short_printed[] =
    "version: 1\n"
    "name: fast  # default\n"
    "seed: 4000\n"
    "data:\n"
    "  format: idx\n"
    "  dir: \"/a b\"\n"
    "  hold_out:\n"
    "    guard: 0  # default\n"
    "  order: shuffle  # default\n"
    "  follow: false  # default\n"
    "  tasks:\n"
    "    - kind: rotate\n"
    "      count: 1  # default\n"
    "      passes: 1  # default\n"
    "model:\n"
    "  kind: mlp  # default\n"
    "  hidden:\n"
    "    - units: 8\n"
    "      activation: relu  # default\n"
    "      norm: none  # default\n"
    "    - units: 9\n"
    "      activation: tanh\n"
    "      norm: none  # default\n"
    "  output:\n"
    "    head: shared  # default\n"
    "    classes: data  # default\n"
    "  shards: 1  # default\n"
    "loss: cross-entropy  # default\n"
    "train:\n"
    "  optimizer:\n"
    "    name: sgd  # default\n"
    "    momentum: 0  # default\n"
    "    weight_decay: 0  # default\n"
    "  lr:\n"
    "    peak: 3e-4  # --set\n"
    "    schedule: constant  # default\n"
    "    warmup: 0 steps  # default\n"
    "    over: job  # default\n"
    "  batch: 16  # default\n"
    "  microbatches: 1  # default\n"
    "  replicas: 1  # default\n"
    "  clip: 0  # default\n"
    "report:\n"
    "  every: 100 steps  # default\n"
    "evaluate:\n"
    "  every: task  # default\n"
    "  on: current  # default\n"
    "  weights: [current]  # default\n"
    "plasticity:\n"
    "  grow:\n"
    "    policy: plateau\n"
    "    window: 5 intervals  # default\n"
    "    min_gain: 1%  # default\n"
    "    add: 1 units  # --set\n"
    "    max_units: 512 units  # default\n"
    "    cooldown: 10 intervals  # default\n"
    "keep:\n"
    "  every: never  # default\n"
    "  on: [start, restore, manual, grow, prune, task, end]  # default\n"
    "  last: 0  # default\n"
    "run:\n"
    "  workers: 1  # default\n"
    "  threads: 1  # default\n";

static const char long_printed[] =
    "version: 1\n"
    "name: long  # default\n"
    "seed: 0  # default\n"
    "data:\n"
    "  format: idx\n"
    "  dir: /d\n"
    "  hold_out:\n"
    "    guard: 2000  # default\n"
    "  order: shuffle  # default\n"
    "  follow: false  # default\n"
    "  tasks:\n"
    "    - kind: none  # default\n"
    "      count: 1  # default\n"
    "      passes: 1  # default\n"
    "model:\n"
    "  kind: mlp  # default\n"
    "  hidden:\n"
    "    - units: 8\n"
    "      activation: relu  # default\n"
    "      norm: none  # default\n"
    "  output:\n"
    "    head: shared  # default\n"
    "    classes: data  # default\n"
    "  shards: 1  # default\n"
    "loss: cross-entropy  # default\n"
    "train:\n"
    "  optimizer:\n"
    "    name: adamw\n"
    "    betas: [0.9, 0.999]  # default\n"
    "    epsilon: 1e-8  # default\n"
    "    weight_decay: 0.01  # default\n"
    "  lr:\n"
    "    peak: 1e-5\n"
    "    schedule: constant  # default\n"
    "    warmup: 5 steps\n"
    "    over: job  # default\n"
    "  batch: 16  # default\n"
    "  microbatches: 1  # default\n"
    "  replicas: 1  # default\n"
    "  clip: 0  # default\n"
    "report:\n"
    "  every: 100 steps  # default\n"
    "evaluate:\n"
    "  every: never\n"
    "  on: current  # default\n"
    "  weights: [current]  # default\n"
    "stop:\n"
    "  any:\n"
    "    - steps: 20000\n"
    "    - loss: 0.2\n"
    "plasticity:\n"
    "  grow:\n"
    "    - policy: schedule\n"
    "      every: 2 intervals\n"
    "      add: 1 units\n"
    "      max_units: 512 units  # default\n"
    "    - policy: plateau\n"
    "      window: 5 intervals  # default\n"
    "      min_gain: 1%  # default\n"
    "      add: 16 units  # default\n"
    "      max_units: 512 units  # default\n"
    "      cooldown: 10 intervals  # default\n"
    "  prune:\n"
    "    policy: contribution\n"
    "    below: 1% of mean  # default\n"
    "    probation: 2 intervals  # default\n"
    "    maturity: 100 steps  # default\n"
    "    min_units: 8 units  # default\n"
    "    cooldown: 5 intervals  # default\n"
    "  guard:\n"
    "    tolerance: 1%  # default\n"
    "keep:\n"
    "  every: 5 steps\n"
    "  on: [start, restore, manual, renew, end]\n"
    "  last: 0  # default\n"
    "run:\n"
    "  workers: 1  # default\n"
    "  threads: 1  # default\n";

static void print_job(const char *file_name,
                      const char *file,
                      const char *const *overrides,
                      char *out)
{
    struct jobfile_source source = {.file_name = file_name, .bytes = file};
    struct jobfile_origins origins;
    struct jobfile_errors errors;
    struct job_spec spec;
    struct text text;

    source.size = strlen(file);
    source.overrides = overrides;
    while (overrides != NULL && overrides[source.overrides_count] != NULL) {
        source.overrides_count++;
    }
    assert_int_equal(jobfile_parse(&source, &spec, &origins, &errors),
                     STATUS_OK);
    text_init(&text, out, JOBPRINT_BYTES_MAX);
    jobprint(&spec, &origins, &text);
    assert_false(text.cut);
}

static void test_jobprint__marks_each_value_that_nobody_gave(void **state)
{
    static char printed[JOBPRINT_BYTES_MAX];
    const char *overrides[] = {"train.lr=3e-4", "plasticity.grow.add=1 unit",
                               NULL};

    (void)state;
    print_job("fast.yaml",
              "version: 1\n"
              "seed: 4k\n"
              "data: {format: idx, dir: '/a b', tasks: {kind: rotate}}\n"
              "model: {hidden: [8, {units: 9, activation: tanh}]}\n"
              "plasticity: {grow: plateau}\n",
              overrides, printed);

    assert_string_equal(printed, short_printed);
}

static void test_jobprint__writes_lists_policies_and_rules(void **state)
{
    static char printed[JOBPRINT_BYTES_MAX];

    (void)state;
    print_job("long.yaml",
              SHORTEST
              "train: {optimizer: adamw, lr: {peak: 1e-5, warmup: 5 steps}}\n"
              "evaluate: never\n"
              "stop: {any: [{steps: 20000}, {loss: 0.2}]}\n"
              "plasticity:\n"
              "  grow: [{policy: schedule, every: 2 intervals, add: 1 unit},\n"
              "         plateau]\n"
              "  prune: contribution\n"
              "keep: {every: 5 steps, on: [renew]}\n",
              NULL, printed);

    assert_string_equal(printed, long_printed);
}

static const char *const files[] = {
    SHORTEST,
    SHORTEST "name: '7'\nseed: 18446744073709551615\n",
    SHORTEST "train: {optimizer: adam, lr: 0.1234567890123456789}\n",
    SHORTEST "train: {optimizer: {name: sgd, momentum: 0.99}, clip: 1e-9}\n",
    SHORTEST "plasticity: {guard: {tolerance: 7%}}\n",
    SHORTEST "plasticity: {guard: {tolerance: 0.1234567%}, prune: "
             "{policy: contribution, below: 0.7% of mean}}\n",
    SHORTEST "evaluate: {every: never, on: seen}\nkeep: {every: never}\n",
    SHORTEST "stop: {any: [{steps: 1}, {loss: 0}, {no_gain: 2 evaluations}]}\n",
    "version: 1\n"
    "data: {format: idx, dir: \"q\\\"b\\\\ # : \xc3\xa9\", order: as-is,\n"
    "       hold_out: {guard: 300},\n"
    "       tasks: [{kind: none, passes: 2}, {kind: rotate, examples: 5}]}\n"
    "model: {hidden: [1, {units: 2, activation: gelu}], output: 7}\n",
};

static void test_jobprint__is_read_back_as_the_same_job(void **state)
{
    static char printed[JOBPRINT_BYTES_MAX];
    static unsigned char one[JOBCODE_BYTES_MAX];
    static unsigned char two[JOBCODE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct jobfile_source source = {.file_name = "a.yaml"};
        struct jobfile_errors errors;
        struct job_spec spec;
        struct text text;
        size_t size;

        source.bytes = files[i];
        source.size = strlen(files[i]);
        assert_int_equal(jobfile_parse(&source, &spec, NULL, &errors),
                         STATUS_OK);
        size = jobcode_encode(&spec, one);
        text_init(&text, printed, sizeof(printed));
        jobprint(&spec, NULL, &text);
        assert_null(strstr(printed, "# default"));

        source.bytes = printed;
        source.size = text.used;
        assert_int_equal(jobfile_parse(&source, &spec, NULL, &errors),
                         STATUS_OK);
        assert_int_equal(jobcode_encode(&spec, two), size);
        assert_memory_equal(one, two, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobprint__marks_each_value_that_nobody_gave),
        cmocka_unit_test(test_jobprint__writes_lists_policies_and_rules),
        cmocka_unit_test(test_jobprint__is_read_back_as_the_same_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
