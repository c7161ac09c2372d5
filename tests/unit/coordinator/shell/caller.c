#include "tests/unit/coordinator/shell/caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS_MAX = 20000 };

struct caller {
    struct loop *loop;
    grpc_channel *channel;
    grpc_completion_queue *queue;
};

/* What completes sets its flag; each flag's address is its tag. */
struct flag {
    bool pending;
    bool success;
};

struct caller_call {
    struct caller *caller;
    grpc_call *grpc;
    struct flag sent;
    struct flag metadata;
    struct flag message;
    struct flag status;
    grpc_byte_buffer *request;
    grpc_byte_buffer *incoming;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice details;
};

struct caller *caller_open(struct loop *loop, const char *target)
{
    struct caller *caller = calloc(1, sizeof(*caller));
    grpc_channel_credentials *credentials = NULL;
    grpc_arg argument = {.type = GRPC_ARG_INTEGER,
                         .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                         .value.integer = 1};
    grpc_channel_args args = {1, &argument};

    assert_non_null(caller);
    grpc_init();
    credentials = grpc_insecure_credentials_create();
    caller->loop = loop;
    caller->channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    caller->queue = grpc_completion_queue_create_for_next(NULL);
    return caller;
}

static bool poll_once(struct caller *caller)
{
    grpc_event event = grpc_completion_queue_next(
        caller->queue, gpr_time_0(GPR_CLOCK_REALTIME), NULL);
    struct flag *flag = event.tag;

    if (event.type == GRPC_OP_COMPLETE) {
        flag->pending = false;
        flag->success = event.success != 0;
    }
    return event.type != GRPC_QUEUE_SHUTDOWN;
}

static void wait_for(struct caller *caller, const struct flag *flag)
{
    for (int turn = 0; flag->pending; turn++) {
        assert_true(turn < TURNS_MAX);
        assert_int_equal(loop_turn(caller->loop, 1), STATUS_OK);
        (void)poll_once(caller);
    }
}

void caller_close(struct caller *caller)
{
    grpc_channel_destroy(caller->channel);
    grpc_completion_queue_shutdown(caller->queue);
    while (poll_once(caller)) {
        assert_int_equal(loop_turn(caller->loop, 1), STATUS_OK);
    }
    grpc_completion_queue_destroy(caller->queue);
    grpc_shutdown_blocking();
    free(caller);
}

static void start(struct caller_call *call,
                  struct flag *flag,
                  const grpc_op *ops,
                  size_t count)
{
    flag->pending = true;
    assert_int_equal(grpc_call_start_batch(call->grpc, ops, count, flag, NULL),
                     GRPC_CALL_OK);
}

static void start_all(struct caller_call *call)
{
    const grpc_op send[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE,
         .data.send_message.send_message = call->request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
    };
    const grpc_op metadata = {
        .op = GRPC_OP_RECV_INITIAL_METADATA,
        .data.recv_initial_metadata.recv_initial_metadata = &call->initial};
    const grpc_op status = {
        .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
        .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                       .status = &call->code,
                                       .status_details = &call->details}};

    start(call, &call->sent, send, 3);
    start(call, &call->metadata, &metadata, 1);
    start(call, &call->status, &status, 1);
}

static struct caller_call *begin(struct caller *caller,
                                 const char *path,
                                 grpc_byte_buffer *request)
{
    struct caller_call *call = calloc(1, sizeof(*call));
    grpc_slice where = grpc_slice_from_copied_string(path);

    assert_non_null(call);
    call->caller = caller;
    call->request = request;
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->details = grpc_empty_slice();
    call->grpc = grpc_channel_create_call(
        caller->channel, NULL, GRPC_PROPAGATE_DEFAULTS, caller->queue, where,
        NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_slice_unref(where);
    start_all(call);
    return call;
}

struct caller_call *caller_begin(struct caller *caller,
                                 const char *path,
                                 const void *bytes,
                                 size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return begin(caller, path, request);
}

struct caller_call *caller_ask(struct caller *caller,
                               enum rpc_method method,
                               const ProtobufCMessage *request)
{
    grpc_byte_buffer *buffer = NULL;
    size_t count = 0;

    assert_int_equal(rpc_pack(request, &buffer), STATUS_OK);
    return begin(caller, rpc_table(&count)[method].path, buffer);
}

void *caller_next(struct caller_call *call, enum rpc_method method)
{
    const grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE,
                             .data.recv_message.recv_message = &call->incoming};
    ProtobufCMessage *message = NULL;
    size_t count = 0;

    start(call, &call->message, &receive, 1);
    wait_for(call->caller, &call->message);
    if (!call->message.success || call->incoming == NULL) {
        return NULL;
    }
    assert_int_equal(
        rpc_unpack(call->incoming, rpc_table(&count)[method].reply, &message),
        STATUS_OK);
    grpc_byte_buffer_destroy(call->incoming);
    call->incoming = NULL;
    return message;
}

int caller_end(struct caller_call *call, char *text, size_t text_size)
{
    int code = 0;

    wait_for(call->caller, &call->status);
    wait_for(call->caller, &call->sent);
    wait_for(call->caller, &call->metadata);
    code = (int)call->code;
    if (text != NULL) {
        (void)snprintf(text, text_size, "%.*s",
                       (int)GRPC_SLICE_LENGTH(call->details),
                       (const char *)GRPC_SLICE_START_PTR(call->details));
    }
    if (call->incoming != NULL) {
        grpc_byte_buffer_destroy(call->incoming);
    }
    grpc_byte_buffer_destroy(call->request);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    grpc_call_unref(call->grpc);
    free(call);
    return code;
}

void caller_cancel(struct caller_call *call)
{
    assert_int_equal(grpc_call_cancel(call->grpc, NULL), GRPC_CALL_OK);
}

int caller_unary(struct caller *caller,
                 enum rpc_method method,
                 const ProtobufCMessage *request,
                 void **out,
                 char *text,
                 size_t text_size)
{
    struct caller_call *call = caller_ask(caller, method, request);
    void *message = caller_next(call, method);
    int code = caller_end(call, text, text_size);

    if (out != NULL) {
        *out = message;
    } else {
        rpc_free(message);
    }
    return code;
}
