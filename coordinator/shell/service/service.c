#include "coordinator/shell/service/service.h"

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/service/service_accept.h"
#include "coordinator/shell/service/service_inside.h"
#include "coordinator/shell/service/service_tls.h"

#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
    /* Events taken per turn of the loop, so that others get their turn. */
    EVENTS_PER_TURN = 64,
    STOP_POLL_MS = 20,
    GRPC_WARNING_MS = 1000,
    /* A connection that does not finish its handshake holds a descriptor. */
    HANDSHAKE_MS = 10000,
    /* Calls at once on one connection: the tool has two, a dashboard a few. */
    STREAMS_MAX = 64,
    /* A request's headers: a method's name and a token. */
    METADATA_BYTES_MAX = 8192,
    /* A connection without calls is given up; clients connect again. */
    IDLE_MS = 600000,
    /* A watcher that vanished without a word is found out within 80 s. */
    KEEPALIVE_MS = 60000,
    KEEPALIVE_WAIT_MS = 20000,
    /* Pings of a client: not more often than this, and the third offence ends
     * the connection. Ours ping every 20 s. */
    PING_LEAST_MS = 10000,
    PING_STRIKES_MAX = 2,
    /* What gRPC may buffer for all connections together. */
    BUFFERS_BYTES_MAX = 256 << 20,
    /* One waiting request per method, and one for unknown methods. */
    WAITING_COUNT = RPC_METHODS_COUNT + 1
};

/* What the pump forwards; 16 bytes travel inside the 0MQ part itself. */
struct pumped {
    struct tag *tag; /* NULL: the queue has ended */
    uint64_t success;
};

/* --- What gRPC says --- */

/* It speaks on threads of its own, and of failed handshakes nowhere else; so
 * these are atomic, against the rule that threads share nothing. */
static atomic_uint_fast64_t handshakes_refused;
static atomic_uint_fast64_t warned_ms; /* when a line of it was last written */
static atomic_uint_fast64_t silent;    /* lines left out since */

/* gRPC writes to stderr by itself; what it has to say goes to our log. Peers
 * can make it speak as often as they like: one warning a second is written. */
static void take_log(gpr_log_func_args *args)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t last_ms = atomic_load(&warned_ms);

    if (strstr(args->message, "andshake failed") != NULL ||
        strstr(args->message, "ertificate verify failed") != NULL) {
        atomic_fetch_add(&handshakes_refused, 1);
    }
    if (args->severity != GPR_LOG_SEVERITY_ERROR) {
        log_line(LOG_DEBUG, "grpc", "says", "text=\"%s\"", args->message);
    } else if (now_ms >= last_ms + GRPC_WARNING_MS &&
               atomic_compare_exchange_strong(&warned_ms, &last_ms, now_ms)) {
        log_line(LOG_WARN, "grpc", "says", "before=%" PRIu64 " text=\"%s\"",
                 (uint64_t)atomic_exchange(&silent, 0), args->message);
    } else {
        atomic_fetch_add(&silent, 1);
    }
}

uint64_t service_connections_refused(void)
{
    return accept_refused();
}

uint64_t service_handshakes_refused(void)
{
    return atomic_load(&handshakes_refused);
}

/* --- The pump --- */

static void pump(void *owner)
{
    struct service *service = owner;
    bool more = true;

    while (more) {
        grpc_event event = grpc_completion_queue_next(
            service->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct pumped pumped = {event.tag, event.success != 0};
        struct part part;
        enum status status;

        more = event.type != GRPC_QUEUE_SHUTDOWN;
        if (!more) {
            pumped.tag = NULL;
        }
        status = part_init_copy(&part, &pumped, sizeof(pumped));
        CHECK(status == STATUS_OK);
        /* An inproc pipe without a limit takes everything. */
        status = link_send(service->outlet, &part, 1);
        CHECK(status == STATUS_OK);
    }
}

static void take_event(struct service *service, const struct pumped *pumped)
{
    bool success = pumped->success != 0;

    if (pumped->tag == NULL) {
        service->ended = true;
        return;
    }
    if (pumped->tag->kind == TAG_SHUT) {
        service->shut = true;
    } else {
        call_complete(pumped->tag, success);
    }
}

static void on_inlet(void *owner)
{
    struct service *service = owner;

    for (int i = 0; i < EVENTS_PER_TURN; i++) {
        struct pumped pumped;
        struct part part;
        size_t count = 0;

        if (link_receive(service->inlet, &part, 1, &count) != STATUS_OK) {
            return;
        }
        CHECK(part_size(&part) == sizeof(pumped));
        memcpy(&pumped, part_data(&part), sizeof(pumped));
        part_close(&part);
        take_event(service, &pumped);
    }
}

/* --- Addresses --- */

static bool has_keys(const struct service_options *options)
{
    return options->keys != NULL && options->keys[0] != '\0';
}

enum status service_check(const struct service_options *options,
                          char *why,
                          size_t why_size)
{
    struct sockaddr_un limit;
    const char *path = address_path(options->address);

    if (!address_is_local(options->address) && !options->insecure &&
        !has_keys(options)) {
        (void)snprintf(why, why_size,
                       "%s can be reached from other machines, and there are "
                       "no keys. Make them with `cajal keys init`, then start "
                       "with --keys DIR. Or listen on 127.0.0.1 or a unix "
                       "socket. Or, where nobody else is on the network, add "
                       "--insecure: then nothing is encrypted and whoever "
                       "reaches the address may do everything.",
                       options->address);
        return STATUS_REFUSED;
    }
    if (path == NULL && has_keys(options)) {
        enum status status = tls_check(options->keys, why, why_size);

        if (status == STATUS_OK) {
            status = rights_check(options->keys, why, why_size);
        }

        if (status != STATUS_OK) {
            return status;
        }
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

static enum status open_pipe(struct service *service,
                             struct link_context *context)
{
    const struct link_options options = {
        .kind = LINK_PAIR, .part_bytes_max = sizeof(struct pumped)};
    char endpoint[ENDPOINT_BYTES_MAX];
    struct text text;
    enum status status;

    text_init(&text, endpoint, sizeof(endpoint));
    text_add(&text, "inproc://grpc-");
    text_u64(&text, (uintptr_t)service);
    status = link_bind(context, &options, endpoint, &service->inlet);
    if (status != STATUS_OK) {
        return status;
    }
    status = link_connect(context, &options, endpoint, &service->outlet);
    if (status != STATUS_OK) {
        return status;
    }
    return loop_add_link(service->loop, service->inlet, on_inlet, service);
}

/* gRPC's type has no const, but nothing is written to the name. */
static grpc_arg number(const char *name, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)(uintptr_t)name,
                      .value.integer = value};
}

/* Each limit is set, be it the default: a later gRPC must not move it. */
static grpc_server *create(void)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("cajal");
    grpc_arg arguments[] = {
        number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_BYTES_MAX),
        number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, RPC_BYTES_MAX),
        number(GRPC_ARG_ALLOW_REUSEPORT, 0),
        number(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX),
        number(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
        number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
        number(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
        number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_WAIT_MS),
        number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
               PING_LEAST_MS),
        number(GRPC_ARG_HTTP2_MAX_PING_STRIKES, PING_STRIKES_MAX),
        {.type = GRPC_ARG_POINTER,
         .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {quota, grpc_resource_quota_arg_vtable()}},
    };
    grpc_channel_args args = {sizeof(arguments) / sizeof(arguments[0]),
                              arguments};
    grpc_server *grpc = NULL;

    grpc_resource_quota_resize(quota, BUFFERS_BYTES_MAX);
    grpc = grpc_server_create(&args, NULL);
    grpc_resource_quota_unref(quota); /* grpc holds it */
    return grpc;
}

/* A listener takes HOST:PORT; the schemes are those of a client's target. */
static const char *without_scheme(const char *address)
{
    bool schemed =
        strncmp(address, "ipv4:", 5) == 0 || strncmp(address, "ipv6:", 5) == 0;

    return schemed ? address + 5 : address;
}

static enum status listen_at(struct service *service,
                             const struct service_options *options,
                             char *why,
                             size_t why_size)
{
    const char *address = options->address;
    const char *keys = options->keys;
    grpc_server_credentials *credentials =
        service->rights != NULL && !service->local
            ? tls_credentials(keys)
            : grpc_insecure_server_credentials_create();
    /* The socket's file is never there for others, not even for a moment. */
    mode_t mask = umask(077);

    if (credentials != NULL) {
        service->port = grpc_server_add_http2_port(
            service->grpc, without_scheme(address), credentials);
        grpc_server_credentials_release(credentials);
    }
    (void)umask(mask);
    if (service->port == 0) {
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

static enum status open_rights(struct service *service,
                               const struct service_options *options)
{
    enum status status = STATUS_OK;

    service->local = address_path(options->address) != NULL;
    if (service->local || !has_keys(options)) {
        return STATUS_OK;
    }
    status = rights_open(options->keys, &service->rights);
    if (status != STATUS_OK) {
        return status;
    }
    status = loop_add_timer(service->loop, clock_now_ms(), service_review,
                            service, &service->review_timer);
    service->has_timer = status == STATUS_OK;
    return status;
}

/* All that may fail before a client can come. */
static enum status prepare(struct service *service,
                           const struct service_options *options,
                           char *why,
                           size_t why_size)
{
    const struct rpc_entry *table = NULL;
    enum status status = open_pipe(service, options->context);
    size_t count = 0;

    if (status != STATUS_OK) {
        return status;
    }
    accept_prepare();
    gpr_set_log_function(take_log);
    grpc_init();
    service->initialised = true;
    service->queue = grpc_completion_queue_create_for_next(NULL);
    service->grpc = create();
    grpc_server_register_completion_queue(service->grpc, service->queue, NULL);
    table = rpc_table(&count);
    for (size_t m = 0; m < count; m++) {
        service->methods[m] = grpc_server_register_method(
            service->grpc, table[m].path, NULL,
            GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
        CHECK(service->methods[m] != NULL);
    }
    status = open_rights(service, options);
    if (status == STATUS_OK) {
        status = listen_at(service, options, why, why_size);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return thread_open(pump, service, &service->pump);
}

enum status service_open(const struct service_options *options,
                         char *why,
                         size_t why_size,
                         struct service **out)
{
    struct service *service = NULL;
    enum status status = service_check(options, why, why_size);

    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(why, why_size, "the service could not be started.");
    service = mem_new(sizeof(*service));
    if (service == NULL) {
        return STATUS_NO_MEMORY;
    }
    service->loop = options->loop;
    service->on_request = options->on_request;
    service->owner = options->owner;
    service->shut_tag = (struct tag){TAG_SHUT, service};
    status = prepare(service, options, why, why_size);
    if (status != STATUS_OK) {
        goto fail;
    }
    if (!service->local && service->rights == NULL &&
        !address_is_local(options->address)) {
        log_line(LOG_WARN, "service", "insecure",
                 "listen=\"%s\" text=\"nothing is encrypted, and whoever "
                 "reaches this address may read, change and end everything\"",
                 options->address);
    }
    grpc_server_start(service->grpc);
    for (uint32_t m = 0; m < WAITING_COUNT && status == STATUS_OK; m++) {
        status = call_await(service, m);
    }
    if (status != STATUS_OK) {
        goto fail;
    }
    *out = service;
    return STATUS_OK;

fail:
    if (service->pump != NULL) {
        service_stop(service, 0);
    }
    service_close(service);
    return status;
}

static void turn(struct service *service)
{
    enum status status = loop_turn(service->loop, STOP_POLL_MS);

    CHECK(status == STATUS_OK);
}

void service_stop(struct service *service, uint32_t grace_ms)
{
    uint64_t deadline_ms = clock_now_ms() + grace_ms;
    bool cancelled = false;

    if (service->stopping) {
        return;
    }
    service->stopping = true;
    grpc_server_shutdown_and_notify(service->grpc, service->queue,
                                    &service->shut_tag);
    while (!service->shut || service->calls_count > 0 ||
           service->waiting_count > 0) {
        if (!cancelled && clock_now_ms() >= deadline_ms) {
            grpc_server_cancel_all_calls(service->grpc);
            cancelled = true;
        }
        turn(service);
    }
}

/* The queue must be read to its end, or else the pump never returns. */
void service_close(struct service *service)
{
    if (service == NULL) {
        return;
    }
    CHECK(service->pump == NULL || service->stopping);
    if (service->grpc != NULL) {
        grpc_server_destroy(service->grpc);
    }
    if (service->queue != NULL) {
        grpc_completion_queue_shutdown(service->queue);
    }
    while (service->pump != NULL && !service->ended) {
        turn(service);
    }
    thread_join(service->pump);
    if (service->queue != NULL) {
        if (service->pump == NULL) {
            (void)grpc_completion_queue_next(
                service->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        }
        grpc_completion_queue_destroy(service->queue);
    }
    if (service->initialised) {
        grpc_shutdown_blocking();
    }
    loop_remove_link(service->loop, service->inlet);
    link_close(service->outlet);
    link_close(service->inlet);
    if (service->has_timer) {
        loop_remove_timer(service->loop, service->review_timer);
    }
    rights_close(service->rights);
    mem_free(service);
}

int service_port(const struct service *service)
{
    return service->port;
}

unsigned service_calls(const struct service *service)
{
    return service->calls_count;
}

uint64_t service_calls_total(const struct service *service)
{
    return service->calls_total;
}

uint64_t service_calls_refused(const struct service *service)
{
    return service->refused_total;
}

uint64_t service_active_ms(const struct service *service)
{
    return service->active_ms;
}
