#include "coordinator/shell/records/manifest.h"

#include "base/mem.h"
#include "coordinator/core/state.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <stdlib.h>
#include <string.h>

static struct fixture_model model;
static struct job job;
static struct cut cut;

static int setup(void **state)
{
    (void)state;
    fixture_model_init(&model);
    memset(&job, 0, sizeof(job));
    memset(&cut, 0, sizeof(cut));
    job.record.job = 4;
    job.record.head = 8;
    cut.version = 9;
    cut.interval = 20;
    cut.step = 200;
    cut.task = 1;
    cut.cause = CAUSE_GROW;
    memcpy(cut.reason, "hidden1 +16", 12);
    cut.spec = model.spec;
    cut.arch = model.arch;
    state_init(&cut.state);
    sample_grant(&cut.begun, 20);
    sample_grant(&cut.pending, 21);
    cut.has_pending = true;
    return 0;
}

static struct version *make(struct manifest *manifest)
{
    struct version *version = NULL;

    assert_int_equal(
        manifest_of_cut(&job, &cut, model.records, 3, 77, manifest), STATUS_OK);
    assert_int_equal(version_decode(manifest->bytes, manifest->size, &version),
                     STATUS_OK);
    return version;
}

static void test_manifest__is_what_the_cut_is(void **state)
{
    struct manifest manifest = {.bytes = NULL};
    struct version *version = make(&manifest);

    (void)state;
    assert_int_equal(version->job, 4);
    assert_int_equal(version->number, 9);
    assert_int_equal(version->parents_count, 1);
    assert_int_equal(version->parents[0], 8);
    assert_int_equal(version->step, 200);
    assert_string_equal(version->reason, "hidden1 +16");
    assert_int_equal(version->parameters, 37);
    assert_int_equal(version->bytes, 148);
    assert_true(version->begun->resumed);
    assert_int_equal(version->pending->interval, 21);
    assert_int_equal(manifest.chunks_count, 6);
    version_free(version);
    manifest_fini(&manifest);
}

/* Terms and holds differ between runs of the same job; bytes must not. */
static void test_manifest__does_not_depend_on_how_the_run_went(void **state)
{
    struct manifest one = {.bytes = NULL};
    struct manifest two = {.bytes = NULL};

    (void)state;
    version_free(make(&one));
    cut.begun.term = 1234;
    cut.pending.term = 1235;
    cut.begun.hold = !cut.begun.hold;
    version_free(make(&two));

    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.bytes, two.bytes, one.size);
    manifest_fini(&one);
    manifest_fini(&two);
}

static void test_manifest__refuses_records_that_do_not_fit(void **state)
{
    struct manifest manifest = {.bytes = NULL};

    (void)state;
    assert_int_equal(
        manifest_of_cut(&job, &cut, model.records, 2, 77, &manifest),
        STATUS_INVALID);
    assert_null(manifest.bytes);
}

static void test_manifest__a_restore_is_the_same_on_another_line(void **state)
{
    const struct manifest_restore order = {
        .number = 12, .head = 11, .line = 3, .wall_ms = 88};
    struct manifest manifest = {.bytes = NULL};
    struct manifest again = {.bytes = NULL};
    struct version *from = make(&manifest);
    struct version *version = NULL;

    (void)state;
    assert_int_equal(manifest_of_restore(from, &order, &again), STATUS_OK);
    assert_int_equal(version_decode(again.bytes, again.size, &version),
                     STATUS_OK);

    assert_int_equal(version->number, 12);
    assert_int_equal(version->line, 3);
    assert_int_equal(version->arch->line, 3);
    assert_int_equal(version->begun->line, 3);
    assert_int_equal(version->pending->line, 3);
    assert_int_equal(version->step, from->step);
    assert_int_equal(version->parents[0], 11);
    assert_int_equal(version->parents[1], 9);
    assert_int_equal(version->policy_bytes, from->policy_bytes);
    assert_memory_equal(version->policy, from->policy, from->policy_bytes);
    /* What was restored is as it was. */
    assert_int_equal(from->arch->line, 0);
    version_free(version);
    version_free(from);
    manifest_fini(&manifest);
    manifest_fini(&again);
}

static void test_manifest__survives_the_loss_of_memory(void **state)
{
    struct manifest manifest = {.bytes = NULL};
    enum status status = STATUS_NO_MEMORY;

    (void)state;
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        uint64_t live = mem_live();

        mem_fail_at(n);
        status = manifest_of_cut(&job, &cut, model.records, 3, 77, &manifest);
        mem_fail_at(0);
        assert_true(n < 1000);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(mem_live(), live);
        }
    }
    manifest_fini(&manifest);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_manifest__is_what_the_cut_is),
        TEST(test_manifest__does_not_depend_on_how_the_run_went),
        TEST(test_manifest__refuses_records_that_do_not_fit),
        TEST(test_manifest__a_restore_is_the_same_on_another_line),
        TEST(test_manifest__survives_the_loss_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
