#include "coordinator/shell/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/jobs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* Events taken per turn of the loop, so that others get their turn. */
    EVENTS_PER_TURN = 64,
    STOP_POLL_MS = 20,
    /* One waiting request per method, and one for unknown methods. */
    WAITING_COUNT = RPC_METHODS_COUNT + 1
};

/* What completes. Each operation has its own tag inside its owner. */
enum tag_kind { TAG_ACCEPT = 1, TAG_CLOSED, TAG_SENT, TAG_ENDED, TAG_SHUT };

struct tag {
    enum tag_kind kind;
    void *owner; /* the call, or the server */
};

/* What the pump forwards; 16 bytes travel inside the 0MQ part itself. */
struct pumped {
    struct tag *tag; /* NULL: the queue has ended */
    uint64_t success;
};

/* References: one for the waiting request, which becomes the answer owed when
 * a client comes, and one for each operation under way. */
struct call {
    struct server *server;
    uint32_t method; /* RPC_METHODS_COUNT: unknown */
    unsigned references;
    struct tag accept;
    struct tag closed;
    struct tag sent;
    struct tag ended;
    grpc_call *grpc;
    grpc_call_details details; /* of an unknown method */
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    grpc_byte_buffer *outgoing;
    struct call_events events;
    int cancelled;
    bool live;    /* a client has come */
    bool owed;    /* the handler still owes an answer */
    bool greeted; /* initial metadata sent */
    bool sending;
    bool ending; /* the end waits for the message under way */
    enum status status;
    char text[ERROR_BYTES_MAX];
};

struct server {
    struct loop *loop;
    server_request_fn *on_request;
    void *owner;
    grpc_server *grpc;
    grpc_completion_queue *queue;
    void *methods[RPC_METHODS_COUNT];
    struct thread *pump;
    struct link *inlet;  /* the loop's end */
    struct link *outlet; /* the pump's end */
    struct tag shut_tag;
    int port;
    unsigned calls_count;
    unsigned waiting_count;
    uint64_t calls_total;
    uint64_t active_ms;
    bool initialised;
    bool stopping;
    bool shut;
    bool ended;
};

/* gRPC writes to stderr by itself; what it has to say goes to our log. */
static void take_log(gpr_log_func_args *args)
{
    enum log_level level =
        args->severity == GPR_LOG_SEVERITY_ERROR ? LOG_WARN : LOG_DEBUG;

    log_line(level, "grpc", "says", "text=\"%s\"", args->message);
}

/* --- The pump --- */

static void pump(void *owner)
{
    struct server *server = owner;
    bool more = true;

    while (more) {
        grpc_event event = grpc_completion_queue_next(
            server->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct pumped pumped = {event.tag, event.success != 0};
        struct frame frame;
        enum status status;

        more = event.type != GRPC_QUEUE_SHUTDOWN;
        if (!more) {
            pumped.tag = NULL;
        }
        status = frame_init_copy(&frame, &pumped, sizeof(pumped));
        CHECK(status == STATUS_OK);
        /* An inproc pipe without a limit takes everything. */
        status = link_send(server->outlet, &frame, 1);
        CHECK(status == STATUS_OK);
    }
}

/* --- Calls --- */

static void release(struct call *call)
{
    struct server *server = call->server;

    CHECK(call->references > 0);
    call->references--;
    if (call->references > 0) {
        return;
    }
    if (call->live) {
        server->calls_count--;
        server->active_ms = clock_now_ms();
    }
    if (call->payload != NULL) {
        grpc_byte_buffer_destroy(call->payload);
    }
    server_drop_buffer(call->outgoing);
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

/* Waits for the next client that calls this method. */
static enum status wait_for_call(struct server *server, uint32_t method)
{
    struct call *call = mem_new(sizeof(*call));
    grpc_call_error error = GRPC_CALL_OK;

    if (call == NULL) {
        return STATUS_NO_MEMORY;
    }
    call->server = server;
    call->method = method;
    call->references = 1;
    call->accept = (struct tag){TAG_ACCEPT, call};
    call->closed = (struct tag){TAG_CLOSED, call};
    call->sent = (struct tag){TAG_SENT, call};
    call->ended = (struct tag){TAG_ENDED, call};
    grpc_metadata_array_init(&call->metadata);
    server->waiting_count++;
    if (method == RPC_METHODS_COUNT) {
        grpc_call_details_init(&call->details);
        error = grpc_server_request_call(
            server->grpc, &call->grpc, &call->details, &call->metadata,
            server->queue, server->queue, &call->accept);
    } else {
        error = grpc_server_request_registered_call(
            server->grpc, server->methods[method], &call->grpc, &call->deadline,
            &call->metadata, &call->payload, server->queue, server->queue,
            &call->accept);
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
    *op = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
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
            .status = (grpc_status_code)rpc_code(call->status),
            .status_details = call->text[0] != '\0' ? &details : NULL}};
    start(call, &call->ended, ops, count + 1);
    grpc_slice_unref(details);
}

void call_finish(struct call *call, enum status status, const char *text)
{
    CHECK(call->owed);
    CHECK(!call->ending);
    call->status = status;
    (void)snprintf(call->text, sizeof(call->text), "%s", text);
    call->ending = true;
    if (!call->sending) {
        send_end(call);
    }
    settle(call);
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

void server_drop_buffer(grpc_byte_buffer *buffer)
{
    if (buffer != NULL) {
        grpc_byte_buffer_destroy(buffer);
    }
}

/* --- What completes --- */

static void hand_over(struct call *call)
{
    struct server *server = call->server;
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
    if (server->calls_count > CALLS_MAX) {
        call_finish(call, STATUS_BUSY,
                    "this coordinator has its most calls. Try again later");
        return;
    }
    entry = &rpc_table(&count)[call->method];
    status = rpc_unpack(call->payload, entry->request, &message);
    if (status != STATUS_OK) {
        call_finish(call, STATUS_INVALID,
                    "the request cannot be read. Are client and coordinator of "
                    "the same release?");
        return;
    }
    server->on_request(server->owner, call, (enum rpc_method)call->method,
                       message);
    rpc_free(message);
}

static void on_accepted(struct call *call, bool success)
{
    struct server *server = call->server;
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &call->cancelled};

    server->waiting_count--;
    if (!success) { /* the server is being shut */
        release(call);
        return;
    }
    if (!server->stopping && wait_for_call(server, call->method) != STATUS_OK) {
        log_line(LOG_ERROR, "server", "method_lost", "method=%" PRIu32,
                 call->method);
    }
    call->live = true;
    call->owed = true;
    server->calls_count++;
    server->calls_total++;
    server->active_ms = clock_now_ms();
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
    server_drop_buffer(call->outgoing);
    call->outgoing = NULL;
    call->sending = false;
    if (call->ending) {
        send_end(call);
    } else if (success && call->owed && call->events.on_writable != NULL) {
        call->events.on_writable(call->events.owner);
    }
    release(call);
}

static void take_event(struct server *server, const struct pumped *pumped)
{
    bool success = pumped->success != 0;

    if (pumped->tag == NULL) {
        server->ended = true;
        return;
    }
    switch (pumped->tag->kind) {
    case TAG_ACCEPT:
        on_accepted(pumped->tag->owner, success);
        break;
    case TAG_CLOSED:
        on_closed(pumped->tag->owner);
        break;
    case TAG_SENT:
        on_sent(pumped->tag->owner, success);
        break;
    case TAG_ENDED:
        release(pumped->tag->owner);
        break;
    case TAG_SHUT:
        server->shut = true;
        break;
    }
}

static void on_inlet(void *owner)
{
    struct server *server = owner;

    for (int i = 0; i < EVENTS_PER_TURN; i++) {
        struct pumped pumped;
        struct frame frame;
        size_t count = 0;

        if (link_receive(server->inlet, &frame, 1, &count) != STATUS_OK) {
            return;
        }
        CHECK(frame_size(&frame) == sizeof(pumped));
        memcpy(&pumped, frame_data(&frame), sizeof(pumped));
        frame_close(&frame);
        take_event(server, &pumped);
    }
}

/* --- Addresses --- */

static const char *unix_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

static bool is_local(const char *address)
{
    size_t digits = 0;

    if (unix_path(address) != NULL || strncmp(address, "localhost:", 10) == 0 ||
        strncmp(address, "[::1]:", 6) == 0 ||
        strncmp(address, "ipv6:[::1]:", 11) == 0) {
        return true;
    }
    if (strncmp(address, "ipv4:", 5) == 0) {
        address += 5;
    }
    digits = strspn(address, "0123456789.");
    return strncmp(address, "127.", 4) == 0 && address[digits] == ':';
}

/* gRPC would unlink a socket on which somebody still listens. */
static bool is_answered(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool answered = false;
    int fd = -1;

    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return false;
    }
    answered =
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return answered;
}

static enum status check_address(const struct server_options *options,
                                 char *why,
                                 size_t why_size)
{
    struct sockaddr_un limit;
    const char *path = unix_path(options->address);

    if (!is_local(options->address) && !options->insecure) {
        (void)snprintf(why, why_size,
                       "%s can be reached from other machines and nothing "
                       "would be encrypted. Listen on 127.0.0.1 or a unix "
                       "socket, or add --insecure on a network you trust.",
                       options->address);
        return STATUS_REFUSED;
    }
    if (path != NULL &&
        (path[0] == '\0' || strlen(path) >= sizeof(limit.sun_path))) {
        (void)snprintf(why, why_size, "%s: a socket's path has 1 to %zu bytes.",
                       options->address, sizeof(limit.sun_path) - 1);
        return STATUS_INVALID;
    }
    if (path != NULL && is_answered(path)) {
        (void)snprintf(why, why_size,
                       "%s is in use: another coordinator listens there.",
                       options->address);
        return STATUS_CONFLICT;
    }
    return STATUS_OK;
}

/* --- Opening and closing --- */

static enum status open_pipe(struct server *server,
                             struct link_context *context)
{
    const struct link_options options = {
        .kind = LINK_PAIR, .part_bytes_max = sizeof(struct pumped)};
    char endpoint[ENDPOINT_BYTES_MAX];
    struct text text;
    enum status status;

    text_init(&text, endpoint, sizeof(endpoint));
    text_add(&text, "inproc://grpc-");
    text_u64(&text, (uintptr_t)server);
    status = link_bind(context, &options, endpoint, &server->inlet);
    if (status != STATUS_OK) {
        return status;
    }
    status = link_connect(context, &options, endpoint, &server->outlet);
    if (status != STATUS_OK) {
        return status;
    }
    return loop_add_link(server->loop, server->inlet, on_inlet, server);
}

static grpc_server *create(void)
{
    char receive[] = GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH;
    char send[] = GRPC_ARG_MAX_SEND_MESSAGE_LENGTH;
    char reuse[] = GRPC_ARG_ALLOW_REUSEPORT;
    grpc_arg arguments[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = receive,
         .value.integer = RPC_BYTES_MAX},
        {.type = GRPC_ARG_INTEGER, .key = send, .value.integer = RPC_BYTES_MAX},
        {.type = GRPC_ARG_INTEGER, .key = reuse, .value.integer = 0},
    };
    grpc_channel_args args = {sizeof(arguments) / sizeof(arguments[0]),
                              arguments};

    return grpc_server_create(&args, NULL);
}

/* A listener takes HOST:PORT; the schemes are those of a client's target. */
static const char *without_scheme(const char *address)
{
    bool schemed =
        strncmp(address, "ipv4:", 5) == 0 || strncmp(address, "ipv6:", 5) == 0;

    return schemed ? address + 5 : address;
}

static enum status listen_at(struct server *server,
                             const char *address,
                             char *why,
                             size_t why_size)
{
    grpc_server_credentials *credentials =
        grpc_insecure_server_credentials_create();

    server->port = grpc_server_add_http2_port(
        server->grpc, without_scheme(address), credentials);
    grpc_server_credentials_release(credentials);
    if (server->port == 0) {
        (void)snprintf(why, why_size,
                       "cannot listen at %s: the address is in use, or not of "
                       "this machine.",
                       address);
        return STATUS_CONFLICT;
    }
    if (unix_path(address) != NULL) {
        (void)chmod(unix_path(address), 0600);
    }
    return STATUS_OK;
}

/* All that may fail before a client can come. */
static enum status prepare(struct server *server,
                           const struct server_options *options,
                           char *why,
                           size_t why_size)
{
    const struct rpc_entry *table = NULL;
    enum status status = open_pipe(server, options->context);
    size_t count = 0;

    if (status != STATUS_OK) {
        return status;
    }
    gpr_set_log_function(take_log);
    grpc_init();
    server->initialised = true;
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->grpc = create();
    grpc_server_register_completion_queue(server->grpc, server->queue, NULL);
    table = rpc_table(&count);
    for (size_t m = 0; m < count; m++) {
        server->methods[m] = grpc_server_register_method(
            server->grpc, table[m].path, NULL,
            GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
        CHECK(server->methods[m] != NULL);
    }
    status = listen_at(server, options->address, why, why_size);
    if (status != STATUS_OK) {
        return status;
    }
    return thread_open(pump, server, &server->pump);
}

enum status server_open(const struct server_options *options,
                        char *why,
                        size_t why_size,
                        struct server **out)
{
    struct server *server = NULL;
    enum status status = check_address(options, why, why_size);

    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(why, why_size, "the service could not be started.");
    server = mem_new(sizeof(*server));
    if (server == NULL) {
        return STATUS_NO_MEMORY;
    }
    server->loop = options->loop;
    server->on_request = options->on_request;
    server->owner = options->owner;
    server->shut_tag = (struct tag){TAG_SHUT, server};
    status = prepare(server, options, why, why_size);
    if (status != STATUS_OK) {
        goto fail;
    }
    grpc_server_start(server->grpc);
    for (uint32_t m = 0; m < WAITING_COUNT && status == STATUS_OK; m++) {
        status = wait_for_call(server, m);
    }
    if (status != STATUS_OK) {
        goto fail;
    }
    *out = server;
    return STATUS_OK;

fail:
    if (server->pump != NULL) {
        server_stop(server, 0);
    }
    server_close(server);
    return status;
}

static void turn(struct server *server)
{
    enum status status = loop_turn(server->loop, STOP_POLL_MS);

    CHECK(status == STATUS_OK);
}

void server_stop(struct server *server, uint32_t grace_ms)
{
    uint64_t deadline_ms = clock_now_ms() + grace_ms;
    bool cancelled = false;

    if (server->stopping) {
        return;
    }
    server->stopping = true;
    grpc_server_shutdown_and_notify(server->grpc, server->queue,
                                    &server->shut_tag);
    while (!server->shut || server->calls_count > 0 ||
           server->waiting_count > 0) {
        if (!cancelled && clock_now_ms() >= deadline_ms) {
            grpc_server_cancel_all_calls(server->grpc);
            cancelled = true;
        }
        turn(server);
    }
}

/* The queue must be read to its end, or else the pump never returns. */
void server_close(struct server *server)
{
    if (server == NULL) {
        return;
    }
    CHECK(server->pump == NULL || server->stopping);
    if (server->grpc != NULL) {
        grpc_server_destroy(server->grpc);
    }
    if (server->queue != NULL) {
        grpc_completion_queue_shutdown(server->queue);
    }
    while (server->pump != NULL && !server->ended) {
        turn(server);
    }
    thread_join(server->pump);
    if (server->queue != NULL) {
        if (server->pump == NULL) {
            (void)grpc_completion_queue_next(
                server->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        }
        grpc_completion_queue_destroy(server->queue);
    }
    if (server->initialised) {
        grpc_shutdown_blocking();
    }
    loop_remove_link(server->loop, server->inlet);
    link_close(server->outlet);
    link_close(server->inlet);
    mem_free(server);
}

int server_port(const struct server *server)
{
    return server->port;
}

unsigned server_calls(const struct server *server)
{
    return server->calls_count;
}

uint64_t server_calls_total(const struct server *server)
{
    return server->calls_total;
}

uint64_t server_active_ms(const struct server *server)
{
    return server->active_ms;
}
