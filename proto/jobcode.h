/* jobcode.h - a struct job_spec as bytes, on the wire and in the store.
 *
 *   u32 magic "CJOB" | u16 format | fields in the order of struct job_spec
 *
 * Little-endian, fixed width; a text is u16 size and bytes; a list is its count
 * and that many elements. Two equal jobs are equal bytes. Pure. */
#ifndef PROTO_JOBCODE_H
#define PROTO_JOBCODE_H

#include "base/status.h"
#include "proto/job.h"
#include <stddef.h>

/* Any job fits. */
enum { JOBCODE_BYTES_MAX = 5120, JOBCODE_FORMAT = 3 };

/* spec has passed job_check; out holds JOBCODE_BYTES_MAX. */
size_t jobcode_encode(const struct job_spec *spec, void *out);

/* CORRUPT: not such bytes, cut short, or too many. UNSUPPORTED: of a newer
 * format. INVALID: a field breaks a rule of job_check. */
enum status jobcode_decode(const void *bytes,
                           size_t size,
                           struct job_spec *out) MUST_CHECK;

#endif /* PROTO_JOBCODE_H */
