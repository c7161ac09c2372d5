#include "coordinator/shell/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/address.h"
#include "coordinator/shell/server_inside.h"

#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
    /* Events taken per turn of the loop, so that others get their turn. */
    EVENTS_PER_TURN = 64,
    STOP_POLL_MS = 20,
    /* One waiting request per method, and one for unknown methods. */
    WAITING_COUNT = RPC_METHODS_COUNT + 1
};

/* What the pump forwards; 16 bytes travel inside the 0MQ part itself. */
struct pumped {
    struct tag *tag; /* NULL: the queue has ended */
    uint64_t success;
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

static void take_event(struct server *server, const struct pumped *pumped)
{
    bool success = pumped->success != 0;

    if (pumped->tag == NULL) {
        server->ended = true;
        return;
    }
    if (pumped->tag->kind == TAG_SHUT) {
        server->shut = true;
    } else {
        call_complete(pumped->tag, success);
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

enum status server_check(const struct server_options *options,
                         char *why,
                         size_t why_size)
{
    struct sockaddr_un limit;
    const char *path = address_path(options->address);

    if (!address_is_local(options->address) && !options->insecure) {
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
    if (path != NULL && address_is_answered(options->address)) {
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
    if (address_path(address) != NULL) {
        (void)chmod(address_path(address), 0600);
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
    enum status status = server_check(options, why, why_size);

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
        status = call_await(server, m);
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
