#include "client/channel.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"
#include "client/channel_keys.h"
#include "client/channel_words.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include <stdio.h>
#include <string.h>

/* A peer that takes the connection and then says nothing is given up after it;
 * gRPC itself would wait for 20 s. */
enum { CONNECT_MS = 4000 };

struct channel {
    char *target;
    grpc_channel *grpc;
    grpc_completion_queue *queue; /* of the pluck kind */
    struct channel_keys keys;
    bool proved; /* the other side has answered something, ever */
};

enum {
    /* A coordinator whose host is gone is found out within 30 s, also by a
     * watch that hears nothing for hours. */
    KEEPALIVE_MS = 20000,
    KEEPALIVE_WAIT_MS = 10000
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
    grpc_byte_buffer *incoming;  /* filled by BATCH_MESSAGE */
    ProtobufCMessage *message;   /* what call_next last gave */
    grpc_metadata authorization; /* if there is a token */
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

static grpc_arg number(const char *name, int value)
{
    /* gRPC's type has no const, but nothing is written to the name. */
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)(uintptr_t)name,
                      .value.integer = value};
}

static grpc_channel *create(const char *target,
                            grpc_channel_credentials *credentials)
{
    /* A restarted coordinator must be found again soon, and never through the
     * web proxy that http_proxy names. No call is repeated by gRPC, whose
     * retries end the process (1.51) where an answer has no status. */
    grpc_arg arguments[] = {
        number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_BYTES_MAX),
        number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, RPC_BYTES_MAX),
        number(GRPC_ARG_ENABLE_RETRIES, 0),
        number(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS),
        number(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_WAIT_MS),
        number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    grpc_channel_args args = {sizeof(arguments) / sizeof(arguments[0]),
                              arguments};

    return grpc_channel_create(target, credentials, &args);
}

enum status channel_open(const struct cajal_options *options,
                         char *why,
                         size_t why_size,
                         struct channel **out)
{
    struct channel *channel = mem_new(sizeof(*channel));
    enum status status = STATUS_OK;

    if (channel == NULL) {
        return STATUS_NO_MEMORY;
    }
    channel->target = mem_text(options->address);
    if (channel->target == NULL) {
        mem_free(channel);
        return STATUS_NO_MEMORY;
    }
    gpr_set_log_function(drop_log);
    grpc_init();
    status = channel_keys_load(options, &channel->keys, why, why_size);
    if (status != STATUS_OK) {
        grpc_shutdown_blocking();
        mem_free(channel->target);
        mem_free(channel);
        return status;
    }
    channel->grpc = create(channel->target, channel->keys.credentials);
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
    channel_keys_fini(&channel->keys);
    grpc_shutdown_blocking();
    mem_free(channel->target);
    mem_free(channel);
}

/* A coordinator has answered, and not just any gRPC service. */
static bool is_marked(const struct call *call)
{
    for (size_t i = 0; i < call->initial.count; i++) {
        if (grpc_slice_str_cmp(call->initial.metadata[i].key, RPC_MARK_KEY) ==
            0) {
            return true;
        }
    }
    return false;
}

/* Turns what gRPC says at the end of a call into ours. */
static enum status end_status(struct call *call, struct cajal_error *error)
{
    const struct channel *channel = call->channel;
    char details[ERROR_BYTES_MAX];
    const struct channel_words words = {.target = channel->target,
                                        .details = details,
                                        .code = (int)call->code,
                                        .marked = is_marked(call),
                                        .proved = channel->proved,
                                        .encrypted = channel->keys.encrypted,
                                        .certified = channel->keys.certified};
    struct text text;

    text_init(&text, details, sizeof(details));
    text_add_bytes(&text, (const char *)GRPC_SLICE_START_PTR(call->details),
                   GRPC_SLICE_LENGTH(call->details));
    return channel_words(&words, error);
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
    bool token = call->channel->keys.token[0] != '\0';
    grpc_op send[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA,
         .data.send_initial_metadata = {.count = token ? 1 : 0,
                                        .metadata = &call->authorization}},
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
    call->authorization = (grpc_metadata){
        .key = grpc_slice_from_static_string("authorization"),
        .value = grpc_slice_from_static_string(channel->keys.token)};
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

/* It comes before all that asks for it. */
static void await_metadata(struct call *call)
{
    bool success = false;

    if (call->pending[BATCH_METADATA]) {
        (void)pluck(call, BATCH_METADATA, -1, &success);
    }
}

/* The stream is over: its status says how. */
static enum status finish(struct call *call, struct cajal_error *error)
{
    enum status status = STATUS_OK;
    bool success = false;

    await_metadata(call);
    if (call->pending[BATCH_STATUS]) {
        (void)pluck(call, BATCH_STATUS, -1, &success);
    }
    call->ended = true;
    if (call->code == GRPC_STATUS_OK) {
        call->channel->proved = true;
        set_error(error, STATUS_OK, "");
        return STATUS_OK;
    }
    status = end_status(call, error);
    call->channel->proved |= is_marked(call);
    return status;
}

static enum status take_message(struct call *call, struct cajal_error *error)
{
    enum status status =
        rpc_unpack(call->incoming, call->entry->reply, &call->message);

    grpc_byte_buffer_destroy(call->incoming);
    call->incoming = NULL;
    if (status != STATUS_OK) {
        bool short_of_memory = status == STATUS_NO_MEMORY;

        set_error(error, status,
                  short_of_memory
                      ? "there is no memory for the coordinator's answer."
                      : "the coordinator's answer cannot be read. Are client "
                        "and coordinator of the same release?");
        (void)grpc_call_cancel(call->grpc, NULL);
        await_metadata(call);
        return short_of_memory || is_marked(call)
                   ? status
                   : channel_words_foreign(call->channel->target, error);
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
        status = is_marked(call)
                     ? STATUS_INVALID
                     : channel_words_foreign(call->channel->target, error);
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
