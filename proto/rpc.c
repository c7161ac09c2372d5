#include "proto/rpc.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/cajal/v1/control.pb-c.h"
#include "proto/codec.h"
#include "proto/utf8.h"

#include <grpc/grpc.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>

#include <string.h>

#define ENTRY(method, name, is_stream, in, out)                                \
    [RPC_##method] = {"/cajal.v1.Control/" name, is_stream,                    \
                      &cajal__v1__##in##__descriptor,                          \
                      &cajal__v1__##out##__descriptor}

static const struct rpc_entry table[RPC_METHODS_COUNT] = {
    ENTRY(ABOUT, "About", false, about_request, about_reply),
    ENTRY(LAUNCH, "Launch", false, launch_request, launch_reply),
    ENTRY(PROBE, "Probe", false, probe_request, probe_reply),
    ENTRY(LIST_JOBS, "ListJobs", true, list_jobs_request, job_summary),
    ENTRY(STATUS, "Status", false, status_request, status_reply),
    ENTRY(WATCH, "Watch", true, watch_request, event),
    ENTRY(CANCEL, "Cancel", false, job_request, change_reply),
    ENTRY(PAUSE, "Pause", false, job_request, change_reply),
    ENTRY(RESUME, "Resume", false, job_request, change_reply),
    ENTRY(SET, "Set", false, set_request, change_reply),
    ENTRY(HISTORY, "History", true, history_request, version_summary),
    ENTRY(SHOW, "Show", true, show_request, show_reply),
    ENTRY(DIFF, "Diff", true, diff_request, layer_diff),
    ENTRY(RESTORE, "Restore", false, restore_request, change_reply),
    ENTRY(UNDO, "Undo", false, job_request, change_reply),
    ENTRY(TAG, "Tag", false, tag_request, change_reply),
    ENTRY(LIST_TAGS, "ListTags", true, job_request, tag_entry),
    ENTRY(PULL, "Pull", true, pull_request, tensor_part),
    ENTRY(FOLLOW, "Follow", true, follow_request, tensor_part),
    ENTRY(EVALUATE, "Evaluate", true, evaluate_request, task_evaluation),
    ENTRY(METRICS, "Metrics", true, metrics_request, task_metrics),
    ENTRY(VERIFY, "Verify", true, verify_request, verify_reply),
    ENTRY(BACKUP, "Backup", true, backup_request, backup_reply),
    ENTRY(GC, "Gc", true, gc_request, gc_reply),
    ENTRY(LIST_WORKERS,
          "ListWorkers",
          true,
          list_workers_request,
          worker_summary),
    ENTRY(CORDON, "Cordon", false, worker_request, worker_reply),
    ENTRY(UNCORDON, "Uncordon", false, worker_request, worker_reply),
    ENTRY(DRAIN, "Drain", false, worker_request, worker_reply),
    ENTRY(LOGS, "Logs", true, logs_request, log_line),
    ENTRY(SHUTDOWN, "Shutdown", false, shutdown_request, shutdown_reply),
};

#undef ENTRY

const struct rpc_entry *rpc_table(size_t *out_count)
{
    *out_count = RPC_METHODS_COUNT;
    return table;
}

enum status rpc_pack(const ProtobufCMessage *message, grpc_byte_buffer **out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    grpc_byte_buffer *buffer = NULL;
    grpc_slice slice;

    if (size > RPC_BYTES_MAX) {
        return STATUS_INVALID;
    }
    slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    if (buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = buffer;
    return STATUS_OK;
}

/* The allocator lent to protobuf-c: it fails cleanly where NULL comes back.
 * Only taking is counted; nothing is given back before the end, but on the
 * way to a failure. */
struct budget {
    size_t left;
    bool no_memory; /* the heap, not the budget, refused */
};

static void *take(void *owner, size_t size)
{
    struct budget *budget = owner;
    void *memory = NULL;

    if (size > budget->left) {
        return NULL;
    }
    budget->left -= size;
    memory = mem_new(size);
    budget->no_memory |= memory == NULL;
    return memory;
}

static void give(void *owner, void *memory)
{
    (void)owner;
    mem_free(memory);
}

static enum status unpack(grpc_byte_buffer *buffer,
                          const ProtobufCMessageDescriptor *type,
                          bool check_texts,
                          ProtobufCMessage **out)
{
    struct budget budget = {.left = RPC_MEMORY_MAX};
    ProtobufCAllocator allocator = {take, give, &budget};
    ProtobufCMessage *message = NULL;
    grpc_byte_buffer_reader reader;
    grpc_slice slice;

    if (buffer == NULL || grpc_byte_buffer_length(buffer) > RPC_BYTES_MAX) {
        return STATUS_INVALID;
    }
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        return STATUS_INVALID;
    }
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    if (!check_texts || codec_texts_are_sound(type, GRPC_SLICE_START_PTR(slice),
                                              GRPC_SLICE_LENGTH(slice))) {
        message = protobuf_c_message_unpack(type, &allocator,
                                            GRPC_SLICE_LENGTH(slice),
                                            GRPC_SLICE_START_PTR(slice));
    }
    grpc_slice_unref(slice);
    if (message == NULL) {
        return budget.no_memory ? STATUS_NO_MEMORY : STATUS_INVALID;
    }
    *out = message;
    return STATUS_OK;
}

static void clean_text(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        bool layout = *text == '\n' || *text == '\t';
        size_t step = layout ? 1 : utf8_size(text, left);

        if (step == 0) {
            *text = '?';
            step = 1;
        }
        text += step;
        left -= step;
    }
}

static void clean_message(ProtobufCMessage *message);

static void clean_field(const ProtobufCFieldDescriptor *field, void *value)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        clean_text(*(char **)value);
    } else if (*(ProtobufCMessage **)value != NULL) {
        clean_message(*(ProtobufCMessage **)value);
    }
}

/* As deep as the schema, which does not come back to itself. */
static void clean_message(ProtobufCMessage *message)
{
    unsigned char *base = (unsigned char *)message;

    for (unsigned f = 0; f < message->descriptor->n_fields; f++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[f];
        void *value = base + field->offset;
        size_t count = 0;

        if (field->type != PROTOBUF_C_TYPE_STRING &&
            field->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            clean_field(field, value);
            continue;
        }
        memcpy(&count, base + field->quantifier_offset, sizeof(count));
        for (size_t i = 0; i < count; i++) {
            clean_field(field, *(void ***)value + i);
        }
    }
}

enum status rpc_unpack(grpc_byte_buffer *buffer,
                       const ProtobufCMessageDescriptor *type,
                       ProtobufCMessage **out)
{
    enum status status = unpack(buffer, type, false, out);

    if (status == STATUS_OK) {
        clean_message(*out);
    }
    return status;
}

enum status rpc_unpack_request(grpc_byte_buffer *buffer,
                               const ProtobufCMessageDescriptor *type,
                               ProtobufCMessage **out)
{
    return unpack(buffer, type, true, out);
}

void rpc_free(void *message)
{
    ProtobufCAllocator allocator = {take, give, NULL};

    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, &allocator);
    }
}

int rpc_code(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return GRPC_STATUS_OK;
    case STATUS_INVALID:
        return GRPC_STATUS_INVALID_ARGUMENT;
    case STATUS_NOT_FOUND:
        return GRPC_STATUS_NOT_FOUND;
    case STATUS_STALE:
        return GRPC_STATUS_ABORTED;
    case STATUS_UNAVAILABLE:
        return GRPC_STATUS_UNAVAILABLE;
    case STATUS_CORRUPT:
        return GRPC_STATUS_DATA_LOSS;
    case STATUS_BUSY:
    case STATUS_NO_MEMORY:
    case STATUS_IO:
    case STATUS_FULL:
        return GRPC_STATUS_RESOURCE_EXHAUSTED;
    case STATUS_DEADLINE:
        return GRPC_STATUS_DEADLINE_EXCEEDED;
    case STATUS_CONFLICT:
        return GRPC_STATUS_FAILED_PRECONDITION;
    case STATUS_UNSUPPORTED:
        return GRPC_STATUS_UNIMPLEMENTED;
    case STATUS_REFUSED:
        return GRPC_STATUS_PERMISSION_DENIED;
    }
    return GRPC_STATUS_INTERNAL;
}

enum status rpc_status(int code)
{
    switch (code) { /* any number may arrive */
    case GRPC_STATUS_OK:
        return STATUS_OK;
    case GRPC_STATUS_INVALID_ARGUMENT:
    case GRPC_STATUS_OUT_OF_RANGE:
        return STATUS_INVALID;
    case GRPC_STATUS_NOT_FOUND:
        return STATUS_NOT_FOUND;
    case GRPC_STATUS_ABORTED:
        return STATUS_STALE;
    case GRPC_STATUS_UNAVAILABLE:
        return STATUS_UNAVAILABLE;
    case GRPC_STATUS_DATA_LOSS:
        return STATUS_CORRUPT;
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return STATUS_BUSY;
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return STATUS_DEADLINE;
    case GRPC_STATUS_FAILED_PRECONDITION:
    case GRPC_STATUS_ALREADY_EXISTS:
        return STATUS_CONFLICT;
    case GRPC_STATUS_UNIMPLEMENTED:
        return STATUS_UNSUPPORTED;
    case GRPC_STATUS_PERMISSION_DENIED:
    case GRPC_STATUS_UNAUTHENTICATED:
        return STATUS_REFUSED;
    default:
        return STATUS_IO;
    }
}
