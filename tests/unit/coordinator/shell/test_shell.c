/* A whole coordinator in the test's process, with a client beside it. */
#include "coordinator/shell/shell.h"

#include "base/address.h"
#include "base/clock.h"
#include "tests/unit/coordinator/shell/world.h"

#include <grpc/status.h>
#include <stdio.h>
#include <string.h>

static void test_shell__a_launched_job_waits_for_workers(void **state)
{
    struct world *w = *state;
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    void *message = NULL;
    char job[16];

    world_launch(w, "", job);
    assert_string_equal(job, "j2");

    assert_int_equal(world_unary(w, RPC_STATUS, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->summary->job, "j2");
    assert_string_equal(reply->summary->state, "waiting");
    assert_non_null(strstr(reply->summary->reason, "needs 1 worker, "));
    rpc_free(message);
}

static void test_shell__the_same_request_launches_one_job(void **state)
{
    struct world *w = *state;
    char first[16];
    char second[16];
    char third[16];

    world_launch(w, "abc", first);
    world_launch(w, "abc", second);
    world_launch(w, "def", third);

    assert_string_equal(first, "j2");
    assert_string_equal(second, "j2");
    assert_string_equal(third, "j3");
}

static void test_shell__refuses_a_job_it_cannot_read(void **state)
{
    struct world *w = *state;
    Cajal__V1__LaunchRequest request = CAJAL__V1__LAUNCH_REQUEST__INIT;
    unsigned char bytes[] = "nonsense";
    char text[ERROR_BYTES_MAX] = "";

    request.spec.data = bytes;
    request.spec.len = sizeof(bytes);

    assert_int_equal(world_unary(w, RPC_LAUNCH, &request, NULL, text),
                     GRPC_STATUS_INVALID_ARGUMENT);
    assert_true(strlen(text) > 10);
}

static void test_shell__cancels_a_waiting_job_and_tells_watchers(void **state)
{
    struct world *w = *state;
    Cajal__V1__WatchRequest watch = CAJAL__V1__WATCH_REQUEST__INIT;
    Cajal__V1__JobRequest cancel = CAJAL__V1__JOB_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    struct caller_call *call = NULL;
    Cajal__V1__Event *event = NULL;
    void *message = NULL;
    char job[16];

    world_launch(w, "", job);
    watch.job = job;
    watch.until_end = true;
    call = caller_ask(w->caller, RPC_WATCH, &watch.base);
    event = caller_next(call, RPC_WATCH);
    assert_string_equal(event->kind, "progress");
    assert_string_equal(event->state, "waiting");
    rpc_free(event);

    cancel.job = job;
    assert_int_equal(world_unary(w, RPC_CANCEL, &cancel, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->state, "cancelled");
    rpc_free(message);
    do {
        event = caller_next(call, RPC_WATCH);
        assert_non_null(event);
        if (strcmp(event->state, "cancelled") == 0) {
            break;
        }
        rpc_free(event);
    } while (true);
    assert_string_equal(event->kind, "state");
    rpc_free(event);
    assert_null(caller_next(call, RPC_WATCH));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void restore(struct world *w,
                    bool dry_run,
                    const char *wanted_version,
                    const char *wanted_text)
{
    Cajal__V1__RestoreRequest request = CAJAL__V1__RESTORE_REQUEST__INIT;
    char version[] = "v1";
    Cajal__V1__ChangeReply *reply = NULL;
    void *message = NULL;

    request.version = version;
    request.dry_run = dry_run;
    assert_int_equal(world_unary(w, RPC_RESTORE, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->version, wanted_version);
    assert_non_null(strstr(reply->text, wanted_text));
    rpc_free(message);
}

static void expect_head(struct world *w, const char *wanted)
{
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    void *message = NULL;

    assert_int_equal(world_unary(w, RPC_STATUS, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->summary->head, wanted);
    rpc_free(message);
}

static void test_shell__restores_and_takes_it_back(void **state)
{
    struct world *w = *state;
    const Cajal__V1__JobRequest undo = CAJAL__V1__JOB_REQUEST__INIT;
    Cajal__V1__ChangeReply *reply = NULL;
    char text[ERROR_BYTES_MAX] = "";
    void *message = NULL;

    assert_int_equal(world_unary(w, RPC_UNDO, &undo, NULL, text),
                     GRPC_STATUS_FAILED_PRECONDITION);
    restore(w, true, "v1", "goes back to v1");
    expect_head(w, "v3");
    restore(w, false, "v4", "restored v1");
    expect_head(w, "v4");
    assert_int_equal(world_unary(w, RPC_UNDO, &undo, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->version, "v5");
    assert_string_equal(reply->state, "paused");
    rpc_free(message);
    /* And an undo can be undone. */
    assert_int_equal(world_unary(w, RPC_UNDO, &undo, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->version, "v6");
    rpc_free(message);
    expect_head(w, "v6");
}

static void test_shell__follows_new_versions(void **state)
{
    struct world *w = *state;
    Cajal__V1__FollowRequest request = CAJAL__V1__FOLLOW_REQUEST__INIT;
    const Cajal__V1__JobRequest undo = CAJAL__V1__JOB_REQUEST__INIT;
    struct caller_call *call = NULL;
    char layer[] = "output";
    bool last = false;

    request.layer = layer;
    call = caller_ask(w->caller, RPC_FOLLOW, &request.base);
    for (int i = 0; i < 20; i++) { /* it looks and finds nothing new */
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    restore(w, false, "v4", "restored v1");
    for (int i = 0; i < 2; i++) {
        Cajal__V1__TensorPart *m = caller_next(call, RPC_FOLLOW);

        assert_string_equal(m->version, "v4");
        last = m->last;
        rpc_free(m);
    }
    assert_true(last);
    assert_int_equal(world_unary(w, RPC_UNDO, &undo, NULL, NULL),
                     GRPC_STATUS_OK);

    Cajal__V1__TensorPart *m = caller_next(call, RPC_FOLLOW);

    assert_string_equal(m->version, "v5");
    rpc_free(m);
    caller_cancel(call);
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_CANCELLED);
}

static void test_shell__names_versions(void **state)
{
    struct world *w = *state;
    Cajal__V1__TagRequest request = CAJAL__V1__TAG_REQUEST__INIT;
    Cajal__V1__JobRequest list = CAJAL__V1__JOB_REQUEST__INIT;
    struct caller_call *call = NULL;
    Cajal__V1__TagEntry *entry = NULL;
    char name[] = "good";
    char version[] = "@~1";
    char none[] = "";
    char bad[] = "v7";

    request.name = name;
    request.version = version;
    assert_int_equal(world_unary(w, RPC_TAG, &request, NULL, NULL),
                     GRPC_STATUS_OK);
    call = caller_ask(w->caller, RPC_LIST_TAGS, &list.base);
    entry = caller_next(call, RPC_LIST_TAGS);
    assert_string_equal(entry->name, "good");
    assert_string_equal(entry->version, "v2");
    rpc_free(entry);
    assert_null(caller_next(call, RPC_LIST_TAGS));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);

    request.version = none;
    assert_int_equal(world_unary(w, RPC_TAG, &request, NULL, NULL),
                     GRPC_STATUS_OK);
    assert_int_equal(world_unary(w, RPC_TAG, &request, NULL, NULL),
                     GRPC_STATUS_NOT_FOUND);
    request.name = bad;
    assert_int_equal(world_unary(w, RPC_TAG, &request, NULL, NULL),
                     GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_shell__an_evaluation_without_workers_waits(void **state)
{
    struct world *w = *state;
    Cajal__V1__EvaluateRequest request = CAJAL__V1__EVALUATE_REQUEST__INIT;
    struct caller_call *call = NULL;
    char version[] = "v1";

    request.version = version;
    call = caller_ask(w->caller, RPC_EVALUATE, &request.base);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    caller_cancel(call);
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_CANCELLED);
}

static void test_shell__only_a_running_job_can_be_set(void **state)
{
    struct world *w = *state;
    Cajal__V1__SetRequest request = CAJAL__V1__SET_REQUEST__INIT;
    char key[] = "train.lr";
    char value[] = "0.1";
    char wrong[] = "model.hidden";
    char nobody[] = "j99";

    request.key = key;
    request.value = value;
    assert_int_equal(world_unary(w, RPC_SET, &request, NULL, NULL),
                     GRPC_STATUS_FAILED_PRECONDITION);
    request.key = wrong;
    assert_int_equal(world_unary(w, RPC_SET, &request, NULL, NULL),
                     GRPC_STATUS_INVALID_ARGUMENT);
    request.job = nobody;
    assert_int_equal(world_unary(w, RPC_SET, &request, NULL, NULL),
                     GRPC_STATUS_NOT_FOUND);
}

static void test_shell__shuts_down_and_leaves_jobs_for_the_next(void **state)
{
    struct world *w = *state;
    const Cajal__V1__ShutdownRequest down = CAJAL__V1__SHUTDOWN_REQUEST__INIT;
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    void *message = NULL;
    char job[16];

    world_launch(w, "", job);
    assert_int_equal(world_unary(w, RPC_SHUTDOWN, &down, NULL, NULL),
                     GRPC_STATUS_OK);
    caller_close(w->caller);
    shell_close(w->shell);
    world_open(w);

    assert_int_equal(world_unary(w, RPC_STATUS, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->summary->job, "j2");
    assert_string_equal(reply->summary->state, "paused");
    assert_string_equal(reply->summary->reason,
                        "its coordinator is not running");
    rpc_free(message);

    caller_close(w->caller);
    shell_close(w->shell);
    w->options.resume = true;
    world_open(w);
    assert_int_equal(world_unary(w, RPC_STATUS, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->summary->state, "waiting");
    rpc_free(message);
}

static void test_shell__a_transient_one_ends_by_itself(void **state)
{
    struct world *w = *state;
    const Cajal__V1__AboutRequest about = CAJAL__V1__ABOUT_REQUEST__INIT;
    uint64_t began_ms = 0;

    caller_close(w->caller);
    shell_close(w->shell);
    w->options.transient = true;
    world_open(w);
    assert_int_equal(world_unary(w, RPC_ABOUT, &about, NULL, NULL),
                     GRPC_STATUS_OK);
    caller_close(w->caller);
    w->caller = NULL;
    began_ms = clock_now_ms();

    assert_int_equal(loop_run(w->loop), STATUS_OK); /* it stops the loop */
    assert_true(clock_now_ms() - began_ms < 5000);
}

static void test_shell__a_second_one_is_told_who_owns_the_store(void **state)
{
    struct world *w = *state;
    struct shell *second = NULL;
    char why[ERROR_BYTES_MAX] = "";

    assert_int_equal(
        shell_open(w->loop, &w->options, why, sizeof(why), &second),
        STATUS_CONFLICT);
    assert_null(second);
    assert_true(strlen(why) > 10);
}

/* It must not take the first one's sockets on its way to finding out. */
static void test_shell__one_of_another_store_leaves_the_sockets_alone(
    void **state)
{
    struct world *w = *state;
    struct shell_options options = w->options;
    struct shell *second = NULL;
    char why[ERROR_BYTES_MAX] = "";
    char dir[64];

    fixture_make_dir(dir);
    (void)snprintf(options.store, sizeof(options.store), "%s", dir);
    assert_int_equal(shell_open(w->loop, &options, why, sizeof(why), &second),
                     STATUS_UNAVAILABLE);
    (void)snprintf(options.listen, sizeof(options.listen), "unix:%s/s", dir);
    assert_int_equal(shell_open(w->loop, &options, why, sizeof(why), &second),
                     STATUS_UNAVAILABLE);

    assert_non_null(strstr(why, "in use"));
    assert_true(address_is_answered(w->options.workers));
    assert_true(address_is_answered(w->options.chunks));
    assert_true(address_is_answered(w->options.listen));
    fixture_remove_dir(dir);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_shell__a_launched_job_waits_for_workers),
        TEST(test_shell__the_same_request_launches_one_job),
        TEST(test_shell__refuses_a_job_it_cannot_read),
        TEST(test_shell__cancels_a_waiting_job_and_tells_watchers),
        TEST(test_shell__restores_and_takes_it_back),
        TEST(test_shell__follows_new_versions),
        TEST(test_shell__names_versions),
        TEST(test_shell__an_evaluation_without_workers_waits),
        TEST(test_shell__only_a_running_job_can_be_set),
        TEST(test_shell__shuts_down_and_leaves_jobs_for_the_next),
        TEST(test_shell__a_transient_one_ends_by_itself),
        TEST(test_shell__a_second_one_is_told_who_owns_the_store),
        TEST(test_shell__one_of_another_store_leaves_the_sockets_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
