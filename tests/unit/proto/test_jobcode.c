#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/jobcode.h"
#include "proto/jobfile.h"
#include <string.h>

/* The job of good_text, field by field. */
static const unsigned char golden[] = {
    /* "CJOB", format 1 */
    0x43,
    0x4A,
    0x4F,
    0x42,
    0x01,
    0x00,
    /* name "ab" */
    0x02,
    0x00,
    0x61,
    0x62,
    /* seed */
    0x07,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    /* data.format: idx */
    0x01,
    0x00,
    0x00,
    0x00,
    /* data.dir "/d" */
    0x02,
    0x00,
    0x2F,
    0x64,
    /* hold_out.guard, order: shuffle */
    0xD0,
    0x07,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x01,
    /* one mapping of tasks */
    0x01,
    0x00,
    0x00,
    0x00,
    /* permute-pixels, 3 tasks of 6400, 1 pass */
    0x02,
    0x00,
    0x00,
    0x00,
    0x03,
    0x00,
    0x00,
    0x00,
    0x00,
    0x19,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    /* one hidden layer: 48 units, tanh */
    0x01,
    0x00,
    0x00,
    0x00,
    0x30,
    0x00,
    0x00,
    0x00,
    0x02,
    0x00,
    0x00,
    0x00,
    /* outputs, shards */
    0x00,
    0x00,
    0x00,
    0x00,
    0x04,
    0x00,
    0x00,
    0x00,
    /* loss: cross-entropy */
    0x01,
    0x00,
    0x00,
    0x00,
    /* sgd, momentum */
    0x01,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0xE0,
    0x3F,
    /* beta1, beta2 */
    0xCD,
    0xCC,
    0xCC,
    0xCC,
    0xCC,
    0xCC,
    0xEC,
    0x3F,
    0x2B,
    0x87,
    0x16,
    0xD9,
    0xCE,
    0xF7,
    0xEF,
    0x3F,
    /* epsilon, weight decay */
    0x3A,
    0x8C,
    0x30,
    0xE2,
    0x8E,
    0x79,
    0x45,
    0x3E,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    /* lr: peak */
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0xD0,
    0x3F,
    /* constant, warm-up, over: job */
    0x01,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    /* batch, microbatches, clip */
    0x10,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    /* evaluate: task, current */
    0x01,
    0x01,
    0x00,
    0x00,
    0x00,
    /* stop: one rule, steps, 20000 */
    0x01,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x88,
    0xD3,
    0x40,
    /* report.every */
    0x32,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    /* renew: none; grow: none */
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    /* prune: one, contribution, 5 keys */
    0x01,
    0x00,
    0x00,
    0x00,
    0x04,
    0x00,
    0x00,
    0x00,
    0x05,
    0x00,
    0x00,
    0x00,
    /* below, probation */
    0x9A,
    0x99,
    0x99,
    0x99,
    0x99,
    0x99,
    0xA9,
    0x3F,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x40,
    /* maturity, min_units, cooldown */
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x59,
    0x40,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x20,
    0x40,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x14,
    0x40,
    /* guard.tolerance */
    0x7B,
    0x14,
    0xAE,
    0x47,
    0xE1,
    0x7A,
    0x84,
    0x3F,
    /* keep: every, on, last */
    0xC8,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0xBE,
    0x02,
    0x00,
    0x00,
    0x32,
    0x00,
    0x00,
    0x00,
    /* run: workers, threads */
    0x02,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
};

static const char good_text[] =
    "version: 1\n"
    "name: ab\n"
    "seed: 7\n"
    "data: {format: idx, dir: /d,\n"
    "       tasks: {kind: permute-pixels, count: 3, examples: 6400}}\n"
    "model: {hidden: [{units: 48, activation: tanh}], shards: 4}\n"
    "train: {optimizer: {name: sgd, momentum: 0.5}, lr: 0.25}\n"
    "stop: {any: [{steps: 20000}]}\n"
    "report: {every: 50 steps}\n"
    "plasticity: {prune: {policy: contribution, below: 5% of mean}}\n"
    "keep: {every: 200 steps, on: [grow, prune, task], last: 50}\n"
    "run: {workers: 2}\n";

static void job_of(const char *text, struct job_spec *out)
{
    struct jobfile_source source = {.file_name = "a.yaml"};
    struct jobfile_errors errors;

    source.bytes = text;
    source.size = strlen(text);
    assert_int_equal(jobfile_parse(&source, out, NULL, &errors), STATUS_OK);
}

static void test_jobcode__encodes_the_golden_bytes(void **state)
{
    unsigned char bytes[JOBCODE_BYTES_MAX];
    struct job_spec spec;

    (void)state;
    job_of(good_text, &spec);

    assert_int_equal(jobcode_encode(&spec, bytes), sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
}

static void test_jobcode__decodes_the_golden_bytes(void **state)
{
    struct job_spec expected;
    struct job_spec spec;

    (void)state;
    job_of(good_text, &expected);

    assert_int_equal(jobcode_decode(golden, sizeof(golden), &spec), STATUS_OK);
    assert_memory_equal(&spec, &expected, sizeof(spec));
}

static void test_jobcode__refuses_every_shorter_text(void **state)
{
    struct job_spec spec;

    (void)state;
    for (size_t size = 0; size < sizeof(golden); size++) {
        assert_int_equal(jobcode_decode(golden, size, &spec), STATUS_CORRUPT);
    }
}

static void test_jobcode__refuses_more_bytes(void **state)
{
    unsigned char bytes[sizeof(golden) + 1] = {0};
    struct job_spec spec;

    (void)state;
    memcpy(bytes, golden, sizeof(golden));

    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_CORRUPT);
}

static void test_jobcode__survives_every_byte_changed(void **state)
{
    unsigned char bytes[sizeof(golden)];
    unsigned char again[JOBCODE_BYTES_MAX];
    struct job_spec spec;
    char why[REASON_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(golden); i++) {
        for (unsigned change = 1; change < 256; change++) {
            memcpy(bytes, golden, sizeof(golden));
            bytes[i] ^= (unsigned char)change;
            if (jobcode_decode(bytes, sizeof(bytes), &spec) != STATUS_OK) {
                continue;
            }
            assert_int_equal(job_check(&spec, why, sizeof(why)), STATUS_OK);
            assert_int_equal(jobcode_encode(&spec, again), sizeof(golden));
            assert_memory_equal(again, bytes, sizeof(golden));
        }
    }
}

static void test_jobcode__tells_a_newer_format_from_damage(void **state)
{
    unsigned char bytes[sizeof(golden)];
    struct job_spec spec;

    (void)state;
    memcpy(bytes, golden, sizeof(golden));
    bytes[4] = 2;
    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_UNSUPPORTED);
    bytes[0] = 'X';
    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_CORRUPT);
}

static void test_jobcode__leaves_the_job_untouched_where_a_field_is_wrong(
    void **state)
{
    unsigned char bytes[sizeof(golden)];
    struct job_spec spec;
    struct job_spec before;

    (void)state;
    memcpy(bytes, golden, sizeof(golden));
    bytes[sizeof(golden) - 8] = 65; /* run.workers */
    memset(&spec, 0x5A, sizeof(spec));
    memset(&before, 0x5A, sizeof(before));

    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_INVALID);
    assert_memory_equal(&spec, &before, sizeof(spec));
}

/* Every list full and every text as long as it may be. */
static void test_jobcode__has_room_for_the_largest_job(void **state)
{
    unsigned char bytes[JOBCODE_BYTES_MAX];
    struct job_spec spec;
    struct job_spec again;
    size_t size;

    (void)state;
    job_of(good_text, &spec);
    memset(spec.name, 'n', sizeof(spec.name) - 1);
    memset(spec.data.dir, 'd', sizeof(spec.data.dir) - 1);
    spec.data.task_specs_count = TASK_SPECS_MAX;
    for (uint32_t i = 1; i < TASK_SPECS_MAX; i++) {
        spec.data.task_specs[i] = spec.data.task_specs[0];
    }
    spec.model.hidden_count = LAYERS_MAX - 1;
    for (uint32_t i = 1; i < LAYERS_MAX - 1; i++) {
        spec.model.hidden[i] = spec.model.hidden[0];
    }
    spec.stop_rules_count = STOP_RULES_MAX;
    for (uint32_t i = 1; i < STOP_RULES_MAX; i++) {
        spec.stop_rules[i] = spec.stop_rules[0];
    }

    size = jobcode_encode(&spec, bytes);

    /* Four policies in each role, of which there are not so many yet. */
    assert_true(size + ROLES_COUNT * POLICIES_MAX * (8 + 8 * POLICY_KEYS_MAX) <=
                JOBCODE_BYTES_MAX);
    assert_int_equal(jobcode_decode(bytes, size, &again), STATUS_OK);
    assert_memory_equal(&again, &spec, sizeof(spec));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobcode__encodes_the_golden_bytes),
        cmocka_unit_test(test_jobcode__decodes_the_golden_bytes),
        cmocka_unit_test(test_jobcode__refuses_every_shorter_text),
        cmocka_unit_test(test_jobcode__refuses_more_bytes),
        cmocka_unit_test(test_jobcode__survives_every_byte_changed),
        cmocka_unit_test(test_jobcode__tells_a_newer_format_from_damage),
        cmocka_unit_test(
            test_jobcode__leaves_the_job_untouched_where_a_field_is_wrong),
        cmocka_unit_test(test_jobcode__has_room_for_the_largest_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
