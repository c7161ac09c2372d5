/* service_inside.h - the service and its calls, shared by the files of
 * the same beginning alone: those that see gRPC. */
#ifndef COORDINATOR_SHELL_SERVICE_SERVICE_INSIDE_H
#define COORDINATOR_SHELL_SERVICE_SERVICE_INSIDE_H

#include "base/jobs.h"
#include "base/limits.h"
#include "base/ration.h"
#include "coordinator/shell/service/rights.h"
#include "coordinator/shell/service/service.h"

#include <grpc/grpc.h>

/* What completes. Each operation has its own tag inside its owner. */
enum tag_kind { TAG_ACCEPT = 1, TAG_CLOSED, TAG_SENT, TAG_ENDED, TAG_SHUT };

struct tag {
    enum tag_kind kind;
    void *owner; /* the call, or the service */
};

/* References: one for the waiting request, which becomes the answer owed when
 * a client comes, and one for each operation under way. */
struct call {
    struct service *service;
    uint32_t method; /* RPC_METHODS_COUNT: unknown */
    unsigned references;
    struct tag accept;
    struct tag closed;
    struct tag sent;
    struct tag ended;
    grpc_call *grpc;
    grpc_call_details details; /* of an unknown method */
    grpc_metadata_array metadata;
    grpc_metadata mark; /* RPC_MARK_KEY, while it is being sent */
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    grpc_byte_buffer *outgoing;
    struct call_events events;
    struct call *previous; /* of those that are live */
    struct call *next;
    char peer[NAME_BYTES_MAX]; /* without its port */
    struct identity identity;
    int cancelled;
    bool live;    /* a client has come */
    bool owed;    /* the handler still owes an answer */
    bool greeted; /* initial metadata sent */
    bool sending;
    bool ending; /* the end waits for the message under way */
    int code;    /* grpc_status_code */
    char text[ERROR_BYTES_MAX];
};

struct service {
    struct loop *loop;
    service_request_fn *on_request;
    void *owner;
    grpc_server *grpc;
    grpc_completion_queue *queue;
    void *methods[RPC_METHODS_COUNT];
    struct rights *rights;  /* NULL: no keys, no encryption */
    struct ration refusals; /* log lines, by peer */
    uint64_t refused_total;
    struct call *live;     /* all that a client has begun */
    uint32_t review_timer; /* if rights */
    bool has_timer;
    bool local; /* a unix socket: the peer is the same user */
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

/* Waits for the next client that calls this method. NO_MEMORY. */
enum status call_await(struct service *service, uint32_t method) MUST_CHECK;

/* May it go on? If not, it has been answered. */
bool call_admit(struct call *call);
/* As call_finish, with a code that no status has. */
void call_refuse(struct call *call, int code, const char *text);

/* Every second: ends calls whose right has been taken back. */
void service_review(void *service);

/* An operation of a call has completed. */
void call_complete(const struct tag *tag, bool success);

#endif /* COORDINATOR_SHELL_SERVICE_SERVICE_INSIDE_H */
