#include "coordinator/shell/records/statcode.h"

#include "base/check.h"

static const uint32_t MAGIC = 0x54415453; /* "STAT" */
enum { FORMAT = 1 };

size_t statcode_encode(const struct interval_stat *stat, void *out)
{
    struct writer w;

    CHECK(stat->evaluations_count <= REPORT_EVALUATIONS_MAX);
    writer_init(&w, out, RECORD_BYTES_MAX);
    fields_begin(&w, MAGIC, FORMAT);
    write_u32(&w, stat->line);
    write_u64(&w, stat->interval);
    write_u64(&w, stat->step);
    write_u32(&w, stat->task);
    write_u64(&w, stat->examples);
    write_u64(&w, stat->correct);
    write_f64(&w, stat->loss_sum);
    write_u64(&w, stat->live);
    write_u64(&w, stat->dormant);
    write_u32(&w, stat->evaluations_count);
    for (uint32_t e = 0; e < stat->evaluations_count; e++) {
        const struct evaluation *evaluation = &stat->evaluations[e];

        write_u32(&w, (uint32_t)evaluation->set);
        write_u32(&w, evaluation->task);
        write_u64(&w, evaluation->examples);
        write_u64(&w, evaluation->correct);
        write_f64(&w, evaluation->loss_sum);
    }
    CHECK(!w.failed);
    return w.at;
}

static void get_evaluation(struct reader *r, struct evaluation *out)
{
    uint32_t set = fields_get_count(r, EVALUATION_GUARD_AFTER);

    out->set = (enum evaluation_set)set;
    out->task = read_u32(r);
    out->examples = read_u64(r);
    out->correct = read_u64(r);
    out->loss_sum = read_f64(r); /* may be infinite */
    if (set < EVALUATION_HELD_OUT || out->correct > out->examples) {
        r->failed = true;
    }
}

enum status statcode_decode(const void *bytes,
                            size_t size,
                            struct evaluation *evaluations,
                            struct interval_stat *out)
{
    struct interval_stat stat = {.evaluations = evaluations};
    struct reader r;
    enum status status;

    reader_init(&r, bytes, size);
    if (!fields_open(&r, MAGIC, FORMAT, &status)) {
        return status;
    }
    stat.line = read_u32(&r);
    stat.interval = read_u64(&r);
    stat.step = read_u64(&r);
    stat.task = fields_get_count(&r, TASKS_MAX);
    stat.examples = read_u64(&r);
    stat.correct = read_u64(&r);
    stat.loss_sum = read_f64(&r);
    stat.live = read_u64(&r);
    stat.dormant = read_u64(&r);
    stat.evaluations_count = fields_get_count(&r, REPORT_EVALUATIONS_MAX);
    for (uint32_t e = 0; e < stat.evaluations_count; e++) {
        get_evaluation(&r, &evaluations[e]);
    }
    if (stat.correct > stat.examples || stat.dormant > stat.live) {
        r.failed = true;
    }
    status = fields_close(&r);
    if (status == STATUS_OK) {
        *out = stat;
    }
    return status;
}
