/* asks_gc.c - a person's gc: what is taken away does not come back, so the job
 * must be named twice. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"

#include <string.h>

static bool is_confirmed(const struct job_record *record,
                         const Cajal__V1__GcRequest *message)
{
    char id[NUMBER_BYTES_MAX];

    return message->dry_run ||
           strcmp(message->confirm, record->spec.name) == 0 ||
           strcmp(message->confirm, names_job(record->job, id)) == 0;
}

static void begin(struct shell *shell,
                  struct call *call,
                  const struct gc_order *order)
{
    enum status status = collector_begin(shell->collector, call, order);

    if (status != STATUS_OK) {
        call_finish(call, status,
                    "gc is at work already. Try again in a moment");
    }
}

void ask_gc(struct shell *shell,
            struct call *call,
            const Cajal__V1__GcRequest *message)
{
    struct job_record *record = NULL;
    uint64_t job = 0;
    enum status status = STATUS_NO_MEMORY;

    if (!shell_find_job(shell, call, message->job, &job)) {
        return;
    }
    record = mem_new(sizeof(*record));
    if (record != NULL) {
        status = shell_view(shell, job, record);
    }
    if (status != STATUS_OK) {
        call_finish(call, status, "the job's record cannot be read");
    } else if (is_confirmed(record, message)) {
        begin(shell, call,
              &(struct gc_order){.job = job,
                                 .keep = &record->spec.keep,
                                 .dry_run = message->dry_run});
    } else {
        call_finish(call, STATUS_INVALID,
                    "what gc takes away does not come back: the job's name "
                    "must be given to confirm it");
    }
    mem_free(record);
}
