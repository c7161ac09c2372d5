#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/jobcode.h"
#include "proto/jobfile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTEST                                                               \
    "version: 1\ndata: {format: idx, dir: /d}\nmodel: {hidden: [8]}\n"

/* The job file of the README, with more of its keys. */
static const char fashion[] =
    "version: 1\n"
    "name: fashion\n"
    "seed: 7\n"
    "data:\n"
    "  format: idx\n"
    "  dir: /usr/share/datasets/fashion-mnist\n"
    "  tasks: {kind: permute-pixels, count: 10, examples: 60000}\n"
    "model:\n"
    "  kind: mlp\n"
    "  hidden: [256, 256]\n"
    "  shards: 4                      # per hidden layer\n"
    "train: {optimizer: sgd, lr: 0.01, batch: 16}\n"
    "report: {every: 100 steps}\n"
    "plasticity:\n"
    "  renew: {policy: continual-backprop, rate: 1e-4, maturity: 100 steps}\n"
    "  grow:  {policy: plateau, window: 5 intervals, min_gain: 1%, "
    "add: 16 units, max_units: 512}\n"
    "  prune: {policy: contribution, below: 1% of mean, "
    "probation: 2 intervals}\n"
    "keep: {every: 1000 steps, on: [grow, prune, task], last: 50}\n"
    "run: {workers: 2}\n";

/* One with nearly every key that this release can do. */
static const char longest[] =
    "version: 1\n"
    "data:\n"
    "  format: idx\n"
    "  dir: /data\n"
    "  hold_out: {guard: 3000}\n"
    "  order: as-is\n"
    "  follow: false\n"
    "  tasks:\n"
    "    - {kind: none, passes: 3}\n"
    "    - {kind: rotate, count: 4, examples: 10k}\n"
    "model:\n"
    "  kind: mlp\n"
    "  hidden: [{units: 256, activation: gelu, norm: none}, 128]\n"
    "  output: {head: shared, classes: 12}\n"
    "loss: mean-squared-error\n"
    "train:\n"
    "  optimizer: {name: adamw, betas: [0.8, 0.99], weight_decay: 0.02}\n"
    "  lr: {peak: 2e-3, schedule: cosine, warmup: 500 steps, over: task}\n"
    "  batch: 32\n"
    "  microbatches: 2\n"
    "  replicas: 1\n"
    "  clip: 1.0\n"
    "evaluate: {every: task, on: seen, weights: [current]}\n"
    "stop: {any: [{steps: 20000}, {loss: 0.2}, {no_gain: 10 evaluations}]}\n"
    "plasticity:\n"
    "  grow:\n"
    "    - {policy: schedule, every: 1 interval, add: 1 unit}\n"
    "    - plateau\n"
    "  guard: {tolerance: 2%}\n"
    "store: {}\n"
    "run: {workers: 2, threads: 3}\n";

static const char tiny[] =
    "version: 1\n"
    "name: tiny\n"
    "seed: 11\n"
    "data:\n"
    "  format: idx\n"
    "  dir: /usr/share/datasets/fashion-mnist\n"
    "  tasks: {kind: permute-pixels, count: 3, examples: 6400}\n"
    "model:\n"
    "  kind: mlp\n"
    "  hidden: [48, 40]\n"
    "  shards: 4\n"
    "train: {optimizer: sgd, lr: 0.02, batch: 16}\n"
    "report: {every: 50 steps}\n"
    "plasticity:\n"
    "  renew: {policy: continual-backprop, rate: 1e-3, maturity: 100 steps}\n"
    "  grow: {policy: schedule, every: 5 intervals, add: 8 units, "
    "max_units: 96}\n"
    "  prune: {policy: contribution, below: 5% of mean, "
    "probation: 2 intervals}\n"
    "keep: {every: 200 steps, on: [grow, prune, task], last: 50}\n"
    "run: {workers: 2}\n";

static struct jobfile_errors errors;

static enum status parse_bytes(const char *file_name,
                               const char *bytes,
                               size_t size,
                               struct job_spec *out)
{
    struct jobfile_source source = {.file_name = file_name};

    source.bytes = bytes;
    source.size = size;
    return jobfile_parse(&source, out, NULL, &errors);
}

static struct job_spec job_of(const char *text)
{
    struct job_spec spec;
    enum status status = parse_bytes("good.yaml", text, strlen(text), &spec);

    if (status != STATUS_OK && errors.count > 0) {
        fprintf(stderr, "%s: %s\n", errors.items[0].path,
                errors.items[0].message);
    }
    assert_int_equal(status, STATUS_OK);
    return spec;
}

static void assert_same_job(const char *one, const char *two)
{
    struct job_spec a = job_of(one);
    struct job_spec b = job_of(two);

    assert_memory_equal(&a, &b, sizeof(a));
}

static void test_jobfile__reads_the_small_job(void **state)
{
    struct job_spec spec;

    (void)state;
    spec = job_of(fashion);

    assert_string_equal(spec.name, "fashion");
    assert_int_equal(spec.seed, 7);
    assert_int_equal(spec.data.format, DATA_IDX);
    assert_string_equal(spec.data.dir, "/usr/share/datasets/fashion-mnist");
    assert_int_equal(spec.data.task_specs_count, 1);
    assert_int_equal(spec.data.task_specs[0].kind, TASK_PERMUTE_PIXELS);
    assert_int_equal(spec.data.task_specs[0].count, 10);
    assert_int_equal(spec.data.task_specs[0].examples, 60000);
    assert_int_equal(spec.model.hidden_count, 2);
    assert_int_equal(spec.model.hidden[1].units, 256);
    assert_int_equal(spec.model.hidden[1].activation, ACTIVATION_RELU);
    assert_int_equal(spec.model.shards, 4);
    assert_int_equal(spec.train.optimizer.kind, OPTIMIZER_SGD);
    assert_true(spec.train.rate.peak == 0.01);
    assert_int_equal(spec.train.batch, 16);
    assert_int_equal(spec.report_every_steps, 100);
    assert_int_equal(spec.keep.every_steps, 1000);
    assert_int_equal(spec.keep.last, 50);
    assert_int_equal(spec.run.workers, 2);
}

/* A job with these workers; a range of one number is that number. */
static struct job_spec with_workers(const char *workers)
{
    char text[2048];

    (void)snprintf(text, sizeof(text), "%.*srun: {workers: %s}\n",
                   (int)(strstr(fashion, "run: ") - fashion), fashion, workers);
    return job_of(text);
}

static void test_jobfile__reads_a_range_of_workers(void **state)
{
    struct job_spec spec;

    (void)state;
    spec = with_workers("2:4");
    assert_int_equal(spec.run.workers, 4);
    assert_int_equal(spec.run.workers_min, 2);

    spec = with_workers("3:3");
    assert_int_equal(spec.run.workers, 3);
    assert_int_equal(spec.run.workers_min, 0);
}

static void test_jobfile__reads_the_policies_of_the_small_job(void **state)
{
    struct job_spec spec;
    const double *renew;
    const double *grow;
    const double *prune;

    (void)state;
    spec = job_of(fashion);

    renew = spec.roles[ROLE_RENEW].policies[0].value;
    assert_int_equal(spec.roles[ROLE_RENEW].policies[0].policy,
                     POLICY_CONTINUAL_BACKPROP);
    assert_true(renew[CBP_RATE] == 1e-4);
    assert_true(renew[CBP_MATURITY] == 100);
    assert_true(renew[CBP_DECAY] == 0.99);
    grow = spec.roles[ROLE_GROW].policies[0].value;
    assert_int_equal(spec.roles[ROLE_GROW].policies[0].policy, POLICY_PLATEAU);
    assert_true(grow[PLATEAU_WINDOW] == 5);
    assert_true(grow[PLATEAU_MIN_GAIN] == 0.01);
    assert_true(grow[PLATEAU_ADD] == 16);
    assert_true(grow[PLATEAU_MAX_UNITS] == 512);
    assert_true(grow[PLATEAU_COOLDOWN] == 10);
    prune = spec.roles[ROLE_PRUNE].policies[0].value;
    assert_int_equal(spec.roles[ROLE_PRUNE].policies[0].policy,
                     POLICY_CONTRIBUTION);
    assert_true(prune[CONTRIBUTION_BELOW] == 0.01);
    assert_true(prune[CONTRIBUTION_PROBATION] == 2);
    assert_true(prune[CONTRIBUTION_MATURITY] == 100);
    assert_true(prune[CONTRIBUTION_MIN_UNITS] == 8);
    assert_true(prune[CONTRIBUTION_COOLDOWN] == 5);
}

static void test_jobfile__reads_the_long_forms(void **state)
{
    struct job_spec spec;

    (void)state;
    spec = job_of(longest);

    assert_string_equal(spec.name, "good"); /* after good.yaml */
    assert_int_equal(spec.data.guard_examples, 3000);
    assert_false(spec.data.shuffle);
    assert_int_equal(spec.data.task_specs_count, 2);
    assert_int_equal(spec.data.task_specs[0].passes, 3);
    assert_int_equal(spec.data.task_specs[1].kind, TASK_ROTATE);
    assert_int_equal(spec.data.task_specs[1].count, 4);
    assert_int_equal(spec.data.task_specs[1].examples, 10000);
    assert_int_equal(spec.model.hidden[0].activation, ACTIVATION_GELU);
    assert_int_equal(spec.model.hidden[1].units, 128);
    assert_int_equal(spec.model.outputs, 12);
    assert_int_equal(spec.loss, LOSS_MEAN_SQUARED_ERROR);
    assert_int_equal(spec.evaluate.on, EVALUATE_SEEN);
    assert_int_equal(spec.stop_rules_count, 3);
    assert_int_equal(spec.stop_rules[0].kind, STOP_STEPS);
    assert_true(spec.stop_rules[0].value == 20000);
    assert_int_equal(spec.stop_rules[1].kind, STOP_LOSS);
    assert_true(spec.stop_rules[1].value == 0.2);
    assert_int_equal(spec.stop_rules[2].kind, STOP_NO_GAIN);
    assert_true(spec.stop_rules[2].value == 10);
    assert_int_equal(spec.roles[ROLE_GROW].count, 2);
    assert_true(spec.guard_tolerance == 0.02);
    assert_int_equal(spec.run.threads, 3);
}

static void test_jobfile__reads_the_long_form_of_training(void **state)
{
    struct train_spec train;

    (void)state;
    train = job_of(longest).train;

    assert_int_equal(train.optimizer.kind, OPTIMIZER_ADAMW);
    assert_true(train.optimizer.beta1 == 0.8);
    assert_true(train.optimizer.beta2 == 0.99);
    assert_true(train.optimizer.epsilon == 1e-8);
    assert_true(train.optimizer.weight_decay == 0.02);
    assert_true(train.rate.peak == 2e-3);
    assert_int_equal(train.rate.schedule, SCHEDULE_COSINE);
    assert_int_equal(train.rate.warmup_steps, 500);
    assert_int_equal(train.rate.over, OVER_TASK);
    assert_int_equal(train.batch, 32);
    assert_int_equal(train.microbatches, 2);
    assert_true(train.clip == 1);
}

static void test_jobfile__reads_tiny(void **state)
{
    struct job_spec spec;

    (void)state;
    spec = job_of(tiny);

    assert_int_equal(spec.seed, 11);
    assert_int_equal(spec.model.hidden[0].units, 48);
    assert_true(spec.train.rate.peak == 0.02);
    assert_int_equal(spec.roles[ROLE_GROW].policies[0].policy, POLICY_SCHEDULE);
    assert_true(spec.roles[ROLE_GROW].policies[0].value[SCHEDULE_EVERY] == 5);
    assert_true(spec.roles[ROLE_PRUNE].policies[0].value[CONTRIBUTION_BELOW] ==
                0.05);
}

static void test_jobfile__leaves_the_rest_at_its_defaults(void **state)
{
    struct job_spec spec;
    struct job_spec expected;

    (void)state;
    job_defaults(&expected);
    memcpy(expected.name, "good", 5);
    memcpy(expected.data.dir, "/d", 3);
    expected.model.hidden_count = 1;
    expected.model.hidden[0].units = 8;
    expected.model.hidden[0].activation = ACTIVATION_RELU;

    spec = job_of(SHORTEST);

    assert_memory_equal(&spec, &expected, sizeof(spec));
}

static void test_jobfile__takes_one_for_a_list_of_one(void **state)
{
    (void)state;

    assert_same_job(
        "version: 1\nmodel: {hidden: 8}\n"
        "data: {format: idx, dir: /d, tasks: {kind: rotate}}\n"
        "plasticity: {grow: plateau}\nkeep: {on: grow}\n"
        "stop: {any: {steps: 5}}\nevaluate: {weights: current}\n",
        "version: 1\nmodel: {hidden: [{units: 8 units}]}\n"
        "data: {format: idx, dir: /d, tasks: [{kind: rotate}]}\n"
        "plasticity: {grow: [{policy: plateau}]}\nkeep: {on: [grow]}\n"
        "stop: {any: [{steps: 5 steps}]}\nevaluate: {weights: [current]}\n");
}

static void test_jobfile__types_numbers_by_the_schema(void **state)
{
    (void)state;

    assert_same_job(SHORTEST "seed: 4000000\ntrain: {lr: 0.001}\n"
                             "report: {every: 1 step}\n"
                             "plasticity: {guard: {tolerance: 0.5%}}\n",
                    SHORTEST "seed: 4M\ntrain: {lr: '1e-3'}\n"
                             "report: {every: 1 steps}\n"
                             "plasticity: {guard: {tolerance: 0.005}}\n");
}

static void test_jobfile__sets_guard_examples_aside_where_one_watches(
    void **state)
{
    (void)state;

    assert_int_equal(job_of(SHORTEST).data.guard_examples, 0);
    assert_int_equal(
        job_of(SHORTEST "plasticity: {grow: plateau}\n").data.guard_examples,
        0);
    assert_int_equal(job_of(SHORTEST "plasticity: {prune: contribution}\n")
                         .data.guard_examples,
                     2000);
    assert_int_equal(
        job_of(SHORTEST "plasticity: {guard: {}}\n").data.guard_examples, 2000);
}

static void test_jobfile__gives_adam_its_own_defaults(void **state)
{
    struct train_spec adam;
    struct train_spec adamw;

    (void)state;
    adam = job_of(SHORTEST "train: {optimizer: adam}\n").train;
    adamw = job_of(SHORTEST "train: {optimizer: adamw}\n").train;

    assert_true(adam.rate.peak == 1e-3);
    assert_true(adam.optimizer.weight_decay == 0);
    assert_true(adamw.rate.peak == 1e-3);
    assert_true(adamw.optimizer.weight_decay == 0.01);
}

static void test_jobfile__keeps_what_must_not_be_lost(void **state)
{
    const uint32_t always = 1u << CAUSE_START | 1u << CAUSE_RESTORE |
                            1u << CAUSE_MANUAL | 1u << CAUSE_END;

    (void)state;

    assert_int_equal(job_of(SHORTEST "keep: {on: []}\n").keep.on, always);
    assert_int_equal(job_of(SHORTEST "keep: {on: [renew]}\n").keep.on,
                     always | 1u << CAUSE_RENEW);
    assert_int_equal(job_of(SHORTEST "keep: {every: never}\n").keep.every_steps,
                     0);
}

static void test_jobfile__leaves_notes_alone(void **state)
{
    (void)state;

    assert_same_job(SHORTEST,
                    SHORTEST "x-note: {a: [1, 2], password: p}\n"
                             "train:\n  x-why: |\n    two\n    lines\n"
                             "x-note: again\nplasticity:\n");
}

static void test_jobfile__reads_other_line_ends_and_a_byte_order_mark(
    void **state)
{
    (void)state;

    assert_same_job(SHORTEST, "\xEF\xBB\xBFversion: 1\r\n"
                              "data: {format: idx, dir: /d}\r\n"
                              "model: {hidden: [8]}\r\n");
}

static void test_jobfile__names_a_job_after_its_file(void **state)
{
    static const char *const names[][2] = {
        {"/home/a/jobs/fashion.v2.yaml", "fashion.v2"},
        {"fashion", "fashion"},
        {"my job.yaml", "job"}, /* no legal name */
        {"j7.yaml", "job"},     /* reads as a job's number */
        {"", "job"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct job_spec spec;

        assert_int_equal(
            parse_bytes(names[i][0], SHORTEST, strlen(SHORTEST), &spec),
            STATUS_OK);
        assert_string_equal(spec.name, names[i][1]);
    }
}

static void test_jobfile__leaves_the_job_untouched_where_it_fails(void **state)
{
    static const char wrong[] = SHORTEST "seed: x\n";
    struct job_spec spec;
    struct job_spec before;

    (void)state;
    memset(&spec, 0x5A, sizeof(spec));
    memset(&before, 0x5A, sizeof(before));

    assert_int_equal(parse_bytes("a", wrong, strlen(wrong), &spec),
                     STATUS_INVALID);

    assert_memory_equal(&spec, &before, sizeof(spec));
}

static void test_jobfile__has_a_largest_size(void **state)
{
    size_t size = JOB_FILE_BYTES_MAX;
    char *bytes = malloc(size + 1);
    struct job_spec spec;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, '#', size + 1);
    memcpy(bytes, SHORTEST, strlen(SHORTEST));

    assert_int_equal(parse_bytes("a", bytes, size, &spec), STATUS_OK);
    assert_int_equal(parse_bytes("a", bytes, size + 1, &spec), STATUS_INVALID);
    assert_string_equal(errors.items[0].message, "a job file has at most 1 MB");

    free(bytes);
}

static void test_jobfile__has_a_largest_number_of_values(void **state)
{
    size_t size = JOB_FILE_BYTES_MAX;
    char *bytes = malloc(size);
    struct job_spec spec;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, ',', size);
    memcpy(bytes, "x-a: [", 6);
    for (size_t i = 6; i < size; i += 2) {
        bytes[i] = 'a';
    }

    assert_int_equal(parse_bytes("a", bytes, size, &spec), STATUS_INVALID);
    assert_string_equal(errors.items[0].message,
                        "too many values for a job file");

    free(bytes);
}

static void test_jobfile__gives_up_cleanly_without_memory(void **state)
{
    const char *overrides[] = {"train.optimizer.momentum=0.5"};
    struct jobfile_source source = {.file_name = "a.yaml",
                                    .bytes = fashion,
                                    .size = sizeof(fashion) - 1,
                                    .overrides = overrides,
                                    .overrides_count = 1};
    uint64_t live = mem_live();
    enum status status = STATUS_NO_MEMORY;
    struct job_spec spec;
    uint64_t n = 0;

    (void)state;
    while (status == STATUS_NO_MEMORY && n < 100) {
        n++;
        mem_fail_at(n);
        status = jobfile_parse(&source, &spec, NULL, &errors);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
        assert_int_equal(errors.total, 0);
    }

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(n, 4); /* three allocations, then none fails */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobfile__reads_the_small_job),
        cmocka_unit_test(test_jobfile__reads_a_range_of_workers),
        cmocka_unit_test(test_jobfile__reads_the_policies_of_the_small_job),
        cmocka_unit_test(test_jobfile__reads_the_long_forms),
        cmocka_unit_test(test_jobfile__reads_the_long_form_of_training),
        cmocka_unit_test(test_jobfile__reads_tiny),
        cmocka_unit_test(test_jobfile__leaves_the_rest_at_its_defaults),
        cmocka_unit_test(test_jobfile__takes_one_for_a_list_of_one),
        cmocka_unit_test(test_jobfile__types_numbers_by_the_schema),
        cmocka_unit_test(
            test_jobfile__sets_guard_examples_aside_where_one_watches),
        cmocka_unit_test(test_jobfile__gives_adam_its_own_defaults),
        cmocka_unit_test(test_jobfile__keeps_what_must_not_be_lost),
        cmocka_unit_test(test_jobfile__leaves_notes_alone),
        cmocka_unit_test(
            test_jobfile__reads_other_line_ends_and_a_byte_order_mark),
        cmocka_unit_test(test_jobfile__names_a_job_after_its_file),
        cmocka_unit_test(test_jobfile__leaves_the_job_untouched_where_it_fails),
        cmocka_unit_test(test_jobfile__has_a_largest_size),
        cmocka_unit_test(test_jobfile__has_a_largest_number_of_values),
        cmocka_unit_test(test_jobfile__gives_up_cleanly_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
