/* caller.h - a gRPC client on the test's own thread, turning the loop that
 * the service under test lives on. */
#ifndef TESTS_UNIT_COORDINATOR_SHELL_CALLER_H
#define TESTS_UNIT_COORDINATOR_SHELL_CALLER_H

#include "base/loop.h"
#include "proto/rpc.h"

struct caller;
struct caller_call;

struct caller *caller_open(struct loop *loop, const char *target);
void caller_close(struct caller *caller);

/* Begins a call. path NULL: the method's own. bytes: sent as they are. */
struct caller_call *caller_begin(struct caller *caller,
                                 const char *path,
                                 const void *bytes,
                                 size_t size);
struct caller_call *caller_ask(struct caller *caller,
                               enum rpc_method method,
                               const ProtobufCMessage *request);
/* The next message, unpacked as a reply of method (rpc_free); NULL: the
 * stream has ended. */
void *caller_next(struct caller_call *call, enum rpc_method method);
/* Waits for the end: the gRPC status code. text may be NULL. */
int caller_end(struct caller_call *call, char *text, size_t text_size);
void caller_cancel(struct caller_call *call);

/* One request, one reply: the code; *out (may be NULL) is rpc_free'd. */
int caller_unary(struct caller *caller,
                 enum rpc_method method,
                 const ProtobufCMessage *request,
                 void **out,
                 char *text,
                 size_t text_size);

#endif /* TESTS_UNIT_COORDINATOR_SHELL_CALLER_H */
