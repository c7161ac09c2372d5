#include "client/channel.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include <stdio.h>
#include <string.h>

struct channel {
    char *target;
    grpc_channel *grpc;
    grpc_completion_queue *queue; /* of the pluck kind */
};

/* Each batch has its own tag: the address of one of these. A batch that was
 * started must be plucked before the queue may go. */
enum batch { BATCH_SEND, BATCH_METADATA, BATCH_MESSAGE, BATCH_STATUS, BATCHES };

struct call {
    struct channel *channel;
    const struct rpc_entry *entry;
    grpc_call *grpc;
    bool pending[BATCHES];
    bool ended; /* the status has arrived */
    grpc_byte_buffer *request;
    grpc_byte_buffer *incoming; /* filled by BATCH_MESSAGE */
    ProtobufCMessage *message;  /* what call_next last gave */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice details;
    const char *detail_text; /* of gRPC's debugging; freed by gpr_free */
};

/* gRPC writes to stderr by itself; what matters comes as a status. */
static void drop_log(gpr_log_func_args *args)
{
    (void)args;
}

static gpr_timespec deadline_in(int64_t ms)
{
    if (ms < 0) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(ms, GPR_TIMESPAN));
}

static void set_error(struct cajal_error *error,
                      enum status status,
                      const char *text)
{
    error->status = status;
    error->code = 0;
    (void)snprintf(error->text, sizeof(error->text), "%s", text);
}

enum status channel_open(const char *target, struct channel **out)
{
    /* A restarted coordinator must be found again soon, and never through the
     * web proxy that http_proxy names. */
    grpc_arg arguments[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY,
         .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = RPC_BYTES_MAX},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_SEND_MESSAGE_LENGTH,
         .value.integer = RPC_BYTES_MAX},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
         .value.integer = 1},
    };
    grpc_channel_args args = {sizeof(arguments) / sizeof(arguments[0]),
                              arguments};
    grpc_channel_credentials *credentials = NULL;
    struct channel *channel = mem_new(sizeof(*channel));

    if (channel == NULL) {
        return STATUS_NO_MEMORY;
    }
    channel->target = mem_text(target);
    if (channel->target == NULL) {
        mem_free(channel);
        return STATUS_NO_MEMORY;
    }
    gpr_set_log_function(drop_log);
    grpc_init();
    credentials = grpc_insecure_credentials_create();
    channel->grpc = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    channel->queue = grpc_completion_queue_create_for_pluck(NULL);
    *out = channel;
    return STATUS_OK;
}

void channel_close(struct channel *channel)
{
    if (channel == NULL) {
        return;
    }
    grpc_channel_destroy(channel->grpc);
    grpc_completion_queue_shutdown(channel->queue);
    grpc_completion_queue_destroy(channel->queue);
    grpc_shutdown_blocking();
    mem_free(channel->target);
    mem_free(channel);
}

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* gRPC's own words for "the connection is not there", which people should not
 * have to read. A coordinator's own UNAVAILABLE has other words. */
static bool is_transport(const char *text)
{
    static const char *const starts[] = {
        "failed to connect",
        "connections to all backends",
        "Socket closed",
        "Connection reset",
        "Broken pipe",
        "recvmsg:",
        "sendmsg:",
        "Stream removed",
        "GOAWAY",
        "Endpoint read",
        "Transport closed",
        "Cancelling all",
        "empty address",
        "DNS resolution failed",
        "keepalive",
        "Channel closed",
        "Failed to connect",
        "channel is in",
    };

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (begins(text, starts[i])) {
            return true;
        }
    }
    return text[0] == '\0' || strstr(text, "errno") != NULL;
}

/* Turns what gRPC says at the end of a call into ours. */
static enum status end_status(struct call *call, struct cajal_error *error)
{
    char details[ERROR_BYTES_MAX];
    struct text text;
    const char *target = call->channel->target;

    text_init(&text, details, sizeof(details));
    text_add_bytes(&text, (const char *)GRPC_SLICE_START_PTR(call->details),
                   GRPC_SLICE_LENGTH(call->details));
    error->code = (int)call->code;
    error->status = rpc_status(error->code);
    if ((call->code == GRPC_STATUS_UNAVAILABLE ||
         call->code == GRPC_STATUS_UNKNOWN) &&
        is_transport(details)) {
        error->code = GRPC_STATUS_UNAVAILABLE;
        error->status = STATUS_UNAVAILABLE;
        (void)snprintf(error->text, sizeof(error->text),
                       "no coordinator answers at %s.", target);
    } else if (call->code == GRPC_STATUS_DEADLINE_EXCEEDED &&
               begins(details, "Deadline")) {
        (void)snprintf(error->text, sizeof(error->text),
                       "the coordinator at %s did not answer in time. "
                       "Allow more with --timeout.",
                       target);
    } else {
        (void)snprintf(error->text, sizeof(error->text), "%s",
                       details[0] != '\0' ? details
                                          : status_text(error->status));
    }
    return error->status;
}

static void start(struct call *call,
                  enum batch batch,
                  const grpc_op *ops,
                  size_t count)
{
    grpc_call_error code = grpc_call_start_batch(call->grpc, ops, count,
                                                 &call->pending[batch], NULL);

    CHECK(code == GRPC_CALL_OK);
    call->pending[batch] = true;
}

/* False: wait_ms ran out and the batch is still under way. */
static bool pluck(struct call *call,
                  enum batch batch,
                  int64_t wait_ms,
                  bool *out_success)
{
    grpc_event event;

    CHECK(call->pending[batch]);
    event =
        grpc_completion_queue_pluck(call->channel->queue, &call->pending[batch],
                                    deadline_in(wait_ms), NULL);
    if (event.type != GRPC_OP_COMPLETE) {
        return false;
    }
    call->pending[batch] = false;
    *out_success = event.success != 0;
    return true;
}

static void start_all(struct call *call)
{
    grpc_op send[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE,
         .data.send_message.send_message = call->request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
    };
    grpc_op metadata = {.op = GRPC_OP_RECV_INITIAL_METADATA,
                        .data.recv_initial_metadata.recv_initial_metadata =
                            &call->initial};
    grpc_op status = {
        .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
        .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                       .status = &call->code,
                                       .status_details = &call->details,
                                       .error_string = &call->detail_text}};

    start(call, BATCH_SEND, send, 3);
    start(call, BATCH_METADATA, &metadata, 1);
    start(call, BATCH_STATUS, &status, 1);
}

static enum status open_call(struct channel *channel,
                             enum rpc_method method,
                             const ProtobufCMessage *request,
                             int64_t deadline_ms,
                             struct cajal_error *error,
                             struct call **out)
{
    size_t count = 0;
    const struct rpc_entry *table = rpc_table(&count);
    struct call *call = mem_new(sizeof(*call));
    enum status status = STATUS_OK;

    CHECK((size_t)method < count);
    CHECK(request->descriptor == table[method].request);
    if (call == NULL) {
        set_error(error, STATUS_NO_MEMORY, "out of memory.");
        return STATUS_NO_MEMORY;
    }
    status = rpc_pack(request, &call->request);
    if (status != STATUS_OK) {
        set_error(error, status, "the request is too large to be sent.");
        mem_free(call);
        return status;
    }
    call->channel = channel;
    call->entry = &table[method];
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->details = grpc_empty_slice();
    call->grpc = grpc_channel_create_call(
        channel->grpc, NULL, GRPC_PROPAGATE_DEFAULTS, channel->queue,
        grpc_slice_from_static_string(call->entry->path), NULL,
        deadline_in(deadline_ms), NULL);
    start_all(call);
    *out = call;
    return STATUS_OK;
}

enum status call_open(struct channel *channel,
                      enum rpc_method method,
                      const ProtobufCMessage *request,
                      struct cajal_error *error,
                      struct call **out)
{
    return open_call(channel, method, request, -1, error, out);
}

static void drop_message(struct call *call)
{
    rpc_free(call->message);
    call->message = NULL;
}

/* The stream is over: its status says how. */
static enum status finish(struct call *call, struct cajal_error *error)
{
    bool success = false;

    if (call->pending[BATCH_STATUS]) {
        (void)pluck(call, BATCH_STATUS, -1, &success);
    }
    call->ended = true;
    if (call->code == GRPC_STATUS_OK) {
        set_error(error, STATUS_OK, "");
        return STATUS_OK;
    }
    return end_status(call, error);
}

static enum status take_message(struct call *call, struct cajal_error *error)
{
    enum status status =
        rpc_unpack(call->incoming, call->entry->reply, &call->message);

    grpc_byte_buffer_destroy(call->incoming);
    call->incoming = NULL;
    if (status != STATUS_OK) {
        set_error(error, STATUS_INVALID,
                  "the coordinator's answer cannot be read. Are client and "
                  "coordinator of the same release?");
        (void)grpc_call_cancel(call->grpc, NULL);
        return STATUS_INVALID;
    }
    set_error(error, STATUS_OK, "");
    return STATUS_OK;
}

static enum status out_of_time(struct call *call,
                               int64_t wait_ms,
                               struct cajal_error *error)
{
    error->status = STATUS_DEADLINE;
    error->code = GRPC_STATUS_DEADLINE_EXCEEDED;
    (void)snprintf(error->text, sizeof(error->text),
                   "the coordinator at %s said nothing for %lld s. "
                   "Allow more with --timeout.",
                   call->channel->target, (long long)(wait_ms / 1000));
    return STATUS_DEADLINE;
}

enum status call_next(struct call *call,
                      int64_t wait_ms,
                      bool final,
                      struct cajal_error *error,
                      const ProtobufCMessage **out)
{
    grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE,
                       .data.recv_message.recv_message = &call->incoming};
    enum status status = STATUS_OK;
    bool success = false;

    drop_message(call);
    if (call->ended) {
        *out = NULL;
        return finish(call, error);
    }
    if (!call->pending[BATCH_MESSAGE]) {
        start(call, BATCH_MESSAGE, &receive, 1);
    }
    if (!pluck(call, BATCH_MESSAGE, wait_ms, &success)) {
        if (final) {
            (void)grpc_call_cancel(call->grpc, NULL);
        }
        return out_of_time(call, wait_ms, error);
    }
    if (!success || call->incoming == NULL) {
        status = finish(call, error);
    } else {
        status = take_message(call, error);
    }
    if (status == STATUS_OK) {
        *out = call->message;
    }
    return status;
}

void call_close(struct call *call)
{
    bool success = false;

    if (call == NULL) {
        return;
    }
    if (!call->ended) {
        (void)grpc_call_cancel(call->grpc, NULL);
    }
    for (int batch = 0; batch < BATCHES; batch++) {
        if (call->pending[batch]) {
            (void)pluck(call, (enum batch)batch, -1, &success);
        }
    }
    drop_message(call);
    if (call->incoming != NULL) {
        grpc_byte_buffer_destroy(call->incoming);
    }
    grpc_byte_buffer_destroy(call->request);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    gpr_free((void *)call->detail_text);
    grpc_call_unref(call->grpc);
    mem_free(call);
}

/* One reply is a stream of one message. */
enum status channel_call(struct channel *channel,
                         enum rpc_method method,
                         const ProtobufCMessage *request,
                         uint32_t timeout_ms,
                         struct cajal_error *error,
                         ProtobufCMessage **out)
{
    struct call *call = NULL;
    const ProtobufCMessage *message = NULL;
    enum status status =
        open_call(channel, method, request, timeout_ms, error, &call);

    if (status != STATUS_OK) {
        return status;
    }
    status = call_next(call, -1, true, error, &message);
    if (status == STATUS_OK && message == NULL) {
        set_error(error, STATUS_INVALID,
                  "the coordinator gave no answer. Are client and coordinator "
                  "of the same release?");
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        ProtobufCMessage *reply = call->message;

        call->message = NULL; /* ours now */
        status = finish(call, error);
        if (status == STATUS_OK) {
            *out = reply;
        } else {
            rpc_free(reply);
        }
    }
    call_close(call);
    return status;
}
