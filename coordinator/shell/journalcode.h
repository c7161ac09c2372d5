/* journalcode.h - one record of what was decided, as bytes for the store.
 *
 * A journal is a function of the job file and of what came from outside: the
 * same on any number of workers. So terms, times and places are not in it. */
#ifndef COORDINATOR_SHELL_JOURNALCODE_H
#define COORDINATOR_SHELL_JOURNALCODE_H

#include "coordinator/core/event.h"
#include "coordinator/shell/fields.h"

struct journal_record {
    bool has_grant;
    uint32_t line;
    uint64_t interval;
    uint64_t first_step;
    uint32_t steps;
    uint32_t task;
    uint64_t position;
    uint64_t version; /* cut at its beginning; 0: none */
    bool closing;
    uint32_t settings_count;
    struct grant_setting settings[GRANT_SETTINGS_MAX];
    uint32_t edits_count;
    struct edit edits[GRANT_EDITS_MAX];
    uint32_t units_count;
    struct edit_unit units[GRANT_UNITS_MAX];
    uint32_t decisions_count;
    struct decision decisions[DECISIONS_MAX];
};

/* grant NULL: decisions alone, of `line`. out holds RECORD_BYTES_MAX. */
size_t journalcode_encode(const struct grant *grant,
                          uint32_t line,
                          const struct decision *decisions,
                          uint32_t decisions_count,
                          void *out);

/* CORRUPT, UNSUPPORTED: as recordcode_decode. */
enum status journalcode_decode(const void *bytes,
                               size_t size,
                               struct journal_record *out) MUST_CHECK;

/* What comes before the edits; a reader of settings needs no more. CORRUPT,
 * UNSUPPORTED. */
enum status journalcode_peek(const void *bytes,
                             size_t size,
                             struct journal_record *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_JOURNALCODE_H */
