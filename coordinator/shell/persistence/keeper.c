#include "coordinator/shell/persistence/keeper.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/persistence/item.h"
#include "coordinator/shell/records/recordcode.h"
#include "coordinator/shell/records/statcode.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* A transaction that is not too long to wait for. */
    GROUP_MAX = 2048,
    /* Jobs whose last event is remembered: those in the core's slots, and
     * some that have just left it. */
    TAILS_MAX = 4 * JOBS_MAX,
    /* Those that write are in the core's slots; one that has left does not
     * write before it is loaded. */
    GAPS_MAX = JOBS_MAX
};

struct tail {
    uint64_t job; /* 0: free */
    uint64_t last;
    uint64_t used; /* tick */
};

struct keeper {
    struct store *store;
    struct jobs *writer;
    struct keeper_events events;
    struct item_list waiting;
    struct item_list writing; /* the writer thread's while busy */
    bool busy;
    struct tail tails[TAILS_MAX];
    uint64_t tick;
    uint64_t gaps[GAPS_MAX]; /* jobs whose journal would have one; 0: free */
    unsigned char *scratch;  /* RECORD_BYTES_MAX */
    const char *why;         /* of the item that is told; NULL: none */
};

enum status keeper_open(struct store *store,
                        struct jobs *writer,
                        const struct keeper_events *events,
                        struct keeper **out)
{
    struct keeper *keeper = mem_new(sizeof(*keeper));

    if (keeper == NULL) {
        return STATUS_NO_MEMORY;
    }
    keeper->scratch = mem_new(RECORD_BYTES_MAX);
    if (keeper->scratch == NULL) {
        mem_free(keeper);
        return STATUS_NO_MEMORY;
    }
    keeper->store = store;
    keeper->writer = writer;
    keeper->events = *events;
    *out = keeper;
    return STATUS_OK;
}

void keeper_close(struct keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    CHECK(keeper_backlog(keeper) == 0);
    mem_free(keeper->scratch);
    mem_free(keeper);
}

size_t keeper_backlog(const struct keeper *keeper)
{
    return keeper->waiting.count + keeper->writing.count;
}

const char *keeper_why(const struct keeper *keeper)
{
    return keeper->why;
}

static void write_group(void *work)
{
    struct keeper *keeper = work;

    item_list_write(keeper->store, &keeper->writing);
}

/* --- Telling, on the loop's thread --- */

static bool find_event(void *owner,
                       uint64_t key,
                       const void *bytes,
                       size_t size)
{
    bool *found = owner;

    (void)key;
    (void)bytes;
    (void)size;
    *found = true;
    return false;
}

static bool has_event(struct keeper *keeper, uint64_t job, uint64_t sequence)
{
    bool found = false;
    enum status status = store_scan_log(keeper->store, LOG_EVENTS, job,
                                        sequence, find_event, &found);

    return status == STATUS_OK && found;
}

/* Sequences have no gaps, so the last one is found by halving. */
static uint64_t read_last_event(struct keeper *keeper, uint64_t job)
{
    uint64_t none = 1; /* there is no event from here on */
    uint64_t some = 0; /* there is one here, or this is 0 */

    while (has_event(keeper, job, none)) {
        some = none;
        none *= 2;
    }
    while (none - some > 1) {
        uint64_t middle = some + (none - some) / 2;

        if (has_event(keeper, job, middle)) {
            some = middle;
        } else {
            none = middle;
        }
    }
    return some;
}

static struct tail *tail_of(struct keeper *keeper, uint64_t job)
{
    struct tail *oldest = &keeper->tails[0];

    keeper->tick++;
    for (uint32_t t = 0; t < TAILS_MAX; t++) {
        struct tail *tail = &keeper->tails[t];

        if (tail->job == job) {
            tail->used = keeper->tick;
            return tail;
        }
        if (tail->used < oldest->used) {
            oldest = tail;
        }
    }
    *oldest = (struct tail){
        .job = job, .last = read_last_event(keeper, job), .used = keeper->tick};
    return oldest;
}

uint64_t keeper_last_event(struct keeper *keeper, uint64_t job)
{
    return tail_of(keeper, job)->last;
}

/* --- Gaps --- */

/* job 0: a free place; or NULL. */
static uint64_t *gap_of(struct keeper *keeper, uint64_t job)
{
    for (uint32_t g = 0; g < GAPS_MAX; g++) {
        if (keeper->gaps[g] == job) {
            return &keeper->gaps[g];
        }
    }
    return NULL;
}

/* Where there is no room, one of a job that has long left its slot goes. */
static void open_gap(struct keeper *keeper, uint64_t job)
{
    uint64_t *gap = gap_of(keeper, job);

    if (gap == NULL) {
        gap = gap_of(keeper, 0);
    }
    if (gap == NULL) {
        gap = &keeper->gaps[keeper->tick % GAPS_MAX];
    }
    *gap = job;
}

static void close_gap(struct keeper *keeper, uint64_t job)
{
    uint64_t *gap = gap_of(keeper, job);

    if (gap != NULL) { /* job 0 is nobody's: a free place stays one */
        *gap = 0;
    }
}

/* On its way to the writer. Who has asked for a mark reads the journal, and
 * goes on where it ends. */
static void mind_gap(struct keeper *keeper, struct item *item)
{
    if (item->kind == ITEM_MARK) {
        close_gap(keeper, item->job);
    } else if (item_needs_journal(item) && gap_of(keeper, item->job) != NULL) {
        item->status = STATUS_IO;
    }
}

static void unjournaled(struct keeper *keeper,
                        uint64_t job,
                        uint64_t interval,
                        enum status status)
{
    const struct keeper_events *events = &keeper->events;

    open_gap(keeper, job);
    if (events->on_unjournaled != NULL) {
        events->on_unjournaled(events->owner, job, interval, status);
    }
}

static void tell(struct keeper *keeper, struct item *item)
{
    const struct keeper_events *events = &keeper->events;
    bool fine = item->status == STATUS_OK;

    if (!fine) {
        log_line(LOG_ERROR, "keeper", "store_failed",
                 "job=j%" PRIu64 " item=%d why=\"%s\"", item->job, item->kind,
                 item->why != NULL ? item->why : status_text(item->status));
    }
    if (fine && (item->kind == ITEM_EVENT || item->kind == ITEM_LAUNCH)) {
        tail_of(keeper, item->job)->last++;
    }
    if (fine && item->event != NULL && events->on_event != NULL) {
        events->on_event(events->owner, item->job,
                         tail_of(keeper, item->job)->last, item->event);
    }
    if (fine && (item->kind == ITEM_VERSION || item->kind == ITEM_RESTORE) &&
        events->on_version != NULL) {
        events->on_version(events->owner, item->job, item->number);
    }
    if (item->kind == ITEM_MARK) {
        close_gap(keeper, item->job);
    } else if (!fine && item->kind == ITEM_JOURNAL && item->token == 0) {
        unjournaled(keeper, item->job, item->number, item->status);
    } else if (!fine && item->kind == ITEM_JOURNAL) {
        open_gap(keeper, item->job);
    }
    if (item->token != 0) {
        events->on_stored(events->owner, item->token, item->status,
                          fine ? item->restored : NULL);
    }
    if (item->done != NULL) {
        item->done(item->owner, item->status);
    }
}

static void submit(struct keeper *keeper);

static void group_done(void *work)
{
    struct keeper *keeper = work;
    struct item_list done = keeper->writing;
    struct item *item = NULL;

    keeper->writing = (struct item_list){.first = NULL};
    /* Still busy: what the telling brings about is the next group. */
    while ((item = item_list_take(&done)) != NULL) {
        keeper->why = item->why;
        tell(keeper, item);
        keeper->why = NULL;
        item_free(item);
    }
    keeper->busy = false;
    submit(keeper);
    if (keeper->events.on_idle != NULL) {
        keeper->events.on_idle(keeper->events.owner);
    }
}

static void submit(struct keeper *keeper)
{
    enum status status;

    if (keeper->busy || keeper->waiting.count == 0) {
        return;
    }
    while (keeper->writing.count < GROUP_MAX && keeper->waiting.count > 0) {
        struct item *item = item_list_take(&keeper->waiting);

        mind_gap(keeper, item);
        item_list_add(&keeper->writing, item);
    }
    keeper->busy = true;
    status = jobs_submit(keeper->writer, write_group, group_done, keeper);
    /* At most one of ours is in the pool, which has room for a few. */
    CHECK(status == STATUS_OK);
}

/* --- Items --- */

static void enqueue(struct keeper *keeper, struct item *item)
{
    if (item->kind == ITEM_EVENT || item->kind == ITEM_LAUNCH ||
        item->kind == ITEM_NOTICE) {
        /* Before the first of them is written: the last one is known. */
        (void)tail_of(keeper, item->job);
    }
    item_list_add(&keeper->waiting, item);
    submit(keeper);
}

static void no_memory(struct keeper *keeper, uint64_t token)
{
    log_line(LOG_ERROR, "keeper", "no_memory", "token=%" PRIu64, token);
    if (token != 0) {
        keeper->events.on_stored(keeper->events.owner, token, STATUS_NO_MEMORY,
                                 NULL);
    }
}

/* An item with a copy of size bytes of the scratch; NULL: token was told. */
static struct item *item_new(struct keeper *keeper,
                             enum item_kind kind,
                             uint64_t token,
                             uint64_t job,
                             size_t size)
{
    struct item *item = mem_new(sizeof(*item));

    if (item != NULL && size > 0) {
        item->bytes = mem_new(size);
        if (item->bytes == NULL) {
            mem_free(item);
            item = NULL;
        }
    }
    if (item == NULL) {
        no_memory(keeper, token);
        return NULL;
    }
    if (size > 0) {
        memcpy(item->bytes, keeper->scratch, size);
    }
    item->kind = kind;
    item->token = token;
    item->job = job;
    item->size = size;
    item->wall_ms = clock_wall_ms();
    return item;
}

void keeper_put_job(struct keeper *keeper,
                    uint64_t token,
                    const struct job_record *record)
{
    size_t size = recordcode_encode(record, keeper->scratch);
    struct item *item = item_new(keeper, ITEM_JOB, token, record->job, size);

    if (item != NULL) {
        enqueue(keeper, item);
    }
}

void keeper_launch(struct keeper *keeper,
                   uint64_t token,
                   const struct job_record *record,
                   const struct launch_record *launch)
{
    size_t size = recordcode_encode(record, keeper->scratch);
    struct item *item = item_new(keeper, ITEM_LAUNCH, token, record->job, size);

    if (item == NULL) {
        return;
    }
    item->more = mem_new(LAUNCH_BYTES_MAX);
    if (item->more == NULL) {
        item_free(item);
        no_memory(keeper, token);
        return;
    }
    item->more_size = eventcode_encode_launch(launch, item->more);
    enqueue(keeper, item);
}

void keeper_journal(struct keeper *keeper,
                    uint64_t token,
                    uint64_t job,
                    const struct journal_entry *entry)
{
    size_t size = journalcode_encode(entry, keeper->scratch);
    struct item *item = item_new(keeper, ITEM_JOURNAL, token, job, size);
    uint64_t interval = entry->grant != NULL ? entry->grant->interval : 0;

    if (item != NULL) {
        item->number = interval;
        enqueue(keeper, item);
    } else if (token == 0) {
        unjournaled(keeper, job, interval, STATUS_NO_MEMORY);
    } else {
        open_gap(keeper, job);
    }
}

void keeper_point(struct keeper *keeper,
                  uint64_t token,
                  uint64_t job,
                  unsigned char *bytes,
                  size_t size)
{
    struct item *item = item_new(keeper, ITEM_POINT, token, job, 0);

    if (item == NULL) {
        mem_free(bytes);
        return;
    }
    item->bytes = bytes;
    item->size = size;
    enqueue(keeper, item);
}

void keeper_stat(struct keeper *keeper,
                 uint64_t job,
                 const struct interval_stat *stat)
{
    size_t size = statcode_encode(stat, keeper->scratch);
    struct item *item = item_new(keeper, ITEM_STAT, 0, job, size);

    if (item != NULL) {
        item->number = statcode_key(stat->line, stat->interval);
        enqueue(keeper, item);
    }
}

void keeper_event(struct keeper *keeper,
                  uint64_t job,
                  const struct event_record *event,
                  bool logged)
{
    size_t size = eventcode_encode(event, keeper->scratch);
    struct item *item =
        item_new(keeper, logged ? ITEM_EVENT : ITEM_NOTICE, 0, job, size);

    if (item == NULL) {
        return;
    }
    item->event = mem_new(sizeof(*item->event));
    if (item->event == NULL) {
        item_free(item);
        no_memory(keeper, 0);
        return;
    }
    *item->event = *event;
    enqueue(keeper, item);
}

void keeper_commit(struct keeper *keeper,
                   uint64_t token,
                   const struct job_record *record,
                   struct manifest *manifest,
                   uint64_t wall_ms)
{
    size_t size = recordcode_encode(record, keeper->scratch);
    struct item *item =
        item_new(keeper, ITEM_VERSION, token, record->job, size);

    if (item == NULL) {
        manifest_fini(manifest);
        return;
    }
    item->manifest = *manifest;
    *manifest = (struct manifest){.bytes = NULL};
    item->number = record->head;
    item->wall_ms = wall_ms;
    enqueue(keeper, item);
}

void keeper_restore(struct keeper *keeper,
                    uint64_t token,
                    const struct job_record *record,
                    uint64_t from,
                    const struct manifest_restore *restore)
{
    struct item *item = item_new(keeper, ITEM_RESTORE, token, record->job, 0);

    if (item == NULL) {
        return;
    }
    item->record = mem_new(sizeof(*item->record));
    if (item->record == NULL) {
        item_free(item);
        no_memory(keeper, token);
        return;
    }
    *item->record = *record;
    item->restore = *restore;
    item->from = from;
    item->number = restore->number;
    item->wall_ms = restore->wall_ms;
    enqueue(keeper, item);
}

enum status keeper_tag(struct keeper *keeper,
                       const char *name,
                       uint64_t job,
                       uint64_t number,
                       keeper_done_fn *done,
                       void *owner)
{
    struct item *item = NULL;

    if (strlen(name) >= NAME_BYTES_MAX) {
        return STATUS_INVALID;
    }
    item = item_new(keeper, ITEM_TAG, 0, job, 0);
    if (item == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(item->name, name, strlen(name) + 1);
    item->number = number;
    item->done = done;
    item->owner = owner;
    enqueue(keeper, item);
    return STATUS_OK;
}

enum status keeper_after(struct keeper *keeper,
                         uint64_t job,
                         keeper_done_fn *done,
                         void *owner)
{
    struct item *item = item_new(keeper, ITEM_MARK, 0, job, 0);

    if (item == NULL) {
        return STATUS_NO_MEMORY;
    }
    item->done = done;
    item->owner = owner;
    enqueue(keeper, item);
    return STATUS_OK;
}

static const struct item *newest_record(const struct item_list *list,
                                        uint64_t job)
{
    const struct item *found = NULL;

    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (i->job == job && (i->kind == ITEM_JOB || i->kind == ITEM_LAUNCH ||
                              i->kind == ITEM_VERSION)) {
            found = i;
        }
    }
    return found;
}

const unsigned char *keeper_pending_job(const struct keeper *keeper,
                                        uint64_t job,
                                        size_t *out_size)
{
    const struct item *item = newest_record(&keeper->waiting, job);

    if (item == NULL) {
        item = newest_record(&keeper->writing, job);
    }
    if (item == NULL) {
        return NULL;
    }
    *out_size = item->size;
    return item->bytes;
}
