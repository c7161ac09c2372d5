#include "tests/sim/disk.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/center.h"
#include "tests/sim/host.h"
#include "tests/sim/invariants.h"

#include <string.h>

enum { STATES_ROOM = 1 << 13 };

enum item_kind {
    ITEM_RECORD = 1,
    ITEM_JOURNAL,
    ITEM_VERSION,
    ITEM_RESTORE,
    ITEM_STATE,
    ITEM_POINT
};

struct item {
    struct item *next;
    enum item_kind kind;
    uint64_t made;  /* rising */
    uint32_t which; /* job; of a state: of no matter */
    enum status status;
    uint64_t token;
    struct job_record *record;
    struct journal_entry journal;
    struct version *version;
    uint64_t from;
    uint64_t number;
    uint32_t line;
    struct shard_state state;
    uint32_t host;
    uint64_t host_birth;
    uint64_t put;
};

struct disk {
    struct durable durable;
    struct item *waiting;
    struct item **waiting_end;
    struct item *writing;
    uint64_t made; /* items */
    uint64_t slow_until_us;
    uint64_t failing_until_us;
    uint32_t states_count;
    struct shard_state states[STATES_ROOM]; /* by name, open addressing */
};

/* --- Versions --- */

static struct arch *copy_arch(const struct arch *from,
                              const struct job_spec *spec)
{
    size_t bytes = arch_memory_bytes(spec, spec->model.outputs);
    struct arch *to = world_memory(sizeof(*to) + bytes);

    arch_lay_out(to, spec, spec->model.outputs, to + 1);
    arch_copy(to, from);
    return to;
}

static struct shard_record *copy_shards(const struct shard_record *from,
                                        uint32_t count)
{
    struct shard_record *to = world_copy(from, count * sizeof(*to));

    for (uint32_t i = 0; i < count; i++) {
        to[i].tensors[0].chunks =
            world_copy(from[i].tensors[0].chunks, sizeof(struct hash));
    }
    return to;
}

struct version *version_copy(const struct version *from)
{
    struct version *to = world_copy(from, sizeof(*to));

    to->spec = world_copy(from->spec, sizeof(*from->spec));
    to->arch = copy_arch(from->arch, from->spec);
    to->begun = world_copy(from->begun, sizeof(*from->begun));
    if (from->pending != NULL) {
        to->pending = world_copy(from->pending, sizeof(*from->pending));
    }
    to->policy = world_copy(from->policy, from->policy_bytes);
    to->shards = NULL;
    if (from->shards_count > 0) { /* a point has none */
        to->shards = copy_shards(from->shards, from->shards_count);
    }
    return to;
}

void version_drop(struct version *v)
{
    if (v == NULL) {
        return;
    }
    for (uint32_t i = 0; i < v->shards_count; i++) {
        mem_free(v->shards[i].tensors[0].chunks);
    }
    mem_free(v->shards);
    mem_free(v->policy);
    mem_free(v->pending);
    mem_free(v->begun);
    mem_free(v->arch);
    mem_free(v->spec);
    mem_free(v);
}

/* --- Life --- */

void disk_open(struct world *w)
{
    w->disk = world_memory(sizeof(*w->disk));
    w->disk->waiting_end = &w->disk->waiting;
}

static void drop_item(struct item *item)
{
    version_drop(item->version);
    mem_free(item->record);
    mem_free(item);
}

static void drop_items(struct item *first)
{
    while (first != NULL) {
        struct item *next = first->next;

        drop_item(first);
        first = next;
    }
}

void disk_close(struct world *w)
{
    struct disk *d = w->disk;

    drop_items(d->waiting);
    drop_items(d->writing);
    for (uint32_t j = 0; j < SIM_JOBS_MAX; j++) {
        for (uint32_t v = 0; v < VERSIONS_MAX; v++) {
            version_drop(d->durable.jobs[j].versions[v]);
        }
        version_drop(d->durable.jobs[j].point);
    }
    mem_free(d);
}

const struct durable *disk_look(const struct world *w)
{
    return &w->disk->durable;
}

const struct ledger *disk_ledger(const struct world *w, uint32_t which)
{
    CHECK(which < SIM_JOBS_MAX);
    return &w->disk->durable.jobs[which];
}

const struct ledger *disk_find(const struct world *w, uint64_t job)
{
    for (uint32_t j = 0; j < SIM_JOBS_MAX; j++) {
        const struct ledger *ledger = &w->disk->durable.jobs[j];

        if (ledger->has_record && ledger->record.job == job) {
            return ledger;
        }
    }
    return NULL;
}

uint64_t disk_begin_life(struct world *w)
{
    return ++w->disk->durable.life;
}

void disk_slow(struct world *w, uint64_t for_us)
{
    w->disk->slow_until_us = w->now_us + for_us;
}

void disk_fail(struct world *w, uint64_t for_us)
{
    w->disk->failing_until_us = w->now_us + for_us;
}

static bool is_failing(const struct world *w)
{
    return w->now_us < w->disk->failing_until_us;
}

enum status disk_read(struct world *w)
{
    return is_failing(w) && world_chance(w, 4) ? STATUS_IO : STATUS_OK;
}

/* --- What is durable --- */

static struct shard_state *state_place(struct disk *d, uint64_t name)
{
    uint64_t at = name % STATES_ROOM;

    while (d->states[at].hash != 0 &&
           shard_state_name(&d->states[at]) != name) {
        at = (at + 1) % STATES_ROOM;
    }
    return &d->states[at];
}

const struct shard_state *disk_state(const struct world *w, uint64_t name)
{
    const struct shard_state *state = state_place(w->disk, name);

    return state->hash != 0 ? state : NULL;
}

static void keep_state(struct disk *d, const struct shard_state *state)
{
    struct shard_state *place = state_place(d, shard_state_name(state));

    if (place->hash == 0) {
        CHECK(++d->states_count < STATES_ROOM / 2);
        *place = *state;
    }
}

static void keep_version(struct world *w,
                         uint32_t which,
                         struct version *version)
{
    struct ledger *d = &w->disk->durable.jobs[which];

    CHECK(version->number < VERSIONS_MAX);
    if (d->versions[version->number] != NULL) {
        invariants_version_again(w, d->versions[version->number], version);
        version_drop(version);
        return;
    }
    d->versions[version->number] = version;
}

static struct version *make_restore(const struct ledger *d,
                                    const struct item *item)
{
    const struct version *from = d->versions[item->from];
    struct version *to = version_copy(from);

    to->number = item->number;
    to->line = item->line;
    to->arch->line = item->line;
    to->cause = CAUSE_RESTORE;
    to->begun->line = item->line;
    if (to->pending != NULL) {
        to->pending->line = item->line;
    }
    return to;
}

static void keep_record(struct world *w, const struct item *item)
{
    struct durable *durable = &w->disk->durable;
    struct ledger *d = &durable->jobs[item->which];

    invariants_record(w, item->which, item->record);
    d->record = *item->record;
    d->has_record = true;
    if (durable->last_job < item->record->job) {
        durable->last_job = item->record->job;
    }
}

static void apply_restore(struct world *w, struct item *item)
{
    struct ledger *d = &w->disk->durable.jobs[item->which];

    if (item->from >= VERSIONS_MAX || d->versions[item->from] == NULL) {
        item->status = STATUS_NOT_FOUND;
        return;
    }
    keep_version(w, item->which, make_restore(d, item));
    record_after_restore(item->record, d->versions[item->from], item->number);
    keep_record(w, item);
}

static void apply_journal(struct world *w, struct item *item)
{
    struct ledger *d = &w->disk->durable.jobs[item->which];

    CHECK(d->journal_count < JOURNAL_MAX);
    invariants_journal(w, d, item->which, &item->journal);
    d->journal[d->journal_count++] = item->journal;
}

static void apply(struct world *w, struct item *item)
{
    struct ledger *d = &w->disk->durable.jobs[item->which];

    switch (item->kind) {
    case ITEM_RECORD:
        keep_record(w, item);
        break;
    case ITEM_JOURNAL:
        apply_journal(w, item);
        break;
    case ITEM_VERSION:
        keep_version(w, item->which, item->version);
        item->version = NULL;
        keep_record(w, item);
        break;
    case ITEM_RESTORE:
        apply_restore(w, item);
        break;
    case ITEM_STATE:
        keep_state(w->disk, &item->state);
        break;
    case ITEM_POINT:
        if (item->version != NULL) {
            invariants_point(w, item->which, item->version);
        }
        version_drop(d->point);
        d->point = item->version;
        item->version = NULL;
        break;
    }
}

/* --- Writing --- */

static void write_group(struct world *w);

static void tell(struct world *w, const struct item *item)
{
    const struct version *restored =
        item->kind == ITEM_RESTORE && item->status == STATUS_OK
            ? w->disk->durable.jobs[item->which].versions[item->from]
            : NULL;

    if (item->kind == ITEM_STATE) {
        host_stored(w, item->host, item->host_birth, item->put, item->status);
    } else if (item->kind == ITEM_JOURNAL && item->token == 0 &&
               item->status != STATUS_OK) {
        center_unjournaled(w, item->which, item->journal.interval,
                           item->status);
    } else if (item->token != 0) {
        center_stored(w, item->token, item->status, restored);
    }
}

static bool is_behind_gap(const struct disk *d, const struct item *item)
{
    const struct ledger *ledger = &d->durable.jobs[item->which];
    bool needs = item->kind == ITEM_JOURNAL || item->kind == ITEM_VERSION ||
                 (item->kind == ITEM_POINT && item->version != NULL);

    return needs && (ledger->gap || item->made <= ledger->behind);
}

static void on_written(struct world *w, struct event *event)
{
    struct disk *d = w->disk;
    struct item *group = d->writing;
    enum status status = (enum status)event->a;

    d->writing = NULL;
    for (struct item *i = group; i != NULL; i = i->next) {
        i->status =
            status == STATUS_OK && is_behind_gap(d, i) ? STATUS_IO : status;
        if (i->status == STATUS_OK) {
            apply(w, i);
        } else if (i->kind == ITEM_JOURNAL) {
            d->durable.jobs[i->which].journal_lost = true;
            d->durable.jobs[i->which].gap = true;
        }
    }
    while (group != NULL) {
        struct item *item = group;

        group = item->next;
        tell(w, item);
        drop_item(item);
    }
    write_group(w);
}

static void write_group(struct world *w)
{
    struct disk *d = w->disk;
    struct event event = {.fn = on_written, .process = COORDINATOR};

    if (d->writing != NULL || d->waiting == NULL) {
        return;
    }
    d->writing = d->waiting;
    d->waiting = NULL;
    d->waiting_end = &d->waiting;
    event.at_us = w->now_us + world_between(w, 100, 3000);
    if (w->now_us < d->slow_until_us) {
        event.at_us += world_between(w, 5000, 60000);
    }
    if (is_failing(w)) {
        event.a = world_chance(w, 3)   ? STATUS_OK
                  : world_chance(w, 2) ? STATUS_IO
                                       : STATUS_FULL;
    }
    (void)world_post(w, event);
}

static struct item *item_new(struct world *w,
                             enum item_kind kind,
                             uint32_t which,
                             uint64_t token)
{
    struct item *item = world_memory(sizeof(*item));

    CHECK(which < SIM_JOBS_MAX);
    item->kind = kind;
    item->made = ++w->disk->made;
    item->which = which;
    item->token = token;
    *w->disk->waiting_end = item;
    w->disk->waiting_end = &item->next;
    return item;
}

void disk_put_record(struct world *w,
                     uint64_t token,
                     const struct job_record *record)
{
    struct item *item =
        item_new(w, ITEM_RECORD, scenario_job(&record->spec), token);

    item->record = world_copy(record, sizeof(*record));
    write_group(w);
}

void disk_put_journal(struct world *w,
                      uint32_t which,
                      uint64_t token,
                      const struct journal_entry *entry)
{
    item_new(w, ITEM_JOURNAL, which, token)->journal = *entry;
    write_group(w);
}

void disk_put_point(struct world *w,
                    uint32_t which,
                    uint64_t token,
                    struct version *point)
{
    item_new(w, ITEM_POINT, which, token)->version = point;
    write_group(w);
}

void disk_put_version(struct world *w,
                      uint64_t token,
                      struct version *version,
                      const struct job_record *record)
{
    struct item *item =
        item_new(w, ITEM_VERSION, scenario_job(&record->spec), token);

    item->version = version;
    item->record = world_copy(record, sizeof(*record));
    write_group(w);
}

void disk_put_restore(struct world *w,
                      uint64_t token,
                      uint64_t from,
                      uint64_t number,
                      uint32_t line,
                      const struct job_record *record)
{
    struct item *item =
        item_new(w, ITEM_RESTORE, scenario_job(&record->spec), token);

    item->from = from;
    item->number = number;
    item->line = line;
    item->record = world_copy(record, sizeof(*record));
    write_group(w);
}

void disk_put_state(struct world *w,
                    const struct shard_state *state,
                    uint32_t host,
                    uint64_t host_birth,
                    uint64_t put)
{
    struct item *item = item_new(w, ITEM_STATE, 0, 0);

    item->state = *state;
    item->host = host;
    item->host_birth = host_birth;
    item->put = put;
    write_group(w);
}

void disk_crash(struct world *w)
{
    struct disk *d = w->disk;
    uint32_t count = 0;

    for (struct item *i = d->writing; i != NULL; i = i->next) {
        count++;
    }
    count = world_draw(w, count + 1);
    for (struct item *i = d->writing; i != NULL && count > 0; i = i->next) {
        if (!is_behind_gap(d, i)) {
            apply(w, i);
        }
        count--;
    }
    drop_items(d->writing);
    drop_items(d->waiting);
    for (uint32_t j = 0; j < SIM_JOBS_MAX; j++) {
        d->durable.jobs[j].gap = false;
    }
    d->writing = NULL;
    d->waiting = NULL;
    d->waiting_end = &d->waiting;
}

/* --- Reading --- */

const struct version *disk_point(const struct ledger *ledger,
                                 uint64_t head,
                                 uint32_t line)
{
    const struct version *point = ledger->point;

    return point != NULL && point->number == head && point->line == line ? point
                                                                         : NULL;
}

static void on_read(struct world *w, struct event *event)
{
    const struct load *read = event->payload;
    const struct ledger *d = disk_ledger(w, read->which);
    const struct version *v =
        read->version < VERSIONS_MAX ? d->versions[read->version] : NULL;
    const struct version *point =
        read->point ? disk_point(d, read->version, read->line) : NULL;
    enum status status = v == NULL ? STATUS_NOT_FOUND : disk_read(w);

    if (point != NULL && disk_read(w) == STATUS_OK) {
        center_loaded(w, read->token, STATUS_OK, point);
        return;
    }
    center_loaded(w, read->token, status, status == STATUS_OK ? v : NULL);
}

void disk_load(struct world *w, const struct load *load)
{
    struct event event = {.fn = on_read, .process = COORDINATOR};
    struct ledger *ledger = &w->disk->durable.jobs[load->which];

    if (ledger->gap && !load->looks) {
        ledger->gap = false;
        ledger->behind = w->disk->made;
    }
    event.payload = world_copy(load, sizeof(*load));
    event.at_us = w->now_us + world_between(w, 100, 4000);
    (void)world_post(w, event);
}
