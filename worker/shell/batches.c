#include "worker/shell/batches.h"

#include "base/check.h"
#include "base/mem.h"

struct batches {
    struct batches_options options;
    struct {
        float *x;         /* [rows_max, inputs] */
        uint32_t *labels; /* [rows_max] */
        uint64_t pass;
        uint32_t read; /* bit: this microbatch is there */
    } cells[INBOX_CELLS];
};

enum status batches_open(const struct batches_options *options,
                         struct batches **out)
{
    struct batches *batches = mem_new(sizeof(*batches));
    size_t rows = options->rows_max;

    if (batches == NULL) {
        return STATUS_NO_MEMORY;
    }
    batches->options = *options;
    for (uint32_t i = 0; i < INBOX_CELLS; i++) {
        if (options->wants_x) {
            batches->cells[i].x =
                mem_slab(rows * options->inputs * sizeof(float));
        }
        if (options->wants_labels) {
            batches->cells[i].labels = mem_array(rows, sizeof(uint32_t));
        }
        if ((options->wants_x && batches->cells[i].x == NULL) ||
            (options->wants_labels && batches->cells[i].labels == NULL)) {
            batches_close(batches);
            return STATUS_NO_MEMORY;
        }
    }
    *out = batches;
    return STATUS_OK;
}

void batches_close(struct batches *batches)
{
    if (batches == NULL) {
        return;
    }
    for (uint32_t i = 0; i < INBOX_CELLS; i++) {
        mem_free(batches->cells[i].labels);
        mem_free(batches->cells[i].x);
    }
    mem_free(batches);
}

static void read_rows(struct stream *stream,
                      const struct sched_run *run,
                      float *x,
                      uint32_t *labels)
{
    if (run->training) {
        stream_train(stream, run->task, run->example, run->rows, x, labels);
    } else if (run->set == EVALUATION_HELD_OUT) {
        stream_evaluate(stream, run->task, run->example, run->rows, x, labels);
    } else {
        stream_guard(stream, run->task, run->example, run->rows, x, labels);
    }
}

void batches_get(struct batches *batches,
                 const struct sched_run *run,
                 const float **out_x,
                 const uint32_t **out_labels)
{
    uint32_t cell = (uint32_t)(run->pass % INBOX_CELLS);
    uint32_t bit = UINT32_C(1) << run->microbatch;
    float *x = batches->cells[cell].x;
    uint32_t *labels = batches->cells[cell].labels;

    CHECK(run->op == SCHED_FORWARD);
    CHECK(run->first + run->rows <= batches->options.rows_max);
    if (x != NULL) {
        x += (size_t)run->first * batches->options.inputs;
    }
    if (labels != NULL) {
        labels += run->first;
    }
    if (batches->cells[cell].pass != run->pass) {
        batches->cells[cell].pass = run->pass;
        batches->cells[cell].read = 0;
    }
    if ((batches->cells[cell].read & bit) == 0) {
        read_rows(batches->options.stream, run, x, labels);
        batches->cells[cell].read |= bit;
    }
    *out_x = x;
    *out_labels = labels;
}
