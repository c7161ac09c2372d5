#include "coordinator/shell/persistence/loader.h"

#include "base/mem.h"
#include "coordinator/shell/records/journalcode.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <string.h>

static struct fixture_model model;
static struct loaded loaded;

static void put_journal(struct fixture *f,
                        uint32_t line,
                        uint64_t interval,
                        double rate)
{
    static unsigned char bytes[RECORD_BYTES_MAX];
    static struct grant grant;
    const struct journal_entry entry = {.grant = &grant, .line = line};
    struct batch *batch = NULL;
    size_t size;

    memset(&grant, 0, sizeof(grant));
    grant.line = line;
    grant.interval = interval;
    grant.first_step = interval * 100;
    grant.settings_count = rate > 0;
    grant.settings[0] = (struct grant_setting){SETTING_RATE, rate};
    size = journalcode_encode(&entry, bytes);
    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(batch_append(batch, LOG_JOURNAL, 1, bytes, size),
                     STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
}

static void drop_loaded(void)
{
    version_free(loaded.version);
    journalsums_fini(&loaded.sums);
}

static int setup(void **state)
{
    struct fixture *f = NULL;

    assert_int_equal(fixture_setup(state), 0);
    f = *state;
    fixture_model_init(&model);
    model.version.line = 1;
    model.arch.line = 1;
    model.version.interval = 10;
    fixture_model_put(f, &model, 1, 1, "commit");
    return 0;
}

static void read_it(struct fixture *f, uint64_t version)
{
    const struct load_order order = {
        .store = f->store, .token = 5, .slot = 2, .job = 1, .version = version};

    loader_read(&order, &loaded);
}

static void test_loader__reads_a_version_and_an_empty_journal(void **state)
{
    struct fixture *f = *state;

    read_it(f, 1);

    assert_int_equal(loaded.status, STATUS_OK);
    assert_int_equal(loaded.token, 5);
    assert_int_equal(loaded.version->interval, 10);
    assert_int_equal(loaded.inputs_count, 0);
    assert_int_equal(loaded.journaled, 12); /* it brings grants 10 and 11 */
    drop_loaded();
}

static void test_loader__takes_settings_beyond_the_version(void **state)
{
    struct fixture *f = *state;

    put_journal(f, 0, 12, 0.1); /* of another line */
    put_journal(f, 1, 11, 0.2); /* in the version already */
    put_journal(f, 1, 12, 0);
    put_journal(f, 1, 13, 0.3);
    put_journal(f, 1, 14, 0);

    read_it(f, 1);

    assert_int_equal(loaded.status, STATUS_OK);
    assert_int_equal(loaded.inputs_count, 1);
    assert_int_equal(loaded.inputs[0].interval, 13);
    assert_true(loaded.inputs[0].setting.value == 0.3);
    assert_int_equal(loaded.journaled, 15);
    /* Grant 14 was decided when interval 12 was reported. */
    assert_int_equal(loaded.step, 1300);
    assert_true(journalsums_at(&loaded.sums, 11) == 0);
    assert_true(journalsums_at(&loaded.sums, 12) != 0);
    assert_true(journalsums_at(&loaded.sums, 13) !=
                journalsums_at(&loaded.sums, 14));
    drop_loaded();
}

/* Which no version needs that is only evaluated. */
static void test_loader__counts_settings_it_has_no_room_for(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < INPUTS_MAX + 3; i++) {
        put_journal(f, 1, 12 + i, 0.5);
    }

    read_it(f, 1);

    assert_int_equal(loaded.status, STATUS_OK);
    assert_int_equal(loaded.inputs_count, INPUTS_MAX + 3);
    assert_int_equal(loaded.inputs[INPUTS_MAX - 1].interval,
                     12 + INPUTS_MAX - 1);
    drop_loaded();
}

/* The record of a point: the model's version without tensors. */
static void put_point(struct fixture *f,
                      uint64_t number,
                      uint32_t line,
                      size_t cut_off)
{
    static struct grant begun;
    struct version version = model.version;
    struct batch *batch = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;

    version.number = number;
    version.line = line;
    version.interval = 13;
    begun = (struct grant){
        .line = line, .interval = 13, .steps = 1, .task_examples = 1};
    version.begun = &begun;
    version.pending = NULL;
    version.shards_count = 0;
    assert_int_equal(version_encode(&version, &bytes, &size), STATUS_OK);
    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(batch_put_point(batch, 1, bytes, size - cut_off),
                     STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
    mem_free(bytes);
}

static void read_point(struct fixture *f)
{
    const struct load_order order = {.store = f->store,
                                     .token = 5,
                                     .slot = 2,
                                     .job = 1,
                                     .version = 1,
                                     .point = true,
                                     .line = 1};

    loader_read(&order, &loaded);
    assert_int_equal(loaded.status, STATUS_OK);
}

static void test_loader__reads_a_point_and_the_journal_beyond_it(void **state)
{
    struct fixture *f = *state;

    put_journal(f, 1, 13, 0.2);
    put_journal(f, 1, 15, 0.3);
    put_point(f, 1, 1, 0);

    read_point(f);

    assert_true(loaded.point);
    assert_int_equal(loaded.version->interval, 13);
    assert_int_equal(loaded.version->shards_count, 0);
    /* Both: the next load may be of the head. */
    assert_int_equal(loaded.inputs_count, 2);
    assert_int_equal(loaded.inputs[0].interval, 13);
    assert_int_equal(loaded.inputs[1].interval, 15);
    assert_int_equal(loaded.journaled, 16);
    drop_loaded();
}

static void test_loader__takes_the_head_where_the_point_is_no_good(void **state)
{
    static const struct {
        uint64_t number;
        uint32_t line;
        size_t cut_off;
    } cases[] = {
        {2, 1, 0},  /* kept before a version that is gone: restored */
        {1, 0, 0},  /* of the line that was left */
        {1, 1, 10}, /* damaged */
    };
    struct fixture *f = *state;

    read_point(f); /* there is none */
    assert_false(loaded.point);
    drop_loaded();
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        put_point(f, cases[c].number, cases[c].line, cases[c].cut_off);

        read_point(f);

        assert_false(loaded.point);
        assert_int_equal(loaded.version->interval, 10);
        drop_loaded();
    }
}

static void test_loader__says_that_a_version_is_not_there(void **state)
{
    struct fixture *f = *state;

    read_it(f, 9);

    assert_int_equal(loaded.status, STATUS_NOT_FOUND);
    assert_null(loaded.version);
}

static void test_loader__survives_the_loss_of_memory(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_NO_MEMORY;

    put_journal(f, 1, 13, 0.3);
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        mem_fail_at(n);
        read_it(f, 1);
        mem_fail_at(0);
        status = loaded.status;
        assert_true(n < 100);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_null(loaded.version);
        }
    }
    drop_loaded();
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_loader__reads_a_version_and_an_empty_journal),
        TEST(test_loader__takes_settings_beyond_the_version),
        TEST(test_loader__counts_settings_it_has_no_room_for),
        TEST(test_loader__reads_a_point_and_the_journal_beyond_it),
        TEST(test_loader__takes_the_head_where_the_point_is_no_good),
        TEST(test_loader__says_that_a_version_is_not_there),
        TEST(test_loader__survives_the_loss_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
