/* service.h - the control service on the wire; service*.c alone see gRPC.
 *
 *   gRPC threads -> completion queue -> pump thread -> inproc PAIR -> loop
 *
 * The pump only forwards. Every call belongs to the loop's thread, which
 * starts all operations. A call that has been handed to on_request is the
 * handler's until it is answered (call_reply, call_finish) or on_closed says
 * that the client is gone; after either it must not be touched. So a handler
 * that does not answer at once must attach events first. */
#ifndef COORDINATOR_SHELL_SERVICE_SERVICE_H
#define COORDINATOR_SHELL_SERVICE_SERVICE_H

#include "base/link.h"
#include "base/loop.h"
#include "proto/rpc.h"

enum {
    /* Calls at once: watchers of a big team, at 14 KB each. */
    CALLS_MAX = 1024,
    /* Of one address: so that one peer alone cannot use up all calls. */
    CALLS_PER_PEER_MAX = 256
};

struct service;
struct call;

/* request is borrowed for the call of this function. */
typedef void service_request_fn(void *owner,
                                struct call *call,
                                enum rpc_method method,
                                const ProtobufCMessage *request);

struct service_options {
    struct loop *loop;
    struct link_context *context;
    const char *address; /* "unix:PATH", "HOST:PORT", "ipv4:HOST:PORT" */
    /* The directory of keys: TLS at all but unix sockets, and rights by
     * certificate or token. NULL or "": none. Borrowed until service_close. */
    const char *keys;
    bool insecure; /* beyond this machine without keys */
    service_request_fn *on_request;
    void *owner;
};

/* Is the address one to listen at? why gets a sentence. CONFLICT: it is in
 * use. REFUSED: it is not of this machine, and there are neither keys nor
 * insecure; or a key is not secret. NOT_FOUND: a key is missing. INVALID, IO.
 */
enum status service_check(const struct service_options *options,
                          char *why,
                          size_t why_size) MUST_CHECK;

/* As service_check, and IO, NO_MEMORY. */
enum status service_open(const struct service_options *options,
                         char *why,
                         size_t why_size,
                         struct service **out) MUST_CHECK;
/* Takes no new calls, gives those under way grace_ms to end, cancels the rest
 * and waits for them. Turns the loop: not from within a callback. */
void service_stop(struct service *service, uint32_t grace_ms);
void service_close(
    struct service *service); /* accepts NULL; after service_stop */

int service_port(const struct service *service);       /* 1 for a unix socket */
unsigned service_calls(const struct service *service); /* under way */
uint64_t service_calls_total(const struct service *service); /* ever begun */
/* Calls turned away: UNAUTHENTICATED or PERMISSION_DENIED. */
uint64_t service_calls_refused(const struct service *service);
/* TLS handshakes that failed in this process: no or a wrong certificate, or
 * something that is not TLS at all. */
uint64_t service_handshakes_refused(void);
/* Connections beyond a limit (service_accept.h), likewise. */
uint64_t service_connections_refused(void);
/* When a call last began or ended; 0: there was none. */
uint64_t service_active_ms(const struct service *service);

struct call_events {
    void (*on_writable)(void *owner); /* after each call_send; may be NULL */
    void (*on_closed)(void *owner);   /* the client is gone */
    void *owner;
};
void call_attach(struct call *call, const struct call_events *events);

/* The one message of a unary call, and its end. */
void call_reply(struct call *call, const ProtobufCMessage *message);
/* The end: OK of a stream, or an error with a sentence of any call. */
void call_finish(struct call *call, enum status status, const char *text);

/* One more message of a stream. Takes the buffer (of rpc_pack). Only while
 * call_writable: one message at a time is under way, which is what slows a
 * fast sender down to a slow reader. */
void call_send(struct call *call, struct grpc_byte_buffer *buffer);
bool call_writable(const struct call *call);
bool call_streams(const struct call *call);

void service_drop_buffer(struct grpc_byte_buffer *buffer); /* accepts NULL */

#endif /* COORDINATOR_SHELL_SERVICE_SERVICE_H */
