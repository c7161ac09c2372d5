/* rebuilding.h - a store made anew from the mirrors of its jobs.
 *
 * Before a coordinator listens: each file is one job. All are looked at before
 * anything is written; what fails later leaves no store behind. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_REBUILDING_H
#define COORDINATOR_SHELL_PERSISTENCE_REBUILDING_H

#include "storage/store.h"

struct rebuilt_job {
    char file[PATH_BYTES_MAX];
    char name[NAME_BYTES_MAX];
    uint64_t versions; /* that are there, not dropped */
    uint64_t head;
    struct store_rebuilt from;
};

struct rebuilding {
    uint32_t count;
    struct rebuilt_job *jobs;
};

/* path: a mirror, or a directory, of which every *.mirror is taken; dir: of
 * the store. why gets one sentence. CONFLICT: the store has jobs, or two files
 * are of one job. NOT_FOUND: there is no mirror. CORRUPT: a file is none. FULL,
 * IO, NO_MEMORY. The result is rebuilding_fini'd, also of a failure. */
struct rebuilding_order {
    struct store *store;
    const char *dir;
    const char *path;
    char *why;
    size_t why_size;
};
enum status rebuilding_run(const struct rebuilding_order *order,
                           struct rebuilding *out) MUST_CHECK;
void rebuilding_fini(struct rebuilding *rebuilding);

#endif /* COORDINATOR_SHELL_PERSISTENCE_REBUILDING_H */
