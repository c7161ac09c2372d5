#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/jobcode.h"
#include "proto/jobfile.h"
#include <stdlib.h>
#include <string.h>

/* The job of good_text, field by field. */
static const char golden_hex[] =
    /* "CJOB", format 3 */
    "434A4F420300"
    /* name "ab" */
    "02006162"
    /* seed */
    "0700000000000000"
    /* data.format: idx */
    "01000000"
    /* data.dir "/d" */
    "02002F64"
    /* hold_out.guard, order: shuffle */
    "D00700000000000001"
    /* one mapping of tasks */
    "01000000"
    /* permute-pixels, 3 tasks of 6400, 1 pass */
    "0200000003000000001900000000000001000000"
    /* one hidden layer: 48 units, tanh */
    "010000003000000002000000"
    /* outputs, shards */
    "0000000004000000"
    /* loss: cross-entropy */
    "01000000"
    /* sgd, momentum */
    "01000000000000000000E03F"
    /* beta1, beta2 */
    "CDCCCCCCCCCCEC3F2B8716D9CEF7EF3F"
    /* epsilon, weight decay */
    "3A8C30E28E79453E0000000000000000"
    /* lr: peak */
    "000000000000D03F"
    /* constant, warm-up, over: job */
    "01000000000000000000000001000000"
    /* batch, microbatches, clip */
    "10000000010000000000000000000000"
    /* evaluate: task, current */
    "0101000000"
    /* stop: one rule, steps, 20000 */
    "0100000001000000000000000088D340"
    /* report.every */
    "3200000000000000"
    /* renew: none; grow: none */
    "0000000000000000"
    /* prune: one, contribution, 5 keys */
    "010000000400000005000000"
    /* below, probation */
    "9A9999999999A93F0000000000000040"
    /* maturity, min_units, cooldown */
    "000000000000594000000000000020400000000000001440"
    /* guard.tolerance */
    "7B14AE47E17A843F"
    /* keep: every, on, last */
    "C800000000000000BE02000032000000"
    /* run: workers, at least, threads */
    "020000000000000001000000"
    /* store.mirror "/m" */
    "02002F6D";

enum { GOLDEN_BYTES = (sizeof(golden_hex) - 1) / 2 };

static unsigned char golden[GOLDEN_BYTES];

static int read_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDEN_BYTES; i++) {
        const char digits[] = {golden_hex[2 * i], golden_hex[2 * i + 1], 0};

        golden[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return 0;
}

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
    "run: {workers: 2}\n"
    "store: {mirror: /m}\n";

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

    assert_int_equal(jobcode_encode(&spec, bytes), GOLDEN_BYTES);
    assert_memory_equal(bytes, golden, GOLDEN_BYTES);
}

static void test_jobcode__decodes_the_golden_bytes(void **state)
{
    struct job_spec expected;
    struct job_spec spec;

    (void)state;
    job_of(good_text, &expected);

    assert_int_equal(jobcode_decode(golden, GOLDEN_BYTES, &spec), STATUS_OK);
    assert_memory_equal(&spec, &expected, sizeof(spec));
}

static void test_jobcode__refuses_every_shorter_text(void **state)
{
    struct job_spec spec;

    (void)state;
    for (size_t size = 0; size < GOLDEN_BYTES; size++) {
        assert_int_equal(jobcode_decode(golden, size, &spec), STATUS_CORRUPT);
    }
}

static void test_jobcode__refuses_more_bytes(void **state)
{
    unsigned char bytes[GOLDEN_BYTES + 1] = {0};
    struct job_spec spec;

    (void)state;
    memcpy(bytes, golden, GOLDEN_BYTES);

    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_CORRUPT);
}

static void test_jobcode__survives_every_byte_changed(void **state)
{
    unsigned char bytes[GOLDEN_BYTES];
    unsigned char again[JOBCODE_BYTES_MAX];
    struct job_spec spec;
    char why[REASON_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < GOLDEN_BYTES; i++) {
        for (unsigned change = 1; change < 256; change++) {
            memcpy(bytes, golden, GOLDEN_BYTES);
            bytes[i] ^= (unsigned char)change;
            if (jobcode_decode(bytes, sizeof(bytes), &spec) != STATUS_OK) {
                continue;
            }
            assert_int_equal(job_check(&spec, why, sizeof(why)), STATUS_OK);
            assert_int_equal(jobcode_encode(&spec, again), GOLDEN_BYTES);
            assert_memory_equal(again, bytes, GOLDEN_BYTES);
        }
    }
}

static void test_jobcode__tells_a_newer_format_from_damage(void **state)
{
    unsigned char bytes[GOLDEN_BYTES];
    struct job_spec spec;

    (void)state;
    memcpy(bytes, golden, GOLDEN_BYTES);
    bytes[4] = 4;
    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_UNSUPPORTED);
    bytes[0] = 'X';
    assert_int_equal(jobcode_decode(bytes, sizeof(bytes), &spec),
                     STATUS_CORRUPT);
}

/* Format 1 lacks the least number of workers, four bytes before threads, and
 * format 2 the mirror, the last four. */
static void test_jobcode__reads_the_formats_before(void **state)
{
    const size_t shorter = GOLDEN_BYTES - 4;
    unsigned char bytes[GOLDEN_BYTES];
    unsigned char again[JOBCODE_BYTES_MAX];
    struct job_spec spec;

    (void)state;
    for (unsigned char format = 2; format >= 1; format--) {
        size_t size = format == 2 ? shorter : shorter - 4;

        memcpy(bytes, golden, GOLDEN_BYTES);
        if (format == 1) {
            memmove(&bytes[shorter - 8], &bytes[shorter - 4], 4);
        }
        bytes[4] = format;
        assert_int_equal(jobcode_decode(bytes, size, &spec), STATUS_OK);
        assert_string_equal(spec.store.mirror, "");

        assert_int_equal(jobcode_encode(&spec, again), GOLDEN_BYTES - 2);
        assert_memory_equal(again, golden, shorter);
    }
}

static void test_jobcode__leaves_the_job_untouched_where_a_field_is_wrong(
    void **state)
{
    unsigned char bytes[GOLDEN_BYTES];
    struct job_spec spec;
    struct job_spec before;

    (void)state;
    memcpy(bytes, golden, GOLDEN_BYTES);
    bytes[GOLDEN_BYTES - 16] = 65; /* run.workers */
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
    memset(spec.store.mirror, '/',
           sizeof(spec.store.mirror) - 1 - MIRROR_NAME_BYTES);
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
        cmocka_unit_test(test_jobcode__reads_the_formats_before),
        cmocka_unit_test(
            test_jobcode__leaves_the_job_untouched_where_a_field_is_wrong),
        cmocka_unit_test(test_jobcode__has_room_for_the_largest_job),
    };

    return cmocka_run_group_tests(tests, read_golden, NULL);
}
