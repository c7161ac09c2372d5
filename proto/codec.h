/* codec.h - the ground of all codecs: protobufs from anyone, within bounds.
 *
 * protobuf-c alone is no protection: it multiplies hostile bytes by 36 to 48
 * in memory, drops what follows a NUL in a string, and checks no UTF-8. So
 * every unpacking goes through codec_unpack: size first, then a scan of the
 * raw bytes, then unpacking into a region with a budget. What the fields hold
 * is checked after that, by modelcheck.h and wirecheck.h. */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

enum {
    /* The scratch memory of one control message or manifest. Real ones need
     * less than 8 bytes a byte: 8 MB of packed one-byte integers. */
    CODEC_BUDGET_BYTES = 64 << 20,
    /* Deeper than any schema of ours; so a scan's stack is bounded. */
    CODEC_DEPTH_MAX = 8
};

struct region_block;

/* Memory that is taken piece by piece and dropped as a whole, up to a budget.
 * protobuf-c's own frees are ignored, so that neither a leak nor a double free
 * of it can hurt. One owner, one thread. */
struct region {
    struct region_block *blocks; /* newest first */
    unsigned char *data;         /* of the block in use */
    size_t size;
    size_t used;
    size_t budget;  /* bytes that may still be allocated */
    bool no_memory; /* the heap, not the budget, refused */
};

void region_init(struct region *region, size_t budget);
/* Takes nothing from the heap: the lent memory is the budget. */
void region_init_lent(struct region *region, void *memory, size_t size);
/* Zeroed, 16-byte aligned (lent memory: not zeroed); NULL: see no_memory. */
void *region_new(struct region *region, size_t size);
void *region_array(struct region *region, size_t count, size_t size);
void region_fini(struct region *region);
/* What a NULL of region_new means: NO_MEMORY, or INVALID (over budget). */
enum status region_status(const struct region *region);

struct codec_schema {
    const struct ProtobufCMessageDescriptor *descriptor;
    size_t bytes_max;
    bool strict; /* fields that the schema does not know are refused */
};

/* The message lies in the region. INVALID: too large, malformed, a string
 * that is not printable UTF-8, a field that strict refuses, or over budget.
 * NO_MEMORY. */
enum status codec_unpack(const struct codec_schema *schema,
                         const void *bytes,
                         size_t size,
                         struct region *region,
                         struct ProtobufCMessage **out) MUST_CHECK;

/* Are all strings of the message, at any depth, UTF-8 that may be shown, line
 * breaks and tabs being allowed? For what is unpacked elsewhere (gRPC). */
bool codec_texts_are_sound(const struct ProtobufCMessageDescriptor *descriptor,
                           const void *bytes,
                           size_t size) MUST_CHECK;

/* Into fresh memory (mem_free). INVALID: over bytes_max. NO_MEMORY. */
enum status codec_pack(const struct ProtobufCMessage *message,
                       size_t bytes_max,
                       unsigned char **out,
                       size_t *out_size) MUST_CHECK;

/* Whole characters that may be shown (proto/utf8.h), so that no peer can write
 * into the layout of our logs. */
bool codec_printable(const unsigned char *bytes, size_t size);

/* Copies an unpacked string into a field of `size` bytes. False: too long. */
bool codec_get_text(const char *from, char *to, size_t size);

/* A copy of a field of `size` bytes, ready for packing: what a receiver would
 * not accept (half a character where a text was cut, a line break) becomes
 * '?', since a garbled text is better than an untold error. NULL: no memory. */
char *codec_put_text(struct region *region, const char *from, size_t size);

/* Memory for what is decoded: from the arena, or from mem_new where that is
 * NULL. Zeroed; NULL: full. */
void *codec_new(struct arena *arena, size_t size);

#endif /* PROTO_CODEC_H */
