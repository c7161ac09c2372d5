#include "proto/codec.h"

#include "proto/utf8.h"
#include "base/check.h"
#include "base/mem.h"
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>
#include <string.h>

enum {
    REGION_ALIGNMENT = 16,
    /* Holds a whole heartbeat, grant or report. */
    REGION_BLOCK_BYTES = 16 << 10
};

/* Bytes of a varint, and the wire types of protobuf. */
enum { VARINT_BYTES_MAX = 10 };
enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2, WIRE_32BIT = 5 };

struct region_block {
    _Alignas(REGION_ALIGNMENT) struct region_block *next;
};

void region_init(struct region *region, size_t budget)
{
    *region = (struct region){.budget = budget};
}

void region_init_lent(struct region *region, void *memory, size_t size)
{
    CHECK((uintptr_t)memory % REGION_ALIGNMENT == 0);
    *region = (struct region){.data = memory, .size = size};
}

static bool add_block(struct region *region, size_t least)
{
    size_t size = least > REGION_BLOCK_BYTES ? least : REGION_BLOCK_BYTES;
    struct region_block *block = NULL;

    size = size <= region->budget ? size : least;
    if (size > region->budget) {
        return false;
    }
    block = mem_new(sizeof(*block) + size);
    if (block == NULL) {
        region->no_memory = true;
        return false;
    }
    block->next = region->blocks;
    region->blocks = block;
    region->data = (unsigned char *)(block + 1);
    region->size = size;
    region->used = 0;
    region->budget -= size;
    return true;
}

void *region_new(struct region *region, size_t size)
{
    size_t rounded = 0;
    void *memory = NULL;

    if (size > SIZE_MAX - REGION_ALIGNMENT) {
        return NULL;
    }
    /* Never 0 bytes, so that every result is a pointer of its own. */
    rounded = size / REGION_ALIGNMENT * REGION_ALIGNMENT + REGION_ALIGNMENT;
    if (rounded > region->size - region->used && !add_block(region, rounded)) {
        return NULL;
    }
    memory = region->data + region->used;
    region->used += rounded;
    return memory;
}

void *region_array(struct region *region, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return region_new(region, count * size);
}

void region_fini(struct region *region)
{
    while (region->blocks != NULL) {
        struct region_block *next = region->blocks->next;

        mem_free(region->blocks);
        region->blocks = next;
    }
    *region = (struct region){0};
}

enum status region_status(const struct region *region)
{
    return region->no_memory ? STATUS_NO_MEMORY : STATUS_INVALID;
}

static void *allocate(void *owner, size_t size)
{
    return region_new(owner, size);
}

static void ignore(void *owner, void *memory)
{
    (void)owner;
    (void)memory;
}

bool codec_printable(const unsigned char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t count = utf8_size((const char *)bytes + at, size - at);

        if (count == 0) {
            return false;
        }
        at += count;
    }
    return true;
}

/* The same, but in lines. */
static bool is_lines(const unsigned char *bytes, size_t size)
{
    size_t begin = 0;

    for (size_t at = 0; at < size; at++) {
        if (bytes[at] != '\n' && bytes[at] != '\r' && bytes[at] != '\t') {
            continue;
        }
        if (!codec_printable(bytes + begin, at - begin)) {
            return false;
        }
        begin = at + 1;
    }
    return codec_printable(bytes + begin, size - begin);
}

/* The scan: raw bytes against the schema, before anything is unpacked. */

enum {
    RULE_STRICT = 1, /* no field that the schema does not know */
    RULE_LINES = 2   /* strings may have line breaks and tabs */
};

struct scan {
    const unsigned char *data;
    size_t size;
    size_t at;
};

static bool scan_varint(struct scan *scan, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_BYTES_MAX && scan->at < scan->size; i++) {
        unsigned char byte = scan->data[scan->at++];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool scan_skip(struct scan *scan, uint64_t count)
{
    if (count > scan->size - scan->at) {
        return false;
    }
    scan->at += (size_t)count;
    return true;
}

static bool scan_message(const ProtobufCMessageDescriptor *descriptor,
                         struct scan scan,
                         unsigned rules,
                         unsigned depth);

/* The payload of a field with a length: data, just behind the length. */
static bool scan_payload(const ProtobufCFieldDescriptor *field,
                         struct scan payload,
                         unsigned rules,
                         unsigned depth)
{
    if (field == NULL) {
        return (rules & RULE_STRICT) == 0;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return (rules & RULE_LINES) != 0
                   ? is_lines(payload.data, payload.size)
                   : codec_printable(payload.data, payload.size);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return scan_message(field->descriptor, payload, rules, depth + 1);
    }
    return true;
}

static bool scan_field(const ProtobufCMessageDescriptor *descriptor,
                       struct scan *scan,
                       unsigned rules,
                       unsigned depth)
{
    const ProtobufCFieldDescriptor *field = NULL;
    uint64_t tag = 0;
    uint64_t value = 0;

    if (!scan_varint(scan, &tag) || tag > UINT32_MAX || tag >> 3 == 0) {
        return false;
    }
    field = protobuf_c_message_descriptor_get_field(descriptor,
                                                    (unsigned)(tag >> 3));
    if (field == NULL && (rules & RULE_STRICT) != 0) {
        return false;
    }
    switch (tag & 7) {
    case WIRE_VARINT:
        return scan_varint(scan, &value);
    case WIRE_64BIT:
        return scan_skip(scan, 8);
    case WIRE_32BIT:
        return scan_skip(scan, 4);
    case WIRE_LENGTH:
        break;
    default:
        return false;
    }
    if (!scan_varint(scan, &value) || !scan_skip(scan, value)) {
        return false;
    }
    return scan_payload(
        field,
        (struct scan){.data = scan->data + scan->at - (size_t)value,
                      .size = (size_t)value},
        rules, depth);
}

static bool scan_message(const ProtobufCMessageDescriptor *descriptor,
                         struct scan scan,
                         unsigned rules,
                         unsigned depth)
{
    if (depth > CODEC_DEPTH_MAX) {
        return false;
    }
    while (scan.at < scan.size) {
        if (!scan_field(descriptor, &scan, rules, depth)) {
            return false;
        }
    }
    return true;
}

bool codec_texts_are_sound(const ProtobufCMessageDescriptor *descriptor,
                           const void *bytes,
                           size_t size)
{
    const struct scan scan = {.data = bytes, .size = size};

    return scan_message(descriptor, scan, RULE_LINES, 0);
}

enum status codec_unpack(const struct codec_schema *schema,
                         const void *bytes,
                         size_t size,
                         struct region *region,
                         struct ProtobufCMessage **out)
{
    ProtobufCAllocator allocator = {
        .alloc = allocate, .free = ignore, .allocator_data = region};
    struct scan scan = {.data = bytes, .size = size};
    ProtobufCMessage *message = NULL;

    if (size > schema->bytes_max) {
        return STATUS_INVALID;
    }
    if (!scan_message(schema->descriptor, scan,
                      schema->strict ? RULE_STRICT : 0, 0)) {
        return STATUS_INVALID;
    }
    message =
        protobuf_c_message_unpack(schema->descriptor, &allocator, size, bytes);
    if (message == NULL) {
        return region_status(region);
    }
    *out = message;
    return STATUS_OK;
}

enum status codec_pack(const struct ProtobufCMessage *message,
                       size_t bytes_max,
                       unsigned char **out,
                       size_t *out_size)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    unsigned char *bytes = NULL;
    size_t packed = 0;

    if (size > bytes_max) {
        return STATUS_INVALID;
    }
    bytes = mem_new(size);
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    packed = protobuf_c_message_pack(message, bytes);
    CHECK(packed == size);
    *out = bytes;
    *out_size = size;
    return STATUS_OK;
}

bool codec_get_text(const char *from, char *to, size_t size)
{
    size_t count = from != NULL ? strlen(from) : 0;

    if (count >= size) {
        return false;
    }
    memset(to, 0, size);
    if (count > 0) {
        memcpy(to, from, count);
    }
    return true;
}

char *codec_put_text(struct region *region, const char *from, size_t size)
{
    const char *end = memchr(from, '\0', size);
    size_t count = end != NULL ? (size_t)(end - from) : size - 1;
    char *text = region_new(region, count + 1);
    size_t at = 0;

    if (text == NULL) {
        return NULL;
    }
    memcpy(text, from, count);
    text[count] = '\0';
    while (at < count) {
        size_t step = utf8_size(text + at, count - at);

        if (step == 0) {
            text[at] = '?';
            step = 1;
        }
        at += step;
    }
    return text;
}

void *codec_new(struct arena *arena, size_t size)
{
    return arena != NULL ? arena_new(arena, size) : mem_new(size);
}
