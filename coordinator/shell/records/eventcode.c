#include "coordinator/shell/records/eventcode.h"

#include "base/check.h"
#include "base/text.h"

static const uint32_t MAGIC = 0x4e455645;        /* "EVEN" */
static const uint32_t LAUNCH_MAGIC = 0x4e55414c; /* "LAUN" */
enum { FORMAT = 1 };

void eventcode_fill(const struct job_record *record, struct event_record *out)
{
    out->state = record->state;
    out->step = record->step;
    out->total_steps = record->total_steps;
    out->task = record->task;
    out->tasks_count = record->shape_known ? record->shape.tasks_count
                                           : job_tasks_count(&record->spec);
    out->loss = record->loss;
    out->accuracy = record->accuracy;
    out->workers_count = record->shares_count;
    out->examples_per_second = 0;
    if (record->run_ms > 0) {
        out->examples_per_second =
            (double)record->examples / ((double)record->run_ms / 1000);
    }
    out->layers_count = record->layers_count;
    for (uint32_t l = 0; l < record->layers_count; l++) {
        out->widths[l] = record->widths[l];
    }
}

size_t eventcode_encode(const struct event_record *event, void *out)
{
    struct writer w;

    writer_init(&w, out, RECORD_BYTES_MAX);
    fields_begin(&w, MAGIC, FORMAT);
    write_u64(&w, event->wall_ms);
    fields_put_text(&w, event->kind);
    fields_put_text(&w, event->text);
    write_u64(&w, event->version);
    write_u32(&w, (uint32_t)event->state);
    write_u64(&w, event->step);
    write_u64(&w, event->total_steps);
    write_u32(&w, event->task);
    write_u32(&w, event->tasks_count);
    write_f64(&w, event->loss);
    write_f64(&w, event->accuracy);
    write_u32(&w, event->workers_count);
    write_f64(&w, event->examples_per_second);
    write_u32(&w, event->layers_count);
    for (uint32_t l = 0; l < event->layers_count; l++) {
        write_u32(&w, event->widths[l]);
    }
    CHECK(!w.failed);
    return w.at;
}

enum status eventcode_decode(const void *bytes,
                             size_t size,
                             struct event_record *out)
{
    struct event_record event = {.wall_ms = 0};
    struct reader r;
    enum status status;

    reader_init(&r, bytes, size);
    if (!fields_open(&r, MAGIC, FORMAT, &status)) {
        return status;
    }
    event.wall_ms = read_u64(&r);
    fields_get_text(&r, event.kind, sizeof(event.kind));
    fields_get_text(&r, event.text, sizeof(event.text));
    event.version = read_u64(&r);
    event.state = (enum job_state)fields_get_count(&r, JOB_CANCELLED);
    event.step = read_u64(&r);
    event.total_steps = read_u64(&r);
    event.task = read_u32(&r);
    event.tasks_count = fields_get_count(&r, TASKS_MAX);
    event.loss = read_f64(&r);
    event.accuracy = read_f64(&r);
    event.workers_count = fields_get_count(&r, WORKERS_MAX);
    event.examples_per_second = fields_get_finite(&r);
    event.layers_count = fields_get_count(&r, LAYERS_MAX);
    for (uint32_t l = 0; l < event.layers_count; l++) {
        event.widths[l] = fields_get_count(&r, UNITS_MAX);
    }
    if (event.state < JOB_QUEUED || event.kind[0] == '\0') {
        r.failed = true;
    }
    status = fields_close(&r);
    if (status == STATUS_OK) {
        *out = event;
    }
    return status;
}

size_t eventcode_encode_launch(const struct launch_record *launch, void *out)
{
    struct writer w;

    CHECK(launch->source_size <= JOB_FILE_BYTES_MAX);
    writer_init(&w, out, LAUNCH_BYTES_MAX);
    fields_begin(&w, LAUNCH_MAGIC, FORMAT);
    fields_put_text(&w, launch->request_id);
    write_u32(&w, (uint32_t)launch->source_size);
    write_bytes(&w, launch->source, launch->source_size);
    CHECK(!w.failed);
    return w.at;
}

enum status eventcode_decode_launch(const void *bytes,
                                    size_t size,
                                    struct launch_record *out)
{
    struct launch_record launch;
    struct reader r;
    enum status status;

    reader_init(&r, bytes, size);
    if (!fields_open(&r, LAUNCH_MAGIC, FORMAT, &status)) {
        return status;
    }
    fields_get_text(&r, launch.request_id, sizeof(launch.request_id));
    launch.source_size = fields_get_count(&r, JOB_FILE_BYTES_MAX);
    launch.source = (const char *)read_bytes(&r, launch.source_size);
    status = fields_close(&r);
    if (status == STATUS_OK) {
        *out = launch;
    }
    return status;
}
