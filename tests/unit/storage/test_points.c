/* The record of a state that workers keep in memory: one a job, replaced. */
#include "tests/unit/storage/fixture.h"

#include "tests/unit/proto/samples.h"

static void put(struct fixture *f, uint64_t job, const char *text)
{
    struct batch *batch = make_batch();

    assert_int_equal(batch_put_point(batch, job, text, strlen(text)),
                     STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
}

static void assert_point(struct fixture *f, uint64_t job, const char *text)
{
    unsigned char *bytes = NULL;
    size_t size = 0;

    if (text == NULL) {
        assert_int_equal(store_get_point(f->store, job, &bytes, &size),
                         STATUS_NOT_FOUND);
        return;
    }
    assert_int_equal(store_get_point(f->store, job, &bytes, &size), STATUS_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
    mem_free(bytes);
}

static void test_points__a_newer_one_replaces_it(void **state)
{
    struct fixture *f = *state;

    assert_point(f, 1, NULL);
    put(f, 1, "first");
    put(f, 2, "another job's");
    put(f, 1, "the second");
    assert_point(f, 1, "the second");
    assert_point(f, 2, "another job's");

    fixture_close(f);
    fixture_open(f);
    assert_point(f, 1, "the second");
}

static void test_points__an_empty_one_is_none(void **state)
{
    struct fixture *f = *state;

    put(f, 1, ""); /* there is none to go */
    put(f, 1, "first");
    put(f, 1, "");
    assert_point(f, 1, NULL);
}

static void tell_fault(void *owner, const char *sentence)
{
    char *text = owner;
    size_t used = strlen(text);

    snprintf(text + used, 4096 - used, "%s\n", sentence);
}

static void assert_faults(struct fixture *f, const char *wanted)
{
    char text[4096] = "";
    struct store_verdict verdict;

    assert_int_equal(store_verify(f->store, tell_fault, text, &verdict),
                     STATUS_OK);
    assert_string_equal(text, wanted);
}

/* A manifest without tensors. */
static void put_manifest(struct fixture *f, uint64_t job)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    struct batch *batch = make_batch();
    unsigned char *bytes = NULL;
    size_t size = 0;

    assert_non_null(sample);
    sample_init(sample);
    sample->version.shards_count = 0;
    assert_int_equal(version_encode(&sample->version, &bytes, &size),
                     STATUS_OK);
    assert_int_equal(batch_put_point(batch, job, bytes, size), STATUS_OK);
    assert_int_equal(apply(f, batch), STATUS_OK);
    mem_free(bytes);
    free(sample);
}

static void test_points__are_verified(void **state)
{
    struct fixture *f = *state;

    put_manifest(f, 2);
    assert_faults(f, "");

    put_manifest(f, 5); /* it is job 2's */
    put(f, 7, "no manifest");
    assert_faults(f, "the point of j5 is damaged: its next recovery begins at "
                     "a version\n"
                     "the point of j7 is damaged: its next recovery begins at "
                     "a version\n");
}

static void test_points__damage_is_found_where_it_is_read(void **state)
{
    struct fixture *f = *state;
    unsigned char *bytes = NULL;
    size_t size = 0;

    put(f, 1, "the point's own bytes");
    assert_true(damage(f, "the point's own bytes", 21, 3) > 0);

    assert_int_equal(store_get_point(f->store, 1, &bytes, &size),
                     STATUS_CORRUPT);
    put(f, 1, "the next one is whole");
    assert_point(f, 1, "the next one is whole");
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_points__a_newer_one_replaces_it),
        TEST(test_points__an_empty_one_is_none),
        TEST(test_points__are_verified),
        TEST(test_points__damage_is_found_where_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
