/* deliver.c - events through the core: those of the clock and of the store are
 * made here, those of workers in mail.c, of clients in requests/. */
#include "coordinator/shell/inside.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

void shell_free_held(struct held *held)
{
    mem_free(held->memory);
    version_free(held->version);
    journalsums_fini(&held->sums);
    *held = (struct held){.memory = NULL};
}

void shell_queue(struct shell *shell, const struct coord_event *event)
{
    uint32_t at = (shell->queue_first + shell->queue_count) % QUEUE_MAX;

    CHECK(shell->queue_count < QUEUE_MAX);
    shell->queue[at] = *event;
    shell->queue_count++;
}

static void step(struct shell *shell, struct coord_event *event)
{
    event->now_ms = clock_now_ms();
    coord_step(shell->core, event, shell->actions);
    for (uint32_t a = 0; a < shell->actions->count; a++) {
        shell_perform(shell, &shell->actions->items[a]);
    }
}

void shell_deliver(struct shell *shell, struct coord_event *event)
{
    if (shell->stepping) {
        shell_queue(shell, event);
        return;
    }
    shell->stepping = true;
    step(shell, event);
    while (shell->queue_count > 0) {
        struct coord_event next = shell->queue[shell->queue_first];

        shell->queue_first = (shell->queue_first + 1) % QUEUE_MAX;
        shell->queue_count--;
        step(shell, &next);
    }
    shell->stepping = false;
    loop_set_timer(shell->loop, shell->step_timer,
                   coord_deadline_ms(shell->core));
    /* A disk that cannot keep up slows the training down, and not the memory
     * up. */
    if (keeper_backlog(shell->keeper) > KEEPER_BACKLOG_MAX) {
        workers_pause(shell->workers);
    }
}

void shell_on_step_timer(void *owner)
{
    struct shell *shell = owner;
    struct coord_event event = {.type = COORD_TIMEOUT};

    shell_deliver(shell, &event);
}

void shell_settle_lent(struct shell *shell,
                       uint32_t slot,
                       void *memory,
                       struct version *version)
{
    const struct job *job = &shell->core->jobs[slot];
    struct held lent = {.memory = memory, .version = version};

    if (memory != NULL && job->phase != PHASE_FREE && job->memory == memory) {
        shell_free_held(&shell->slots[slot]);
        shell->slots[slot] = lent;
    } else {
        shell_free_held(&lent);
    }
}

void shell_on_loaded(void *owner, struct loaded *loaded)
{
    struct shell *shell = owner;
    const struct data_shape *shape =
        &shell->core->jobs[loaded->slot].record.shape;
    struct coord_event event = {.type = COORD_LOADED};
    struct version *version = loaded->version;
    void *memory = NULL;

    if (loaded->status == STATUS_OK) {
        memory = mem_new(job_memory_bytes(version->spec, shape));
        if (memory == NULL) {
            loaded->status = STATUS_NO_MEMORY;
        }
    }
    event.loaded.token = loaded->token;
    event.loaded.status = loaded->status;
    event.loaded.version = version;
    event.loaded.point = loaded->point;
    event.loaded.step = loaded->step;
    event.loaded.memory = memory;
    event.loaded.inputs_count = loaded->inputs_count;
    event.loaded.inputs = loaded->inputs;
    event.loaded.journaled = loaded->journaled;
    shell_deliver(shell, &event);
    shell_settle_lent(shell, loaded->slot, memory, version);
    if (memory != NULL && shell->slots[loaded->slot].memory == memory) {
        shell->slots[loaded->slot].sums = loaded->sums;
    } else {
        journalsums_fini(&loaded->sums);
    }
}

void shell_on_stored(void *owner,
                     uint64_t token,
                     enum status status,
                     const struct version *restored)
{
    struct shell *shell = owner;
    struct coord_event event = {.type = COORD_STORED};

    event.stored.token = token;
    event.stored.status = status;
    event.stored.restored = restored;
    event.stored.why = keeper_why(shell->keeper);
    shell_deliver(shell, &event);
}

void shell_on_unjournaled(void *owner,
                          uint64_t job,
                          uint64_t interval,
                          enum status status)
{
    struct shell *shell = owner;
    struct coord_event event = {.type = COORD_UNJOURNALED};

    event.unjournaled.job = job;
    event.unjournaled.interval = interval;
    event.unjournaled.status = status;
    event.unjournaled.why = keeper_why(shell->keeper);
    shell_deliver(shell, &event);
}

void shell_on_event(void *owner,
                    uint64_t job,
                    uint64_t sequence,
                    const struct event_record *event)
{
    struct shell *shell = owner;

    watch_tell(shell->watch, job, sequence, event);
}

void shell_on_version(void *owner, uint64_t job, uint64_t number)
{
    struct shell *shell = owner;

    (void)number;
    queries_wake(shell->queries, job);
    if (!shell->quitting) {
        collector_version(shell->collector, job);
    }
}

void shell_on_idle(void *owner)
{
    struct shell *shell = owner;

    if (keeper_backlog(shell->keeper) < KEEPER_BACKLOG_MAX / 4) {
        workers_resume(shell->workers);
    }
}
