#include "tests/sim/center.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/center_actions.h"
#include "tests/sim/cuts.h"
#include "tests/sim/disk.h"
#include "tests/sim/invariants.h"
#include "tests/sim/person.h"

#include <stdio.h>
#include <string.h>

enum {
    MESSAGE_ARENA_BYTES = 1 << 20,
    HEARTBEAT_MS = 20,
    TIMEOUT_MS = 150,
    FIRST_START_US = 1000
};

static const uint64_t WALL_MS = 1700000000000;

/* 20 MB: one world at a time has them, and gives them back warm. */
static struct coord the_core;
static struct actions the_actions;

static void on_timer(struct world *w, struct event *event)
{
    struct coord_event timeout = {.type = COORD_TIMEOUT};

    if (w->center->timer_us == event->a) {
        w->center->timer_us = 0;
        center_step(w, &timeout);
    }
}

static void set_timer(struct world *w)
{
    struct center *c = w->center;
    uint64_t deadline = coord_deadline_ms(c->core);
    struct event event = {
        .at_us = deadline * 1000, .fn = on_timer, .process = COORDINATOR};

    if (deadline == UINT64_MAX) {
        return;
    }
    if (event.at_us < w->now_us) {
        event.at_us = w->now_us;
    }
    if (c->timer_us != event.at_us) {
        c->timer_us = event.at_us;
        event.a = event.at_us;
        (void)world_post(w, event);
    }
}

void center_step(struct world *w, struct coord_event *event)
{
    struct center *c = w->center;
    bool quit = false;

    CHECK(!c->stepping);
    c->stepping = true;
    event->now_ms = world_now_ms(w);
    coord_step(c->core, event, c->actions);
    for (uint32_t a = 0; a < c->actions->count && !w->failed; a++) {
        quit = quit || c->actions->items[a].type == ACTION_QUIT;
        center_act(w, &c->actions->items[a]);
    }
    c->stepping = false;
    if (quit) {
        center_crash(w, world_between(w, 1000, 100000));
        return;
    }
    set_timer(w);
}

/* --- What comes --- */

static void *memory_for(struct world *w, uint64_t job)
{
    uint32_t slot = coord_find(w->center->core, job);
    const struct job_spec *spec;

    if (slot == JOBS_MAX) {
        return NULL;
    }
    spec = &w->center->core->jobs[slot].record.spec;
    return world_memory(
        job_memory_bytes(spec, &w->scenario->jobs[scenario_job(spec)].shape));
}

/* What was lent with an event is now the core's, or was not wanted. */
static void settle_lent(struct world *w, void *lent)
{
    struct center *c = w->center;

    for (uint32_t s = 0; lent != NULL && c->core != NULL && s < JOBS_MAX; s++) {
        const struct job *job = &c->core->jobs[s];

        if (job->phase != PHASE_FREE && job->memory == lent) {
            mem_free(c->memory[s]);
            c->memory[s] = lent;
            return;
        }
    }
    mem_free(lent);
}

void center_take(struct world *w, const struct letter *letter)
{
    static unsigned char memory[MESSAGE_ARENA_BYTES];
    struct center *c = w->center;
    struct coord_event event = {.type = COORD_MESSAGE};
    struct arena arena;
    struct wire message;
    void *lent = NULL;

    arena_init(&arena, memory, sizeof(memory));
    if (wire_decode(letter->bytes, letter->size, &arena, &message) !=
        STATUS_OK) {
        world_fail(w, "the coordinator cannot decode a message of w%u",
                   letter->host);
        return;
    }
    event.message.peer = center_peer(c, letter->host, letter->birth)->number;
    event.message.message = &message;
    if (message.kind == WIRE_SHARD_CUT) {
        cuts_keep(c, &message.shard_cut);
    } else if (message.kind == WIRE_OPENED) {
        lent = memory_for(w, message.opened.job);
        event.message.memory = lent;
    }
    center_step(w, &event);
    settle_lent(w, lent);
}

void center_stored(struct world *w,
                   uint64_t token,
                   enum status status,
                   const struct version *restored)
{
    struct coord_event event = {.type = COORD_STORED};

    if (w->center->core == NULL) {
        return; /* it has shut down behind an earlier one of the group */
    }
    event.stored.token = token;
    event.stored.status = status;
    event.stored.restored = restored;
    center_step(w, &event);
}

void center_unjournaled(struct world *w,
                        uint32_t which,
                        uint64_t interval,
                        enum status status)
{
    struct coord_event event = {.type = COORD_UNJOURNALED};

    if (w->center->core == NULL) {
        return;
    }
    event.unjournaled.job = disk_ledger(w, which)->record.job;
    event.unjournaled.interval = interval;
    event.unjournaled.status = status;
    center_step(w, &event);
}

/* As coordinator/shell/persistence/loader.c reads the journal. */
static void read_journal(const struct ledger *d,
                         const struct version *v,
                         struct input_setting *inputs,
                         struct coord_event *event)
{
    /* A point bears its head's number; settings since that one are told. */
    uint64_t head = d->versions[v->number] != NULL && v->shards_count == 0
                        ? d->versions[v->number]->interval
                        : v->interval;
    uint64_t journaled = v->interval + 2;
    uint32_t count = 0;

    for (uint32_t j = 0; j < d->journal_count; j++) {
        const struct journal_entry *e = &d->journal[j];

        if (e->line != v->line || e->interval <= head + 1) {
            continue;
        }
        if (e->interval >= journaled) {
            journaled = e->interval + 1;
        }
        for (uint32_t s = 0; s < e->settings_count; s++) {
            CHECK(count < INPUTS_MAX);
            inputs[count++] =
                (struct input_setting){e->interval, e->settings[s]};
        }
    }
    event->loaded.inputs = inputs;
    event->loaded.inputs_count = count;
    event->loaded.journaled = journaled;
}

void center_loaded(struct world *w,
                   uint64_t token,
                   enum status status,
                   const struct version *version)
{
    struct coord_event event = {.type = COORD_LOADED};
    struct input_setting inputs[INPUTS_MAX];
    void *lent = NULL;

    event.loaded.token = token;
    event.loaded.status = status;
    if (status == STATUS_OK) {
        uint32_t which = scenario_job(version->spec);

        invariants_loaded(w, which);
        lent = world_memory(
            job_memory_bytes(version->spec, &w->scenario->jobs[which].shape));
        event.loaded.version = version;
        event.loaded.memory = lent;
        event.loaded.point = version->shards_count == 0;
        read_journal(disk_ledger(w, which), version, inputs, &event);
    }
    center_step(w, &event);
    settle_lent(w, lent);
}

void center_request(struct world *w, const struct request *request)
{
    struct coord_event event = {.type = COORD_REQUEST};

    event.request = *request;
    center_step(w, &event);
}

struct put {
    struct shard_state state;
    uint32_t host;
    uint64_t birth;
    uint64_t id;
};

static void on_put(struct world *w, struct event *event)
{
    const struct put *put = event->payload;

    disk_put_state(w, &put->state, put->host, put->birth, put->id);
}

void center_put(struct world *w,
                const struct shard_state *state,
                uint32_t host,
                uint64_t id)
{
    struct put put = {.state = *state,
                      .host = host,
                      .birth = w->processes[1 + host].birth,
                      .id = id};
    struct event event = {.fn = on_put, .process = COORDINATOR};

    if (!process_alive(w, COORDINATOR)) {
        return;
    }
    event.at_us =
        w->now_us + 20 + world_draw(w, w->scenario->troubles.delay_us);
    event.payload = world_copy(&put, sizeof(put));
    (void)world_post(w, event);
}

const struct job *center_job(const struct world *w, uint32_t which)
{
    uint32_t slot;

    if (w->center->core == NULL) {
        return NULL;
    }
    slot = coord_find(w->center->core, disk_ledger(w, which)->record.job);
    return slot == JOBS_MAX ? NULL : &w->center->core->jobs[slot];
}

/* --- Life --- */

/* As coordinator/shell/resume.c does. */
static void bring_back(struct world *w, const struct ledger *d)
{
    struct job_record *record = world_copy(&d->record, sizeof(d->record));
    const struct version *point = disk_point(d, record->head, record->line);
    struct coord_event event = {.type = COORD_RECORD};

    event.record.record = record;
    event.record.resume = record->state != JOB_PAUSED;
    if (point != NULL && record->head != 0) {
        event.record.has_point = true;
        event.record.line = point->line;
        event.record.term = point->begun->term;
        event.record.interval = point->interval;
        event.record.step = point->step;
    }
    if (d->has_record && record->state < JOB_FINISHED) {
        center_step(w, &event);
    }
    mem_free(record);
}

static void start(struct world *w)
{
    struct center *c = w->center;
    const struct durable *d = disk_look(w);
    struct coord_event begin = {.type = COORD_START};

    memset(c, 0, sizeof(*c));
    process_start(w, COORDINATOR);
    c->core = &the_core;
    c->actions = &the_actions;
    coord_init(c->core);
    begin.start.life = disk_begin_life(w);
    begin.start.wall_ms = WALL_MS + world_now_ms(w);
    begin.start.last_job = d->last_job;
    begin.start.heartbeat_ms = HEARTBEAT_MS;
    begin.start.timeout_ms = TIMEOUT_MS;
    (void)snprintf(begin.start.chunk_endpoint,
                   sizeof(begin.start.chunk_endpoint), "sim://chunks");
    world_say(w, "the coordinator starts, life %llu",
              (unsigned long long)begin.start.life);
    center_step(w, &begin);
    for (uint32_t j = 0; j < w->scenario->jobs_count; j++) {
        bring_back(w, disk_ledger(w, j));
    }
    network_center_up(w);
    person_center_up(w);
}

static void on_start(struct world *w, struct event *event)
{
    (void)event;
    start(w);
}

static void start_later(struct world *w, uint64_t after_us)
{
    struct event event = {
        .at_us = w->now_us + after_us, .fn = on_start, .process = EVERYBODY};

    (void)world_post(w, event);
}

static void stop(struct world *w)
{
    struct center *c = w->center;

    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        center_forget(w, s);
    }
    c->core = NULL;
    c->actions = NULL;
}

void center_crash(struct world *w, uint64_t back_us)
{
    if (!process_alive(w, COORDINATOR)) {
        return;
    }
    world_say(w, "the coordinator dies");
    disk_crash(w);
    process_end(w, COORDINATOR);
    stop(w);
    start_later(w, back_us);
}

void center_open(struct world *w)
{
    w->center = world_memory(sizeof(*w->center));
    start_later(w, FIRST_START_US);
}

void center_close(struct world *w)
{
    stop(w);
    mem_free(w->center);
}
