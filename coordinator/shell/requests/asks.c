/* asks.c - new jobs: launch and probe; and evaluating a version. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/core/timeline.h"
#include "coordinator/shell/persistence/mirroring.h"
#include "coordinator/shell/records/eventcode.h"
#include "proto/codec.h"
#include "proto/jobcode.h"

#include <stdio.h>
#include <string.h>

enum {
    /* A launch is repeated within seconds, not hundreds of jobs later. */
    REPEATED_JOBS_MAX = 256
};

/* NULL: the call has been answered. */
static struct job_spec *decode_spec(struct call *call,
                                    const ProtobufCBinaryData *bytes)
{
    struct job_spec *spec = mem_new(sizeof(*spec));
    char why[ERROR_BYTES_MAX] = "";
    enum status status = STATUS_NO_MEMORY;

    if (spec != NULL) {
        status = jobcode_decode(bytes->data, bytes->len, spec);
    }
    if (status == STATUS_OK) {
        status = job_check(spec, why, sizeof(why));
    }
    if (status == STATUS_OK) {
        return spec;
    }
    mem_free(spec);
    if (why[0] != '\0') {
        call_finish(call, STATUS_INVALID, why);
    } else if (status == STATUS_NO_MEMORY) {
        call_finish(call, status, "out of memory");
    } else {
        call_finish(call, STATUS_INVALID,
                    "the job cannot be read. Are client and coordinator of the "
                    "same release?");
    }
    return NULL;
}

/* --- Launch --- */

struct first_event {
    const char *request_id;
    bool same;
};

static bool compare_launch(void *owner,
                           uint64_t key,
                           const void *bytes,
                           size_t size)
{
    struct first_event *first = owner;
    struct launch_record launch;

    (void)key;
    first->same = eventcode_decode_launch(bytes, size, &launch) == STATUS_OK &&
                  strcmp(launch.request_id, first->request_id) == 0;
    return false;
}

/* The job that this request has launched already, or 0. */
static uint64_t find_launched(struct shell *shell, const char *request_id)
{
    uint64_t last = 0;

    if (store_last_job(shell->store, &last) != STATUS_OK) {
        return 0;
    }
    for (uint64_t job = last; job > 0 && last - job < REPEATED_JOBS_MAX;
         job--) {
        struct first_event first = {.request_id = request_id};

        if (store_scan_log(shell->store, LOG_EVENTS, job, 1, compare_launch,
                           &first) == STATUS_OK &&
            first.same) {
            return job;
        }
    }
    return 0;
}

static const struct waiting *find_launching(const struct shell *shell,
                                            const char *request_id)
{
    for (uint32_t w = 0; w < REQUESTS_MAX; w++) {
        const struct waiting *waiting = &shell->waiting[w];

        if (waiting->id != 0 && waiting->follows == 0 &&
            waiting->method == RPC_LAUNCH &&
            strcmp(waiting->request_id, request_id) == 0) {
            return waiting;
        }
    }
    return NULL;
}

static void tell_launched(struct call *call, uint64_t job)
{
    Cajal__V1__LaunchReply reply = CAJAL__V1__LAUNCH_REPLY__INIT;
    char text[NUMBER_BYTES_MAX];

    reply.job = (char *)(uintptr_t)names_job(job, text);
    call_reply(call, &reply.base);
}

void ask_launch_done(struct waiting *waiting, const struct action *action)
{
    struct shell *shell = waiting->shell;
    uint64_t id = waiting->id;

    for (uint32_t w = 0; w < REQUESTS_MAX; w++) {
        struct waiting *other = &shell->waiting[w];

        if (other->id == 0 || (other->id != id && other->follows != id)) {
            continue;
        }
        if (action->reply.status != STATUS_OK) {
            requests_fail(other, action->reply.status, action->reply.text);
            continue;
        }
        if (other->call != NULL) {
            tell_launched(other->call, action->reply.job);
        }
        requests_forget(other);
    }
}

/* True: another call asked for the same before, and its answer is ours. */
static bool is_repeated(struct shell *shell,
                        struct call *call,
                        const char *request_id)
{
    const struct waiting *before = NULL;
    struct waiting *waiting = NULL;
    uint64_t job = 0;

    if (request_id[0] == '\0') {
        return false;
    }
    before = find_launching(shell, request_id);
    if (before != NULL) {
        waiting = requests_wait(shell, call, RPC_LAUNCH);
        if (waiting != NULL) {
            waiting->follows = before->id;
        }
        return true;
    }
    job = find_launched(shell, request_id);
    if (job != 0) {
        tell_launched(call, job);
    }
    return job != 0;
}

static bool check_launch(struct call *call,
                         const Cajal__V1__LaunchRequest *message)
{
    size_t size = strlen(message->request_id);

    if (size >= NAME_BYTES_MAX ||
        !codec_printable((const unsigned char *)message->request_id, size)) {
        call_finish(call, STATUS_INVALID,
                    "a request id is printable text of at most 63 bytes");
        return false;
    }
    if (strlen(message->source) > JOB_FILE_BYTES_MAX) {
        call_finish(call, STATUS_INVALID, "a job file has at most 1 MB");
        return false;
    }
    if (message->workers > WORKERS_MAX) {
        call_finish(call, STATUS_INVALID, "a job has at most 64 workers");
        return false;
    }
    if (message->workers_min > message->workers) {
        call_finish(call, STATUS_INVALID,
                    "a job's least number of workers is above its greatest");
        return false;
    }
    return true;
}

void ask_launch(struct shell *shell,
                struct call *call,
                const Cajal__V1__LaunchRequest *message)
{
    struct request request = {.kind = REQUEST_LAUNCH,
                              .workers = message->workers,
                              .workers_min = message->workers_min};
    struct job_spec *spec = NULL;
    struct waiting *waiting = NULL;
    char why[ERROR_BYTES_MAX] = "";

    if (!check_launch(call, message) ||
        is_repeated(shell, call, message->request_id)) {
        return;
    }
    spec = decode_spec(call, &message->spec);
    if (spec == NULL) {
        return;
    }
    if (mirroring_check(spec->store.mirror, shell->options.store, why,
                        sizeof(why)) != STATUS_OK) {
        mem_free(spec);
        call_finish(call, STATUS_INVALID, why);
        return;
    }
    waiting = requests_wait(shell, call, RPC_LAUNCH);
    if (waiting == NULL) {
        mem_free(spec);
        return;
    }
    waiting->spec = spec;
    (void)snprintf(waiting->request_id, sizeof(waiting->request_id), "%s",
                   message->request_id);
    waiting->source = message->source;
    waiting->source_size = strlen(message->source);
    request.id = waiting->id;
    request.spec = spec;
    shell->launching = waiting;
    requests_deliver(shell, &request);
    shell->launching = NULL;
}

/* --- Probe --- */

void ask_probe(struct shell *shell,
               struct call *call,
               const Cajal__V1__ProbeRequest *message)
{
    struct request request = {.kind = REQUEST_PROBE};
    struct job_spec *spec = decode_spec(call, &message->spec);
    struct waiting *waiting = NULL;

    if (spec == NULL) {
        return;
    }
    waiting = requests_wait(shell, call, RPC_PROBE);
    if (waiting == NULL) {
        mem_free(spec);
        return;
    }
    waiting->spec = spec;
    request.id = waiting->id;
    request.spec = spec;
    requests_deliver(shell, &request);
}

/* Weights and biases of layers of these widths. */
static uint64_t count_parameters(const struct job_spec *spec,
                                 const struct data_shape *shape,
                                 bool grown)
{
    uint64_t inputs = shape->inputs;
    uint64_t outputs =
        spec->model.outputs != 0 ? spec->model.outputs : shape->classes;
    uint64_t count = 0;

    for (uint32_t l = 0; l < spec->model.hidden_count; l++) {
        uint64_t units =
            grown ? arch_units_max(spec, l) : spec->model.hidden[l].units;

        count += (inputs + 1) * units;
        inputs = units;
    }
    return count + (inputs + 1) * outputs;
}

void ask_probe_done(struct waiting *waiting, const struct action *action)
{
    const struct data_shape *shape = action->reply.shape;
    Cajal__V1__ProbeReply reply = CAJAL__V1__PROBE_REPLY__INIT;
    char hash[2 * HASH_BYTES + 1];

    if (shape == NULL) {
        requests_fail(waiting, STATUS_INVALID, action->reply.text);
        return;
    }
    reply.inputs = shape->inputs;
    reply.classes = shape->classes;
    reply.train_examples = shape->train_examples;
    reply.guard_examples = shape->guard_examples;
    reply.evaluate_examples = shape->evaluate_examples;
    reply.n_task_examples = shape->tasks_count;
    reply.task_examples = (uint64_t *)(uintptr_t)shape->task_examples;
    hash_hex(&shape->hash, HASH_BYTES, hash);
    reply.hash = hash;
    reply.steps = timeline_total_steps(waiting->spec, shape);
    reply.parameters = count_parameters(waiting->spec, shape, false);
    reply.parameters_max = count_parameters(waiting->spec, shape, true);
    if (waiting->call != NULL) {
        call_reply(waiting->call, &reply.base);
    }
    requests_forget(waiting);
}

/* --- Evaluate --- */

/* Figures are collected in a query, which then sends them. */
struct evaluations {
    struct shell *shell;
    uint64_t request;
};

static enum status no_step(struct query *query, void *state)
{
    (void)state;
    query_end(query);
    return STATUS_OK;
}

/* Sent, or the client is gone: the core's answer finds nobody. */
static void fini_evaluations(void *state)
{
    const struct evaluations *evaluations = state;

    for (uint32_t w = 0; w < REQUESTS_MAX; w++) {
        struct waiting *waiting = &evaluations->shell->waiting[w];

        if (waiting->id != 0 && waiting->id == evaluations->request) {
            waiting->evaluations = NULL;
        }
    }
}

void ask_evaluate(struct shell *shell,
                  struct call *call,
                  const Cajal__V1__EvaluateRequest *message)
{
    static const struct query_kind kind = {.step = no_step,
                                           .fini = fini_evaluations,
                                           .state_bytes =
                                               sizeof(struct evaluations)};
    struct request request = {.kind = REQUEST_EVALUATE};
    struct evaluations *evaluations = NULL;
    struct waiting *waiting = NULL;
    struct version_name name;

    if (!shell_find_version(shell, call, message->job, message->version,
                            &name)) {
        return;
    }
    waiting = requests_wait(shell, call, RPC_EVALUATE);
    if (waiting == NULL) {
        return;
    }
    waiting->call = NULL; /* the query has it */
    waiting->evaluations = query_open(shell->queries, call, &kind);
    if (waiting->evaluations == NULL) {
        requests_forget(waiting);
        return;
    }
    evaluations = query_state(waiting->evaluations);
    evaluations->shell = shell;
    evaluations->request = waiting->id;
    request.id = waiting->id;
    request.job = name.job;
    request.version = name.number;
    requests_deliver(shell, &request);
}
