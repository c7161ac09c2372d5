/* names.h - from what people write to numbers, and back.
 *
 * A job is "j1", a name (the newest job of that name), or "" (the newest of
 * all). A version is "v7", "@" (the head), "@~2" (two before it along first
 * parents), "@{1}" (where the head was before its last move) or a tag, each
 * with JOB before the "@": "fashion@v7", "j1@good". "~N" may follow any.
 *
 * Texts come from outside: whatever they hold, the answer is a status and a
 * sentence. Reads the store on the caller's thread. */
#ifndef COORDINATOR_SHELL_RECORDS_NAMES_H
#define COORDINATOR_SHELL_RECORDS_NAMES_H

#include "base/ids.h"
#include "storage/store.h"

enum {
    /* "JOB@{N}~N" of the longest names. */
    VERSION_TEXT_BYTES_MAX = 256,
    NUMBER_BYTES_MAX = 24,
    UNIT_BYTES_MAX = 40
};

/* why holds ERROR_BYTES_MAX. NOT_FOUND, INVALID; IO, CORRUPT of the store. */
enum status names_find_job(struct store *store,
                           const char *text,
                           uint64_t *out_job,
                           char *why) MUST_CHECK;

struct version_name {
    uint64_t job;
    uint64_t number;
};
/* job: for texts that name none; "": the newest. */
enum status names_find_version(struct store *store,
                               const char *job,
                               const char *text,
                               struct version_name *out,
                               char *why) MUST_CHECK;

/* Letters, digits, ".", "_" and "-", a letter first, and no name that means
 * something else ("v7", "j1", "head"). */
bool names_tag_fits(const char *name);

/* "v7", "j1"; "" for 0. out holds NUMBER_BYTES_MAX. */
const char *names_version(uint64_t number, char *out);
const char *names_job(uint64_t job, char *out);
/* "u812", or "u812.2" on line 2. out holds UNIT_BYTES_MAX. */
const char *names_unit(struct unit_id id, char *out);

#endif /* COORDINATOR_SHELL_RECORDS_NAMES_H */
