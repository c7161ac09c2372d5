/* channel.h - calls over one gRPC channel; channel.c alone sees gRPC.
 *
 * A channel and its calls belong to one thread at a time. Every wait has a
 * limit. Internal to the library: programs use cajal.h. */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include "client/cajal.h"
#include "proto/rpc.h"

struct channel;
struct call;

/* options->address is set. Errors of channel_keys_load, with their sentence in
 * why; NO_MEMORY. */
enum status channel_open(const struct cajal_options *options,
                         char *why,
                         size_t why_size,
                         struct channel **out) MUST_CHECK;
void channel_close(struct channel *channel); /* after its calls; accepts NULL */

/* One request, one reply. error is filled on failure. The reply is freed with
 * rpc_free. */
enum status channel_call(struct channel *channel,
                         enum rpc_method method,
                         const ProtobufCMessage *request,
                         uint32_t timeout_ms,
                         struct cajal_error *error,
                         ProtobufCMessage **out) MUST_CHECK;

/* Begins a call whose reply is a stream; without a deadline of its own, since
 * each wait for a message has one. */
enum status call_open(struct channel *channel,
                      enum rpc_method method,
                      const ProtobufCMessage *request,
                      struct cajal_error *error,
                      struct call **out) MUST_CHECK;

/* As cajal_next; the message is borrowed until the next call_next. `final`
 * says whether running out of wait_ms ends the call. */
enum status call_next(struct call *call,
                      int64_t wait_ms,
                      bool final,
                      struct cajal_error *error,
                      const ProtobufCMessage **out) MUST_CHECK;
void call_close(struct call *call); /* accepts NULL */

#endif /* CLIENT_CHANNEL_H */
