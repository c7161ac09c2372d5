/* rpc.h - the control service as one table, shared by client and coordinator.
 *
 * protoc-c's service descriptors do not say which methods stream, so the table
 * is kept by hand; a test compares it with the generated descriptor. Every
 * request is one message; a reply is one message or, where `stream` is set, a
 * stream of them.
 *
 * Rules of use: no function here waits or keeps anything. Unpacked messages
 * are freed with rpc_free and by nothing else. gRPC's headers stay out, so that
 * whoever only wants the table does not see them; status codes are ints. */
#ifndef PROTO_RPC_H
#define PROTO_RPC_H

#include "base/status.h"
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct grpc_byte_buffer;

/* What one unpacked message may take. Unpacking can multiply a hostile
 * message by almost fifty; honest lists of unit ids grow about fivefold. */
enum { RPC_MEMORY_MAX = 32 << 20 };

/* What a coordinator says first in each of its answers (initial metadata), so
 * that a client can tell them from those of another gRPC service. */
#define RPC_MARK_KEY "cajal-protocol"
#define RPC_MARK_VALUE "1"

/* The index into the table; the order of the service in control.proto. */
enum rpc_method {
    RPC_ABOUT = 0,
    RPC_LAUNCH,
    RPC_PROBE,
    RPC_LIST_JOBS,
    RPC_STATUS,
    RPC_WATCH,
    RPC_CANCEL,
    RPC_PAUSE,
    RPC_RESUME,
    RPC_SET,
    RPC_HISTORY,
    RPC_SHOW,
    RPC_DIFF,
    RPC_RESTORE,
    RPC_UNDO,
    RPC_TAG,
    RPC_LIST_TAGS,
    RPC_PULL,
    RPC_FOLLOW,
    RPC_EVALUATE,
    RPC_METRICS,
    RPC_VERIFY,
    RPC_BACKUP,
    RPC_GC,
    RPC_LIST_WORKERS,
    RPC_CORDON,
    RPC_UNCORDON,
    RPC_DRAIN,
    RPC_LOGS,
    RPC_SHUTDOWN,
    RPC_METHODS_COUNT
};

struct rpc_entry {
    const char *path; /* "/cajal.v1.Control/Launch" */
    bool stream;      /* the reply is a stream of messages */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *reply;
};

/* The table, indexed by enum rpc_method; static. */
const struct rpc_entry *rpc_table(size_t *out_count);

/* INVALID: longer than RPC_BYTES_MAX (the caller should have streamed it).
 * The buffer is the caller's: grpc_byte_buffer_destroy. */
enum status rpc_pack(const ProtobufCMessage *message,
                     struct grpc_byte_buffer **out) MUST_CHECK;

/* A reply's texts are made fit to be shown, wherever they are printed: what is
 * not UTF-8, and a control character that is no line break or tab (by which a
 * terminal is commanded), becomes '?'. Leaves buffer to its owner. INVALID:
 * NULL, too long, not a message of this type, or one that would take more than
 * RPC_MEMORY_MAX. NO_MEMORY. */
enum status rpc_unpack(struct grpc_byte_buffer *buffer,
                       const ProtobufCMessageDescriptor *type,
                       ProtobufCMessage **out) MUST_CHECK;

/* The same for what comes from clients: INVALID also where a text is not UTF-8,
 * or has a NUL (behind which protobuf-c would hide the rest) or another control
 * character in it. */
enum status rpc_unpack_request(struct grpc_byte_buffer *buffer,
                               const ProtobufCMessageDescriptor *type,
                               ProtobufCMessage **out) MUST_CHECK;

void rpc_free(void *message); /* of rpc_unpack; accepts NULL */

/* What a status is on the wire, a grpc_status_code, and back. The way there
 * loses a few distinctions (a full disk and a limit are both
 * RESOURCE_EXHAUSTED). */
int rpc_code(enum status status);
enum status rpc_status(int code);

#endif /* PROTO_RPC_H */
