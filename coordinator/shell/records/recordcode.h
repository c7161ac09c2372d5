/* recordcode.h - what is known of a job as bytes, for the store.
 *
 *   "CREC" | format | job | state | name | reason | ... in record.h's order
 *
 * State and name come first so that a list of jobs need not decode the rest. */
#ifndef COORDINATOR_SHELL_RECORDS_RECORDCODE_H
#define COORDINATOR_SHELL_RECORDS_RECORDCODE_H

#include "coordinator/core/record.h"
#include "coordinator/shell/records/fields.h"

/* out holds RECORD_BYTES_MAX; any record fits. */
size_t recordcode_encode(const struct job_record *record, void *out);

/* CORRUPT: not such a record, or a field is out of range. UNSUPPORTED: of
 * another format. out is untouched on failure. */
enum status recordcode_decode(const void *bytes,
                              size_t size,
                              struct job_record *out) MUST_CHECK;

/* Its first fields alone. */
struct record_head {
    uint64_t job;
    enum job_state state;
    char name[NAME_BYTES_MAX];
};
enum status recordcode_peek(const void *bytes,
                            size_t size,
                            struct record_head *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_RECORDS_RECORDCODE_H */
