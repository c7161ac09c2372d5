#include "coordinator/shell/records/summarycode.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

static const uint32_t MAGIC = 0x4d555343; /* "CSUM" */
enum { FORMAT = 1 };

static size_t chunks_count(const struct version *version)
{
    size_t count = 0;

    for (uint32_t s = 0; s < version->shards_count; s++) {
        for (uint32_t t = 0; t < version->shards[s].tensors_count; t++) {
            count += version->shards[s].tensors[t].chunks_count;
        }
    }
    return count;
}

enum status summarycode_chunks(const struct version *version,
                               struct hash **out,
                               size_t *out_count)
{
    size_t count = chunks_count(version);
    struct hash *hashes = mem_array(count, sizeof(*hashes));
    size_t at = 0;

    if (hashes == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t s = 0; s < version->shards_count; s++) {
        for (uint32_t t = 0; t < version->shards[s].tensors_count; t++) {
            const struct tensor_record *tensor = &version->shards[s].tensors[t];

            if (tensor->chunks_count > 0) {
                memcpy(&hashes[at], tensor->chunks,
                       tensor->chunks_count * sizeof(*hashes));
            }
            at += tensor->chunks_count;
        }
    }
    *out = hashes;
    *out_count = count;
    return STATUS_OK;
}

enum status summarycode_make(const struct version *version, struct summary *out)
{
    const struct arch *arch = version->arch;
    struct hash *hashes = NULL;
    size_t count = 0;
    enum status status = summarycode_chunks(version, &hashes, &count);

    if (status != STATUS_OK) {
        return status;
    }
    *out = (struct summary){.number = version->number,
                            .line = version->line,
                            .interval = version->interval,
                            .step = version->step,
                            .task = version->task,
                            .cause = version->cause,
                            .parents_count = version->parents_count,
                            .wall_ms = version->wall_ms,
                            .inputs = arch->inputs,
                            .layers_count = arch->layers_count,
                            .parameters = version->parameters,
                            .bytes = version->bytes};
    memcpy(out->parents, version->parents, sizeof(out->parents));
    memcpy(out->reason, version->reason, sizeof(out->reason));
    for (uint32_t l = 0; l < arch->layers_count; l++) {
        out->widths[l] = arch->layers[l].units_count;
    }
    hash_bytes(hashes, count * sizeof(*hashes), &out->hash);
    mem_free(hashes);
    return STATUS_OK;
}

size_t summarycode_encode(const struct summary *summary, void *out)
{
    struct writer w;

    writer_init(&w, out, RECORD_BYTES_MAX);
    fields_begin(&w, MAGIC, FORMAT);
    write_u64(&w, summary->number);
    write_u32(&w, summary->line);
    write_u64(&w, summary->interval);
    write_u64(&w, summary->step);
    write_u32(&w, summary->task);
    write_u32(&w, summary->cause);
    write_u32(&w, summary->parents_count);
    for (uint32_t p = 0; p < summary->parents_count; p++) {
        write_u64(&w, summary->parents[p]);
    }
    write_u64(&w, summary->wall_ms);
    fields_put_text(&w, summary->reason);
    write_u32(&w, summary->inputs);
    write_u32(&w, summary->layers_count);
    for (uint32_t l = 0; l < summary->layers_count; l++) {
        write_u32(&w, summary->widths[l]);
    }
    write_u64(&w, summary->parameters);
    write_u64(&w, summary->bytes);
    fields_put_hash(&w, &summary->hash);
    CHECK(!w.failed);
    return w.at;
}

enum status summarycode_decode(const void *bytes,
                               size_t size,
                               struct summary *out)
{
    struct summary s = {.number = 0};
    struct reader r;
    enum status status;

    reader_init(&r, bytes, size);
    if (!fields_open(&r, MAGIC, FORMAT, &status)) {
        return status;
    }
    s.number = read_u64(&r);
    s.line = fields_get_count(&r, UINT16_MAX);
    s.interval = read_u64(&r);
    s.step = read_u64(&r);
    s.task = fields_get_count(&r, TASKS_MAX);
    s.cause = fields_get_count(&r, CAUSE_END);
    s.parents_count = fields_get_count(&r, VERSION_PARENTS_MAX);
    for (uint32_t p = 0; p < s.parents_count; p++) {
        s.parents[p] = read_u64(&r);
    }
    s.wall_ms = read_u64(&r);
    fields_get_text(&r, s.reason, sizeof(s.reason));
    s.inputs = fields_get_count(&r, UNITS_MAX);
    s.layers_count = fields_get_count(&r, LAYERS_MAX);
    for (uint32_t l = 0; l < s.layers_count; l++) {
        s.widths[l] = fields_get_count(&r, UNITS_MAX);
    }
    s.parameters = read_u64(&r);
    s.bytes = read_u64(&r);
    fields_get_hash(&r, &s.hash);
    if (s.number == 0 || s.cause < CAUSE_START || s.layers_count == 0) {
        r.failed = true;
    }
    status = fields_close(&r);
    if (status == STATUS_OK) {
        *out = s;
    }
    return status;
}
