#include "coordinator/shell/persistence/keeper.h"

#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/records/recordcode.h"
#include "storage/fault.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct fixture *f;
    struct loop *loop;
    struct link_context *context;
    struct jobs *writer;
    struct keeper *keeper;
    struct text told; /* what came back, in order */
    char line[4096];
    struct job_record record;
    struct job_record restored_record;
};

static void on_stored(void *owner,
                      uint64_t token,
                      enum status status,
                      const struct version *restored)
{
    struct world *w = owner;

    text_add(&w->told, "t");
    text_u64(&w->told, token);
    text_add(&w->told, status == STATUS_OK ? " " : "! ");
    if (restored != NULL) {
        text_add(&w->told, "from v");
        text_u64(&w->told, restored->number);
        text_add(&w->told, " ");
    }
}

static void on_unjournaled(void *owner,
                           uint64_t job,
                           uint64_t interval,
                           enum status status)
{
    struct world *w = owner;

    assert_int_not_equal(status, STATUS_OK);
    text_add(&w->told, "gap");
    text_u64(&w->told, interval);
    text_add(&w->told, job == 1 ? " " : "@ ");
}

static void on_mark(void *owner, enum status status)
{
    struct world *w = owner;

    assert_int_equal(status, STATUS_OK);
    text_add(&w->told, "mark ");
}

static void on_event(void *owner,
                     uint64_t job,
                     uint64_t sequence,
                     const struct event_record *event)
{
    struct world *w = owner;

    text_add(&w->told, event->kind);
    text_add(&w->told, "#");
    text_u64(&w->told, sequence);
    text_add(&w->told, job == 1 ? " " : "@ ");
}

static void on_version(void *owner, uint64_t job, uint64_t number)
{
    struct world *w = owner;

    (void)job;
    text_add(&w->told, "v");
    text_u64(&w->told, number);
    text_add(&w->told, " ");
}

static const struct journal_entry no_grant = {.grant = NULL};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct keeper_events events = {.on_stored = on_stored,
                                         .on_unjournaled = on_unjournaled,
                                         .on_event = on_event,
                                         .on_version = on_version,
                                         .owner = w};
    void *f = NULL;

    assert_non_null(w);
    assert_int_equal(fixture_setup(&f), 0);
    w->f = f;
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    assert_int_equal(link_context_open(&w->context), STATUS_OK);
    assert_int_equal(jobs_open(w->loop, w->context, 1, 8, &w->writer),
                     STATUS_OK);
    assert_int_equal(keeper_open(w->f->store, w->writer, &events, &w->keeper),
                     STATUS_OK);
    text_init(&w->told, w->line, sizeof(w->line));
    fixture_record(&w->record, 1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *f = w->f;

    jobs_stop(w->writer);
    jobs_join(w->writer);
    keeper_close(w->keeper);
    jobs_close(w->writer);
    link_context_close(w->context);
    loop_close(w->loop);
    free(w);
    return fixture_teardown(&f);
}

static void settle(struct world *w)
{
    while (keeper_backlog(w->keeper) > 0) {
        assert_int_equal(loop_turn(w->loop, 100), STATUS_OK);
    }
}

static void put_event(struct world *w,
                      uint64_t job,
                      const char *kind,
                      bool logged)
{
    struct event_record event;

    fixture_event(&event);
    memset(event.kind, 0, sizeof(event.kind));
    memcpy(event.kind, kind, strlen(kind));
    keeper_event(w->keeper, job, &event, logged);
}

static bool count_record(void *owner,
                         uint64_t key,
                         const void *bytes,
                         size_t size)
{
    uint64_t *count = owner;

    (void)key;
    (void)bytes;
    (void)size;
    (*count)++;
    return true;
}

static uint64_t count_log(struct world *w, enum record_log log, uint64_t job)
{
    uint64_t count = 0;

    assert_int_equal(
        store_scan_log(w->f->store, log, job, 0, count_record, &count),
        STATUS_OK);
    return count;
}

static void test_keeper__tells_nothing_before_it_is_on_the_disk(void **state)
{
    struct world *w = *state;

    keeper_put_job(w->keeper, 1, &w->record);
    put_event(w, 1, "state", true);

    assert_string_equal(w->line, "");
    settle(w);
    assert_string_equal(w->line, "t1 state#1 ");
    assert_int_equal(count_log(w, LOG_EVENTS, 1), 1);
}

static void test_keeper__collects_while_it_writes_and_keeps_the_order(
    void **state)
{
    struct world *w = *state;

    keeper_put_job(w->keeper, 1, &w->record);
    for (uint64_t token = 2; token < 6; token++) {
        keeper_journal(w->keeper, token, 1, &no_grant);
        put_event(w, 1, "grow", true);
    }
    put_event(w, 1, "progress", false);
    keeper_put_job(w->keeper, 6, &w->record);

    settle(w);
    assert_string_equal(w->line, "t1 t2 grow#1 t3 grow#2 t4 grow#3 t5 grow#4 "
                                 "progress#4 t6 ");
    assert_int_equal(count_log(w, LOG_JOURNAL, 1), 4);
    assert_int_equal(count_log(w, LOG_EVENTS, 1), 4);
}

static void test_keeper__numbers_events_on_from_what_is_there(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 37; i++) {
        put_event(w, 1, "grow", true);
    }
    settle(w);
    text_init(&w->told, w->line, sizeof(w->line));

    /* As a later coordinator would find them. */
    struct keeper *second = NULL;
    const struct keeper_events events = {
        .on_stored = on_stored, .on_event = on_event, .owner = w};

    assert_int_equal(keeper_open(w->f->store, w->writer, &events, &second),
                     STATUS_OK);
    assert_int_equal(keeper_last_event(second, 1), 37);
    assert_int_equal(keeper_last_event(second, 2), 0);
    keeper_close(second);
}

static void test_keeper__commits_version_head_and_record_at_once(void **state)
{
    static struct fixture_model model;
    struct world *w = *state;
    struct manifest manifest = {.bytes = NULL};
    unsigned char *bytes = NULL;
    size_t size = 0;
    uint64_t head = 0;

    fixture_model_init(&model);
    fixture_model_put(w->f, &model, 1, 1, "commit"); /* its chunks */
    model.version.number = 2;
    assert_int_equal(manifest_encode(&model.version, &manifest), STATUS_OK);
    w->record.head = 2;
    w->record.last_version = 2;

    keeper_commit(w->keeper, 4, &w->record, &manifest, 1000);
    assert_null(manifest.bytes);
    settle(w);

    assert_string_equal(w->line, "v2 t4 ");
    assert_int_equal(store_get_ref(w->f->store, 1, "head", &head), STATUS_OK);
    assert_int_equal(head, 2);
    assert_int_equal(store_get_job(w->f->store, 1, &bytes, &size), STATUS_OK);
    mem_free(bytes);
}

static void test_keeper__one_bad_version_does_not_take_others_with_it(
    void **state)
{
    static struct sample sample; /* names chunks that are not in the store */
    struct world *w = *state;
    struct manifest manifest = {.bytes = NULL};

    sample_init(&sample);
    sample.version.job = 1;
    assert_int_equal(manifest_encode(&sample.version, &manifest), STATUS_OK);
    keeper_put_job(w->keeper, 1, &w->record);
    keeper_journal(w->keeper, 2, 1, &no_grant);
    w->record.head = sample.version.number;
    keeper_commit(w->keeper, 3, &w->record, &manifest, 1000);
    put_event(w, 1, "grow", true);
    keeper_journal(w->keeper, 4, 1, &no_grant);

    settle(w);
    assert_string_equal(w->line, "t1 t2 t3! grow#1 t4 ");
    assert_int_equal(count_log(w, LOG_JOURNAL, 1), 2);
}

static void test_keeper__restores_a_version_on_a_line_of_its_own(void **state)
{
    static struct fixture_model model;
    struct world *w = *state;
    const struct manifest_restore order = {
        .number = 3, .head = 2, .line = 2, .wall_ms = 77};
    struct version *version = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;
    uint64_t head = 0;

    fixture_model_init(&model);
    model.version.interval = 40;
    model.version.step = 400;
    fixture_model_put(w->f, &model, 1, 1, "commit");
    fixture_model_put(w->f, &model, 1, 2, "commit");

    keeper_restore(w->keeper, 9, &w->record, 1, &order);
    settle(w);

    assert_string_equal(w->line, "v3 t9 from v1 ");
    assert_int_equal(store_get_ref(w->f->store, 1, "head", &head), STATUS_OK);
    assert_int_equal(head, 3);
    assert_int_equal(store_get_version(w->f->store, 1, 3, &bytes, &size),
                     STATUS_OK);
    assert_int_equal(version_decode(bytes, size, &version), STATUS_OK);
    assert_int_equal(version->line, 2);
    assert_int_equal(version->arch->line, 2);
    assert_int_equal(version->cause, CAUSE_RESTORE);
    assert_string_equal(version->reason, "restore v1");
    assert_int_equal(version->parents_count, 2);
    assert_int_equal(version->parents[0], 2);
    assert_int_equal(version->parents[1], 1);
    version_free(version);
    mem_free(bytes);
    assert_int_equal(store_get_job(w->f->store, 1, &bytes, &size), STATUS_OK);
    assert_int_equal(recordcode_decode(bytes, size, &w->restored_record),
                     STATUS_OK);
    mem_free(bytes);
    assert_int_equal(w->restored_record.head, 3);
    assert_int_equal(w->restored_record.line, 2);
    assert_int_equal(w->restored_record.lines[2].interval, 40);
    assert_int_equal(w->restored_record.step, 400);
}

static void test_keeper__tells_who_restores_what_is_not_there(void **state)
{
    struct world *w = *state;
    const struct manifest_restore order = {.number = 3, .line = 2};

    keeper_restore(w->keeper, 9, &w->record, 1, &order);
    settle(w);

    assert_string_equal(w->line, "t9! ");
}

static void test_keeper__a_failed_write_is_told_and_the_next_one_is_made(
    void **state)
{
    struct world *w = *state;

    assert_int_equal(keeper_last_event(w->keeper, 1), 0);
    (void)fault_at(1, ENOSPC);
    keeper_put_job(w->keeper, 1, &w->record);
    put_event(w, 1, "grow", true);
    settle(w);
    (void)fault_at(0, 0);

    keeper_put_job(w->keeper, 2, &w->record);
    put_event(w, 1, "prune", true);
    settle(w);
    assert_string_equal(w->line, "t1! grow#1 t2 prune#2 ");
}

static void put_journal(struct world *w, uint64_t job, uint64_t interval)
{
    static struct grant grant;
    const struct journal_entry entry = {.grant = &grant};

    grant = (struct grant){.interval = interval};
    keeper_journal(w->keeper, 0, job, &entry);
}

/* The disk was full for a moment: what comes behind the gap is not kept before
 * the job has been loaded, however well it could be. */
static void test_keeper__leaves_no_gap_in_a_journal(void **state)
{
    struct world *w = *state;

    assert_int_equal(keeper_last_event(w->keeper, 1), 0); /* read by now */
    (void)fault_at(1, ENOSPC);
    put_journal(w, 1, 5); /* a group of its own */
    put_journal(w, 1, 6);
    put_journal(w, 2, 5);
    put_event(w, 1, "grow", true);
    settle(w);
    (void)fault_at(0, 0);
    put_journal(w, 1, 7);
    settle(w);

    assert_string_equal(w->line, "gap5 gap6 grow#1 gap7 ");
    assert_int_equal(count_log(w, LOG_JOURNAL, 1), 0);
    assert_int_equal(count_log(w, LOG_JOURNAL, 2), 1);

    assert_int_equal(keeper_after(w->keeper, 1, on_mark, w), STATUS_OK);
    put_journal(w, 1, 5);
    settle(w);
    assert_string_equal(w->line, "gap5 gap6 grow#1 gap7 mark ");
    assert_int_equal(count_log(w, LOG_JOURNAL, 1), 1);
}

static void test_keeper__shows_a_record_on_its_way(void **state)
{
    struct world *w = *state;
    const unsigned char *bytes = NULL;
    struct record_head head;
    size_t size = 0;

    assert_null(keeper_pending_job(w->keeper, 1, &size));
    keeper_put_job(w->keeper, 0, &w->record);
    w->record.state = JOB_FINISHED;
    keeper_put_job(w->keeper, 0, &w->record);

    bytes = keeper_pending_job(w->keeper, 1, &size);
    assert_non_null(bytes);
    assert_int_equal(recordcode_peek(bytes, size, &head), STATUS_OK);
    assert_int_equal(head.state, JOB_FINISHED);
    settle(w);
    assert_null(keeper_pending_job(w->keeper, 1, &size));
}

static void test_keeper__a_launch_is_the_first_entry_of_the_log(void **state)
{
    struct world *w = *state;
    const struct launch_record launch = {
        .request_id = "r", .source = "x: 1", .source_size = 4};

    keeper_launch(w->keeper, 1, &w->record, &launch);
    put_event(w, 1, "state", true);
    settle(w);

    assert_string_equal(w->line, "t1 state#2 ");
    assert_int_equal(count_log(w, LOG_EVENTS, 1), 2);
}

static void done_tag(void *owner, enum status status)
{
    struct world *w = owner;

    text_add(&w->told, status == STATUS_OK ? "tagged " : "not tagged ");
}

static void test_keeper__moves_tags(void **state)
{
    static struct fixture_model model;
    struct world *w = *state;
    uint64_t number = 0;

    fixture_model_init(&model);
    fixture_model_put(w->f, &model, 1, 1, "commit");

    assert_int_equal(keeper_tag(w->keeper, "good", 1, 1, done_tag, w),
                     STATUS_OK);
    assert_int_equal(keeper_tag(w->keeper, "bad", 1, 9, done_tag, w),
                     STATUS_OK);
    settle(w);

    assert_string_equal(w->line, "tagged not tagged ");
    assert_int_equal(store_get_ref(w->f->store, 1, "good", &number), STATUS_OK);
    assert_int_equal(number, 1);
}

static void test_keeper__tells_a_token_that_memory_is_short(void **state)
{
    struct world *w = *state;

    mem_fail_at(1);
    keeper_put_job(w->keeper, 1, &w->record);
    mem_fail_at(2);
    keeper_put_job(w->keeper, 2, &w->record);
    mem_fail_at(0);

    assert_string_equal(w->line, "t1! t2! ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keeper__tells_nothing_before_it_is_on_the_disk),
        TEST(test_keeper__collects_while_it_writes_and_keeps_the_order),
        TEST(test_keeper__numbers_events_on_from_what_is_there),
        TEST(test_keeper__commits_version_head_and_record_at_once),
        TEST(test_keeper__one_bad_version_does_not_take_others_with_it),
        TEST(test_keeper__restores_a_version_on_a_line_of_its_own),
        TEST(test_keeper__tells_who_restores_what_is_not_there),
        TEST(test_keeper__a_failed_write_is_told_and_the_next_one_is_made),
        TEST(test_keeper__leaves_no_gap_in_a_journal),
        TEST(test_keeper__shows_a_record_on_its_way),
        TEST(test_keeper__a_launch_is_the_first_entry_of_the_log),
        TEST(test_keeper__moves_tags),
        TEST(test_keeper__tells_a_token_that_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
