#include "tests/sim/center_actions.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/cuts.h"
#include "tests/sim/disk.h"
#include "tests/sim/host.h"
#include "tests/sim/invariants.h"
#include "tests/sim/person.h"

#include <string.h>

/* --- Peers --- */

struct center_peer *center_peer(struct center *c, uint32_t host, uint64_t birth)
{
    struct center_peer *free = NULL;

    for (uint32_t p = 0; p < CENTER_PEERS_MAX; p++) {
        struct center_peer *peer = &c->peers[p];

        if (peer->number != 0 && peer->host == host && peer->birth == birth) {
            return peer;
        }
        if (peer->number == 0 && free == NULL) {
            free = peer;
        }
    }
    CHECK(free != NULL);
    *free = (struct center_peer){++c->last_peer, host, birth};
    return free;
}

static struct center_peer *peer_number(struct center *c, uint32_t number)
{
    for (uint32_t p = 0; number != 0 && p < CENTER_PEERS_MAX; p++) {
        if (c->peers[p].number == number) {
            return &c->peers[p];
        }
    }
    return NULL;
}

static void on_peer_lost(struct world *w, struct event *event)
{
    struct coord_event lost = {.type = COORD_PEER_LOST};

    lost.peer_lost.peer = (uint32_t)event->a;
    center_step(w, &lost);
}

static void post_lost(struct world *w, uint32_t number, uint64_t after_us)
{
    struct event event = {.at_us = w->now_us + after_us,
                          .fn = on_peer_lost,
                          .process = COORDINATOR,
                          .a = number};

    (void)world_post(w, event);
}

void center_peer_ended(struct world *w, uint32_t host)
{
    struct center *c = w->center;

    if (c->core == NULL || !world_chance(w, 2)) {
        return; /* its silence will tell, or a message to it */
    }
    for (uint32_t p = 0; p < CENTER_PEERS_MAX; p++) {
        if (c->peers[p].number != 0 && c->peers[p].host == host) {
            post_lost(w, c->peers[p].number, world_between(w, 10, 20000));
        }
    }
}

static void send(struct world *w, uint32_t number, const struct wire *message)
{
    const struct center_peer *peer = peer_number(w->center, number);

    invariants_send(w, number, peer, message);
    if (peer == NULL) {
        return; /* forgotten: harmless */
    }
    if (!process_alive(w, 1 + peer->host) ||
        w->processes[1 + peer->host].birth != peer->birth) {
        post_lost(w, number, 0);
        return;
    }
    network_to_host(w, peer->host, message);
}

/* --- Actions --- */

static uint32_t which_of(const struct job *job)
{
    return scenario_job(&job->record.spec);
}

static void commit(struct world *w, const struct action *action)
{
    struct center *c = w->center;
    const struct job *job = &c->core->jobs[action->slot];
    struct job_record record = job->record;
    struct version *v = cuts_version(w, job, job_cut(job, action->commit.cut));

    if (v == NULL) {
        return;
    }
    record.state = job_visible_state(job);
    record.head = v->number;
    record.last_version = v->number;
    cuts_drop(c, v->job, v->number);
    disk_put_version(w, action->token, v, &record);
}

static struct journal_entry entry_of(const struct job *job,
                                     const struct action *action)
{
    const struct grant *g = action->journal.grant;
    struct journal_entry entry = {.line = job->record.line,
                                  .interval = g->interval,
                                  .digest = invariants_digest(g),
                                  .reports_hash = action->journal.reports_hash,
                                  .settings_count = g->settings_count};

    memcpy(entry.settings, g->settings, sizeof(entry.settings));
    return entry;
}

static void journal(struct world *w, const struct action *action)
{
    const struct job *job = &w->center->core->jobs[action->slot];
    const struct journal_entry entry = entry_of(job, action);

    disk_put_journal(w, which_of(job), action->token, &entry);
}

static void store_point(struct world *w, const struct action *action)
{
    const struct job *job = &w->center->core->jobs[action->slot];
    struct version *point = NULL;

    if (!action->point.none) {
        point = cuts_version(w, job, &job->making_cut);
    }
    disk_put_point(w, which_of(job), action->token, point);
}

static void load(struct world *w, const struct action *action)
{
    const struct job *job = &w->center->core->jobs[action->slot];
    const struct load load = {.which = which_of(job),
                              .token = action->token,
                              .version = action->load.version,
                              .line = job->record.line,
                              .point = action->load.point,
                              .looks = job->kind != KIND_TRAIN};

    disk_load(w, &load);
}

static void on_answer(struct world *w, struct event *event)
{
    struct coord_event stored = {.type = COORD_STORED};

    stored.stored.token = event->a;
    stored.stored.status = (enum status)event->b;
    center_step(w, &stored);
}

static void post_stored(struct world *w, uint64_t token, enum status status)
{
    const struct event event = {.at_us = w->now_us,
                                .fn = on_answer,
                                .process = COORDINATOR,
                                .a = token,
                                .b = (uint64_t)status};

    if (token != 0) {
        (void)world_post(w, event);
    }
}

/* A replay decides the same, from the same reports. */
static void check_journal(struct world *w, const struct action *action)
{
    const struct job *job = &w->center->core->jobs[action->slot];
    const struct ledger *d = disk_ledger(w, which_of(job));
    const struct journal_entry again = entry_of(job, action);
    enum status status = STATUS_OK;

    for (uint32_t j = 0; j < d->journal_count; j++) {
        const struct journal_entry *e = &d->journal[j];

        if (e->line == again.line && e->interval == again.interval &&
            (e->reports_hash != again.reports_hash ||
             e->digest != again.digest)) {
            status = STATUS_CORRUPT;
        }
    }
    post_stored(w, action->token, status);
}

static void on_early(struct world *w, struct event *event)
{
    struct coord_event stored = {.type = COORD_STORED};

    stored.stored.token = event->a;
    if (event->b != 0) {
        stored.stored.restored = disk_ledger(w, (uint32_t)(event->b >> 32))
                                     ->versions[event->b & UINT32_MAX];
    }
    center_step(w, &stored);
    center_crash(w, 5000);
}

/* PLANT_EARLY_POINT: told at once that the record is there; a while later it
 * all ends, or else it is there by then. */
static void early_point(struct world *w, const struct action *action)
{
    if (w->scenario->plant == PLANT_EARLY_POINT && !action->point.none) {
        post_stored(w, action->token, STATUS_OK);
    }
}

/* PLANT_EARLY_STORED: told at once that it is durable; then it all ends. */
static void perhaps_early(struct world *w, const struct action *action)
{
    struct event event = {.at_us = w->now_us,
                          .fn = on_early,
                          .process = COORDINATOR,
                          .a = action->token};

    if (w->scenario->plant != PLANT_EARLY_STORED || action->token == 0 ||
        action->type == ACTION_LOAD || action->type == ACTION_CHECK_JOURNAL ||
        !world_chance(w, 6)) {
        return;
    }
    if (action->type == ACTION_STORE_RESTORE) {
        const struct job *job = &w->center->core->jobs[action->slot];

        event.b = (uint64_t)which_of(job) << 32 | action->restore.from;
        if (action->restore.from >= VERSIONS_MAX ||
            disk_ledger(w, which_of(job))->versions[action->restore.from] ==
                NULL) {
            return;
        }
    }
    world_say(w, "plant: token %llu is told stored, and is not",
              (unsigned long long)action->token);
    (void)world_post(w, event);
}

static void say_event(struct world *w, const struct action *action)
{
    if (strcmp(action->event.kind, "progress") != 0) {
        world_say(w, "%s v%llu: %s", action->event.kind,
                  (unsigned long long)action->event.version,
                  action->event.text);
    }
    invariants_event(w, action);
}

void center_forget(struct world *w, uint32_t slot)
{
    mem_free(w->center->memory[slot]);
    w->center->memory[slot] = NULL;
}

void center_act(struct world *w, const struct action *action)
{
    struct center *c = w->center;
    const struct job *job = &c->core->jobs[action->slot];
    struct center_peer *peer = NULL;

    switch (action->type) {
    case ACTION_SEND:
        send(w, action->send.peer, &action->send.message);
        break;
    case ACTION_FORGET_PEER:
        peer = peer_number(c, action->forget_peer.peer);
        if (peer != NULL) {
            peer->number = 0;
        }
        break;
    case ACTION_STORE_JOB:
        disk_put_record(w, action->token, &job->record);
        break;
    case ACTION_STORE_JOURNAL:
        journal(w, action);
        break;
    case ACTION_CHECK_JOURNAL:
        check_journal(w, action);
        break;
    case ACTION_STORE_POINT:
        store_point(w, action);
        early_point(w, action);
        break;
    case ACTION_STORE_STAT:
        invariants_stat(w, which_of(job), &action->stat);
        break;
    case ACTION_COMMIT:
        commit(w, action);
        break;
    case ACTION_STORE_RESTORE:
        disk_put_restore(w, action->token, action->restore.from,
                         action->restore.number, action->restore.line,
                         &job->record);
        break;
    case ACTION_LOAD:
        load(w, action);
        break;
    case ACTION_EVENT:
        say_event(w, action);
        break;
    case ACTION_REPLY:
        invariants_reply(w, action);
        person_reply(w, action);
        break;
    case ACTION_EVALUATION:
        break;
    case ACTION_FORGET:
        center_forget(w, action->slot);
        break;
    case ACTION_QUIT:
        world_say(w, "the coordinator has shut down");
        break;
    }
    perhaps_early(w, action);
}
