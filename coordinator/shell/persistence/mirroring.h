/* mirroring.h - where the mirror of a job is: by its record alone, so that a
 * coordinator that is started again finds the same file.
 *
 *     DIR/NAME-jN-CREATED.mirror     DIR: store.mirror of the job file
 *                                    CREATED: milliseconds, hexadecimal
 *
 * The time keeps apart what is alike: the first job of that name in each of
 * two stores that share a directory. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_MIRRORING_H
#define COORDINATOR_SHELL_PERSISTENCE_MIRRORING_H

#include "coordinator/core/record.h"
#include "storage/store.h"

#define MIRRORING_SUFFIX ".mirror"

/* False: the job has no mirror. out: PATH_BYTES_MAX. */
bool mirroring_path(const struct job_record *record, char *out);

/* store_mirror_by's function; owner is not used. A job that has ended or is
 * paused rests. One whose record cannot be read has none: nothing goes on
 * with it. */
enum status mirroring_place(void *owner,
                            uint64_t job,
                            const void *record,
                            size_t size,
                            struct store_mirror_place *out) MUST_CHECK;

/* A mirror inside the store would be lost with it. store: a real path. why
 * gets one sentence. INVALID, or OK; also where dir is not there yet. */
enum status mirroring_check(const char *dir,
                            const char *store,
                            char *why,
                            size_t why_size) MUST_CHECK;

#endif /* COORDINATOR_SHELL_PERSISTENCE_MIRRORING_H */
