#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "client/cajal.h"

#include "base/jobs.h"
#include "base/mem.h"
#include "proto/rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* How the server answers every call, whatever its method. */
struct script {
    const ProtobufCMessage *messages[8]; /* sent in order */
    size_t messages_count;
    const char *raw; /* instead: bytes that are no message */
    grpc_status_code code;
    const char *details;
    bool silent;  /* nothing at all, until the client gives up */
    bool foreign; /* it does not say that it is a coordinator */
};

/* A gRPC server on a thread of its own, one call at a time. */
struct server {
    grpc_server *grpc;
    grpc_completion_queue *queue;
    struct thread *thread;
    struct script script;
    struct cajal *cajal;
    char directory[64];
    char target[96];
};

static void wait_for(struct server *s, void *tag)
{
    grpc_event event;

    do {
        event = grpc_completion_queue_next(
            s->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    } while (event.type == GRPC_OP_COMPLETE && event.tag != tag);
}

static void batch(struct server *s, grpc_call *call, grpc_op op)
{
    if (grpc_call_start_batch(call, &op, 1, &op, NULL) == GRPC_CALL_OK) {
        wait_for(s, &op);
    }
}

static void send_bytes(struct server *s, grpc_call *call, grpc_byte_buffer *b)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};

    op.data.send_message.send_message = b;
    batch(s, call, op);
    grpc_byte_buffer_destroy(b);
}

static void answer(struct server *s, grpc_call *call)
{
    const struct script *script = &s->script;
    grpc_slice details = grpc_slice_from_static_string(
        script->details != NULL ? script->details : "");
    grpc_op status = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    grpc_op closed = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    grpc_metadata mark = {.key = grpc_slice_from_static_string(RPC_MARK_KEY),
                          .value =
                              grpc_slice_from_static_string(RPC_MARK_VALUE)};
    grpc_op greeting = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    int cancelled = 0;

    greeting.data.send_initial_metadata.count = script->foreign ? 0 : 1;
    greeting.data.send_initial_metadata.metadata = &mark;
    closed.data.recv_close_on_server.cancelled = &cancelled;
    if (script->silent) {
        batch(s, call, closed);
        return;
    }
    batch(s, call, greeting);
    for (size_t i = 0; i < script->messages_count; i++) {
        grpc_byte_buffer *bytes = NULL;

        assert_int_equal(rpc_pack(script->messages[i], &bytes), STATUS_OK);
        send_bytes(s, call, bytes);
    }
    if (script->raw != NULL) {
        grpc_slice slice = grpc_slice_from_static_string(script->raw);

        send_bytes(s, call, grpc_raw_byte_buffer_create(&slice, 1));
    }
    status.data.send_status_from_server.status = script->code;
    status.data.send_status_from_server.status_details = &details;
    batch(s, call, status);
}

static void serve(void *owner)
{
    struct server *s = owner;

    for (;;) {
        grpc_call *call = NULL;
        grpc_call_details details;
        grpc_metadata_array metadata;

        grpc_call_details_init(&details);
        grpc_metadata_array_init(&metadata);
        if (grpc_server_request_call(s->grpc, &call, &details, &metadata,
                                     s->queue, s->queue,
                                     &call) == GRPC_CALL_OK) {
            wait_for(s, &call);
        }
        if (call != NULL) {
            answer(s, call);
            grpc_call_unref(call);
        }
        grpc_call_details_destroy(&details);
        grpc_metadata_array_destroy(&metadata);
        if (call == NULL) {
            return; /* the server is shutting down */
        }
    }
}

static int setup(void **state)
{
    struct server *s = calloc(1, sizeof(*s));
    grpc_server_credentials *credentials = NULL;
    struct cajal_options options = {.timeout_ms = 5000};

    *state = s;
    (void)snprintf(s->directory, sizeof(s->directory),
                   "/tmp/test-channel-XXXXXX");
    if (mkdtemp(s->directory) == NULL) {
        return -1;
    }
    (void)snprintf(s->target, sizeof(s->target), "unix:%s/s", s->directory);
    grpc_init();
    s->queue = grpc_completion_queue_create_for_next(NULL);
    s->grpc = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(s->grpc, s->queue, NULL);
    credentials = grpc_insecure_server_credentials_create();
    if (grpc_server_add_http2_port(s->grpc, s->target, credentials) == 0) {
        return -1;
    }
    grpc_server_credentials_release(credentials);
    grpc_server_start(s->grpc);
    options.address = s->target;
    if (thread_open(serve, s, &s->thread) != STATUS_OK ||
        cajal_open(&options, &s->cajal) != STATUS_OK) {
        return -1;
    }
    return 0;
}

static void stop_server(struct server *s)
{
    if (s->grpc == NULL) {
        return;
    }
    grpc_server_shutdown_and_notify(s->grpc, s->queue, s);
    grpc_server_cancel_all_calls(s->grpc);
    thread_join(s->thread);
    grpc_completion_queue_shutdown(s->queue);
    while (grpc_completion_queue_next(s->queue,
                                      gpr_inf_future(GPR_CLOCK_REALTIME), NULL)
               .type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_server_destroy(s->grpc);
    grpc_completion_queue_destroy(s->queue);
    s->grpc = NULL;
}

static int teardown(void **state)
{
    struct server *s = *state;

    cajal_close(s->cajal);
    stop_server(s);
    grpc_shutdown_blocking();
    (void)unlink(s->target + strlen("unix:"));
    (void)rmdir(s->directory);
    free(s);
    return mem_live() == 0 ? 0 : -1;
}

static enum status about(struct server *s, Cajal__V1__AboutReply **out)
{
    Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;

    return cajal_about(s->cajal, &request, out);
}

static void test_channel__brings_one_reply(void **state)
{
    struct server *s = *state;
    Cajal__V1__AboutReply told = CAJAL__V1__ABOUT_REPLY__INIT;
    Cajal__V1__AboutReply *reply = NULL;

    told.version = (char *)"9.9";
    told.workers = 3;
    s->script = (struct script){.messages = {&told.base}, .messages_count = 1};

    assert_int_equal(about(s, &reply), STATUS_OK);
    assert_string_equal(reply->version, "9.9");
    assert_int_equal(reply->workers, 3);
    assert_int_equal(cajal_error(s->cajal)->status, STATUS_OK);
    cajal_free(reply);
}

static void test_channel__brings_a_stream_to_its_end(void **state)
{
    struct server *s = *state;
    Cajal__V1__LogsRequest request = CAJAL__V1__LOGS_REQUEST__INIT;
    Cajal__V1__LogLine line = CAJAL__V1__LOG_LINE__INIT;
    struct cajal_stream *stream = NULL;
    const void *message = NULL;

    line.text = (char *)"hello";
    s->script = (struct script){
        .messages = {&line.base, &line.base, &line.base}, .messages_count = 3};
    assert_int_equal(cajal_logs(s->cajal, &request, &stream), STATUS_OK);

    for (int i = 0; i < 3; i++) {
        assert_int_equal(cajal_next(stream, -1, &message), STATUS_OK);
        assert_non_null(message);
        assert_string_equal(((const Cajal__V1__LogLine *)message)->text,
                            "hello");
    }
    assert_int_equal(cajal_next(stream, -1, &message), STATUS_OK);
    assert_null(message);
    assert_int_equal(cajal_next(stream, -1, &message), STATUS_OK);
    assert_null(message);
    cajal_stream_close(stream);
}

static void test_channel__tells_what_the_coordinator_says(void **state)
{
    static const struct {
        grpc_status_code code;
        enum status status;
        const char *says;
    } cases[] = {
        {GRPC_STATUS_NOT_FOUND, STATUS_NOT_FOUND, "no version v9 of j1."},
        {GRPC_STATUS_FAILED_PRECONDITION, STATUS_CONFLICT, "j1 is paused."},
        {GRPC_STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, "no workers in 10 s."},
        {GRPC_STATUS_DATA_LOSS, STATUS_CORRUPT, "chunk 7 is damaged."},
        {GRPC_STATUS_RESOURCE_EXHAUSTED, STATUS_BUSY, "the disk is full."},
    };
    struct server *s = *state;
    Cajal__V1__AboutReply *reply = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s->script =
            (struct script){.code = cases[i].code, .details = cases[i].says};
        assert_int_equal(about(s, &reply), cases[i].status);
        assert_string_equal(cajal_error(s->cajal)->text, cases[i].says);
        assert_int_equal(cajal_error(s->cajal)->code, (int)cases[i].code);
    }
    assert_null(reply);
}

static void test_channel__gives_messages_before_the_error_that_follows(
    void **state)
{
    struct server *s = *state;
    Cajal__V1__LogsRequest request = CAJAL__V1__LOGS_REQUEST__INIT;
    Cajal__V1__LogLine line = CAJAL__V1__LOG_LINE__INIT;
    struct cajal_stream *stream = NULL;
    const void *message = NULL;

    s->script = (struct script){.messages = {&line.base},
                                .messages_count = 1,
                                .code = GRPC_STATUS_DATA_LOSS,
                                .details = "damaged."};
    assert_int_equal(cajal_logs(s->cajal, &request, &stream), STATUS_OK);

    assert_int_equal(cajal_next(stream, -1, &message), STATUS_OK);
    assert_int_equal(cajal_next(stream, -1, &message), STATUS_CORRUPT);
    assert_int_equal(cajal_next(stream, -1, &message), STATUS_CORRUPT);
    cajal_stream_close(stream);
}

static void test_channel__waits_no_longer_than_told(void **state)
{
    struct server *s = *state;
    struct cajal_options options = {.address = s->target, .timeout_ms = 50};
    Cajal__V1__AboutReply *reply = NULL;

    cajal_close(s->cajal);
    assert_int_equal(cajal_open(&options, &s->cajal), STATUS_OK);
    s->script = (struct script){.silent = true};

    assert_int_equal(about(s, &reply), STATUS_DEADLINE);
    assert_non_null(strstr(cajal_error(s->cajal)->text, "--timeout"));
    assert_non_null(strstr(cajal_error(s->cajal)->text, s->target));
}

static void test_channel__lets_a_stream_be_asked_again(void **state)
{
    struct server *s = *state;
    Cajal__V1__WatchRequest request = CAJAL__V1__WATCH_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    const void *message = NULL;

    s->script = (struct script){.silent = true};
    assert_int_equal(cajal_watch(s->cajal, &request, &stream), STATUS_OK);

    assert_int_equal(cajal_next(stream, 10, &message), STATUS_DEADLINE);
    assert_int_equal(cajal_next(stream, 10, &message), STATUS_DEADLINE);
    assert_null(message);
    cajal_stream_close(stream); /* while a message is still waited for */
}

static void test_channel__says_in_words_that_nobody_is_there(void **state)
{
    struct server *s = *state;
    Cajal__V1__AboutReply *reply = NULL;

    stop_server(s);

    assert_int_equal(about(s, &reply), STATUS_UNAVAILABLE);
    assert_non_null(
        strstr(cajal_error(s->cajal)->text, "no coordinator answers at unix:"));
}

static void test_channel__refuses_an_answer_that_is_none(void **state)
{
    struct server *s = *state;
    Cajal__V1__AboutReply *reply = NULL;

    s->script = (struct script){.raw = "\x0a\x7f"};
    assert_int_equal(about(s, &reply), STATUS_INVALID);
    assert_non_null(strstr(cajal_error(s->cajal)->text, "same release"));

    s->script = (struct script){.messages_count = 0};
    assert_int_equal(about(s, &reply), STATUS_INVALID);
    assert_null(reply);
}

/* Another gRPC service, whatever it says. */
static void test_channel__knows_a_service_that_is_no_coordinator(void **state)
{
    static const struct script scripts[] = {
        {.foreign = true,
         .code = GRPC_STATUS_UNIMPLEMENTED,
         .details = "Method not found!"},
        {.foreign = true,
         .code = GRPC_STATUS_PERMISSION_DENIED,
         .details = "Received http2 header with status: 403"},
        {.foreign = true, .raw = "\x0a\x7f"},
        {.foreign = true},
    };
    struct server *s = *state;
    Cajal__V1__AboutReply *reply = NULL;

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        s->script = scripts[i];
        assert_int_equal(about(s, &reply), STATUS_UNAVAILABLE);
        assert_int_equal(cajal_error(s->cajal)->code, GRPC_STATUS_UNAVAILABLE);
        assert_non_null(strstr(cajal_error(s->cajal)->text,
                               "does not speak Cajal's protocol"));
        assert_non_null(strstr(cajal_error(s->cajal)->text, s->target));
    }
    assert_null(reply);
}

static void test_channel__keeps_off_the_network_unless_told(void **state)
{
    struct cajal_options options = {.address = "10.0.0.1:7070"};
    struct cajal *cajal = NULL;

    (void)state;
    assert_int_equal(cajal_open(&options, &cajal), STATUS_INVALID);
    assert_null(cajal);

    options.insecure = true;
    assert_int_equal(cajal_open(&options, &cajal), STATUS_OK);
    cajal_close(cajal);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_channel__brings_one_reply),
        TEST(test_channel__brings_a_stream_to_its_end),
        TEST(test_channel__tells_what_the_coordinator_says),
        TEST(test_channel__gives_messages_before_the_error_that_follows),
        TEST(test_channel__waits_no_longer_than_told),
        TEST(test_channel__lets_a_stream_be_asked_again),
        TEST(test_channel__says_in_words_that_nobody_is_there),
        TEST(test_channel__refuses_an_answer_that_is_none),
        TEST(test_channel__knows_a_service_that_is_no_coordinator),
        cmocka_unit_test(test_channel__keeps_off_the_network_unless_told),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
