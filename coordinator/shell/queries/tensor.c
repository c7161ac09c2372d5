#include "coordinator/shell/queries/tensor.h"

#include "base/mem.h"

#include <string.h>

/* Stored bytes are little-endian floats; so is memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are read as they lie in the store");

struct tensor_reader {
    struct store *store;
    bool loaded;
    struct hash chunk; /* what bytes holds, if loaded */
    size_t size;
    unsigned char bytes[CHUNK_BYTES_MAX];
};

enum status tensor_open(struct store *store, struct tensor_reader **out)
{
    struct tensor_reader *reader = mem_new(sizeof(*reader));

    if (reader == NULL) {
        return STATUS_NO_MEMORY;
    }
    reader->store = store;
    *out = reader;
    return STATUS_OK;
}

void tensor_close(struct tensor_reader *reader)
{
    mem_free(reader);
}

static enum status load(struct tensor_reader *reader, const struct hash *chunk)
{
    enum status status = STATUS_OK;

    if (reader->loaded && hash_equal(&reader->chunk, chunk)) {
        return STATUS_OK;
    }
    reader->loaded = false;
    status =
        store_get_chunk(reader->store, chunk, reader->bytes, &reader->size);
    if (status == STATUS_OK) {
        reader->chunk = *chunk;
        reader->loaded = true;
    }
    return status;
}

/* Bytes offset .. offset + size of a tensor, over chunk boundaries. */
static enum status read_bytes_at(struct tensor_reader *reader,
                                 const struct tensor_record *tensor,
                                 uint64_t offset,
                                 size_t size,
                                 unsigned char *out)
{
    while (size > 0) {
        uint64_t index = offset / CHUNK_BYTES_MAX;
        size_t within = (size_t)(offset % CHUNK_BYTES_MAX);
        size_t count = CHUNK_BYTES_MAX - within;
        enum status status;

        if (index >= tensor->chunks_count) {
            return STATUS_CORRUPT;
        }
        status = load(reader, &tensor->chunks[index]);
        if (status != STATUS_OK) {
            return status;
        }
        if (count > size) {
            count = size;
        }
        if (within + count > reader->size) {
            return STATUS_CORRUPT;
        }
        memcpy(out, reader->bytes + within, count);
        out += count;
        offset += count;
        size -= count;
    }
    return STATUS_OK;
}

static const struct shard_record *find_shard(const struct version *version,
                                             uint32_t layer,
                                             uint32_t shard)
{
    for (uint32_t s = 0; s < version->shards_count; s++) {
        if (version->shards[s].layer == layer &&
            version->shards[s].shard == shard) {
            return &version->shards[s];
        }
    }
    return NULL;
}

/* The tensor of the unit's shard, if it has the shape that it must have. */
static const struct tensor_record *find_tensor(const struct version *version,
                                               uint32_t layer,
                                               uint32_t shard,
                                               const char *name,
                                               uint64_t elements)
{
    const struct shard_record *record = find_shard(version, layer, shard);

    for (uint32_t t = 0; record != NULL && t < record->tensors_count; t++) {
        const struct tensor_record *tensor = &record->tensors[t];

        if (strcmp(tensor->name, name) == 0 &&
            tensor->element_bytes == sizeof(float) &&
            (uint64_t)tensor->rows * tensor->columns == elements) {
            return tensor;
        }
    }
    return NULL;
}

enum status tensor_weights(struct tensor_reader *reader,
                           const struct version *version,
                           uint32_t layer,
                           uint32_t unit,
                           float *out)
{
    const struct arch_layer *units = &version->arch->layers[layer];
    uint32_t shard = arch_shard_of(units, unit);
    uint64_t inputs = arch_layer_inputs(version->arch, layer);
    uint64_t row = unit - arch_first_of_shard(units, shard);
    const struct tensor_record *tensor = find_tensor(
        version, layer, shard, "weight", units->shard_units[shard] * inputs);

    if (tensor == NULL) {
        return STATUS_CORRUPT;
    }
    return read_bytes_at(reader, tensor, row * inputs * sizeof(float),
                         inputs * sizeof(float), (unsigned char *)out);
}

enum status tensor_bias(struct tensor_reader *reader,
                        const struct version *version,
                        uint32_t layer,
                        uint32_t unit,
                        float *out)
{
    const struct arch_layer *units = &version->arch->layers[layer];
    uint32_t shard = arch_shard_of(units, unit);
    uint64_t row = unit - arch_first_of_shard(units, shard);
    const struct tensor_record *tensor =
        find_tensor(version, layer, shard, "bias", units->shard_units[shard]);

    if (tensor == NULL) {
        return STATUS_CORRUPT;
    }
    return read_bytes_at(reader, tensor, row * sizeof(float), sizeof(float),
                         (unsigned char *)out);
}
