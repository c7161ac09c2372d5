/* A whole coordinator in the test's process, with a client beside it. */
#include "coordinator/shell/shell.h"

#include "base/clock.h"
#include "base/mem.h"
#include "coordinator/shell/recordcode.h"
#include "coordinator/shell/statcode.h"
#include "proto/cajal/v1/control.pb-c.h"
#include "proto/jobcode.h"
#include "tests/unit/coordinator/shell/caller.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <grpc/status.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* j1 "fashion" is paused with v1 .. v3: v2 lesions two hidden units, v3 is v1
 * with one unit less and other weights. Held-out accuracy 0.9 after task 0. */
struct world {
    char dir[64];
    uint64_t live;
    struct loop *loop;
    struct shell_options options;
    struct shell *shell;
    struct caller *caller;
};

static void put_stat(struct fixture *f,
                     uint64_t interval,
                     uint32_t task,
                     bool evaluated)
{
    static unsigned char bytes[RECORD_BYTES_MAX];
    const struct evaluation held_out = {EVALUATION_HELD_OUT,
                                        task > 0 ? task - 1 : 0, 100, 90, 40};
    const struct interval_stat stat = {.interval = interval,
                                       .step = 10 * interval + 10,
                                       .task = task,
                                       .examples = 100,
                                       .correct = 50,
                                       .loss_sum = 200,
                                       .live = 5,
                                       .dormant = 1,
                                       .evaluations_count = evaluated,
                                       .evaluations = &held_out};
    struct batch *batch = NULL;
    size_t size = statcode_encode(&stat, bytes);

    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(
        batch_put_stat(batch, 1, statcode_key(0, interval), bytes, size),
        STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
}

static void put_versions(struct fixture *f)
{
    static struct fixture_model model;

    fixture_model_init(&model);
    model.version.interval = 0;
    fixture_model_put(f, &model, 1, 1, "commit");

    model.units[1].state = UNIT_LESIONED;
    model.units[1].mean = 2;
    model.units[4].state = UNIT_LESIONED;
    model.units[4].mean = -1;
    model.version.cause = CAUSE_TASK;
    model.version.interval = 2;
    model.version.step = 20;
    model.version.task = 1;
    model.version.parents_count = 1;
    model.version.parents[0] = 1;
    fixture_model_put(f, &model, 1, 2, "commit");

    fixture_model_init(&model);
    model.version.cause = CAUSE_PRUNE;
    model.version.interval = 3;
    model.version.step = 30;
    model.version.parents_count = 1;
    model.version.parents[0] = 2;
    /* The last hidden unit is another one now. */
    model.units[4].id = (struct unit_id){1, 90};
    for (int u = 0; u < MODEL_HIDDEN; u++) {
        for (int k = 0; k < MODEL_INPUTS; k++) {
            model.hidden[u][k] *= 2;
        }
    }
    fixture_model_put(f, &model, 1, 3, "commit");
}

static void fill_store(const char *dir)
{
    static struct job_record record;
    struct fixture f = {.store = NULL};
    char why[512];

    assert_int_equal(store_open(dir, why, sizeof(why), &f.store), STATUS_OK);
    fixture_record(&record, 1);
    record.state = JOB_PAUSED;
    record.spec.model.shards = 2;
    record.shape.inputs = MODEL_INPUTS;
    record.head = 3;
    record.last_version = 3;
    record.line = 0;
    record.lines_count = 1;
    fixture_put_job(&f, &record);
    put_versions(&f);
    put_stat(&f, 0, 0, false);
    put_stat(&f, 1, 0, false);
    put_stat(&f, 2, 1, true);
    store_close(f.store);
}

static void open_shell(struct world *w)
{
    char why[ERROR_BYTES_MAX] = "";
    enum status status =
        shell_open(w->loop, &w->options, why, sizeof(why), &w->shell);

    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", why);
    }
    assert_int_equal(status, STATUS_OK);
    w->caller = caller_open(w->loop, w->options.listen);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct shell_options *o = NULL;

    assert_non_null(w);
    o = &w->options;
    w->live = mem_live();
    fixture_make_dir(w->dir);
    fill_store(w->dir);
    (void)snprintf(o->store, sizeof(o->store), "%s", w->dir);
    (void)snprintf(o->logs, sizeof(o->logs), "%s/logs", w->dir);
    (void)snprintf(o->listen, sizeof(o->listen), "unix:%s/s", w->dir);
    (void)snprintf(o->workers, sizeof(o->workers), "ipc://%s/w", w->dir);
    (void)snprintf(o->chunks, sizeof(o->chunks), "ipc://%s/c", w->dir);
    o->heartbeat_ms = 500;
    o->timeout_ms = 10000;
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    open_shell(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->caller != NULL) {
        caller_close(w->caller);
    }
    shell_close(w->shell);
    loop_close(w->loop);
    fixture_remove_dir(w->dir);
    assert_int_equal(mem_live(), w->live);
    free(w);
    return 0;
}

static int unary(struct world *w,
                 enum rpc_method method,
                 const void *request,
                 void **out,
                 char text[ERROR_BYTES_MAX])
{
    return caller_unary(w->caller, method, request, out, text, ERROR_BYTES_MAX);
}

static void launch(struct world *w, const char *id, char out[16])
{
    static unsigned char bytes[JOBCODE_BYTES_MAX];
    Cajal__V1__LaunchRequest request = CAJAL__V1__LAUNCH_REQUEST__INIT;
    Cajal__V1__LaunchReply *reply = NULL;
    char request_id[16];
    char source[] = "name: fashion\n";
    struct job_spec spec;
    void *message = NULL;

    sample_spec(&spec);
    (void)snprintf(request_id, sizeof(request_id), "%s", id);
    request.spec.data = bytes;
    request.spec.len = jobcode_encode(&spec, bytes);
    request.source = source;
    request.request_id = request_id;
    assert_int_equal(unary(w, RPC_LAUNCH, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    (void)snprintf(out, 16, "%s", reply->job);
    rpc_free(message);
}

static void test_shell__tells_about_itself(void **state)
{
    struct world *w = *state;
    const Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;
    Cajal__V1__AboutReply *reply = NULL;
    void *message = NULL;

    assert_int_equal(unary(w, RPC_ABOUT, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->version, CAJAL_VERSION);
    assert_int_equal(reply->life, 1);
    assert_string_equal(reply->control_endpoint, w->options.workers);
    assert_int_equal(reply->chunks, 8); /* v3 shares 4 with v1 */
    rpc_free(message);
}

static void test_shell__lists_jobs_and_shows_their_state(void **state)
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

    assert_int_equal(unary(w, RPC_STATUS, &status, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_true(reply->examples_per_second == 20000);
    assert_int_equal(reply->n_workers, 1);
    assert_string_equal(reply->workers[0]->worker, "w1");
    rpc_free(message);
}

static void test_shell__a_launched_job_waits_for_workers(void **state)
{
    struct world *w = *state;
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    void *message = NULL;
    char job[16];

    launch(w, "", job);
    assert_string_equal(job, "j2");

    assert_int_equal(unary(w, RPC_STATUS, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->summary->job, "j2");
    assert_string_equal(reply->summary->state, "waiting");
    assert_non_null(strstr(reply->summary->reason, "needs 1 idle worker"));
    rpc_free(message);
}

static void test_shell__the_same_request_launches_one_job(void **state)
{
    struct world *w = *state;
    char first[16];
    char second[16];
    char third[16];

    launch(w, "abc", first);
    launch(w, "abc", second);
    launch(w, "def", third);

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

    assert_int_equal(unary(w, RPC_LAUNCH, &request, NULL, text),
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

    launch(w, "", job);
    watch.job = job;
    watch.until_end = true;
    call = caller_ask(w->caller, RPC_WATCH, &watch.base);
    event = caller_next(call, RPC_WATCH);
    assert_string_equal(event->kind, "progress");
    assert_string_equal(event->state, "waiting");
    rpc_free(event);

    cancel.job = job;
    assert_int_equal(unary(w, RPC_CANCEL, &cancel, &message, NULL),
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

static void test_shell__a_watch_from_the_past_tells_all(void **state)
{
    struct world *w = *state;
    Cajal__V1__WatchRequest watch = CAJAL__V1__WATCH_REQUEST__INIT;
    Cajal__V1__JobRequest cancel = CAJAL__V1__JOB_REQUEST__INIT;
    struct caller_call *call = NULL;
    uint64_t sequence = 0;
    char last[32] = "";
    char job[16];

    launch(w, "", job);
    cancel.job = job;
    assert_int_equal(unary(w, RPC_CANCEL, &cancel, NULL, NULL), GRPC_STATUS_OK);
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

static void test_shell__shows_the_history_with_heads_and_figures(void **state)
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

static void test_shell__shows_one_version(void **state)
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
static void test_shell__pulls_layers_with_lesions_folded(void **state)
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

static void test_shell__pulls_a_range_of_units_over_shards(void **state)
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

static void test_shell__refuses_ranges_and_layers_that_are_not(void **state)
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

static void test_shell__tells_what_lies_between_versions(void **state)
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

static void test_shell__sums_the_metrics_of_tasks(void **state)
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
    assert_int_equal(unary(w, RPC_RESTORE, &request, &message, NULL),
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

    assert_int_equal(unary(w, RPC_STATUS, &request, &message, NULL),
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

    assert_int_equal(unary(w, RPC_UNDO, &undo, NULL, text),
                     GRPC_STATUS_FAILED_PRECONDITION);
    restore(w, true, "v1", "goes back to v1");
    expect_head(w, "v3");
    restore(w, false, "v4", "restored v1");
    expect_head(w, "v4");
    assert_int_equal(unary(w, RPC_UNDO, &undo, &message, NULL), GRPC_STATUS_OK);
    reply = message;
    assert_string_equal(reply->version, "v5");
    assert_string_equal(reply->state, "paused");
    rpc_free(message);
    /* And an undo can be undone. */
    assert_int_equal(unary(w, RPC_UNDO, &undo, &message, NULL), GRPC_STATUS_OK);
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
    assert_int_equal(unary(w, RPC_UNDO, &undo, NULL, NULL), GRPC_STATUS_OK);

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
    assert_int_equal(unary(w, RPC_TAG, &request, NULL, NULL), GRPC_STATUS_OK);
    call = caller_ask(w->caller, RPC_LIST_TAGS, &list.base);
    entry = caller_next(call, RPC_LIST_TAGS);
    assert_string_equal(entry->name, "good");
    assert_string_equal(entry->version, "v2");
    rpc_free(entry);
    assert_null(caller_next(call, RPC_LIST_TAGS));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);

    request.version = none;
    assert_int_equal(unary(w, RPC_TAG, &request, NULL, NULL), GRPC_STATUS_OK);
    assert_int_equal(unary(w, RPC_TAG, &request, NULL, NULL),
                     GRPC_STATUS_NOT_FOUND);
    request.name = bad;
    assert_int_equal(unary(w, RPC_TAG, &request, NULL, NULL),
                     GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_shell__verifies_the_store(void **state)
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

static void test_shell__gives_the_logs_of_job_and_daemons(void **state)
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
    launch(w, "", job);

    assert_true(logs_tell(w, job, "w0 info host s??tarted"));
    /* The event is logged soon after the launch was answered. */
    for (int i = 0; i < 1000 && !seen; i++) {
        seen = logs_tell(w, job, "state waiting");
    }
    assert_true(seen);
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

static void test_shell__knows_no_job_of_that_name(void **state)
{
    struct world *w = *state;
    Cajal__V1__JobRequest request = CAJAL__V1__JOB_REQUEST__INIT;
    char name[] = "nobody";
    char text[ERROR_BYTES_MAX] = "";

    request.job = name;
    assert_int_equal(unary(w, RPC_PAUSE, &request, NULL, text),
                     GRPC_STATUS_NOT_FOUND);
    assert_non_null(strstr(text, "nobody"));
    assert_int_equal(unary(w, RPC_UNDO, &request, NULL, text),
                     GRPC_STATUS_NOT_FOUND);
}

static void test_shell__only_a_running_job_can_be_set(void **state)
{
    struct world *w = *state;
    Cajal__V1__SetRequest request = CAJAL__V1__SET_REQUEST__INIT;
    char key[] = "train.lr";
    char value[] = "0.1";
    char wrong[] = "model.hidden";

    request.key = key;
    request.value = value;
    assert_int_equal(unary(w, RPC_SET, &request, NULL, NULL),
                     GRPC_STATUS_FAILED_PRECONDITION);
    request.key = wrong;
    assert_int_equal(unary(w, RPC_SET, &request, NULL, NULL),
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

    launch(w, "", job);
    assert_int_equal(unary(w, RPC_SHUTDOWN, &down, NULL, NULL), GRPC_STATUS_OK);
    caller_close(w->caller);
    shell_close(w->shell);
    open_shell(w);

    assert_int_equal(unary(w, RPC_STATUS, &request, &message, NULL),
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
    open_shell(w);
    assert_int_equal(unary(w, RPC_STATUS, &request, &message, NULL),
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
    open_shell(w);
    assert_int_equal(unary(w, RPC_ABOUT, &about, NULL, NULL), GRPC_STATUS_OK);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_shell__tells_about_itself),
        TEST(test_shell__lists_jobs_and_shows_their_state),
        TEST(test_shell__a_launched_job_waits_for_workers),
        TEST(test_shell__the_same_request_launches_one_job),
        TEST(test_shell__refuses_a_job_it_cannot_read),
        TEST(test_shell__cancels_a_waiting_job_and_tells_watchers),
        TEST(test_shell__a_watch_from_the_past_tells_all),
        TEST(test_shell__shows_the_history_with_heads_and_figures),
        TEST(test_shell__shows_one_version),
        TEST(test_shell__pulls_layers_with_lesions_folded),
        TEST(test_shell__pulls_a_range_of_units_over_shards),
        TEST(test_shell__refuses_ranges_and_layers_that_are_not),
        TEST(test_shell__tells_what_lies_between_versions),
        TEST(test_shell__sums_the_metrics_of_tasks),
        TEST(test_shell__restores_and_takes_it_back),
        TEST(test_shell__follows_new_versions),
        TEST(test_shell__names_versions),
        TEST(test_shell__verifies_the_store),
        TEST(test_shell__gives_the_logs_of_job_and_daemons),
        TEST(test_shell__an_evaluation_without_workers_waits),
        TEST(test_shell__knows_no_job_of_that_name),
        TEST(test_shell__only_a_running_job_can_be_set),
        TEST(test_shell__shuts_down_and_leaves_jobs_for_the_next),
        TEST(test_shell__a_transient_one_ends_by_itself),
        TEST(test_shell__a_second_one_is_told_who_owns_the_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
