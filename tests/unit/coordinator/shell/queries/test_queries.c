/* The calls that only read, through a whole coordinator. */
#include "tests/unit/coordinator/shell/world.h"

#include <grpc/status.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void test_queries__tells_about_itself(void **state)
{
    struct world *w = *state;
    const Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;
    Cajal__V1__AboutReply *reply = NULL;
    void *message = NULL;

    assert_int_equal(world_unary(w, RPC_ABOUT, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->version, CAJAL_VERSION);
    assert_int_equal(reply->life, 1);
    assert_string_equal(reply->control_endpoint, w->options.workers);
    assert_int_equal(reply->chunks, 8); /* v3 shares 4 with v1 */
    rpc_free(message);
}

static void test_queries__lists_jobs_and_shows_their_state(void **state)
{
    struct world *w = *state;
    Cajal__V1__ListJobsRequest list = CAJAL__V1__LIST_JOBS_REQUEST__INIT;
    Cajal__V1__StatusRequest status = CAJAL__V1__STATUS_REQUEST__INIT;
    struct caller_call *call = caller_ask(w->caller, RPC_LIST_JOBS, &list.base);
    Cajal__V1__JobSummary *job = caller_next(call, RPC_LIST_JOBS);
    Cajal__V1__StatusReply *reply = NULL;
    void *message = NULL;

    assert_string_equal(job->job, "j1");
    assert_string_equal(job->state, "paused");
    assert_string_equal(job->head, "v3");
    assert_string_equal(job->layers[0]->name, "hidden1");
    rpc_free(job);
    assert_null(caller_next(call, RPC_LIST_JOBS));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);

    assert_int_equal(world_unary(w, RPC_STATUS, &status, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_true(reply->examples_per_second == 20000);
    assert_int_equal(reply->n_workers, 1);
    assert_string_equal(reply->workers[0]->worker, "w1");
    rpc_free(message);
}

static void test_queries__a_watch_from_the_past_tells_all(void **state)
{
    struct world *w = *state;
    Cajal__V1__WatchRequest watch = CAJAL__V1__WATCH_REQUEST__INIT;
    Cajal__V1__JobRequest cancel = CAJAL__V1__JOB_REQUEST__INIT;
    struct caller_call *call = NULL;
    uint64_t sequence = 0;
    char last[32] = "";
    char job[16];

    world_launch(w, "", job);
    cancel.job = job;
    assert_int_equal(world_unary(w, RPC_CANCEL, &cancel, NULL, NULL),
                     GRPC_STATUS_OK);
    watch.job = job;
    watch.from = 1;
    watch.until_end = true;
    call = caller_ask(w->caller, RPC_WATCH, &watch.base);
    for (;;) {
        Cajal__V1__Event *event = caller_next(call, RPC_WATCH);

        if (event == NULL) {
            break;
        }
        /* Equal: the state itself, where its event is still on its way. */
        assert_true(event->sequence >= sequence);
        sequence = event->sequence;
        (void)snprintf(last, sizeof(last), "%s", event->state);
        rpc_free(event);
    }
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
    assert_string_equal(last, "cancelled");
}

static void test_queries__shows_the_history_with_heads_and_figures(void **state)
{
    struct world *w = *state;
    Cajal__V1__HistoryRequest request = CAJAL__V1__HISTORY_REQUEST__INIT;
    struct caller_call *call = NULL;
    Cajal__V1__VersionSummary *v = NULL;

    request.limit = 2;
    call = caller_ask(w->caller, RPC_HISTORY, &request.base);

    v = caller_next(call, RPC_HISTORY);
    assert_string_equal(v->version, "v2");
    assert_string_equal(v->cause, "task");
    assert_string_equal(v->parents[0], "v1");
    assert_true(v->evaluated);
    assert_true(v->accuracy == 0.9);
    assert_false(v->head);
    rpc_free(v);
    v = caller_next(call, RPC_HISTORY);
    assert_string_equal(v->version, "v3");
    assert_true(v->head);
    assert_int_equal(v->layers[0]->units, 5);
    rpc_free(v);
    assert_null(caller_next(call, RPC_HISTORY));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_queries__shows_one_version(void **state)
{
    struct world *w = *state;
    Cajal__V1__ShowRequest request = CAJAL__V1__SHOW_REQUEST__INIT;
    char version[] = "v2";
    struct caller_call *call = NULL;
    Cajal__V1__ShowReply *m = NULL;

    request.version = version;
    call = caller_ask(w->caller, RPC_SHOW, &request.base);

    m = caller_next(call, RPC_SHOW);
    assert_string_equal(m->summary->version, "v2");
    assert_non_null(strstr(m->config, "fashion"));
    rpc_free(m);
    m = caller_next(call, RPC_SHOW);
    assert_string_equal(m->layer, "hidden1");
    assert_int_equal(m->n_units, 5);
    assert_string_equal(m->units[1]->id, "u5");
    assert_string_equal(m->units[1]->state, "lesioned");
    assert_int_equal(m->units[3]->shard, 1);
    rpc_free(m);
    m = caller_next(call, RPC_SHOW);
    assert_string_equal(m->layer, "output");
    rpc_free(m);
    assert_null(caller_next(call, RPC_SHOW));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

/* Weight [o][u] = 100 + 10 o + u; units 1 and 4 are lesioned with means 2 and
 * -1, so bias o becomes 100.5 + 10 o + 2 (101 + 10 o) - (104 + 10 o). */
static void test_queries__pulls_layers_with_lesions_folded(void **state)
{
    struct world *w = *state;
    Cajal__V1__PullRequest request = CAJAL__V1__PULL_REQUEST__INIT;
    char version[] = "v2";
    char layer[] = "output";
    struct caller_call *call = NULL;
    Cajal__V1__TensorPart *m = NULL;
    const float *values = NULL;

    request.version = version;
    request.layer = layer;
    call = caller_ask(w->caller, RPC_PULL, &request.base);

    m = caller_next(call, RPC_PULL);
    assert_string_equal(m->name, "output.weight");
    assert_int_equal(m->shape[0], 2);
    assert_int_equal(m->shape[1], 5);
    assert_int_equal(m->bytes, 40);
    assert_int_equal(m->data.len, 40);
    values = (const float *)(const void *)m->data.data;
    assert_true(values[0] == 100.0f && values[1] == 0.0f);
    assert_true(values[5 + 3] == 113.0f && values[5 + 4] == 0.0f);
    assert_false(m->last);
    rpc_free(m);
    m = caller_next(call, RPC_PULL);
    assert_string_equal(m->name, "output.bias");
    values = (const float *)(const void *)m->data.data;
    assert_true(values[0] == 100.5f + 202.0f - 104.0f);
    assert_true(values[1] == 110.5f + 222.0f - 114.0f);
    assert_int_equal(m->n_unit_ids, 2);
    assert_string_equal(m->activation, "linear");
    assert_true(m->last);
    rpc_free(m);
    assert_null(caller_next(call, RPC_PULL));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_queries__pulls_a_range_of_units_over_shards(void **state)
{
    struct world *w = *state;
    Cajal__V1__PullRequest request = CAJAL__V1__PULL_REQUEST__INIT;
    char version[] = "v1";
    char layer[] = "hidden1";
    struct caller_call *call = NULL;
    Cajal__V1__TensorPart *m = NULL;
    const float *values = NULL;

    request.version = version;
    request.layer = layer;
    request.first_unit = 2;
    request.units = 2;
    call = caller_ask(w->caller, RPC_PULL, &request.base);

    m = caller_next(call, RPC_PULL);
    assert_int_equal(m->shape[0], 2);
    values = (const float *)(const void *)m->data.data;
    assert_true(values[0] == 20.0f && values[4] == 30.0f && values[7] == 33.0f);
    rpc_free(m);
    m = caller_next(call, RPC_PULL);
    values = (const float *)(const void *)m->data.data;
    assert_true(values[0] == 20.5f && values[1] == 30.5f);
    assert_string_equal(m->unit_ids[1], "u7");
    rpc_free(m);
    assert_null(caller_next(call, RPC_PULL));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_queries__refuses_ranges_and_layers_that_are_not(void **state)
{
    struct world *w = *state;
    Cajal__V1__PullRequest request = CAJAL__V1__PULL_REQUEST__INIT;
    char version[] = "v1";
    char layer[] = "hidden1";
    char other[] = "hidden9";
    struct caller_call *call = NULL;

    request.version = version;
    request.units = 2;
    call = caller_ask(w->caller, RPC_PULL, &request.base);
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_INVALID_ARGUMENT);
    request.layer = layer;
    request.first_unit = 6;
    call = caller_ask(w->caller, RPC_PULL, &request.base);
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_INVALID_ARGUMENT);
    request.layer = other;
    call = caller_ask(w->caller, RPC_PULL, &request.base);
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_NOT_FOUND);
}

static void test_queries__tells_what_lies_between_versions(void **state)
{
    struct world *w = *state;
    Cajal__V1__DiffRequest request = CAJAL__V1__DIFF_REQUEST__INIT;
    char from[] = "v1";
    char to[] = "@";
    struct caller_call *call = NULL;
    Cajal__V1__LayerDiff *m = NULL;

    request.from = from;
    request.to = to;
    call = caller_ask(w->caller, RPC_DIFF, &request.base);

    m = caller_next(call, RPC_DIFF);
    assert_string_equal(m->name, "hidden1");
    assert_int_equal(m->n_added, 1);
    assert_string_equal(m->added[0], "u90.1");
    assert_string_equal(m->removed[0], "u8");
    assert_true(fabs(m->moved - 1.0) < 1e-12); /* all are doubled */
    assert_int_equal(m->parameters_from, 25);
    rpc_free(m);
    m = caller_next(call, RPC_DIFF);
    assert_string_equal(m->name, "output");
    assert_int_equal(m->n_added, 0);
    assert_true(m->moved == 0);
    rpc_free(m);
    assert_null(caller_next(call, RPC_DIFF));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_queries__sums_the_metrics_of_tasks(void **state)
{
    struct world *w = *state;
    const Cajal__V1__MetricsRequest request = CAJAL__V1__METRICS_REQUEST__INIT;
    struct caller_call *call =
        caller_ask(w->caller, RPC_METRICS, &request.base);
    Cajal__V1__TaskMetrics *m = caller_next(call, RPC_METRICS);

    assert_int_equal(m->task, 0);
    assert_int_equal(m->examples, 200);
    assert_true(m->online_accuracy == 0.5);
    assert_true(m->online_loss == 2.0);
    assert_true(m->dormant == 0.2);
    assert_int_equal(m->n_held_out, 1);
    assert_true(m->held_out[0]->accuracy == 0.9);
    rpc_free(m);
    m = caller_next(call, RPC_METRICS);
    assert_int_equal(m->task, 1);
    assert_int_equal(m->n_held_out, 0);
    rpc_free(m);
    assert_null(caller_next(call, RPC_METRICS));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_queries__verifies_the_store(void **state)
{
    struct world *w = *state;
    const Cajal__V1__VerifyRequest request = CAJAL__V1__VERIFY_REQUEST__INIT;
    struct caller_call *call = caller_ask(w->caller, RPC_VERIFY, &request.base);
    Cajal__V1__VerifyReply *m = caller_next(call, RPC_VERIFY);

    assert_true(m->done);
    assert_int_equal(m->versions, 3);
    assert_int_equal(m->faults, 0);
    rpc_free(m);
    assert_null(caller_next(call, RPC_VERIFY));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static bool logs_tell(struct world *w, char *job, const char *wanted)
{
    Cajal__V1__LogsRequest request = CAJAL__V1__LOGS_REQUEST__INIT;
    struct caller_call *call = NULL;
    bool seen = false;

    request.job = job;
    call = caller_ask(w->caller, RPC_LOGS, &request.base);
    for (;;) {
        Cajal__V1__LogLine *line = caller_next(call, RPC_LOGS);

        if (line == NULL) {
            break;
        }
        seen = seen || strstr(line->text, wanted) != NULL;
        rpc_free(line);
    }
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
    return seen;
}

static void test_queries__gives_the_logs_of_job_and_daemons(void **state)
{
    struct world *w = *state;
    bool seen = false;
    char path[PATH_BYTES_MAX + 16];
    char job[16];
    FILE *file = NULL;

    assert_int_equal(mkdir(w->options.logs, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/w0.log", w->options.logs);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("2026-01-01T00:00:00.000Z w0 info host s\xff\ttarted\n", file);
    assert_int_equal(fclose(file), 0);
    world_launch(w, "", job);

    assert_true(logs_tell(w, job, "w0 info host s??tarted"));
    /* The event is logged soon after the launch was answered. */
    for (int i = 0; i < 1000 && !seen; i++) {
        seen = logs_tell(w, job, "state waiting");
    }
    assert_true(seen);
}

static void test_queries__knows_no_job_of_that_name(void **state)
{
    struct world *w = *state;
    Cajal__V1__JobRequest request = CAJAL__V1__JOB_REQUEST__INIT;
    char name[] = "nobody";
    char text[ERROR_BYTES_MAX] = "";

    request.job = name;
    assert_int_equal(world_unary(w, RPC_PAUSE, &request, NULL, text),
                     GRPC_STATUS_NOT_FOUND);
    assert_non_null(strstr(text, "nobody"));
    assert_int_equal(world_unary(w, RPC_UNDO, &request, NULL, text),
                     GRPC_STATUS_NOT_FOUND);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_queries__tells_about_itself),
        TEST(test_queries__lists_jobs_and_shows_their_state),
        TEST(test_queries__a_watch_from_the_past_tells_all),
        TEST(test_queries__shows_the_history_with_heads_and_figures),
        TEST(test_queries__shows_one_version),
        TEST(test_queries__pulls_layers_with_lesions_folded),
        TEST(test_queries__pulls_a_range_of_units_over_shards),
        TEST(test_queries__refuses_ranges_and_layers_that_are_not),
        TEST(test_queries__tells_what_lies_between_versions),
        TEST(test_queries__sums_the_metrics_of_tasks),
        TEST(test_queries__verifies_the_store),
        TEST(test_queries__gives_the_logs_of_job_and_daemons),
        TEST(test_queries__knows_no_job_of_that_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
