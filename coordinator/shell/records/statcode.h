/* statcode.h - the figures of one interval as bytes, for the store.
 *
 * Kept under line << 40 | interval, so that the intervals of one line are
 * neighbours. */
#ifndef COORDINATOR_SHELL_RECORDS_STATCODE_H
#define COORDINATOR_SHELL_RECORDS_STATCODE_H

#include "coordinator/core/event.h"
#include "coordinator/shell/records/fields.h"

enum { STAT_LINE_SHIFT = 40 };

static inline uint64_t statcode_key(uint32_t line, uint64_t interval)
{
    return (uint64_t)line << STAT_LINE_SHIFT | interval;
}

/* out holds RECORD_BYTES_MAX; any stat of a checked report fits. */
size_t statcode_encode(const struct interval_stat *stat, void *out);

/* out->evaluations points to `evaluations` [REPORT_EVALUATIONS_MAX].
 * CORRUPT, UNSUPPORTED: as recordcode_decode. */
enum status statcode_decode(const void *bytes,
                            size_t size,
                            struct evaluation *evaluations,
                            struct interval_stat *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_RECORDS_STATCODE_H */
