#include "worker/shell/cutter.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

struct work {
    struct work *next;
    struct copy *copy;
    cutter_done_fn *done; /* NULL: forgotten */
    void *owner;
    struct shard_record record;
    struct hash *hashes; /* of all tensors, one after the other */
    uint32_t tensor;     /* the next chunk to begin with; tensors_count: */
    uint32_t chunk;      /* all have begun */
    uint32_t under_way;  /* chunks begun and not durable */
    enum status status;  /* the first failure */
};

/* One chunk on its way. */
struct put {
    struct cutter *cutter;
    struct work *work;  /* NULL: free */
    struct part *piece; /* in the work's copy */
    struct hash *hash;  /* in the work */
};

struct cutter {
    struct chunks *chunks;
    struct jobs *background;
    struct work *first; /* oldest */
    struct put puts[CUTTER_WINDOW];
};

static void pump(struct cutter *cutter);

/* Works */

static void work_close(struct work *work)
{
    if (work == NULL) {
        return;
    }
    copy_close(work->copy);
    mem_free(work->hashes);
    mem_free(work);
}

static enum status make_record(struct work *work)
{
    const struct copy *copy = work->copy;
    struct shard_record *record = &work->record;
    size_t count = 0;

    for (uint32_t i = 0; i < copy->tensors_count; i++) {
        count += copy_pieces(copy, i);
    }
    work->hashes = mem_array(count, sizeof(*work->hashes));
    if (work->hashes == NULL) {
        return STATUS_NO_MEMORY;
    }
    record->layer = copy->layer;
    record->shard = copy->shard;
    record->tensors_count = copy->tensors_count;
    record->evaluations_count = copy->pieces.evaluations_count;
    count = 0;
    for (uint32_t i = 0; i < copy->tensors_count; i++) {
        const struct tensor *tensor = &copy->tensors[i];
        struct tensor_record *to = &record->tensors[i];

        memcpy(to->name, tensor->name, sizeof(to->name));
        to->rows = tensor->rows;
        to->columns = tensor->columns;
        to->element_bytes = tensor->element_bytes;
        to->chunks_count = copy_pieces(copy, i);
        to->chunks = work->hashes + count;
        count += to->chunks_count;
    }
    return STATUS_OK;
}

/* Moves on over tensors that have no (more) chunks. False: all have begun. */
static bool has_chunk(struct work *work)
{
    while (work->tensor < work->record.tensors_count &&
           work->chunk == work->record.tensors[work->tensor].chunks_count) {
        work->tensor++;
        work->chunk = 0;
    }
    return work->status == STATUS_OK && work->done != NULL &&
           work->tensor < work->record.tensors_count;
}

static void unlink_work(struct cutter *cutter, const struct work *work)
{
    struct work **at = &cutter->first;

    while (*at != work) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = work->next;
}

/* Ends a work that has nothing under way and nothing more to begin. */
static void end_if_complete(struct cutter *cutter, struct work *work)
{
    if (work->under_way > 0 || has_chunk(work)) {
        return;
    }
    unlink_work(cutter, work);
    if (work->done != NULL) {
        work->done(work->owner, work->status, work->copy,
                   work->status == STATUS_OK ? &work->record : NULL);
    }
    work_close(work);
}

/* Chunks */

static void put_ended(struct put *put, enum status status)
{
    struct cutter *cutter = put->cutter;
    struct work *work = put->work;

    put->work = NULL;
    work->under_way--;
    if (status != STATUS_OK && work->status == STATUS_OK) {
        work->status = status;
    }
    end_if_complete(cutter, work);
    pump(cutter);
}

static void on_stored(void *owner, enum status status, struct part *bytes)
{
    (void)bytes;
    put_ended(owner, status);
}

static void hash_chunk(void *owner)
{
    struct put *put = owner;

    hash_bytes(part_data(put->piece), part_size(put->piece), put->hash);
}

static void on_hashed(void *owner)
{
    struct put *put = owner;
    struct part part;
    enum status status = STATUS_OK;

    part_share(&part, put->piece);
    status = chunks_put(put->cutter->chunks, put->hash, &part, on_stored, put);
    if (status != STATUS_OK) {
        part_close(&part);
        put_ended(put, status);
    }
}

static void begin_chunk(struct cutter *cutter,
                        struct put *put,
                        struct work *work)
{
    uint32_t piece = work->copy->first[work->tensor] + work->chunk;

    put->cutter = cutter;
    put->work = work;
    put->piece = &work->copy->pieces.items[piece].part;
    put->hash = &work->record.tensors[work->tensor].chunks[work->chunk];
    work->chunk++;
    work->under_way++;
    /* The pool's queue has room for the whole window. */
    CHECK(jobs_submit(cutter->background, hash_chunk, on_hashed, put) ==
          STATUS_OK);
}

static void pump(struct cutter *cutter)
{
    struct work *work = cutter->first;

    for (uint32_t i = 0; i < CUTTER_WINDOW; i++) {
        if (cutter->puts[i].work != NULL) {
            continue;
        }
        while (work != NULL && !has_chunk(work)) {
            work = work->next;
        }
        if (work == NULL) {
            return;
        }
        begin_chunk(cutter, &cutter->puts[i], work);
    }
}

/* Life */

enum status cutter_open(struct chunks *chunks,
                        struct jobs *background,
                        struct cutter **out)
{
    struct cutter *cutter = mem_new(sizeof(*cutter));

    if (cutter == NULL) {
        return STATUS_NO_MEMORY;
    }
    cutter->chunks = chunks;
    cutter->background = background;
    *out = cutter;
    return STATUS_OK;
}

void cutter_close(struct cutter *cutter)
{
    if (cutter == NULL) {
        return;
    }
    for (uint32_t i = 0; i < CUTTER_WINDOW; i++) {
        chunks_forget(cutter->chunks, &cutter->puts[i]);
    }
    while (cutter->first != NULL) {
        struct work *work = cutter->first;

        cutter->first = work->next;
        work_close(work);
    }
    mem_free(cutter);
}

enum status cutter_add(struct cutter *cutter,
                       struct copy *copy,
                       cutter_done_fn *done,
                       void *owner)
{
    struct work *work = mem_new(sizeof(*work));
    struct work **end = &cutter->first;

    if (work == NULL) {
        return STATUS_NO_MEMORY;
    }
    work->copy = copy;
    work->done = done;
    work->owner = owner;
    if (make_record(work) != STATUS_OK) {
        work->copy = NULL; /* stays the caller's */
        work_close(work);
        return STATUS_NO_MEMORY;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = work;
    /* A shard's progress is never empty, so there is a chunk to begin with. */
    CHECK(has_chunk(work));
    pump(cutter);
    return STATUS_OK;
}

/* What is under way is ended by its own completion. */
void cutter_forget(struct cutter *cutter, const void *owner)
{
    struct work *work = cutter->first;

    while (work != NULL) {
        struct work *next = work->next;

        if (work->owner == owner) {
            work->done = NULL;
            end_if_complete(cutter, work);
        }
        work = next;
    }
}
