#include "coordinator/core/record.h"

#include "base/check.h"

const char *job_state_name(enum job_state state)
{
    switch (state) {
    case JOB_QUEUED:
        return "queued";
    case JOB_WAITING:
        return "waiting";
    case JOB_RUNNING:
        return "running";
    case JOB_PAUSED:
        return "paused";
    case JOB_FINISHED:
        return "finished";
    case JOB_FAILED:
        return "failed";
    case JOB_CANCELLED:
        return "cancelled";
    }
    return "?";
}

void record_after_restore(struct job_record *record,
                          const struct version *restored,
                          uint64_t number)
{
    CHECK(record->lines_count < LINES_MAX);
    if (record->state >= JOB_FINISHED) { /* it can go on from here */
        record->state = JOB_PAUSED;
    }
    record->ended_ms = 0;
    record->lines[record->lines_count] = (struct line_start){
        .parent = restored->line, .interval = restored->interval};
    record->line = record->lines_count++;
    record->head = number;
    record->last_version = number;
    record->spec = *restored->spec;
    record->interval = restored->interval;
    record->step = restored->step;
    record->task = restored->task;
    record->parameters = restored->parameters;
    record->layers_count = restored->arch->layers_count;
    for (uint32_t l = 0; l < record->layers_count; l++) {
        record->widths[l] = restored->arch->layers[l].units_count;
    }
}
