#include "storage/batchcode.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

#include <string.h>

static const uint32_t MAGIC = 0x54424a43; /* "CJBT" */

enum { FORMAT = 1, HEADER_BYTES = 28, OPERATION_BYTES = 48 };

static size_t hashes_size(const struct operation *operation)
{
    return operation->chunks_count * sizeof(*operation->chunks);
}

static void put_operation(struct writer *w, const struct operation *operation)
{
    write_u32(w, (uint32_t)operation->kind);
    write_u32(w, (uint32_t)operation->log);
    write_u64(w, operation->number);
    write_u64(w, operation->wall_ms);
    write_u64(w, operation->size);
    write_u64(w, operation->more_size);
    write_u64(w, operation->chunks_count);
    write_bytes(w, operation->bytes, operation->size);
    write_bytes(w, operation->more, operation->more_size);
    write_bytes(w, operation->chunks, hashes_size(operation));
}

bool batchcode_takes(const struct operation *operation, uint64_t job)
{
    return operation->job == job && operation->kind != OPERATION_PUT_POINT;
}

enum status batchcode_encode(const struct batch *batch,
                             const struct batchcode_origin *origin,
                             unsigned char **out,
                             size_t *out_size)
{
    size_t size = HEADER_BYTES;
    uint32_t count = 0;
    struct writer w;
    unsigned char *bytes;

    for (size_t i = 0; i < batch_count(batch); i++) {
        const struct operation *o = batch_operation(batch, i);

        if (batchcode_takes(o, origin->job)) {
            size += OPERATION_BYTES + o->size + o->more_size + hashes_size(o);
            count++;
        }
    }
    bytes = mem_new(size);
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    writer_init(&w, bytes, size);
    write_u32(&w, MAGIC);
    write_u32(&w, FORMAT);
    write_u64(&w, origin->life);
    write_u64(&w, origin->job);
    write_u32(&w, count);
    for (size_t i = 0; i < batch_count(batch); i++) {
        if (batchcode_takes(batch_operation(batch, i), origin->job)) {
            put_operation(&w, batch_operation(batch, i));
        }
    }
    CHECK(!w.failed);
    *out = bytes;
    *out_size = size;
    return STATUS_OK;
}

/* What the functions of store.h let into a batch. */
static bool is_valid(const struct operation *o)
{
    switch (o->kind) {
    case OPERATION_APPEND:
        return o->log == LOG_JOURNAL || o->log == LOG_EVENTS;
    case OPERATION_PUT_VERSION:
        return o->number > 0;
    case OPERATION_SET_REF:
        return o->size > 0 && o->size < NAME_BYTES_MAX &&
               memchr(o->bytes, '\0', o->size) == NULL &&
               o->more_size < REASON_BYTES_MAX;
    case OPERATION_PUT_JOB:
    case OPERATION_PUT_STAT:
        return true;
    case OPERATION_DROP_VERSIONS:
        return o->size > 0 && o->size % sizeof(uint64_t) == 0 &&
               o->size / sizeof(uint64_t) <= DROPS_MAX;
    case OPERATION_PUT_POINT: /* is never taken */
        break;
    }
    return false;
}

/* Borrows from the reader's bytes. false: cut short. */
static bool get_operation(struct reader *r, struct operation *out)
{
    size_t left;

    out->kind = (enum operation_kind)read_u32(r);
    out->log = (enum record_log)read_u32(r);
    out->number = read_u64(r);
    out->wall_ms = read_u64(r);
    out->size = read_u64(r);
    out->more_size = read_u64(r);
    out->chunks_count = read_u64(r);
    left = r->size - r->at;
    if (r->failed || out->size > left || out->more_size > left ||
        out->chunks_count > left / sizeof(*out->chunks)) {
        return false;
    }
    out->bytes = (unsigned char *)(uintptr_t)read_bytes(r, out->size);
    out->more = (unsigned char *)(uintptr_t)read_bytes(r, out->more_size);
    out->chunks = (void *)(uintptr_t)read_bytes(r, hashes_size(out));
    return !r->failed;
}

enum status batchcode_decode(const void *bytes,
                             size_t size,
                             struct batch *batch,
                             struct batchcode_origin *out)
{
    struct reader r;
    uint32_t format;
    uint32_t count;

    reader_init(&r, bytes, size);
    if (read_u32(&r) != MAGIC) {
        return STATUS_CORRUPT;
    }
    format = read_u32(&r);
    if (format != FORMAT) {
        return r.failed ? STATUS_CORRUPT : STATUS_UNSUPPORTED;
    }
    out->life = read_u64(&r);
    out->job = read_u64(&r);
    count = read_u32(&r);
    for (uint32_t i = 0; i < count; i++) {
        struct operation operation = {.job = out->job};
        enum status status = STATUS_CORRUPT;

        if (get_operation(&r, &operation) && is_valid(&operation)) {
            status = batch_add(batch, &operation);
        }
        if (status != STATUS_OK) {
            return status == STATUS_INVALID ? STATUS_CORRUPT : status;
        }
    }
    return r.failed || r.at != r.size ? STATUS_CORRUPT : STATUS_OK;
}
