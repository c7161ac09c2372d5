#include "proto/rpc.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/cajal/v1/control.pb-c.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static grpc_byte_buffer *buffer_of(const void *bytes, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return buffer;
}

static void test_rpc__is_the_service_as_it_was_generated(void **state)
{
    const ProtobufCServiceDescriptor *service = &cajal__v1__control__descriptor;
    size_t count = 0;
    const struct rpc_entry *table = rpc_table(&count);

    (void)state;
    assert_int_equal(count, service->n_methods);
    for (size_t i = 0; i < count; i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "/%s/%s", service->name,
                       service->methods[i].name);
        assert_string_equal(table[i].path, path);
        assert_ptr_equal(table[i].request, service->methods[i].input);
        assert_ptr_equal(table[i].reply, service->methods[i].output);
    }
}

static void test_rpc__brings_a_message_there_and_back(void **state)
{
    Cajal__V1__LaunchRequest message = CAJAL__V1__LAUNCH_REQUEST__INIT;
    grpc_byte_buffer *buffer = NULL;
    ProtobufCMessage *back = NULL;
    uint8_t spec[] = {1, 2, 3};

    (void)state;
    message.request_id = (char *)"abc";
    message.spec.data = spec;
    message.spec.len = sizeof(spec);
    assert_int_equal(rpc_pack(&message.base, &buffer), STATUS_OK);
    assert_int_equal(
        rpc_unpack(buffer, &cajal__v1__launch_request__descriptor, &back),
        STATUS_OK);

    assert_string_equal(((Cajal__V1__LaunchRequest *)back)->request_id, "abc");
    assert_int_equal(((Cajal__V1__LaunchRequest *)back)->spec.len, 3);
    rpc_free(back);
    grpc_byte_buffer_destroy(buffer);
    assert_int_equal(mem_live(), 0);
}

static void test_rpc__refuses_what_is_no_message(void **state)
{
    grpc_byte_buffer *buffer = buffer_of("\x0a\x7f", 2);
    ProtobufCMessage *back = NULL;

    (void)state;
    assert_int_equal(
        rpc_unpack(buffer, &cajal__v1__launch_request__descriptor, &back),
        STATUS_INVALID);
    assert_int_equal(
        rpc_unpack(NULL, &cajal__v1__launch_request__descriptor, &back),
        STATUS_INVALID);

    assert_null(back);
    grpc_byte_buffer_destroy(buffer);
    assert_int_equal(mem_live(), 0);
}

/* An empty unit in a list costs two bytes on the wire and some sixty here. */
static void test_rpc__does_not_let_a_message_grow_without_end(void **state)
{
    size_t size = RPC_BYTES_MAX;
    unsigned char *bytes = mem_new(size);
    grpc_byte_buffer *buffer = NULL;
    ProtobufCMessage *back = NULL;

    (void)state;
    for (size_t i = 0; i < size; i += 2) {
        bytes[i] = 4 << 3 | 2; /* ShowReply.units */
    }
    buffer = buffer_of(bytes, size);
    mem_free(bytes);

    assert_int_equal(
        rpc_unpack(buffer, &cajal__v1__show_reply__descriptor, &back),
        STATUS_INVALID);
    grpc_byte_buffer_destroy(buffer);
    assert_int_equal(mem_live(), 0);
}

static void test_rpc__lets_no_reply_command_a_terminal(void **state)
{
    Cajal__V1__StatusReply message = CAJAL__V1__STATUS_REPLY__INIT;
    Cajal__V1__JobSummary summary = CAJAL__V1__JOB_SUMMARY__INIT;
    Cajal__V1__WorkerShare share = CAJAL__V1__WORKER_SHARE__INIT;
    Cajal__V1__WorkerShare *shares[2] = {&share, &share};
    Cajal__V1__StatusReply *back = NULL;
    ProtobufCMessage *unpacked = NULL;
    grpc_byte_buffer *buffer = NULL;

    (void)state;
    summary.name = (char *)"fa\x1b[2Jshion\r";
    summary.reason = (char *)"two\n\tlines, \xc3\xa4\xc2\x9b\xff";
    share.worker = (char *)"w\x07"
                           "0";
    message.summary = &summary;
    message.n_workers = 2;
    message.workers = shares;
    assert_int_equal(rpc_pack(&message.base, &buffer), STATUS_OK);

    assert_int_equal(
        rpc_unpack(buffer, &cajal__v1__status_reply__descriptor, &unpacked),
        STATUS_OK);

    back = (Cajal__V1__StatusReply *)unpacked;
    assert_string_equal(back->summary->name, "fa?[2Jshion?");
    assert_string_equal(back->summary->reason, "two\n\tlines, \xc3\xa4???");
    assert_string_equal(back->workers[1]->worker, "w?0");
    rpc_free(back);
    grpc_byte_buffer_destroy(buffer);
}

/* protobuf-c's unpacking with its allocator failing at each place. */
static void test_rpc__says_so_when_any_allocation_fails(void **state)
{
    Cajal__V1__LaunchRequest message = CAJAL__V1__LAUNCH_REQUEST__INIT;
    grpc_byte_buffer *buffer = NULL;
    ProtobufCMessage *back = NULL;
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    (void)state;
    message.request_id = (char *)"abc";
    message.source = (char *)"name: x";
    message.spec.len = 3;
    message.spec.data = (unsigned char *)"xyz";
    assert_int_equal(rpc_pack(&message.base, &buffer), STATUS_OK);

    while (status == STATUS_NO_MEMORY) {
        mem_fail_at(++n);
        status = rpc_unpack_request(
            buffer, &cajal__v1__launch_request__descriptor, &back);
        mem_fail_at(0);
        assert_true(status == STATUS_OK || mem_live() == 0);
    }

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(n, 5); /* the message, two texts, the bytes */
    rpc_free(back);
    grpc_byte_buffer_destroy(buffer);
}

static void test_rpc__sends_nothing_above_the_limit(void **state)
{
    Cajal__V1__TensorPart part = CAJAL__V1__TENSOR_PART__INIT;
    grpc_byte_buffer *buffer = NULL;

    (void)state;
    part.data.len = RPC_BYTES_MAX;
    part.data.data = mem_new(part.data.len);

    assert_int_equal(rpc_pack(&part.base, &buffer), STATUS_INVALID);
    assert_null(buffer);
    mem_free(part.data.data);
}

static void test_rpc__keeps_the_meaning_of_a_status_on_the_wire(void **state)
{
    static const enum status kept[] = {
        STATUS_OK,       STATUS_INVALID,     STATUS_NOT_FOUND, STATUS_STALE,
        STATUS_BUSY,     STATUS_UNAVAILABLE, STATUS_CORRUPT,   STATUS_DEADLINE,
        STATUS_CONFLICT, STATUS_UNSUPPORTED, STATUS_REFUSED,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        assert_int_equal(rpc_status(rpc_code(kept[i])), kept[i]);
    }
    assert_int_equal(rpc_code(STATUS_FULL), GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(rpc_status(GRPC_STATUS_ALREADY_EXISTS), STATUS_CONFLICT);
    assert_int_equal(rpc_status(4711), STATUS_IO);
}

static int start(void **state)
{
    (void)state;
    grpc_init();
    return 0;
}

static int end(void **state)
{
    (void)state;
    grpc_shutdown_blocking();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpc__is_the_service_as_it_was_generated),
        cmocka_unit_test(test_rpc__brings_a_message_there_and_back),
        cmocka_unit_test(test_rpc__refuses_what_is_no_message),
        cmocka_unit_test(test_rpc__does_not_let_a_message_grow_without_end),
        cmocka_unit_test(test_rpc__lets_no_reply_command_a_terminal),
        cmocka_unit_test(test_rpc__says_so_when_any_allocation_fails),
        cmocka_unit_test(test_rpc__sends_nothing_above_the_limit),
        cmocka_unit_test(test_rpc__keeps_the_meaning_of_a_status_on_the_wire),
    };

    return cmocka_run_group_tests(tests, start, end);
}
