/* batch.c - operations collected, then applied in one transaction. */
#include "storage/inside.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum {
    /* A batch is what one turn of the coordinator decided; the journal of an
     * interval is some hundred records. */
    OPERATIONS_MAX = 16384,
    OPERATIONS_START = 16
};

struct batch {
    size_t count;
    size_t room; /* of operations */
    struct operation *operations;
};

enum status batch_open(struct batch **out)
{
    struct batch *batch = mem_new(sizeof(*batch));

    if (batch == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = batch;
    return STATUS_OK;
}

void batch_close(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        mem_free(batch->operations[i].memory);
    }
    mem_free(batch->operations);
    mem_free(batch);
}

size_t batch_count(const struct batch *batch)
{
    return batch->count;
}

const struct operation *batch_operation(const struct batch *batch, size_t i)
{
    CHECK(i < batch->count);
    return &batch->operations[i];
}

static enum status make_room(struct batch *batch)
{
    size_t room = batch->room > 0 ? 2 * batch->room : OPERATIONS_START;
    struct operation *operations = NULL;

    if (batch->count < batch->room) {
        return STATUS_OK;
    }
    if (batch->count == OPERATIONS_MAX) {
        return STATUS_BUSY;
    }
    operations = mem_resize(batch->operations, room * sizeof(*operations));
    if (operations == NULL) {
        return STATUS_NO_MEMORY;
    }
    batch->operations = operations;
    batch->room = room;
    return STATUS_OK;
}

/* Moves *at on by size and gives back where it was; copies from if it is. */
static void *lay(unsigned char **at, const void *from, size_t size)
{
    unsigned char *place = *at;

    if (size > 0) {
        memcpy(place, from, size);
    }
    *at += size;
    return place;
}

/* Takes draft with all it borrows copied into one block, hashes first so that
 * nothing stands between it and its alignment. Each text gets a NUL. */
enum status batch_add(struct batch *batch, const struct operation *draft)
{
    struct operation operation = *draft;
    size_t hashes_size = draft->chunks_count * sizeof(*draft->chunks);
    unsigned char *at = NULL;
    enum status status = STATUS_OK;

    if (draft->size > RECORD_BYTES_MAX || draft->more_size > RECORD_BYTES_MAX ||
        draft->chunks_count > RECORD_BYTES_MAX / sizeof(*draft->chunks)) {
        return STATUS_INVALID;
    }
    status = make_room(batch);
    if (status != STATUS_OK) {
        return status;
    }
    operation.memory =
        mem_new(hashes_size + draft->size + draft->more_size + 2);
    if (operation.memory == NULL) {
        return STATUS_NO_MEMORY;
    }
    at = operation.memory;
    operation.chunks = lay(&at, draft->chunks, hashes_size);
    operation.bytes = lay(&at, draft->bytes, draft->size);
    at++; /* the NUL; mem_new has zeroed it */
    operation.more = lay(&at, draft->more, draft->more_size);
    batch->operations[batch->count++] = operation;
    return STATUS_OK;
}

/* A draft points to the caller's bytes for the length of one call. */
static unsigned char *borrow(const void *bytes)
{
    return (unsigned char *)(uintptr_t)bytes;
}

enum status batch_append(struct batch *batch,
                         enum record_log log,
                         uint64_t job,
                         const void *bytes,
                         size_t size)
{
    CHECK(log == LOG_JOURNAL || log == LOG_EVENTS);
    return batch_add(batch, &(struct operation){.kind = OPERATION_APPEND,
                                                .log = log,
                                                .job = job,
                                                .bytes = borrow(bytes),
                                                .size = size});
}

enum status batch_put_job(struct batch *batch,
                          uint64_t job,
                          const void *bytes,
                          size_t size)
{
    return batch_add(batch, &(struct operation){.kind = OPERATION_PUT_JOB,
                                                .job = job,
                                                .bytes = borrow(bytes),
                                                .size = size});
}

enum status batch_put_version(struct batch *batch,
                              uint64_t job,
                              uint64_t number,
                              const void *manifest,
                              size_t manifest_size,
                              const void *summary,
                              size_t summary_size,
                              const struct hash *chunks,
                              size_t chunks_count)
{
    CHECK(number > 0); /* 0 is how a ref says "none" */
    return batch_add(batch,
                     &(struct operation){.kind = OPERATION_PUT_VERSION,
                                         .job = job,
                                         .number = number,
                                         .bytes = borrow(manifest),
                                         .size = manifest_size,
                                         .more = borrow(summary),
                                         .more_size = summary_size,
                                         .chunks = (void *)borrow(chunks),
                                         .chunks_count = chunks_count});
}

enum status batch_set_ref(struct batch *batch,
                          uint64_t job,
                          const char *name,
                          uint64_t number,
                          uint64_t wall_ms,
                          const char *actor)
{
    size_t name_size = strlen(name);
    size_t actor_size = strlen(actor);

    if (name_size == 0 || name_size >= NAME_BYTES_MAX) {
        return STATUS_INVALID;
    }
    if (actor_size >= REASON_BYTES_MAX) {
        return STATUS_INVALID;
    }
    return batch_add(batch, &(struct operation){.kind = OPERATION_SET_REF,
                                                .job = job,
                                                .number = number,
                                                .wall_ms = wall_ms,
                                                .bytes = borrow(name),
                                                .size = name_size,
                                                .more = borrow(actor),
                                                .more_size = actor_size});
}

enum status batch_put_stat(struct batch *batch,
                           uint64_t job,
                           uint64_t key,
                           const void *bytes,
                           size_t size)
{
    return batch_add(batch, &(struct operation){.kind = OPERATION_PUT_STAT,
                                                .job = job,
                                                .number = key,
                                                .bytes = borrow(bytes),
                                                .size = size});
}

enum status batch_put_point(struct batch *batch,
                            uint64_t job,
                            const void *bytes,
                            size_t size)
{
    return batch_add(batch, &(struct operation){.kind = OPERATION_PUT_POINT,
                                                .job = job,
                                                .bytes = borrow(bytes),
                                                .size = size});
}

/* --- Applying --- */

static enum status apply_one(struct kv_txn *txn,
                             const struct operation *operation,
                             struct store *store)
{
    switch (operation->kind) {
    case OPERATION_APPEND:
        return logs_append(txn, operation);
    case OPERATION_PUT_JOB:
        return records_put_job(txn, operation);
    case OPERATION_PUT_VERSION:
        return versions_put(txn, operation);
    case OPERATION_SET_REF:
        return refs_set(txn, operation);
    case OPERATION_PUT_STAT:
        return records_put_stat(txn, operation);
    case OPERATION_PUT_POINT:
        return records_put_point(txn, operation);
    case OPERATION_DROP_VERSIONS:
        return drops_apply(txn, operation, &store->dropped);
    }
    CHECK(operation->kind == 0); /* no kind is 0 */
    return STATUS_INVALID;
}

struct application {
    struct store *store;
    const struct batch *batch;
};

/* Refs are checked after all else, so that a batch may name its version and
 * point to it in any order. */
static enum status apply(struct kv_txn *txn, void *owner)
{
    const struct application *application = owner;
    const struct batch *batch = application->batch;
    struct store *store = application->store;
    enum status status = STATUS_OK;

    store->dropped = 0;
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        status = apply_one(txn, &batch->operations[i], store);
    }
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        if (batch->operations[i].kind == OPERATION_SET_REF) {
            status = refs_check(txn, &batch->operations[i]);
        }
    }
    return status == STATUS_OK ? mirrors_put_positions(txn, store) : status;
}

enum status store_apply(struct store *store, const struct batch *batch)
{
    struct application application = {.store = store, .batch = batch};
    enum status status = STATUS_OK;

    /* A restore names chunks that nobody puts again: a sweep that has read
     * the manifests already must hear of them. */
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        status = young_add(store, batch->operations[i].chunks,
                           batch->operations[i].chunks_count);
    }
    if (status == STATUS_OK) {
        status = mirrors_write(store, batch);
    }
    if (status != STATUS_OK) {
        mirrors_settle(store, batch);
        return status;
    }
    status = kv_update(store->kv, apply, &application);
    if (status != STATUS_OK) {
        mirrors_take_back(store);
    }
    mirrors_settle(store, batch);
    return status;
}
