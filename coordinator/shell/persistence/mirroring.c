#define _XOPEN_SOURCE 700 /* realpath */

#include "coordinator/shell/persistence/mirroring.h"

#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/records/recordcode.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mirroring_path(const struct job_record *record, char *out)
{
    const char *dir = record->spec.store.mirror;
    int size;

    if (dir[0] == '\0') {
        return false;
    }
    size = snprintf(out, PATH_BYTES_MAX,
                    "%s/%s-j%" PRIu64 "-%" PRIx64 MIRRORING_SUFFIX, dir,
                    record->spec.name, record->job, record->created_ms);
    return size > 0 && size < PATH_BYTES_MAX; /* job_check has seen to it */
}

enum status mirroring_place(void *owner,
                            uint64_t job,
                            const void *record,
                            size_t size,
                            struct store_mirror_place *out)
{
    struct job_record *decoded = mem_new(sizeof(*decoded));
    enum status status = STATUS_NO_MEMORY;

    (void)owner;
    if (decoded != NULL) {
        status = recordcode_decode(record, size, decoded);
    }
    if (status == STATUS_OK) {
        out->rests = decoded->state >= JOB_PAUSED;
        status =
            mirroring_path(decoded, out->path) ? STATUS_OK : STATUS_NOT_FOUND;
    } else {
        log_line(LOG_ERROR, "mirroring", "record_not_read",
                 "job=j%" PRIu64 " why=\"%s\"", job, status_text(status));
    }
    mem_free(decoded);
    return status == STATUS_OK || status == STATUS_NO_MEMORY ? status
                                                             : STATUS_NOT_FOUND;
}

enum status mirroring_check(const char *dir,
                            const char *store,
                            char *why,
                            size_t why_size)
{
    static char real[PATH_MAX];
    size_t size = strlen(store);
    const char *path = realpath(dir, real) != NULL ? real : dir;

    if (strncmp(path, store, size) != 0 ||
        (path[size] != '/' && path[size] != '\0')) {
        return STATUS_OK;
    }
    (void)snprintf(why, why_size,
                   "store.mirror: %.256s is in the store's own directory and "
                   "would be lost with it; name one on another disk",
                   dir);
    return STATUS_INVALID;
}
