/* perform.c - what the core wants done, done. */
#include "coordinator/shell/inside.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

static void send(struct shell *shell, const struct action *action)
{
    struct coord_event lost = {.type = COORD_PEER_LOST};
    enum status status =
        workers_send(shell->workers, action->send.peer, &action->send.message);

    /* A worker that misses one message is of no use any more. */
    if (status != STATUS_OK) {
        lost.peer_lost.peer = action->send.peer;
        shell_queue(shell, &lost);
    }
}

static void answer(struct shell *shell, uint64_t token, enum status status)
{
    struct coord_event event = {.type = COORD_STORED};

    if (token != 0) {
        event.stored.token = token;
        event.stored.status = status;
        shell_queue(shell, &event);
    }
}

static bool is_session(const struct job *job)
{
    return job->record.job >> SESSION_JOB_SHIFT != 0;
}

static void store_job(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    struct waiting *launching = shell->launching;
    struct launch_record launch;

    if (launching == NULL || launching->source == NULL) {
        keeper_put_job(shell->keeper, action->token, &job->record);
        return;
    }
    launch.source = launching->source;
    launch.source_size = launching->source_size;
    memcpy(launch.request_id, launching->request_id, sizeof(launch.request_id));
    launching->source = NULL;
    keeper_launch(shell->keeper, action->token, &job->record, &launch);
}

static void commit(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    const struct cut *cut = job_cut(job, action->commit.cut);
    struct job_record *record = mem_new(sizeof(*record));
    uint64_t wall_ms = clock_wall_ms();
    struct manifest manifest = {.bytes = NULL};
    struct shard_record *records = NULL;
    uint32_t count = 0;
    enum status status = STATUS_NO_MEMORY;

    records = cuts_find(shell->cuts, job->record.job, cut->version, &count);
    if (record != NULL) {
        status = count == job_shards_total(job) ? STATUS_OK : STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = manifest_of_cut(job, cut, records, count, wall_ms, &manifest);
    }
    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "shell", "commit_failed",
                 "job=j%" PRIu64 " version=v%" PRIu64 " why=\"%s\"",
                 job->record.job, cut->version, status_text(status));
        answer(shell, action->token, status);
    } else {
        *record = job->record;
        record->state = job_visible_state(job);
        record->head = cut->version;
        record->last_version = cut->version;
        keeper_commit(shell->keeper, action->token, record, &manifest, wall_ms);
    }
    cuts_drop(shell->cuts, job->record.job, cut->version);
    mem_free(record);
}

static void restore(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    struct job_record *record = mem_new(sizeof(*record));
    const struct manifest_restore order = {.number = action->restore.number,
                                           .head = action->restore.head,
                                           .line = action->restore.line,
                                           .wall_ms = clock_wall_ms()};

    if (record == NULL) {
        answer(shell, action->token, STATUS_NO_MEMORY);
        return;
    }
    *record = job->record;
    record->state = job_visible_state(job);
    keeper_restore(shell->keeper, action->token, record, action->restore.from,
                   &order);
    mem_free(record);
}

/* Where nobody else is to blame for what has happened. */
static void log_event(const struct job *job, const struct action *action)
{
    bool fault = strcmp(action->event.kind, "fault") == 0;
    uint64_t step =
        action->event.layers_count > 0 ? action->event.step : job->record.step;

    log_line(fault ? LOG_WARN : LOG_INFO, "job", action->event.kind,
             "job=j%" PRIu64 " step=%" PRIu64 " text=\"%s\"", job->record.job,
             step, action->event.text);
}

static void happen(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    struct event_record event = {.wall_ms = clock_wall_ms(),
                                 .version = action->event.version};
    bool progress = strcmp(action->event.kind, "progress") == 0;

    if (is_session(job)) {
        return;
    }
    if (!progress) {
        log_event(job, action);
    }
    eventcode_fill(&job->record, &event);
    if (action->event.layers_count > 0) {
        event.step = action->event.step;
        event.task = action->event.task;
        event.layers_count = action->event.layers_count;
        memcpy(event.widths, action->event.widths, sizeof(event.widths));
    }
    event.state = job_visible_state(job);
    memcpy(event.kind, action->event.kind, sizeof(event.kind));
    memcpy(event.text, action->event.text, sizeof(event.text));
    keeper_event(shell->keeper, job->record.job, &event, !progress);
}

/* --- The journal and the point --- */

static void not_loaded(struct shell *shell, uint64_t token, enum status status)
{
    struct coord_event event = {.type = COORD_LOADED};

    event.loaded.token = token;
    event.loaded.status = status;
    shell_deliver(shell, &event);
}

struct late_load {
    struct shell *shell;
    struct load_order order;
};

static void load_now(void *owner, enum status status)
{
    struct late_load *late = owner;
    struct shell *shell = late->shell;

    (void)status;
    if (!shell->closing) {
        status =
            loader_start(shell->reader, &late->order, shell_on_loaded, shell);
        if (status != STATUS_OK) {
            not_loaded(shell, late->order.token, status);
        }
    }
    mem_free(late);
}

/* Behind what is still to be written: a replay goes by all of the journal. */
static void load(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    /* An evaluation only looks: its job may run, and writes on. */
    uint64_t whose = job->kind == KIND_TRAIN ? action->load.job : 0;
    struct late_load *late = mem_new(sizeof(*late));
    struct held *held = &shell->slots[action->slot];
    enum status status = STATUS_NO_MEMORY;

    /* Until it is held, or the slot forgotten, gc spares it. */
    held->loading_job = action->load.job;
    held->loading = action->load.version;
    if (late != NULL) {
        late->shell = shell;
        late->order = (struct load_order){.store = shell->store,
                                          .token = action->token,
                                          .slot = action->slot,
                                          .job = action->load.job,
                                          .version = action->load.version,
                                          .point = action->load.point,
                                          .line = job->record.line};
        status = keeper_after(shell->keeper, whose, load_now, late);
    }
    if (status != STATUS_OK) {
        mem_free(late);
        not_loaded(shell, action->token, status);
    }
}

static struct journal_entry entry_of(const struct job *job,
                                     const struct action *action)
{
    return (struct journal_entry){.grant = action->journal.grant,
                                  .line = job->record.line,
                                  .reports_hash = action->journal.reports_hash,
                                  .decisions = action->journal.decisions,
                                  .decisions_count =
                                      action->journal.decisions_count};
}

static void check_journal(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    const struct journal_entry entry = entry_of(job, action);

    answer(shell, action->token,
           journalsums_compare(&shell->slots[action->slot].sums, &entry));
}

static void store_point(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = STATUS_OK;

    if (!action->point.none) {
        status = manifest_of_point(job, &job->making_cut, clock_wall_ms(),
                                   &bytes, &size);
    }
    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "shell", "point_failed",
                 "job=j%" PRIu64 " why=\"%s\"", job->record.job,
                 status_text(status));
        answer(shell, action->token, status);
        return;
    }
    keeper_point(shell->keeper, action->token, job->record.job, bytes, size);
}

static void store_journal(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];
    const struct journal_entry entry = entry_of(job, action);

    keeper_journal(shell->keeper, action->token, job->record.job, &entry);
}

void shell_perform(struct shell *shell, const struct action *action)
{
    const struct job *job = &shell->core->jobs[action->slot];

    switch (action->type) {
    case ACTION_SEND:
        send(shell, action);
        break;
    case ACTION_FORGET_PEER:
        workers_forget(shell->workers, action->forget_peer.peer);
        break;
    case ACTION_STORE_JOB:
        store_job(shell, action);
        break;
    case ACTION_STORE_JOURNAL:
        store_journal(shell, action);
        break;
    case ACTION_CHECK_JOURNAL:
        check_journal(shell, action);
        break;
    case ACTION_STORE_POINT:
        store_point(shell, action);
        break;
    case ACTION_STORE_STAT:
        keeper_stat(shell->keeper, job->record.job, &action->stat);
        break;
    case ACTION_COMMIT:
        commit(shell, action);
        break;
    case ACTION_STORE_RESTORE:
        restore(shell, action);
        break;
    case ACTION_LOAD:
        load(shell, action);
        break;
    case ACTION_EVENT:
        happen(shell, action);
        break;
    case ACTION_REPLY:
        requests_reply(shell, action);
        break;
    case ACTION_EVALUATION:
        requests_evaluation(shell, action);
        break;
    case ACTION_FORGET:
        shell_free_held(&shell->slots[action->slot]);
        break;
    case ACTION_QUIT:
        log_line(LOG_INFO, "shell", "quit", "life=%" PRIu64, shell->life);
        loop_stop(shell->loop);
        break;
    }
}
