#include "coordinator/shell/service/service.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/cajal/v1/control.pb-c.h"
#include "tests/unit/coordinator/shell/caller.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <grpc/status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTS = 20 };

/* About: replies. ListJobs: a stream of PARTS. Watch: hangs. Status: fails. */
struct world {
    char dir[64];
    char address[96];
    uint64_t live;
    struct loop *loop;
    struct link_context *context;
    struct service *service;
    struct caller *caller;
    struct call *streaming;
    struct call *hanging;
    int sent;
    int outstanding_most;
    bool closed;
};

static void send_one(struct world *w)
{
    Cajal__V1__JobSummary m = CAJAL__V1__JOB_SUMMARY__INIT;
    struct grpc_byte_buffer *buffer = NULL;

    if (w->sent == PARTS) {
        call_finish(w->streaming, STATUS_OK, "");
        return;
    }
    m.step = (uint64_t)w->sent++;
    assert_int_equal(rpc_pack(&m.base, &buffer), STATUS_OK);
    assert_true(call_writable(w->streaming));
    call_send(w->streaming, buffer);
    assert_false(call_writable(w->streaming));
}

static void on_writable(void *owner)
{
    send_one(owner);
}

static void on_closed(void *owner)
{
    struct world *w = owner;

    w->closed = true;
}

static void on_request(void *owner,
                       struct call *call,
                       enum rpc_method method,
                       const ProtobufCMessage *request)
{
    struct world *w = owner;
    const struct call_events events = {on_writable, on_closed, w};
    Cajal__V1__AboutReply about = CAJAL__V1__ABOUT_REPLY__INIT;
    char version[] = "1.2.3";

    (void)request;
    switch ((int)method) {
    case RPC_ABOUT:
        about.version = version;
        call_reply(call, &about.base);
        break;
    case RPC_LIST_JOBS:
        assert_true(call_streams(call));
        w->streaming = call;
        call_attach(call, &events);
        send_one(w);
        break;
    case RPC_WATCH:
        w->hanging = call;
        call_attach(call, &events);
        break;
    default:
        call_finish(call, STATUS_CONFLICT, "not now");
        break;
    }
}

static enum status open_service(struct world *w,
                                const char *address,
                                char *why,
                                struct service **out)
{
    const struct service_options options = {.loop = w->loop,
                                            .context = w->context,
                                            .address = address,
                                            .on_request = on_request,
                                            .owner = w};

    return service_open(&options, why, ERROR_BYTES_MAX, out);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char why[ERROR_BYTES_MAX] = "";

    assert_non_null(w);
    w->live = mem_live();
    fixture_make_dir(w->dir);
    (void)snprintf(w->address, sizeof(w->address), "unix:%s/s", w->dir);
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    assert_int_equal(link_context_open(&w->context), STATUS_OK);
    assert_int_equal(open_service(w, w->address, why, &w->service), STATUS_OK);
    w->caller = caller_open(w->loop, w->address);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    service_stop(w->service, 0);
    caller_close(w->caller);
    service_close(w->service);
    link_context_close(w->context);
    loop_close(w->loop);
    fixture_remove_dir(w->dir);
    assert_int_equal(mem_live(), w->live);
    free(w);
    return 0;
}

static void test_service__answers_a_call(void **state)
{
    struct world *w = *state;
    const Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;
    void *message = NULL;
    const Cajal__V1__AboutReply *reply = NULL;

    for (int i = 0; i < 5; i++) {
        assert_int_equal(caller_unary(w->caller, RPC_ABOUT, &request.base,
                                      &message, NULL, 0),
                         GRPC_STATUS_OK);
        reply = message;
        assert_string_equal(reply->version, "1.2.3");
        rpc_free(message);
    }
    assert_int_equal(service_calls_total(w->service), 5);
}

static void test_service__gives_errors_with_a_sentence(void **state)
{
    struct world *w = *state;
    const Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    char text[64] = "";

    assert_int_equal(caller_unary(w->caller, RPC_STATUS, &request.base, NULL,
                                  text, sizeof(text)),
                     GRPC_STATUS_FAILED_PRECONDITION);
    assert_string_equal(text, "not now");
}

static void test_service__streams_one_message_at_a_time(void **state)
{
    struct world *w = *state;
    const Cajal__V1__ListJobsRequest request =
        CAJAL__V1__LIST_JOBS_REQUEST__INIT;
    struct caller_call *call =
        caller_ask(w->caller, RPC_LIST_JOBS, &request.base);

    for (uint64_t i = 0; i < PARTS; i++) {
        Cajal__V1__JobSummary *m = caller_next(call, RPC_LIST_JOBS);

        assert_non_null(m);
        assert_int_equal(m->step, i);
        rpc_free(m);
    }
    assert_null(caller_next(call, RPC_LIST_JOBS));
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_service__tells_when_a_client_leaves(void **state)
{
    struct world *w = *state;
    const Cajal__V1__WatchRequest request = CAJAL__V1__WATCH_REQUEST__INIT;
    struct caller_call *call = caller_ask(w->caller, RPC_WATCH, &request.base);

    for (int i = 0; i < 5000 && w->hanging == NULL; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_non_null(w->hanging);
    assert_int_equal(service_calls(w->service), 1);
    caller_cancel(call);

    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_CANCELLED);
    for (int i = 0; i < 5000 && service_calls(w->service) > 0; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_true(w->closed);
    assert_int_equal(service_calls(w->service), 0);
}

static void test_service__a_stop_ends_calls_that_hang(void **state)
{
    struct world *w = *state;
    const Cajal__V1__WatchRequest request = CAJAL__V1__WATCH_REQUEST__INIT;
    struct caller_call *call = caller_ask(w->caller, RPC_WATCH, &request.base);

    for (int i = 0; i < 5000 && w->hanging == NULL; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    service_stop(w->service, 10);

    assert_true(w->closed);
    assert_int_not_equal(caller_end(call, NULL, 0), GRPC_STATUS_OK);
}

static void test_service__says_what_it_does_not_have(void **state)
{
    struct world *w = *state;
    struct caller_call *call =
        caller_begin(w->caller, "/cajal.v1.Control/Nothing", "", 0);

    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_UNIMPLEMENTED);
    call = caller_begin(w->caller, "/other.Service/About", "", 0);
    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_UNIMPLEMENTED);
}

static void test_service__refuses_bytes_that_are_no_request(void **state)
{
    struct world *w = *state;
    struct caller_call *call = caller_begin(
        w->caller, "/cajal.v1.Control/Launch", "\xff\xff\xff\xff\x07", 5);

    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_service__refuses_a_request_that_is_too_large(void **state)
{
    struct world *w = *state;
    const Cajal__V1__AboutRequest about = CAJAL__V1__ABOUT_REQUEST__INIT;
    char *bytes = calloc(1, RPC_BYTES_MAX + 1000);
    struct caller_call *call = caller_begin(
        w->caller, "/cajal.v1.Control/Launch", bytes, RPC_BYTES_MAX + 1000);

    assert_int_equal(caller_end(call, NULL, 0), GRPC_STATUS_RESOURCE_EXHAUSTED);
    free(bytes);
    assert_int_equal(
        caller_unary(w->caller, RPC_ABOUT, &about.base, NULL, NULL, 0),
        GRPC_STATUS_OK);
}

static void test_service__refuses_an_address_in_use(void **state)
{
    struct world *w = *state;
    char why[ERROR_BYTES_MAX] = "";
    struct service *second = NULL;
    char address[64];

    assert_int_equal(open_service(w, w->address, why, &second),
                     STATUS_CONFLICT);
    assert_non_null(strstr(why, "in use"));
    assert_int_equal(open_service(w, "ipv4:127.0.0.1:0", why, &second),
                     STATUS_OK);
    (void)snprintf(address, sizeof(address), "ipv4:127.0.0.1:%d",
                   service_port(second));

    struct service *third = NULL;

    assert_int_equal(open_service(w, address, why, &third), STATUS_CONFLICT);
    assert_null(third);
    service_stop(second, 0);
    service_close(second);
}

static void test_service__refuses_to_be_open_to_the_world(void **state)
{
    struct world *w = *state;
    char why[ERROR_BYTES_MAX] = "";
    struct service *second = NULL;

    assert_int_equal(open_service(w, "0.0.0.0:7070", why, &second),
                     STATUS_REFUSED);
    assert_int_equal(
        open_service(w, "127.0.0.1.example.org:7070", why, &second),
        STATUS_REFUSED);
    assert_int_equal(open_service(w, "ipv4:10.0.0.1:7070", why, &second),
                     STATUS_REFUSED);
    assert_non_null(strstr(why, "--insecure"));
}

static void test_service__refuses_a_socket_path_that_is_too_long(void **state)
{
    struct world *w = *state;
    char why[ERROR_BYTES_MAX] = "";
    struct service *second = NULL;
    char address[200];

    memset(address, 'x', sizeof(address));
    memcpy(address, "unix:/tmp/", 10);
    address[sizeof(address) - 1] = '\0';

    assert_int_equal(open_service(w, address, why, &second), STATUS_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_service__answers_a_call),
        TEST(test_service__gives_errors_with_a_sentence),
        TEST(test_service__streams_one_message_at_a_time),
        TEST(test_service__tells_when_a_client_leaves),
        TEST(test_service__a_stop_ends_calls_that_hang),
        TEST(test_service__says_what_it_does_not_have),
        TEST(test_service__refuses_bytes_that_are_no_request),
        TEST(test_service__refuses_a_request_that_is_too_large),
        TEST(test_service__refuses_an_address_in_use),
        TEST(test_service__refuses_to_be_open_to_the_world),
        TEST(test_service__refuses_a_socket_path_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
