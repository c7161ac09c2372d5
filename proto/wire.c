#include "proto/wire.h"

#include "proto/codec.h"
#include "proto/wirecheck.h"
#include "proto/wirecode.h"
#include "proto/cajal/v1/wire.pb-c.h"
#include "base/check.h"
#include <stddef.h>
#include <string.h>

/* wirecode_get and wirecode_put take one number for the other. */
#define SAME_NUMBER(name)                                                      \
    _Static_assert((int)WIRE_##name == (int)CAJAL__V1__ENVELOPE__BODY_##name,  \
                   "wire.proto numbers this message as wire.h does")
SAME_NUMBER(HELLO);
SAME_NUMBER(HEARTBEAT);
SAME_NUMBER(OPENED);
SAME_NUMBER(READY);
SAME_NUMBER(REPORT);
SAME_NUMBER(SHARD_CUT);
SAME_NUMBER(FAULT);
SAME_NUMBER(GOODBYE);
SAME_NUMBER(KEPT);
SAME_NUMBER(LEAVE);
SAME_NUMBER(WELCOME);
SAME_NUMBER(REFUSE);
SAME_NUMBER(OPEN);
SAME_NUMBER(ASSIGN);
SAME_NUMBER(GRANT);
SAME_NUMBER(RELEASE);
SAME_NUMBER(DROP);
SAME_NUMBER(QUIT);

/* Not strict: a hello of a later protocol must be understood so far that it
 * can be refused with a sentence. */
static const struct codec_schema schema = {.descriptor =
                                               &cajal__v1__envelope__descriptor,
                                           .bytes_max = CONTROL_BYTES_MAX,
                                           .strict = false};

enum status wire_encode(const struct wire *message,
                        unsigned char **out,
                        size_t *out_size)
{
    Cajal__V1__Envelope envelope = CAJAL__V1__ENVELOPE__INIT;
    struct region region;
    enum status status = STATUS_OK;

    if (!wirecheck_message(message)) {
        return STATUS_INVALID;
    }
    region_init(&region, CODEC_BUDGET_BYTES);
    status = wirecode_put(message, &region, &envelope);
    if (status == STATUS_OK) {
        status = codec_pack(&envelope.base, schema.bytes_max, out, out_size);
    }
    region_fini(&region);
    return status;
}

enum status wire_decode(const void *bytes,
                        size_t size,
                        struct arena *arena,
                        struct wire *out)
{
    struct region region;
    struct ProtobufCMessage *message = NULL;
    struct wire wire;
    enum status status = STATUS_OK;

    CHECK(arena != NULL);
    memset(&wire, 0, sizeof(wire));
    region_init(&region, CODEC_BUDGET_BYTES);
    status = codec_unpack(&schema, bytes, size, &region, &message);
    if (status == STATUS_OK) {
        status =
            wirecode_get((const Cajal__V1__Envelope *)message, arena, &wire);
    }
    if (status == STATUS_OK && !wirecheck_message(&wire)) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        *out = wire;
    }
    region_fini(&region);
    return status;
}

const char *wire_kind_name(enum wire_kind kind)
{
    switch (kind) {
    case WIRE_HELLO:
        return "hello";
    case WIRE_HEARTBEAT:
        return "heartbeat";
    case WIRE_OPENED:
        return "opened";
    case WIRE_READY:
        return "ready";
    case WIRE_REPORT:
        return "report";
    case WIRE_SHARD_CUT:
        return "shard_cut";
    case WIRE_FAULT:
        return "fault";
    case WIRE_GOODBYE:
        return "goodbye";
    case WIRE_KEPT:
        return "kept";
    case WIRE_LEAVE:
        return "leave";
    case WIRE_WELCOME:
        return "welcome";
    case WIRE_REFUSE:
        return "refuse";
    case WIRE_OPEN:
        return "open";
    case WIRE_ASSIGN:
        return "assign";
    case WIRE_GRANT:
        return "grant";
    case WIRE_RELEASE:
        return "release";
    case WIRE_DROP:
        return "drop";
    case WIRE_QUIT:
        return "quit";
    case WIRE_ROSTER:
        return "roster";
    }
    return "?";
}
