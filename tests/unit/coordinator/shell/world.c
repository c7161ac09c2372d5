#include "tests/unit/coordinator/shell/world.h"

#include "base/mem.h"
#include "coordinator/shell/records/recordcode.h"
#include "coordinator/shell/records/statcode.h"
#include "proto/jobcode.h"

#include <grpc/status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void world_open(struct world *w)
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

int world_setup(void **state)
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
    world_open(w);
    *state = w;
    return 0;
}

int world_teardown(void **state)
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

int world_unary(struct world *w,
                enum rpc_method method,
                const void *request,
                void **out,
                char text[ERROR_BYTES_MAX])
{
    return caller_unary(w->caller, method, request, out, text, ERROR_BYTES_MAX);
}

void world_launch(struct world *w, const char *id, char out[16])
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
    assert_int_equal(world_unary(w, RPC_LAUNCH, &request, &message, NULL),
                     GRPC_STATUS_OK);
    reply = message;
    (void)snprintf(out, 16, "%s", reply->job);
    rpc_free(message);
}
