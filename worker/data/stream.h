/* stream.h - an endless stream of tasks over a data set.
 *
 * Which example stands at a position is a function of seed, task and position
 * alone (base/rng.h), never of who asks or when, so any worker may read any
 * part of the stream and a restored job sees the same examples again. Guard
 * and evaluation examples are never trained on. Not thread-safe: one stream
 * per thread that reads. */
#ifndef WORKER_DATA_STREAM_H
#define WORKER_DATA_STREAM_H

#include "base/status.h"
#include "proto/job.h"
#include <stddef.h>

struct stream;

struct stream_options {
    const struct data_spec *data;
    uint64_t seed;
    uint32_t outputs; /* 0: the data's classes */
    const char
        *cache; /* a directory where unpacked files are kept; NULL: none */
};

/* Opens and reads the data whole. why gets one sentence that names the file
 * and what is wrong with it. Errors: NOT_FOUND (no such file), CORRUPT (not
 * what the format says), INVALID (the tasks do not fit the data), NO_MEMORY,
 * IO. */
enum status stream_open(const struct stream_options *options,
                        char *why,
                        size_t why_size,
                        struct stream **out) MUST_CHECK;
void stream_close(struct stream *stream); /* accepts NULL */

const struct data_shape *stream_shape(const struct stream *stream);

/* rows examples of task from position on: x [rows, inputs], labels [rows].
 * Either may be NULL. position + rows is at most the task's examples. */
void stream_train(struct stream *stream,
                  uint32_t task,
                  uint64_t position,
                  uint32_t rows,
                  float *x,
                  uint32_t *labels);

/* rows held-out examples of task (its classes, its transformation), first in
 * 0 .. stream_evaluate_count. */
void stream_evaluate(struct stream *stream,
                     uint32_t task,
                     uint64_t first,
                     uint32_t rows,
                     float *x,
                     uint32_t *labels);
uint64_t stream_evaluate_count(const struct stream *stream, uint32_t task);

/* The same for the examples set aside for the guard. */
void stream_guard(struct stream *stream,
                  uint32_t task,
                  uint64_t first,
                  uint32_t rows,
                  float *x,
                  uint32_t *labels);
uint64_t stream_guard_count(const struct stream *stream, uint32_t task);

#endif /* WORKER_DATA_STREAM_H */
