#include "worker/shell/loader.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* One chunk that is asked for. */
struct get {
    struct loader *loader;
    bool busy;
    uint32_t chunk;
};

struct loader {
    struct loader_options options;

    /* The tensor that is being loaded. */
    uint32_t local;
    struct shard *shard;
    const struct shard_record *record;
    uint32_t tensor;
    unsigned char *bytes; /* of the whole tensor */
    size_t size;
    uint32_t next; /* chunk to ask for */
    uint32_t left; /* chunks not yet here */
    struct get gets[LOADER_WINDOW];
    bool ended;
};

static void advance(struct loader *loader);

/* The last thing that a loader does before it is closed. */
static void end(struct loader *loader, enum status status, const char *why)
{
    if (!loader->ended) {
        loader->ended = true;
        loader->options.done(loader->options.owner, status, why);
    }
}

static void fail(struct loader *loader, enum status status, const char *what)
{
    char why[ERROR_BYTES_MAX];
    const struct shard_record *record = loader->record;

    (void)snprintf(why, sizeof(why), "layer %u, shard %u, tensor %s: %s: %s",
                   record->layer, record->shard,
                   record->tensors[loader->tensor].name, what,
                   status_text(status));
    end(loader, status, why);
}

/* Chunks */

static void on_chunk(void *owner, enum status status, struct part *bytes)
{
    struct get *get = owner;
    struct loader *loader = get->loader;
    size_t offset = (size_t)get->chunk * CHUNK_BYTES_MAX;
    size_t wanted = loader->size - offset;

    get->busy = false;
    if (status != STATUS_OK) {
        fail(loader, status, "a chunk did not come");
        return;
    }
    wanted = wanted < CHUNK_BYTES_MAX ? wanted : CHUNK_BYTES_MAX;
    if (part_size(bytes) != wanted) {
        fail(loader, STATUS_CORRUPT, "a chunk has another size");
        return;
    }
    memcpy(loader->bytes + offset, part_data(bytes), wanted);
    loader->left--;
    advance(loader);
}

static void ask(struct loader *loader)
{
    const struct tensor_record *tensor =
        &loader->record->tensors[loader->tensor];

    for (uint32_t i = 0; i < LOADER_WINDOW; i++) {
        struct get *get = &loader->gets[i];
        enum status status = STATUS_OK;

        if (get->busy || loader->next == tensor->chunks_count) {
            continue;
        }
        get->loader = loader;
        get->chunk = loader->next;
        status = chunks_get(loader->options.chunks,
                            &tensor->chunks[loader->next], on_chunk, get);
        if (status != STATUS_OK) {
            fail(loader, status, "a chunk could not be asked for");
            return;
        }
        get->busy = true;
        loader->next++;
    }
}

/* Tensors */

static bool same_tensor(const struct tensor *a, const struct tensor_record *b)
{
    size_t chunks = (a->bytes + CHUNK_BYTES_MAX - 1) / CHUNK_BYTES_MAX;

    return strncmp(a->name, b->name, sizeof(b->name)) == 0 &&
           a->rows == b->rows && a->columns == b->columns &&
           a->element_bytes == b->element_bytes && chunks == b->chunks_count;
}

static const struct shard_record *find_record(const struct loader *loader,
                                              uint32_t layer,
                                              uint32_t shard)
{
    for (uint32_t i = 0; i < loader->options.records_count; i++) {
        if (loader->options.records[i].layer == layer &&
            loader->options.records[i].shard == shard) {
            return &loader->options.records[i];
        }
    }
    return NULL;
}

static enum status begin_tensor(struct loader *loader)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t i = loader->tensor;

    (void)shard_tensors(loader->shard, tensors);
    if (!same_tensor(&tensors[i], &loader->record->tensors[i])) {
        fail(loader, STATUS_CORRUPT, "another shape than the architecture's");
        return STATUS_CORRUPT;
    }
    loader->size = tensors[i].bytes;
    loader->next = 0;
    loader->left = loader->record->tensors[i].chunks_count;
    loader->bytes = mem_new(loader->size);
    if (loader->bytes == NULL) {
        fail(loader, STATUS_NO_MEMORY, "cannot be loaded");
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status begin_shard(struct loader *loader)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t layer = 0;
    uint32_t shard = 0;

    loader->shard =
        session_shard(loader->options.session, loader->local, &layer, &shard);
    loader->record = find_record(loader, layer, shard);
    if (loader->record == NULL) {
        end(loader, STATUS_CORRUPT, "the version lacks a shard's record");
        return STATUS_CORRUPT;
    }
    shard_expect_evaluations(loader->shard, loader->record->evaluations_count);
    if (shard_tensors(loader->shard, tensors) !=
        loader->record->tensors_count) {
        end(loader, STATUS_CORRUPT, "a shard has another number of tensors");
        return STATUS_CORRUPT;
    }
    loader->tensor = 0;
    return STATUS_OK;
}

/* The tensor is whole: on to the next one, or the next shard. */
static enum status end_tensor(struct loader *loader)
{
    enum status status =
        shard_load(loader->shard, loader->tensor, loader->bytes, loader->size);

    if (status != STATUS_OK) {
        fail(loader, status, "cannot be loaded");
        return status;
    }
    mem_free(loader->bytes);
    loader->bytes = NULL;
    loader->tensor++;
    if (loader->tensor == loader->record->tensors_count) {
        loader->record = NULL;
        loader->local++;
    }
    return STATUS_OK;
}

/* Goes on until chunks are awaited, or all is done. */
static void advance(struct loader *loader)
{
    while (!loader->ended) {
        enum status status = STATUS_OK;

        if (loader->bytes == NULL && loader->record == NULL) {
            if (loader->local == session_shards(loader->options.session)) {
                end(loader, STATUS_OK, "");
                return;
            }
            status = begin_shard(loader);
        } else if (loader->bytes == NULL) {
            status = begin_tensor(loader);
        } else if (loader->left == 0) {
            status = end_tensor(loader);
        } else {
            ask(loader);
            return;
        }
        if (status != STATUS_OK) {
            return; /* has been told */
        }
    }
}

enum status loader_open(const struct loader_options *options,
                        struct loader **out)
{
    struct loader *loader = mem_new(sizeof(*loader));

    if (loader == NULL) {
        return STATUS_NO_MEMORY;
    }
    loader->options = *options;
    *out = loader;
    return STATUS_OK;
}

void loader_start(struct loader *loader)
{
    advance(loader);
}

void loader_close(struct loader *loader)
{
    if (loader == NULL) {
        return;
    }
    for (uint32_t i = 0; i < LOADER_WINDOW; i++) {
        chunks_forget(loader->options.chunks, &loader->gets[i]);
    }
    mem_free(loader->bytes);
    mem_free(loader);
}
