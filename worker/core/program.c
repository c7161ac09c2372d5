#include "worker/core/program.h"

#include "base/check.h"

void program_init(struct program *program,
                  const struct program_options *options)
{
    CHECK(options->batch >= 1);
    CHECK(options->batch <= BATCH_MAX);
    CHECK(options->microbatches >= 1);
    CHECK(options->microbatches <= MICROBATCHES_MAX);
    CHECK(options->tasks_count <= TASKS_MAX);

    *program =
        (struct program){.options = *options, .next_step = options->first_step};
}

/* Does the grant fit the job, whatever came before it? The codec has bounded
 * its counts; here they are held against each other. */
static const char *misfit(const struct program_options *options,
                          const struct grant *grant)
{
    uint64_t batch = options->batch;
    uint64_t tasks = options->tasks_count;

    if (grant->task >= tasks) {
        return "grant names a task that the job has not";
    }
    if (grant->evaluate_first > tasks ||
        grant->evaluate_count > tasks - grant->evaluate_first) {
        return "grant evaluates tasks that the job has not";
    }
    if (grant->steps == 0 && !grant->closing) {
        return "grant has no steps and does not close the job";
    }
    if (grant->steps > 0 && grant->closing) {
        return "closing grant has steps";
    }
    if (grant->position > grant->task_examples) {
        return "grant begins after its task";
    }
    if (grant->steps > 0 &&
        (grant->steps - 1) * batch >= grant->task_examples - grant->position) {
        return "grant goes on after its task";
    }
    if (grant->edits_count > GRANT_EDITS_MAX ||
        grant->units_count > GRANT_UNITS_MAX ||
        grant->settings_count > GRANT_SETTINGS_MAX) {
        return "grant is over a limit";
    }
    return NULL;
}

enum status program_grant(struct program *program,
                          const struct grant *grant,
                          uint64_t oldest,
                          const char **out_reason)
{
    const char *reason = NULL;
    uint64_t at = grant->interval % GRANTS_MAX;

    if (grant->term != program->options.term) {
        *out_reason = "grant of another term";
        return STATUS_STALE;
    }
    if (program->begun && grant->interval < program->next_interval) {
        *out_reason = "interval is granted already";
        return STATUS_STALE;
    }
    if (program->closed) {
        *out_reason = "job is closed";
        return STATUS_CONFLICT;
    }
    if ((program->begun && grant->interval > program->next_interval) ||
        grant->first_step != program->next_step) {
        *out_reason = "grant does not continue the last one";
        return STATUS_CONFLICT;
    }
    if (program->begun && grant->interval - oldest >= GRANTS_MAX) {
        *out_reason = "too many intervals are granted and not done";
        return STATUS_BUSY;
    }
    reason = misfit(&program->options, grant);
    if (reason != NULL) {
        *out_reason = reason;
        return STATUS_INVALID;
    }
    program->grants[at] = *grant;
    program->released[at] = false;
    program->begun = true;
    program->closed = grant->closing;
    program->next_interval = grant->interval + 1;
    program->next_step += grant->steps;
    return STATUS_OK;
}

const struct grant *program_at(const struct program *program, uint64_t interval)
{
    const struct grant *grant = &program->grants[interval % GRANTS_MAX];

    /* Slots never used have term 0, and terms count from 1; but a test may
     * use any, so ask whether a grant has come at all. */
    if (!program->begun || interval >= program->next_interval) {
        return NULL;
    }
    return grant->interval == interval && grant->term == program->options.term
               ? grant
               : NULL;
}

enum status program_release(struct program *program, uint64_t interval)
{
    if (program_at(program, interval) == NULL) {
        return STATUS_NOT_FOUND;
    }
    program->released[interval % GRANTS_MAX] = true;
    return STATUS_OK;
}

bool program_released(const struct program *program, uint64_t interval)
{
    return program->released[interval % GRANTS_MAX];
}

uint32_t program_step_rows(const struct program *program,
                           const struct grant *grant,
                           uint64_t index)
{
    uint64_t batch = program->options.batch;
    uint64_t position = grant->position + index * batch;
    uint64_t left = grant->task_examples - position;

    CHECK(index < grant->steps);
    CHECK(position < grant->task_examples);
    return (uint32_t)(left < batch ? left : batch);
}

/* A batch that is shorter than the microbatches are many leaves out those
 * that would have no rows. */
uint32_t program_train_parts(const struct program *program, uint32_t rows)
{
    uint32_t parts = program->options.microbatches;

    return rows < parts ? rows : parts;
}

struct program_rows program_train_part(const struct program *program,
                                       uint32_t rows,
                                       uint32_t microbatch)
{
    uint32_t parts = program_train_parts(program, rows);
    uint32_t least = rows / parts;
    uint32_t longer = rows % parts; /* so many have one row more */
    uint32_t before = microbatch < longer ? microbatch : longer;

    CHECK(microbatch < parts);
    return (struct program_rows){.first = microbatch * least + before,
                                 .count = least + (microbatch < longer)};
}

uint32_t program_evaluate_parts(uint32_t rows)
{
    return (rows + EVALUATE_ROWS - 1) / EVALUATE_ROWS;
}

struct program_rows program_evaluate_part(uint32_t rows, uint32_t microbatch)
{
    uint32_t first = microbatch * EVALUATE_ROWS;
    uint32_t left = rows - first;

    CHECK(first < rows);
    return (struct program_rows){
        .first = first, .count = left < EVALUATE_ROWS ? left : EVALUATE_ROWS};
}
