/* eventcode.h - what happened to a job as bytes, for the store.
 *
 * Record 1 of a job's event log is its launch: who asked and with which file.
 * All later ones are events that watchers see. */
#ifndef COORDINATOR_SHELL_RECORDS_EVENTCODE_H
#define COORDINATOR_SHELL_RECORDS_EVENTCODE_H

#include "coordinator/core/event.h"
#include "coordinator/shell/records/fields.h"

struct event_record {
    uint64_t wall_ms;
    char kind[16];
    char text[DETAIL_BYTES_MAX];
    uint64_t version; /* 0: none */
    enum job_state state;
    uint64_t step;
    uint64_t total_steps;
    uint32_t task;
    uint32_t tasks_count;
    double loss;
    double accuracy;
    uint32_t workers_count;
    double examples_per_second;
    uint32_t layers_count;
    uint32_t widths[LAYERS_MAX];
};

/* What an event says of the job beside kind, text and version. */
void eventcode_fill(const struct job_record *record, struct event_record *out);

/* out holds RECORD_BYTES_MAX. */
size_t eventcode_encode(const struct event_record *event, void *out);
/* CORRUPT (also: a launch record), UNSUPPORTED. */
enum status eventcode_decode(const void *bytes,
                             size_t size,
                             struct event_record *out) MUST_CHECK;

struct launch_record {
    char request_id[NAME_BYTES_MAX]; /* "": the client gave none */
    const char *source; /* the job file; borrowed, not ended by NUL */
    size_t source_size; /* at most JOB_FILE_BYTES_MAX */
};
enum { LAUNCH_BYTES_MAX = JOB_FILE_BYTES_MAX + 256 };

/* out holds LAUNCH_BYTES_MAX. */
size_t eventcode_encode_launch(const struct launch_record *launch, void *out);
/* source borrows from bytes. */
enum status eventcode_decode_launch(const void *bytes,
                                    size_t size,
                                    struct launch_record *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_RECORDS_EVENTCODE_H */
