/* mail.c - what workers say, on its way to the core. */
#include "coordinator/shell/inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

static void *memory_for(struct shell *shell,
                        uint32_t slot,
                        const struct wire *message)
{
    if (message->kind != WIRE_OPENED || slot == JOBS_MAX ||
        message->opened.status != STATUS_OK) {
        return NULL;
    }
    return mem_new(job_memory_bytes(&shell->core->jobs[slot].record.spec,
                                    message->opened.shape));
}

static void keep_record(struct shell *shell, const struct wire_shard_cut *cut)
{
    uint32_t slot = coord_find(shell->core, cut->job);

    if (slot == JOBS_MAX || shell->core->jobs[slot].term != cut->term) {
        return;
    }
    if (cuts_take(shell->cuts, cut) != STATUS_OK) {
        log_line(LOG_ERROR, "shell", "record_lost",
                 "job=j%" PRIu64 " version=v%" PRIu64, cut->job, cut->version);
    }
}

/* The term of a message about a placement; 0: it is about none. */
static uint64_t term_of(const struct wire *message, uint64_t *out_job)
{
    switch ((int)message->kind) {
    case WIRE_READY:
        *out_job = message->ready.job;
        return message->ready.term;
    case WIRE_REPORT:
        *out_job = message->report.job;
        return message->report.report->term;
    case WIRE_SHARD_CUT:
        *out_job = message->shard_cut.job;
        return message->shard_cut.term;
    case WIRE_FAULT:
        *out_job = message->fault.job;
        return message->fault.term;
    default:
        return 0;
    }
}

/* The core refuses it too; here it is but counted. */
static void count_stale(struct shell *shell,
                        uint32_t peer,
                        const struct wire *message)
{
    uint64_t job = 0;
    uint64_t term = term_of(message, &job);
    uint32_t slot = term != 0 ? coord_find(shell->core, job) : JOBS_MAX;

    if (slot != JOBS_MAX && term < shell->core->jobs[slot].term) {
        workers_blame_stale(shell->workers, peer);
    }
}

void shell_on_lost(void *owner, uint32_t peer, const char *why)
{
    struct coord_event event = {.type = COORD_PEER_LOST};

    event.peer_lost.peer = peer;
    event.peer_lost.why = why;
    shell_deliver(owner, &event);
}

/* A copy that nobody could fetch is none: an assignment that names its holder
 * could not be sent. */
static bool can_be_fetched(const struct shell *shell, uint32_t peer)
{
    const struct members *members = &shell->core->members;
    uint32_t worker = members_of_peer(members, peer);

    return worker == NO_WORKER ||
           members->items[worker].hello.vault_endpoint[0] != '\0';
}

void shell_on_message(void *owner, uint32_t peer, const struct wire *message)
{
    struct shell *shell = owner;
    struct coord_event event = {.type = COORD_MESSAGE};
    uint32_t slot = JOBS_MAX;
    void *memory = NULL;

    if (message->kind == WIRE_KEPT && !can_be_fetched(shell, peer)) {
        return;
    }
    count_stale(shell, peer, message);
    if (message->kind == WIRE_OPENED) {
        slot = coord_find(shell->core, message->opened.job);
        memory = memory_for(shell, slot, message);
    }
    if (message->kind == WIRE_SHARD_CUT) {
        keep_record(shell, &message->shard_cut);
    }
    event.message.peer = peer;
    event.message.message = message;
    event.message.memory = memory;
    shell_deliver(shell, &event);
    if (memory != NULL) {
        shell_settle_lent(shell, slot, memory, NULL);
    }
}
