#include "coordinator/shell/records/recordcode.h"

#include "base/check.h"
#include "base/mem.h"
#include "proto/jobcode.h"

static const uint32_t MAGIC = 0x43455243; /* "CREC" */
/* Format 1 had one number of workers. */
enum { FORMAT_ONE_NUMBER = 1, FORMAT = 2 };

static void put_spec(struct writer *w, const struct job_spec *spec)
{
    unsigned char bytes[JOBCODE_BYTES_MAX];
    size_t size = jobcode_encode(spec, bytes);

    write_u16(w, (uint16_t)size);
    write_bytes(w, bytes, size);
}

static void get_spec(struct reader *r, struct job_spec *spec)
{
    size_t size = read_u16(r);
    const unsigned char *bytes = read_bytes(r, size);

    if (bytes == NULL || jobcode_decode(bytes, size, spec) != STATUS_OK) {
        r->failed = true;
    }
}

static void put_shape(struct writer *w, const struct job_record *record)
{
    const struct data_shape *shape = &record->shape;

    write_u32(w, record->shape_known);
    if (!record->shape_known) {
        return;
    }
    write_u32(w, shape->inputs);
    write_u32(w, shape->classes);
    write_u64(w, shape->train_examples);
    write_u64(w, shape->guard_examples);
    write_u64(w, shape->evaluate_examples);
    fields_put_hash(w, &shape->hash);
    write_u32(w, shape->tasks_count);
    for (uint32_t t = 0; t < shape->tasks_count; t++) {
        write_u64(w, shape->task_examples[t]);
    }
}

static void get_shape(struct reader *r, struct job_record *record)
{
    struct data_shape *shape = &record->shape;

    record->shape_known = fields_get_flag(r);
    if (!record->shape_known) {
        return;
    }
    shape->inputs = fields_get_count(r, UNITS_MAX);
    shape->classes = fields_get_count(r, UNITS_MAX);
    shape->train_examples = read_u64(r);
    shape->guard_examples = read_u64(r);
    shape->evaluate_examples = read_u64(r);
    fields_get_hash(r, &shape->hash);
    shape->tasks_count = fields_get_count(r, TASKS_MAX);
    for (uint32_t t = 0; t < shape->tasks_count; t++) {
        shape->task_examples[t] = read_u64(r);
    }
    if (shape->inputs == 0 || shape->tasks_count == 0) {
        r->failed = true;
    }
}

static void put_lines(struct writer *w, const struct job_record *record)
{
    write_u32(w, record->line);
    write_u32(w, record->lines_count);
    for (uint32_t l = 0; l < record->lines_count; l++) {
        write_u32(w, record->lines[l].parent);
        write_u64(w, record->lines[l].interval);
    }
}

/* A line's parent is older than the line, so that walks end. */
static void get_lines(struct reader *r, struct job_record *record)
{
    record->line = read_u32(r);
    record->lines_count = fields_get_count(r, LINES_MAX);
    for (uint32_t l = 0; l < record->lines_count; l++) {
        record->lines[l].parent = read_u32(r);
        record->lines[l].interval = read_u64(r);
        if (record->lines[l].parent >= l && l > 0) {
            r->failed = true;
        }
    }
    if (record->line >= record->lines_count) {
        r->failed = true;
    }
}

static void put_progress(struct writer *w, const struct job_record *record)
{
    write_u64(w, record->interval);
    write_u64(w, record->step);
    write_u64(w, record->total_steps);
    write_u32(w, record->task);
    write_u64(w, record->examples);
    write_u64(w, record->run_ms);
    write_u64(w, record->replayed_steps);
    write_f64(w, record->loss);
    write_f64(w, record->accuracy);
    write_u64(w, record->grows);
    write_u64(w, record->renews);
    write_u64(w, record->prunes);
    write_u64(w, record->decisions);
    fields_put_text(w, record->last_decision);
    write_u64(w, record->parameters);
}

static void get_progress(struct reader *r, struct job_record *record)
{
    record->interval = read_u64(r);
    record->step = read_u64(r);
    record->total_steps = read_u64(r);
    record->task = read_u32(r);
    record->examples = read_u64(r);
    record->run_ms = read_u64(r);
    record->replayed_steps = read_u64(r);
    record->loss = read_f64(r); /* a loss may be infinite */
    record->accuracy = read_f64(r);
    record->grows = read_u64(r);
    record->renews = read_u64(r);
    record->prunes = read_u64(r);
    record->decisions = read_u64(r);
    fields_get_text(r, record->last_decision, sizeof(record->last_decision));
    record->parameters = read_u64(r);
}

static void put_shares(struct writer *w, const struct job_record *record)
{
    write_u32(w, record->layers_count);
    for (uint32_t l = 0; l < record->layers_count; l++) {
        write_u32(w, record->widths[l]);
    }
    write_u32(w, record->shares_count);
    for (uint32_t s = 0; s < record->shares_count; s++) {
        write_u32(w, record->shares[s].worker);
        write_u32(w, record->shares[s].shards);
        write_u64(w, record->shares[s].shard_steps);
        write_u64(w, record->shares[s].bytes_sent);
    }
}

static void get_shares(struct reader *r, struct job_record *record)
{
    record->layers_count = fields_get_count(r, LAYERS_MAX);
    for (uint32_t l = 0; l < record->layers_count; l++) {
        record->widths[l] = fields_get_count(r, UNITS_MAX);
    }
    record->shares_count = fields_get_count(r, WORKERS_MAX);
    for (uint32_t s = 0; s < record->shares_count; s++) {
        record->shares[s].worker = fields_get_count(r, MEMBERS_MAX - 1);
        record->shares[s].shards = read_u32(r);
        record->shares[s].shard_steps = read_u64(r);
        record->shares[s].bytes_sent = read_u64(r);
    }
}

size_t recordcode_encode(const struct job_record *record, void *out)
{
    struct writer w;

    writer_init(&w, out, RECORD_BYTES_MAX);
    fields_begin(&w, MAGIC, FORMAT);
    write_u64(&w, record->job);
    write_u32(&w, (uint32_t)record->state);
    fields_put_text(&w, record->spec.name);
    fields_put_text(&w, record->reason);
    put_spec(&w, &record->spec);
    put_shape(&w, record);
    write_u32(&w, record->workers_wanted);
    write_u32(&w, record->workers_min);
    write_u64(&w, record->created_ms);
    write_u64(&w, record->ended_ms);
    write_u64(&w, record->head);
    write_u64(&w, record->last_version);
    put_lines(&w, record);
    put_progress(&w, record);
    put_shares(&w, record);
    CHECK(!w.failed);
    return w.at;
}

/* Of this format, or of the one before. */
static bool open_record(struct reader *r,
                        uint16_t *out_format,
                        enum status *out_status)
{
    const struct reader begin = *r;

    *out_format = FORMAT;
    if (fields_open(r, MAGIC, FORMAT, out_status)) {
        return true;
    }
    if (*out_status != STATUS_UNSUPPORTED) {
        return false;
    }
    *r = begin;
    *out_format = FORMAT_ONE_NUMBER;
    return fields_open(r, MAGIC, FORMAT_ONE_NUMBER, out_status);
}

static bool get_head(struct reader *r,
                     struct record_head *out,
                     uint16_t *out_format,
                     enum status *out_status)
{
    if (!open_record(r, out_format, out_status)) {
        return false;
    }
    out->job = read_u64(r);
    out->state = (enum job_state)read_u32(r);
    fields_get_text(r, out->name, sizeof(out->name));
    if (r->failed || out->job == 0 || out->state < JOB_QUEUED ||
        out->state > JOB_CANCELLED) {
        *out_status = STATUS_CORRUPT;
        return false;
    }
    return true;
}

enum status recordcode_peek(const void *bytes,
                            size_t size,
                            struct record_head *out)
{
    struct record_head head;
    struct reader r;
    uint16_t format;
    enum status status;

    reader_init(&r, bytes, size);
    if (get_head(&r, &head, &format, &status)) {
        *out = head;
    }
    return status;
}

static enum status decode(const void *bytes,
                          size_t size,
                          struct job_record *record)
{
    struct record_head head;
    struct reader r;
    uint16_t format;
    enum status status;

    reader_init(&r, bytes, size);
    if (!get_head(&r, &head, &format, &status)) {
        return status;
    }
    record->job = head.job;
    record->state = head.state;
    fields_get_text(&r, record->reason, sizeof(record->reason));
    get_spec(&r, &record->spec);
    get_shape(&r, record);
    record->workers_wanted = fields_get_count(&r, WORKERS_MAX);
    record->workers_min = format == FORMAT_ONE_NUMBER
                              ? record->workers_wanted
                              : fields_get_count(&r, record->workers_wanted);
    record->created_ms = read_u64(&r);
    record->ended_ms = read_u64(&r);
    record->head = read_u64(&r);
    record->last_version = read_u64(&r);
    get_lines(&r, record);
    get_progress(&r, record);
    get_shares(&r, record);
    return fields_close(&r);
}

enum status recordcode_decode(const void *bytes,
                              size_t size,
                              struct job_record *out)
{
    struct job_record *record = mem_new(sizeof(*record));
    enum status status;

    if (record == NULL) {
        return STATUS_NO_MEMORY;
    }
    status = decode(bytes, size, record);
    if (status == STATUS_OK) {
        *out = *record;
    }
    mem_free(record);
    return status;
}
