/* lookup.c - which job is meant, and what is known of it. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/records/recordcode.h"
#include "coordinator/shell/records/views.h"

#include <stdio.h>

/* A record that was stored while a commit was under way has the head of
 * before; the refs are the truth. */
static enum status correct_head(struct shell *shell, struct job_record *record)
{
    uint64_t head = 0;
    uint64_t last = 0;
    enum status status =
        store_get_ref(shell->store, record->job, "head", &head);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = store_last_version(shell->store, record->job, &last);
    }
    if (status == STATUS_OK) {
        record->head = head;
        record->last_version = last;
    }
    return status;
}

enum status shell_read_record(struct shell *shell,
                              uint64_t job,
                              struct job_record *out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    const unsigned char *pending =
        keeper_pending_job(shell->keeper, job, &size);
    enum status status = STATUS_OK;

    if (pending != NULL) {
        return recordcode_decode(pending, size, out);
    }
    status = store_get_job(shell->store, job, &bytes, &size);
    if (status != STATUS_OK) {
        return status;
    }
    status = recordcode_decode(bytes, size, out);
    mem_free(bytes);
    return status == STATUS_OK ? correct_head(shell, out) : status;
}

enum status shell_record(struct shell *shell,
                         uint64_t job,
                         struct job_record *out)
{
    uint32_t slot = coord_find(shell->core, job);

    if (slot == JOBS_MAX) {
        return shell_read_record(shell, job, out);
    }
    *out = shell->core->jobs[slot].record;
    out->state = job_visible_state(&shell->core->jobs[slot]);
    return STATUS_OK;
}

enum status shell_view(struct shell *shell,
                       uint64_t job,
                       struct job_record *out)
{
    enum status status = shell_record(shell, job, out);

    if (status == STATUS_OK && coord_find(shell->core, job) == JOBS_MAX) {
        views_unheld(out);
    }
    return status;
}

bool shell_find_job(struct shell *shell,
                    struct call *call,
                    const char *text,
                    uint64_t *out_job)
{
    char why[ERROR_BYTES_MAX];
    enum status status = names_find_job(shell->store, text, out_job, why);

    if (status != STATUS_OK) {
        call_finish(call, status, why);
    }
    return status == STATUS_OK;
}

bool shell_find_version(struct shell *shell,
                        struct call *call,
                        const char *job,
                        const char *text,
                        struct version_name *out)
{
    char why[ERROR_BYTES_MAX];
    enum status status = names_find_version(shell->store, job, text, out, why);

    if (status == STATUS_OK &&
        collector_dooms(shell->collector, out->job, out->number)) {
        status = STATUS_NOT_FOUND;
        (void)snprintf(why, sizeof(why), "%s is being dropped by gc", text);
    }
    if (status != STATUS_OK) {
        call_finish(call, status, why);
    }
    return status == STATUS_OK;
}
