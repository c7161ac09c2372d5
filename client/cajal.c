#include "client/cajal.h"

#include "base/check.h"
#include "base/mem.h"
#include "client/channel.h"
#include "client/place.h"
#include "proto/rpc.h"

#include <stdio.h>
#include <string.h>

struct cajal {
    struct channel *channel;
    char address[PATH_BYTES_MAX];
    uint32_t timeout_ms;
    struct cajal_error error;
};

struct cajal_stream {
    struct cajal *cajal;
    struct call *call;
};

/* "unix:PATH" for the coordinator of a store. */
static enum status store_address(const char *store, char *out, size_t size)
{
    char why[ERROR_BYTES_MAX];
    struct place place;
    enum status status = place_find(store, false, &place, why, sizeof(why));

    if (status != STATUS_OK) {
        return status;
    }
    return place_target(&place, out, size);
}

enum status cajal_open(const struct cajal_options *options, struct cajal **out)
{
    enum status status = STATUS_OK;
    struct cajal *cajal = mem_new(sizeof(*cajal));
    struct cajal_options found = *options;
    char nowhere[ERROR_BYTES_MAX];
    char *why = options->why != NULL ? options->why : nowhere;
    size_t why_size =
        options->why != NULL ? options->why_size : sizeof(nowhere);

    (void)snprintf(why, why_size, "the address cannot be used.");

    if (cajal == NULL) {
        return STATUS_NO_MEMORY;
    }
    cajal->timeout_ms =
        options->timeout_ms > 0 ? options->timeout_ms : CAJAL_TIMEOUT_MS;
    if (options->address == NULL) {
        status = store_address(options->store, cajal->address,
                               sizeof(cajal->address));
    } else if (strlen(options->address) >= sizeof(cajal->address)) {
        status = STATUS_INVALID;
    } else {
        (void)snprintf(cajal->address, sizeof(cajal->address), "%s",
                       options->address);
    }
    if (status == STATUS_OK) {
        found.address = cajal->address;
        status = channel_open(&found, why, why_size, &cajal->channel);
    }
    if (status != STATUS_OK) {
        cajal_close(cajal);
        return status;
    }
    *out = cajal;
    return STATUS_OK;
}

void cajal_close(struct cajal *cajal)
{
    if (cajal == NULL) {
        return;
    }
    channel_close(cajal->channel);
    mem_free(cajal);
}

const struct cajal_error *cajal_error(const struct cajal *cajal)
{
    return &cajal->error;
}

const char *cajal_address(const struct cajal *cajal)
{
    return cajal->address;
}

void cajal_free(void *reply)
{
    rpc_free(reply);
}

enum status cajal_next(struct cajal_stream *stream,
                       int64_t wait_ms,
                       const void **out_message)
{
    const ProtobufCMessage *message = NULL;
    bool final = wait_ms < 0;
    enum status status =
        call_next(stream->call, final ? stream->cajal->timeout_ms : wait_ms,
                  final, &stream->cajal->error, &message);

    if (status == STATUS_OK) {
        *out_message = message;
    }
    return status;
}

void cajal_stream_close(struct cajal_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    call_close(stream->call);
    mem_free(stream);
}

static enum status begin(struct cajal *cajal,
                         enum rpc_method method,
                         const ProtobufCMessage *request,
                         struct cajal_stream **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct cajal_stream *stream = mem_new(sizeof(*stream));

    if (stream == NULL) {
        return status;
    }
    stream->cajal = cajal;
    status = call_open(cajal->channel, method, request, &cajal->error,
                       &stream->call);
    if (status != STATUS_OK) {
        mem_free(stream);
        return status;
    }
    *out = stream;
    return STATUS_OK;
}

/* The typed calls. Each only says which method it is; that the types belong
 * to the method is checked by channel.c against the table. */
#define CALL(name, METHOD, Request, Reply)                                     \
    enum status cajal_##name(struct cajal *cajal,                              \
                             const Cajal__V1__##Request *request,              \
                             Cajal__V1__##Reply **out)                         \
    {                                                                          \
        ProtobufCMessage *reply = NULL;                                        \
        enum status status =                                                   \
            channel_call(cajal->channel, METHOD, &request->base,               \
                         cajal->timeout_ms, &cajal->error, &reply);            \
                                                                               \
        if (status == STATUS_OK) {                                             \
            *out = (Cajal__V1__##Reply *)reply;                                \
        }                                                                      \
        return status;                                                         \
    }

CALL(about, RPC_ABOUT, AboutRequest, AboutReply)
CALL(launch, RPC_LAUNCH, LaunchRequest, LaunchReply)
CALL(probe, RPC_PROBE, ProbeRequest, ProbeReply)
CALL(status, RPC_STATUS, StatusRequest, StatusReply)
CALL(cancel, RPC_CANCEL, JobRequest, ChangeReply)
CALL(pause, RPC_PAUSE, JobRequest, ChangeReply)
CALL(resume, RPC_RESUME, JobRequest, ChangeReply)
CALL(set, RPC_SET, SetRequest, ChangeReply)
CALL(restore, RPC_RESTORE, RestoreRequest, ChangeReply)
CALL(undo, RPC_UNDO, JobRequest, ChangeReply)
CALL(tag, RPC_TAG, TagRequest, ChangeReply)
CALL(cordon, RPC_CORDON, WorkerRequest, WorkerReply)
CALL(uncordon, RPC_UNCORDON, WorkerRequest, WorkerReply)
CALL(drain, RPC_DRAIN, WorkerRequest, WorkerReply)
CALL(shutdown, RPC_SHUTDOWN, ShutdownRequest, ShutdownReply)

#undef CALL

#define STREAM(name, METHOD, Request)                                          \
    enum status cajal_##name(struct cajal *cajal,                              \
                             const Cajal__V1__##Request *request,              \
                             struct cajal_stream **out)                        \
    {                                                                          \
        return begin(cajal, METHOD, &request->base, out);                      \
    }

STREAM(list_jobs, RPC_LIST_JOBS, ListJobsRequest)
STREAM(watch, RPC_WATCH, WatchRequest)
STREAM(history, RPC_HISTORY, HistoryRequest)
STREAM(show, RPC_SHOW, ShowRequest)
STREAM(diff, RPC_DIFF, DiffRequest)
STREAM(list_tags, RPC_LIST_TAGS, JobRequest)
STREAM(pull, RPC_PULL, PullRequest)
STREAM(follow, RPC_FOLLOW, FollowRequest)
STREAM(evaluate, RPC_EVALUATE, EvaluateRequest)
STREAM(metrics, RPC_METRICS, MetricsRequest)
STREAM(verify, RPC_VERIFY, VerifyRequest)
STREAM(backup, RPC_BACKUP, BackupRequest)
STREAM(gc, RPC_GC, GcRequest)
STREAM(list_workers, RPC_LIST_WORKERS, ListWorkersRequest)
STREAM(logs, RPC_LOGS, LogsRequest)

#undef STREAM
