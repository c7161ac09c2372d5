/* resume.c - what an earlier coordinator left unfinished. */
#include "coordinator/shell/inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/records/recordcode.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* Slots that stay free for new jobs when the store's are taken up. */
    RESUMED_MAX = JOBS_MAX - 4
};

struct unfinished {
    uint32_t running_count;
    uint32_t paused_count;
    uint64_t running[RESUMED_MAX]; /* the newest */
    uint64_t paused[RESUMED_MAX];
};

static void keep_newest(uint64_t jobs[RESUMED_MAX],
                        uint32_t *count,
                        uint64_t job)
{
    if (*count == RESUMED_MAX) {
        memmove(jobs, jobs + 1, (RESUMED_MAX - 1) * sizeof(jobs[0]));
        (*count)--;
    }
    jobs[(*count)++] = job;
}

static bool take_unfinished(void *owner,
                            uint64_t key,
                            const void *bytes,
                            size_t size)
{
    struct unfinished *found = owner;
    struct record_head head;

    if (recordcode_peek(bytes, size, &head) != STATUS_OK) {
        log_line(LOG_ERROR, "shell", "record_damaged", "job=j%" PRIu64, key);
        return true;
    }
    if (head.state < JOB_PAUSED) {
        keep_newest(found->running, &found->running_count, key);
    } else if (head.state == JOB_PAUSED) {
        keep_newest(found->paused, &found->paused_count, key);
    }
    return true;
}

/* Workers may have the state that the job would go on from. */
static void find_point(struct shell *shell,
                       const struct job_record *record,
                       struct coord_event *event)
{
    const struct load_order order = {.store = shell->store,
                                     .job = record->job,
                                     .version = record->head,
                                     .line = record->line};
    struct version *point = NULL;

    if (record->head == 0 || loader_read_point(&order, &point) != STATUS_OK) {
        return;
    }
    event->record.has_point = true;
    event->record.line = point->line;
    event->record.term = point->begun->term;
    event->record.interval = point->interval;
    event->record.step = point->step;
    version_free(point);
}

static void bring_back(struct shell *shell, uint64_t job, bool resume)
{
    struct job_record *record = mem_new(sizeof(*record));
    struct coord_event event = {.type = COORD_RECORD};
    enum status status = STATUS_NO_MEMORY;

    if (record != NULL) {
        status = shell_read_record(shell, job, record);
    }
    if (status == STATUS_OK) {
        event.record.record = record;
        event.record.resume = resume;
        find_point(shell, record, &event);
        shell_deliver(shell, &event);
    } else {
        log_line(LOG_ERROR, "shell", "job_not_resumed",
                 "job=j%" PRIu64 " why=\"%s\"", job, status_text(status));
    }
    mem_free(record);
}

enum status shell_resume(struct shell *shell)
{
    struct unfinished found = {.running_count = 0};
    uint32_t room = RESUMED_MAX;
    enum status status =
        store_scan_jobs(shell->store, 0, take_unfinished, &found);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t j = 0; j < found.running_count; j++, room--) {
        bring_back(shell, found.running[j], true);
    }
    for (uint32_t j = found.paused_count; j > 0 && room > 0; j--, room--) {
        bring_back(shell, found.paused[j - 1], false);
    }
    return STATUS_OK;
}
