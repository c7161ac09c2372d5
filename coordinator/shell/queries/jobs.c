/* jobs.c - the coordinator, its jobs, its workers, tags. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/records/recordcode.h"
#include "coordinator/shell/records/views.h"
#include "proto/forecast.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* --- About --- */

struct about {
    char store[PATH_BYTES_MAX];
    char endpoint[ENDPOINT_BYTES_MAX];
    uint64_t life;
    uint64_t calls_refused;
    uint64_t keys_refused;
    uint64_t messages_refused;
    uint64_t messages_stale;
    uint32_t workers;
    bool transient;
    const struct rebuilding *rebuilding; /* of the shell, and at rest */
};

struct rebuilt_message {
    Cajal__V1__Rebuilt message;
    char job[NUMBER_BYTES_MAX];
    char head[NUMBER_BYTES_MAX];
};

static void fill_rebuilt(const struct rebuilt_job *job,
                         struct rebuilt_message *out)
{
    Cajal__V1__Rebuilt *m = &out->message;

    cajal__v1__rebuilt__init(m);
    m->job = text_of(names_job(job->from.job, out->job));
    m->name = text_of(job->name);
    m->file = text_of(job->file);
    m->transactions = job->from.batches;
    m->versions = job->versions;
    m->head =
        text_of(job->head != 0 ? names_version(job->head, out->head) : "");
    m->bytes = job->from.bytes;
    m->lost_bytes = job->from.lost;
}

static enum status emit_about(struct query *query,
                              const struct rebuilding *rebuilding,
                              Cajal__V1__AboutReply *reply)
{
    size_t count = rebuilding->count;
    struct rebuilt_message *messages = NULL;
    Cajal__V1__Rebuilt **pointers = NULL;
    enum status status = STATUS_OK;

    if (count > 0) {
        messages = mem_array(count, sizeof(*messages));
        pointers = mem_array(count, sizeof(Cajal__V1__Rebuilt *));
        status =
            messages != NULL && pointers != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        fill_rebuilt(&rebuilding->jobs[i], &messages[i]);
        pointers[i] = &messages[i].message;
    }
    if (status == STATUS_OK) {
        reply->n_rebuilt = count;
        reply->rebuilt = pointers;
        status = query_emit(query, &reply->base);
    }
    mem_free(messages);
    mem_free(pointers);
    return status;
}

static enum status step_about(struct query *query, void *state)
{
    struct about *about = state;
    Cajal__V1__AboutReply reply = CAJAL__V1__ABOUT_REPLY__INIT;
    struct store_usage usage;
    enum status status = store_usage(query_store(query), &usage);

    if (status != STATUS_OK) {
        return status;
    }
    reply.version = text_of(CAJAL_VERSION);
    reply.protocol = WIRE_PROTOCOL;
    reply.life = about->life;
    reply.store = about->store;
    reply.store_used_bytes = usage.used_bytes;
    reply.store_map_bytes = usage.map_bytes;
    reply.control_endpoint = about->endpoint;
    reply.pid = (uint32_t)getpid();
    reply.workers = about->workers;
    reply.chunks = usage.chunks_count;
    reply.chunk_bytes = usage.chunk_bytes;
    reply.transient = about->transient;
    reply.calls_refused = about->calls_refused;
    reply.handshakes_refused = service_handshakes_refused();
    reply.connections_refused = service_connections_refused();
    reply.keys_refused = about->keys_refused;
    reply.messages_refused = about->messages_refused;
    reply.messages_stale = about->messages_stale;
    query_end(query);
    return emit_about(query, about->rebuilding, &reply);
}

static void count_refused(const struct trust *trust, struct about *about)
{
    for (int fault = 0; fault < TRUST_FAULTS; fault++) {
        uint64_t count = trust_count(trust, (enum trust_fault)fault);

        if (fault == TRUST_STALE) {
            about->messages_stale = count;
        } else {
            about->messages_refused += count;
        }
    }
    about->keys_refused = trust_refused(trust);
}

void answer_about(struct shell *shell, struct call *call)
{
    static const struct query_kind kind = {.step = step_about,
                                           .state_bytes = sizeof(struct about)};
    struct query *query = query_open(shell->queries, call, &kind);
    struct about *about = NULL;

    if (query == NULL) {
        return;
    }
    about = query_state(query);
    (void)snprintf(about->store, sizeof(about->store), "%s",
                   shell->options.store);
    (void)snprintf(about->endpoint, sizeof(about->endpoint), "%s",
                   workers_endpoint(shell->workers));
    about->life = shell->life;
    about->workers = members_present(&shell->core->members);
    about->transient = shell->options.transient;
    about->rebuilding = &shell->rebuilding;
    about->calls_refused = service_calls_refused(shell->service);
    count_refused(shell->trust, about);
    query_start(query);
}

/* --- ListJobs --- */

struct list_jobs {
    bool all;
    uint64_t next; /* job */
    uint32_t held_count;
    struct job_record held[JOBS_MAX]; /* as the core has them */
    /* While a step runs: */
    struct query *query;
    enum status status;
    struct job_record record;
};

static const struct job_record *held_record(const struct list_jobs *list,
                                            uint64_t job)
{
    for (uint32_t h = 0; h < list->held_count; h++) {
        if (list->held[h].job == job) {
            return &list->held[h];
        }
    }
    return NULL;
}

static bool list_job(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct list_jobs *list = owner;
    const struct job_record *record = held_record(list, key);
    struct job_view view;

    if (query_full(list->query)) {
        return false;
    }
    list->next = key + 1;
    if (record == NULL) {
        list->status = recordcode_decode(bytes, size, &list->record);
        if (list->status != STATUS_OK) {
            return false;
        }
        views_unheld(&list->record);
        record = &list->record;
    }
    if (!list->all && record->state >= JOB_FINISHED) {
        return true;
    }
    views_job(record, &view);
    list->status = query_emit(list->query, &view.message.base);
    return list->status == STATUS_OK;
}

static enum status step_list_jobs(struct query *query, void *state)
{
    struct list_jobs *list = state;
    enum status status;

    list->query = query;
    list->status = STATUS_OK;
    status = store_scan_jobs(query_store(query), list->next, list_job, list);
    if (status == STATUS_OK) {
        status = list->status;
    }
    if (status == STATUS_OK && !query_full(query)) {
        query_end(query);
    }
    return status;
}

void answer_list_jobs(struct shell *shell,
                      struct call *call,
                      const Cajal__V1__ListJobsRequest *request)
{
    static const struct query_kind kind = {
        .step = step_list_jobs, .state_bytes = sizeof(struct list_jobs)};
    struct query *query = query_open(shell->queries, call, &kind);
    struct list_jobs *list = NULL;

    if (query == NULL) {
        return;
    }
    list = query_state(query);
    list->all = request->all;
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &shell->core->jobs[s];

        if (job->phase != PHASE_FREE && job->kind == KIND_TRAIN &&
            shell_view(shell, job->record.job, &list->held[list->held_count]) ==
                STATUS_OK) {
            list->held_count++;
        }
    }
    query_start(query);
}

/* --- Status --- */

/* What the job's versions take, and may take. */
static void fill_disk(struct shell *shell,
                      const struct job_record *record,
                      Cajal__V1__StatusReply *out)
{
    const struct forecast_of of = {.spec = &record->spec,
                                   .inputs = record->shape.inputs,
                                   .outputs = record->spec.model.outputs != 0
                                                  ? record->spec.model.outputs
                                                  : record->shape.classes,
                                   .tasks = record->shape.tasks_count,
                                   .steps = record->total_steps};
    struct forecast forecast;
    struct store_usage usage;
    uint64_t units = 0;

    if (store_disk(shell->store, &usage) == STATUS_OK) {
        out->store_used_bytes = usage.used_bytes;
        out->store_file_bytes = usage.file_bytes;
    }
    for (uint32_t l = 0; l < record->layers_count; l++) {
        units += record->widths[l];
    }
    if (record->shape_known) {
        forecast_make(&of, &forecast);
        out->version_bytes =
            forecast_version_bytes(&record->spec, record->parameters, units);
        out->forecast_bytes = forecast.bytes_most;
    }
}

void answer_status(struct shell *shell,
                   struct call *call,
                   const Cajal__V1__StatusRequest *request)
{
    struct job_record *record = NULL;
    struct status_view *view = NULL;
    uint64_t job = 0;
    uint32_t slot = JOBS_MAX;
    enum status status = STATUS_NO_MEMORY;

    if (!shell_find_job(shell, call, request->job, &job)) {
        return;
    }
    record = mem_new(sizeof(*record));
    view = mem_new(sizeof(*view));
    if (record != NULL && view != NULL) {
        status = shell_view(shell, job, record);
    }
    if (status != STATUS_OK) {
        call_finish(call, status, "the job's record cannot be read");
        goto out;
    }
    views_status(record, view);
    fill_disk(shell, record, &view->message);
    slot = coord_find(shell->core, job);
    if (slot != JOBS_MAX) {
        view->message.term = shell->core->jobs[slot].term;
    }
    call_reply(call, &view->message.base);

out:
    mem_free(view);
    mem_free(record);
}

/* --- ListWorkers --- */

struct worker_view {
    Cajal__V1__WorkerSummary message;
    char worker[NUMBER_BYTES_MAX];
    char job[NUMBER_BYTES_MAX];
    char reason[ERROR_BYTES_MAX];
};

static void view_worker(const struct coord *core,
                        uint32_t worker,
                        struct worker_view *out)
{
    const struct member *m = &core->members.items[worker];
    Cajal__V1__WorkerSummary *to = &out->message;
    uint64_t training = 0;

    cajal__v1__worker_summary__init(to);
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct job *job = &core->jobs[s];

        if (job->phase != PHASE_FREE && worker_set_has(&job->placed, worker)) {
            to->shards += job_shards_on(job, worker);
            to->lag += job_lag(job, worker);
            training = job->kind == KIND_TRAIN ? job->record.job : training;
        }
    }
    (void)snprintf(out->worker, sizeof(out->worker), "w%u", (unsigned)worker);
    to->worker = out->worker;
    to->name = text_of(m->hello.name);
    to->host = text_of(m->hello.host);
    to->pid = m->hello.pid;
    to->state = text_of(coord_worker_state(core, worker));
    coord_worker_reason(core, worker, out->reason, sizeof(out->reason));
    to->reason = out->reason;
    to->shard_steps = m->shard_steps;
    to->bytes_sent = m->bytes_sent;
    to->kept_bytes = m->kept_bytes;
    to->buddy_bytes = m->buddy_bytes;
    to->seen_ms = core->now_ms > m->seen_ms ? core->now_ms - m->seen_ms : 0;
    to->threads = m->hello.threads;
    to->kernels = text_of(m->hello.kernels);
    to->job = text_of(names_job(training, out->job));
    to->endpoint = text_of(m->hello.endpoint);
}

/* Everything is at hand: no step is ever run. */
static enum status no_step(struct query *query, void *state)
{
    (void)state;
    query_end(query);
    return STATUS_OK;
}

void answer_list_workers(struct shell *shell, struct call *call)
{
    static const struct query_kind kind = {.step = no_step, .state_bytes = 1};
    struct query *query = query_open(shell->queries, call, &kind);
    enum status status = STATUS_OK;

    if (query == NULL) {
        return;
    }
    for (uint32_t w = 0; w < MEMBERS_MAX && status == STATUS_OK; w++) {
        struct worker_view view;

        if (shell->core->members.items[w].used) {
            view_worker(shell->core, w, &view);
            status = query_emit(query, &view.message.base);
        }
    }
    if (status != STATUS_OK) {
        query_fail(query, status, status_text(status));
        return;
    }
    query_deliver(query);
}

/* --- ListTags --- */

struct list_tags {
    uint64_t job;
    uint64_t told; /* tags sent already */
    /* While a step runs: */
    uint64_t skip;
    struct query *query;
    enum status status;
};

static bool list_tag(void *owner,
                     const char *name,
                     uint64_t number,
                     uint64_t wall_ms,
                     const char *actor)
{
    struct list_tags *list = owner;
    Cajal__V1__TagEntry entry = CAJAL__V1__TAG_ENTRY__INIT;
    char version[NUMBER_BYTES_MAX];

    (void)wall_ms;
    (void)actor;
    if (strcmp(name, "head") == 0) {
        return true;
    }
    if (list->skip > 0) {
        list->skip--;
        return true;
    }
    if (query_full(list->query)) {
        return false;
    }
    entry.name = text_of(name);
    entry.version = text_of(names_version(number, version));
    list->status = query_emit(list->query, &entry.base);
    list->told++;
    return list->status == STATUS_OK;
}

static enum status step_list_tags(struct query *query, void *state)
{
    struct list_tags *list = state;
    enum status status;

    list->query = query;
    list->skip = list->told;
    list->status = STATUS_OK;
    status = store_scan_refs(query_store(query), list->job, list_tag, list);
    if (status == STATUS_OK) {
        status = list->status;
    }
    if (status == STATUS_OK && !query_full(query)) {
        query_end(query);
    }
    return status;
}

void answer_list_tags(struct shell *shell,
                      struct call *call,
                      const Cajal__V1__JobRequest *request)
{
    static const struct query_kind kind = {
        .step = step_list_tags, .state_bytes = sizeof(struct list_tags)};
    struct query *query = NULL;
    uint64_t job = 0;

    if (!shell_find_job(shell, call, request->job, &job)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query != NULL) {
        ((struct list_tags *)query_state(query))->job = job;
        query_start(query);
    }
}
