/* fuzz_request.c - any bytes as a client's request, to a whole coordinator.
 *
 * The first byte chooses the method, the rest is the message as it comes over
 * gRPC. The coordinator is the unit tests' (world.h), in this process: a store
 * with three versions, no worker. Whatever is asked, it answers, or the client
 * leaves; then it answers the next one. Left out are calls that end it or that
 * write to a path which the request names: their fields are only unpacked. */
#include "base/check.h"
#include "proto/rpc.h"
#include "tests/unit/coordinator/shell/world.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <stdlib.h>

enum {
    /* A client that waits for what cannot come (a worker, an event) leaves
     * after so many messages, or turns of the loop. */
    MESSAGES_MAX = 20,
    /* What requests have made is thrown away after so many of them: they
     * launch jobs and set tags. */
    REQUESTS_PER_WORLD = 2000
};

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static struct world *world;

static void close_world(void)
{
    void *state = world;

    if (world != NULL) {
        (void)world_teardown(&state);
    }
    world = NULL;
}

/* cmocka's asserts of world.c need no test around them as long as they hold. */
static void renew_world(void)
{
    static unsigned asked;
    void *state = NULL;

    if (asked == 0) {
        CHECK(atexit(close_world) == 0); /* its directory goes too */
    }
    if (++asked % REQUESTS_PER_WORLD == 0) {
        close_world();
    }
    if (world == NULL) {
        CHECK(world_setup(&state) == 0);
        world = state;
    }
}

/* Unpacks as the service does; what is good is good again when packed. */
static bool unpacks(enum rpc_method method,
                    const unsigned char *bytes,
                    size_t size)
{
    size_t count = 0;
    const struct rpc_entry *entry = &rpc_table(&count)[method];
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_byte_buffer *packed = NULL;
    ProtobufCMessage *message = NULL;
    ProtobufCMessage *again = NULL;
    bool good =
        rpc_unpack_request(buffer, entry->request, &message) == STATUS_OK;

    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(buffer);
    if (!good) {
        return false;
    }
    CHECK(rpc_pack(message, &packed) == STATUS_OK);
    CHECK(rpc_unpack_request(packed, entry->request, &again) == STATUS_OK);
    grpc_byte_buffer_destroy(packed);
    rpc_free(again);
    rpc_free(message);
    return true;
}

static bool may_ask(enum rpc_method method)
{
    return method != RPC_SHUTDOWN && method != RPC_BACKUP &&
           method != RPC_VERIFY;
}

/* A call without an answer ends when its client leaves. */
static bool may_wait(enum rpc_method method)
{
    return method == RPC_WATCH || method == RPC_FOLLOW ||
           method == RPC_EVALUATE || method == RPC_PROBE || method == RPC_DRAIN;
}

static void ask(enum rpc_method method, const unsigned char *bytes, size_t size)
{
    size_t count = 0;
    const struct rpc_entry *entry = &rpc_table(&count)[method];
    struct caller_call *call =
        caller_begin(world->caller, entry->path, bytes, size);
    int left = MESSAGES_MAX;
    int code = GRPC_STATUS_OK;

    if (may_wait(method)) {
        for (int turn = 0; turn < MESSAGES_MAX; turn++) {
            CHECK(loop_turn(world->loop, 1) == STATUS_OK);
        }
        caller_cancel(call);
        (void)caller_end(call, NULL, 0);
        return;
    }
    while (left-- > 0) {
        void *message = caller_next(call, method);

        if (message == NULL) {
            break;
        }
        rpc_free(message);
    }
    if (left < 0) {
        caller_cancel(call);
    }
    code = caller_end(call, NULL, 0);
    CHECK(code != GRPC_STATUS_INTERNAL && code != GRPC_STATUS_UNKNOWN);
    CHECK(code != GRPC_STATUS_UNIMPLEMENTED);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    enum rpc_method method = RPC_ABOUT;

    if (size == 0) {
        return 0;
    }
    renew_world();
    method = (enum rpc_method)(data[0] % RPC_METHODS_COUNT);
    /* What does not unpack the service refuses; once in a while it is asked. */
    if ((unpacks(method, data + 1, size - 1) || size % 8 == 0) &&
        may_ask(method)) {
        ask(method, data + 1, size - 1);
    }
    return 0;
}
