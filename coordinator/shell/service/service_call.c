/* service_call.c - one call from its client's coming to its end. */
#include "coordinator/shell/service/service_inside.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include <inttypes.h>
#include <stdio.h>

static void link_live(struct call *call)
{
    struct service *service = call->service;

    call->next = service->live;
    if (service->live != NULL) {
        service->live->previous = call;
    }
    service->live = call;
}

static void unlink_live(struct call *call)
{
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        call->service->live = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
}

static void release(struct call *call)
{
    struct service *service = call->service;

    CHECK(call->references > 0);
    call->references--;
    if (call->references > 0) {
        return;
    }
    if (call->live) {
        unlink_live(call);
        service->calls_count--;
        service->active_ms = clock_now_ms();
    }
    if (call->payload != NULL) {
        grpc_byte_buffer_destroy(call->payload);
    }
    service_drop_buffer(call->outgoing);
    if (call->method == RPC_METHODS_COUNT) {
        grpc_call_details_destroy(&call->details);
    }
    grpc_metadata_array_destroy(&call->metadata);
    if (call->grpc != NULL) {
        grpc_call_unref(call->grpc);
    }
    mem_free(call);
}

static void start(struct call *call,
                  struct tag *tag,
                  const grpc_op *ops,
                  size_t count)
{
    grpc_call_error error =
        grpc_call_start_batch(call->grpc, ops, count, tag, NULL);

    CHECK(error == GRPC_CALL_OK);
    call->references++;
}

enum status call_await(struct service *service, uint32_t method)
{
    struct call *call = mem_new(sizeof(*call));
    grpc_call_error error = GRPC_CALL_OK;

    if (call == NULL) {
        return STATUS_NO_MEMORY;
    }
    call->service = service;
    call->method = method;
    call->references = 1;
    call->accept = (struct tag){TAG_ACCEPT, call};
    call->closed = (struct tag){TAG_CLOSED, call};
    call->sent = (struct tag){TAG_SENT, call};
    call->ended = (struct tag){TAG_ENDED, call};
    grpc_metadata_array_init(&call->metadata);
    service->waiting_count++;
    if (method == RPC_METHODS_COUNT) {
        grpc_call_details_init(&call->details);
        error = grpc_server_request_call(
            service->grpc, &call->grpc, &call->details, &call->metadata,
            service->queue, service->queue, &call->accept);
    } else {
        error = grpc_server_request_registered_call(
            service->grpc, service->methods[method], &call->grpc,
            &call->deadline, &call->metadata, &call->payload, service->queue,
            service->queue, &call->accept);
    }
    CHECK(error == GRPC_CALL_OK);
    return STATUS_OK;
}

void call_attach(struct call *call, const struct call_events *events)
{
    CHECK(call->owed);
    call->events = *events;
}

bool call_writable(const struct call *call)
{
    return call->owed && !call->sending && !call->ending;
}

bool call_streams(const struct call *call)
{
    size_t count = 0;

    return rpc_table(&count)[call->method].stream;
}

static size_t greet(struct call *call, grpc_op *op)
{
    if (call->greeted) {
        return 0;
    }
    call->greeted = true;
    call->mark =
        (grpc_metadata){.key = grpc_slice_from_static_string(RPC_MARK_KEY),
                        .value = grpc_slice_from_static_string(RPC_MARK_VALUE)};
    *op = (grpc_op){
        .op = GRPC_OP_SEND_INITIAL_METADATA,
        .data.send_initial_metadata = {.count = 1, .metadata = &call->mark}};
    return 1;
}

/* The answer is no longer owed: nothing of the handler is called again. */
static void settle(struct call *call)
{
    CHECK(call->owed);
    call->owed = false;
    call->events = (struct call_events){.owner = NULL};
    release(call);
}

static void send_end(struct call *call)
{
    grpc_slice details = grpc_slice_from_copied_string(call->text);
    grpc_op ops[2];
    size_t count = greet(call, &ops[0]);

    ops[count] = (grpc_op){
        .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
        .data.send_status_from_server = {
            .status = (grpc_status_code)call->code,
            .status_details = call->text[0] != '\0' ? &details : NULL}};
    start(call, &call->ended, ops, count + 1);
    grpc_slice_unref(details);
}

void call_refuse(struct call *call, int code, const char *text)
{
    CHECK(call->owed);
    CHECK(!call->ending);
    call->code = code;
    (void)snprintf(call->text, sizeof(call->text), "%s", text);
    call->ending = true;
    if (!call->sending) {
        send_end(call);
    }
    settle(call);
}

void call_finish(struct call *call, enum status status, const char *text)
{
    call_refuse(call, rpc_code(status), text);
}

void call_reply(struct call *call, const ProtobufCMessage *message)
{
    grpc_byte_buffer *buffer = NULL;
    enum status status = rpc_pack(message, &buffer);
    grpc_op ops[3];
    size_t count = 0;

    CHECK(call->owed);
    CHECK(!call->sending);
    if (status != STATUS_OK) {
        call_finish(call, STATUS_FULL, "the answer is too large");
        return;
    }
    call->outgoing = buffer;
    call->ending = true;
    count = greet(call, &ops[0]);
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE,
                             .data.send_message.send_message = buffer};
    ops[count++] =
        (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                  .data.send_status_from_server = {.status = GRPC_STATUS_OK}};
    start(call, &call->ended, ops, count);
    settle(call);
}

void call_send(struct call *call, grpc_byte_buffer *buffer)
{
    grpc_op ops[2];
    size_t count = 0;

    CHECK(call_writable(call));
    CHECK(call->outgoing == NULL);
    call->outgoing = buffer;
    call->sending = true;
    count = greet(call, &ops[0]);
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE,
                             .data.send_message.send_message = buffer};
    start(call, &call->sent, ops, count);
}

void service_drop_buffer(grpc_byte_buffer *buffer)
{
    if (buffer != NULL) {
        grpc_byte_buffer_destroy(buffer);
    }
}

/* --- What completes --- */

static void hand_over(struct call *call)
{
    struct service *service = call->service;
    const struct rpc_entry *entry = NULL;
    ProtobufCMessage *message = NULL;
    enum status status = STATUS_OK;
    size_t count = 0;

    if (call->method == RPC_METHODS_COUNT) {
        call_finish(call, STATUS_UNSUPPORTED,
                    "this coordinator has no such method. Are client and "
                    "coordinator of the same release?");
        return;
    }
    if (!call_admit(call)) {
        return;
    }
    entry = &rpc_table(&count)[call->method];
    status = rpc_unpack_request(call->payload, entry->request, &message);
    if (status == STATUS_NO_MEMORY) {
        call_finish(call, status, "the coordinator is out of memory");
        return;
    }
    if (status != STATUS_OK) {
        call_finish(call, STATUS_INVALID,
                    "the request cannot be read, or a text in it is not UTF-8. "
                    "Are client and coordinator of the same release?");
        return;
    }
    service->on_request(service->owner, call, (enum rpc_method)call->method,
                        message);
    rpc_free(message);
}

static void on_accepted(struct call *call, bool success)
{
    struct service *service = call->service;
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &call->cancelled};

    service->waiting_count--;
    if (!success) { /* the service is being shut */
        release(call);
        return;
    }
    if (!service->stopping && call_await(service, call->method) != STATUS_OK) {
        log_line(LOG_ERROR, "service", "method_lost", "method=%" PRIu32,
                 call->method);
    }
    call->live = true;
    link_live(call);
    call->owed = true;
    service->calls_count++;
    service->calls_total++;
    service->active_ms = clock_now_ms();
    start(call, &call->closed, &op, 1);
    hand_over(call);
}

static void on_closed(struct call *call)
{
    if (call->cancelled != 0 && call->owed) {
        struct call_events events = call->events;

        settle(call);
        if (events.on_closed != NULL) {
            events.on_closed(events.owner);
        }
    }
    release(call);
}

static void on_sent(struct call *call, bool success)
{
    service_drop_buffer(call->outgoing);
    call->outgoing = NULL;
    call->sending = false;
    if (call->ending) {
        send_end(call);
    } else if (success && call->owed && call->events.on_writable != NULL) {
        call->events.on_writable(call->events.owner);
    }
    release(call);
}

void call_complete(const struct tag *tag, bool success)
{
    switch (tag->kind) {
    case TAG_ACCEPT:
        on_accepted(tag->owner, success);
        break;
    case TAG_CLOSED:
        on_closed(tag->owner);
        break;
    case TAG_SENT:
        on_sent(tag->owner, success);
        break;
    case TAG_ENDED:
        release(tag->owner);
        break;
    case TAG_SHUT:
        CHECK(tag->kind != TAG_SHUT); /* the pump keeps it */
        break;
    }
}
