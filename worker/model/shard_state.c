/* The state of a shard as named tensors: what a cut keeps and a restore loads.
 *
 * Bytes are little-endian and packed. Units' names, births, means and states
 * are not in here: they are the architecture, which a version keeps as well. */
#include "worker/model/shard.h"

#include "base/bytes.h"
#include "base/check.h"
#include "worker/model/inside.h"
#include <string.h>

/* Copies below are of memory as it is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are saved as they lie in memory");

enum { PROGRESS_WORDS = 7, EVALUATION_WORDS = 5, WORD_BYTES = 8 };

/* Weight and bias of each slot, then these. */
enum { TENSOR_FIGURES = 0, TENSOR_PROGRESS, TENSOR_EVALUATIONS, OTHERS_COUNT };

static uint32_t slab_tensors(const struct shard *shard)
{
    return 2 * shard->weights.tensors_count;
}

static struct tensor make_tensor(const char *name,
                                 uint32_t rows,
                                 uint32_t columns,
                                 uint32_t element_bytes)
{
    struct tensor tensor = {.rows = rows,
                            .columns = columns,
                            .element_bytes = element_bytes,
                            .bytes = (size_t)rows * columns * element_bytes};

    CHECK(strlen(name) < TENSOR_NAME_BYTES_MAX);
    memcpy(tensor.name, name, strlen(name) + 1);
    return tensor;
}

static struct tensor describe(const struct shard *shard, uint32_t index)
{
    static const char *const names[2 * TENSORS_MAX] = {
        "weight", "bias", "weight.m", "bias.m", "weight.v", "bias.v"};
    uint32_t units = shard->units_count;

    if (index < slab_tensors(shard)) {
        bool bias = index % 2 == 1;

        return make_tensor(names[index], bias ? 1 : units,
                           bias ? units : shard->inputs_count, sizeof(float));
    }
    switch (index - slab_tensors(shard)) {
    case TENSOR_FIGURES:
        return make_tensor("figures", FIGURES_COUNT, units, sizeof(double));
    case TENSOR_PROGRESS:
        return make_tensor("progress", 1, PROGRESS_WORDS, WORD_BYTES);
    default:
        return make_tensor("evaluations", shard->evaluations_count,
                           EVALUATION_WORDS, WORD_BYTES);
    }
}

uint32_t shard_tensors(const struct shard *shard,
                       struct tensor out[SHARD_TENSORS_MAX])
{
    uint32_t count = slab_tensors(shard) + OTHERS_COUNT;

    CHECK(count <= SHARD_TENSORS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = describe(shard, i);
    }
    return count;
}

/* Row r of tensor index, where it lies: rows are contiguous, tensors are not.
 */
static unsigned char *row_of(const struct shard *shard,
                             uint32_t index,
                             uint32_t r)
{
    if (index < slab_tensors(shard)) {
        const struct slab *slab =
            index % 2 == 1 ? &shard->biases : &shard->weights;

        return (unsigned char *)slab_row(slab, index / 2, r);
    }
    return (unsigned char *)figure(shard, (enum unit_figure)r);
}

static bool is_rows(const struct shard *shard, uint32_t index)
{
    return index <= slab_tensors(shard) + TENSOR_FIGURES;
}

static void save_progress(const struct progress *progress, struct writer *out)
{
    write_u64(out, progress->next_step);
    write_u64(out, progress->examples);
    write_u64(out, progress->loss_examples);
    write_u64(out, progress->correct);
    write_f64(out, progress->loss_sum);
    write_u64(out, progress->not_finite);
    write_u64(out, progress->not_finite_step);
}

static void load_progress(struct reader *in, struct progress *progress)
{
    progress->next_step = read_u64(in);
    progress->examples = read_u64(in);
    progress->loss_examples = read_u64(in);
    progress->correct = read_u64(in);
    progress->loss_sum = read_f64(in);
    progress->not_finite = read_u64(in);
    progress->not_finite_step = read_u64(in);
}

static void save_evaluation(const struct evaluation *e, struct writer *out)
{
    write_u64(out, (uint64_t)e->set);
    write_u64(out, e->task);
    write_u64(out, e->examples);
    write_u64(out, e->correct);
    write_f64(out, e->loss_sum);
}

static void load_evaluation(struct reader *in, struct evaluation *e)
{
    e->set = (enum evaluation_set)read_u64(in);
    e->task = (uint32_t)read_u64(in);
    e->examples = read_u64(in);
    e->correct = read_u64(in);
    e->loss_sum = read_f64(in);
}

/* Bytes of one row. */
struct span {
    unsigned char *bytes;
    size_t size;
};

/* What of a tensor's bytes from `offset` on lies together, at most `left`. */
static struct span span_at(const struct shard *shard,
                           uint32_t index,
                           size_t row_bytes,
                           size_t offset,
                           size_t left)
{
    size_t at = offset % row_bytes;
    size_t size = row_bytes - at;

    return (struct span){
        .bytes = row_of(shard, index, (uint32_t)(offset / row_bytes)) + at,
        .size = size < left ? size : left};
}

void shard_save_part(const struct shard *shard,
                     uint32_t index,
                     size_t offset,
                     size_t size,
                     void *out)
{
    struct tensor tensor = describe(shard, index);
    size_t row_bytes = (size_t)tensor.columns * tensor.element_bytes;
    unsigned char *to = out;
    struct writer writer;

    CHECK(index < slab_tensors(shard) + OTHERS_COUNT);
    CHECK(offset <= tensor.bytes);
    CHECK(size <= tensor.bytes - offset);
    if (is_rows(shard, index)) {
        while (size > 0) {
            struct span span = span_at(shard, index, row_bytes, offset, size);

            memcpy(to, span.bytes, span.size);
            to += span.size;
            offset += span.size;
            size -= span.size;
        }
        return;
    }
    CHECK(size == tensor.bytes);
    writer_init(&writer, out, tensor.bytes);
    if (index == slab_tensors(shard) + TENSOR_PROGRESS) {
        save_progress(&shard->progress, &writer);
    } else {
        for (uint32_t i = 0; i < shard->evaluations_count; i++) {
            save_evaluation(&shard->evaluations[i], &writer);
        }
    }
    CHECK(!writer.failed);
    CHECK(writer.at == tensor.bytes);
}

void shard_save(const struct shard *shard, uint32_t index, void *out)
{
    shard_save_part(shard, index, 0, describe(shard, index).bytes, out);
}

enum status shard_load_part(struct shard *shard,
                            uint32_t index,
                            size_t offset,
                            size_t size,
                            const void *bytes)
{
    struct tensor tensor;
    const unsigned char *from = bytes;
    size_t row_bytes = 0;
    struct reader reader;

    if (index >= slab_tensors(shard) + OTHERS_COUNT) {
        return STATUS_CORRUPT;
    }
    tensor = describe(shard, index);
    if (offset > tensor.bytes || size > tensor.bytes - offset) {
        return STATUS_CORRUPT;
    }
    row_bytes = (size_t)tensor.columns * tensor.element_bytes;
    if (is_rows(shard, index)) {
        while (size > 0) {
            struct span span = span_at(shard, index, row_bytes, offset, size);

            memcpy(span.bytes, from, span.size);
            from += span.size;
            offset += span.size;
            size -= span.size;
        }
        return STATUS_OK;
    }
    if (size != tensor.bytes) {
        return STATUS_CORRUPT;
    }
    reader_init(&reader, bytes, size);
    if (index == slab_tensors(shard) + TENSOR_PROGRESS) {
        load_progress(&reader, &shard->progress);
    } else {
        for (uint32_t i = 0; i < shard->evaluations_count; i++) {
            load_evaluation(&reader, &shard->evaluations[i]);
        }
    }
    return STATUS_OK;
}

enum status shard_load(struct shard *shard,
                       uint32_t index,
                       const void *bytes,
                       size_t size)
{
    if (index >= slab_tensors(shard) + OTHERS_COUNT ||
        size != describe(shard, index).bytes) {
        return STATUS_CORRUPT;
    }
    return shard_load_part(shard, index, 0, size, bytes);
}

/* The count comes from a file: more than fits is found out by the sizes. */
void shard_expect_evaluations(struct shard *shard, uint32_t count)
{
    shard->evaluations_count = count <= REPORT_EVALUATIONS_MAX ? count : 0;
}
