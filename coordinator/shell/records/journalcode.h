/* journalcode.h - one record of what was decided, as bytes for the store.
 *
 * A journal is a function of the job file and of what came from outside: the
 * same on any number of workers. So terms, times and places are not in it. */
#ifndef COORDINATOR_SHELL_RECORDS_JOURNALCODE_H
#define COORDINATOR_SHELL_RECORDS_JOURNALCODE_H

#include "coordinator/core/event.h"
#include "coordinator/shell/records/fields.h"

/* What a record is made of. */
struct journal_entry {
    const struct grant *grant; /* NULL: decisions alone, of `line` */
    uint32_t line;
    uint64_t reports_hash; /* of the interval that it was decided from */
    const struct decision *decisions;
    uint32_t decisions_count;
};

struct journal_record {
    bool has_grant;
    bool has_hash; /* false: written by a release before 0.3 */
    uint32_t line;
    uint64_t interval;
    uint64_t first_step;
    uint32_t steps;
    uint32_t task;
    uint64_t position;
    uint64_t version; /* cut at its beginning; 0: none */
    bool closing;
    uint64_t reports_hash;
    uint32_t settings_count;
    struct grant_setting settings[GRANT_SETTINGS_MAX];
    uint32_t edits_count;
    struct edit edits[GRANT_EDITS_MAX];
    uint32_t units_count;
    struct edit_unit units[GRANT_UNITS_MAX];
    uint32_t decisions_count;
    struct decision decisions[DECISIONS_MAX];
};

/* out holds RECORD_BYTES_MAX. */
size_t journalcode_encode(const struct journal_entry *entry, void *out);

/* A sum over a record with a grant, never 0. A replay makes records of the same
 * sums: the number of the version cut there is left out, since a pause that
 * was asked for, and then a worker lost, moves it. */
uint64_t journalcode_sum(const void *bytes, size_t size);

/* CORRUPT, UNSUPPORTED: as recordcode_decode. */
enum status journalcode_decode(const void *bytes,
                               size_t size,
                               struct journal_record *out) MUST_CHECK;

/* What comes before the edits; a reader of settings needs no more. CORRUPT,
 * UNSUPPORTED. */
enum status journalcode_peek(const void *bytes,
                             size_t size,
                             struct journal_record *out) MUST_CHECK;

#endif /* COORDINATOR_SHELL_RECORDS_JOURNALCODE_H */
