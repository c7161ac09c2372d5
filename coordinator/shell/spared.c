/* spared.c - what gc is told of the shell: versions that are in use at this
 * moment, which it leaves alone, and records. */
#include "coordinator/shell/inside.h"

/* A version that somebody reads, or that the core works from or goes to. */
static bool spares(void *owner, uint64_t job, uint64_t number)
{
    const struct shell *shell = owner;

    if (leases_hold(&shell->leases, job, number)) {
        return true;
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        const struct held *held = &shell->slots[s];
        const struct job *slot = &shell->core->jobs[s];

        if (held->loading_job == job && held->loading == number) {
            return true;
        }
        if (held->version != NULL && held->version->job == job &&
            held->version->number == number) {
            return true;
        }
        if (slot->phase != PHASE_FREE && slot->record.job == job &&
            slot->want == WANT_RESTORE && slot->want_version == number) {
            return true;
        }
    }
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        const struct token *token = &shell->core->tokens[t];

        if (token->id != 0 && token->kind == TOKEN_RESTORE &&
            token->job == job && token->detail == number) {
            return true;
        }
    }
    return false;
}

static enum status view(void *owner, uint64_t job, struct job_record *out)
{
    return shell_view(owner, job, out);
}

enum status shell_open_collector(struct shell *shell)
{
    const struct collector_options options = {.store = shell->store,
                                              .keeper = shell->keeper,
                                              .reader = shell->reader,
                                              .writer = shell->writer,
                                              .core = shell->core,
                                              .spares = spares,
                                              .view = view,
                                              .owner = shell};

    return collector_open(&options, &shell->collector);
}
