#include "tests/sim/person.h"

#include "base/mem.h"
#include "tests/sim/disk.h"
#include "tests/sim/invariants.h"

#include <string.h>

enum { LOOK_US = 5000 };

struct person {
    uint64_t last_id;
    bool has_stopped_it[SIM_JOBS_MAX];
    bool has_cancelled[SIM_JOBS_MAX];
    bool has_cordoned[SIM_HOSTS_MAX];
    bool wanted[SIM_HOSTS_MAX]; /* uncordoned, since it is calm */
    uint64_t next_ask_us;
    struct asked asked[ASKED_MAX];
};

const struct asked *person_asked(const struct world *w, uint64_t id)
{
    const struct asked *asked = &w->person->asked[id % ASKED_MAX];

    return asked->open && asked->request.id == id ? asked : NULL;
}

bool person_has_stopped_it(const struct world *w, uint32_t which)
{
    /* A worker that leaves may take the last of its kind away: that makes a
     * version, too. */
    return w->person->has_stopped_it[which] ||
           w->scenario->troubles.leave_ms > 0;
}

bool person_has_cancelled(const struct world *w, uint32_t which)
{
    return w->person->has_cancelled[which];
}

bool person_has_cordoned(const struct world *w, uint32_t host)
{
    return w->person->has_cordoned[host];
}

static bool is_of_workers(enum request_kind kind)
{
    return kind == REQUEST_CORDON || kind == REQUEST_UNCORDON ||
           kind == REQUEST_DRAIN;
}

static bool is_waiting(const struct world *w)
{
    for (uint32_t i = 0; i < ASKED_MAX; i++) {
        if (w->person->asked[i].open) {
            return true;
        }
    }
    return false;
}

static bool is_waiting_for(const struct world *w, uint32_t which)
{
    for (uint32_t i = 0; i < ASKED_MAX; i++) {
        const struct asked *asked = &w->person->asked[i];

        if (asked->open && asked->which == which &&
            !is_of_workers(asked->request.kind)) {
            return true;
        }
    }
    return false;
}

static const char *name_of(enum request_kind kind)
{
    static const char *const names[] = {
        [REQUEST_LAUNCH] = "launch",     [REQUEST_PAUSE] = "pause",
        [REQUEST_RESUME] = "resume",     [REQUEST_CANCEL] = "cancel",
        [REQUEST_SET] = "set",           [REQUEST_RESTORE] = "restore",
        [REQUEST_EVALUATE] = "evaluate", [REQUEST_PROBE] = "probe",
        [REQUEST_SHUTDOWN] = "shutdown", [REQUEST_CORDON] = "cordon",
        [REQUEST_UNCORDON] = "uncordon", [REQUEST_DRAIN] = "drain"};

    return names[kind];
}

/* In the coordinator's process: what the store says of the job, and on. */
static void on_asked(struct world *w, struct event *event)
{
    const struct ledger *d = disk_ledger(w, (uint32_t)event->a);
    struct request *request = event->payload;
    struct job_record *record = NULL;

    if (d->has_record && request->job != 0) {
        record = world_copy(&d->record, sizeof(d->record));
        request->record = record;
    }
    center_request(w, request);
    mem_free(record);
}

static void ask(struct world *w, uint32_t which, struct request request)
{
    struct person *p = w->person;
    struct event event = {.fn = on_asked, .process = COORDINATOR, .a = which};
    struct asked *asked = &p->asked[(p->last_id + 1) % ASKED_MAX];

    for (uint32_t i = 0; i < ASKED_MAX && asked->open; i++) {
        p->last_id++; /* that one waits for long */
        asked = &p->asked[(p->last_id + 1) % ASKED_MAX];
    }
    if (w->center->core == NULL || asked->open) {
        return; /* nobody listens, or too much is open */
    }
    request.id = ++p->last_id;
    request.job = disk_ledger(w, which)->record.job;
    *asked = (struct asked){.open = true, .which = which, .request = request};
    world_say(w, "asks to %s (job %u, v%llu, w%u)", name_of(request.kind),
              which, (unsigned long long)request.version, request.worker);
    event.at_us = w->now_us + world_between(w, 10, 500);
    event.payload = world_copy(&request, sizeof(request));
    (void)world_post(w, event);
}

/* A drain that is not over in time goes on, and the worker is cordoned; so it
 * may be where a drain was refused, since the worker was lost in it. */
static void take_workers_reply(struct world *w,
                               const struct request *request,
                               enum status status)
{
    bool fine = status == STATUS_OK || status == STATUS_NOT_FOUND;

    if (is_of_workers(request->kind)) {
        w->person->wanted[request->worker] =
            fine && request->kind == REQUEST_UNCORDON;
    }
    if (status == STATUS_OK && is_of_workers(request->kind)) {
        w->person->has_cordoned[request->worker] =
            request->kind != REQUEST_UNCORDON;
        invariants_cordoned(w, request->worker);
    }
}

void person_reply(struct world *w, const struct action *action)
{
    struct asked *asked = &w->person->asked[action->reply.request % ASKED_MAX];

    if (!asked->open || asked->request.id != action->reply.request) {
        world_fail(w, "a reply to nothing that was asked, or a second one: %s",
                   action->reply.text);
        return;
    }
    world_say(w, "%s: %s, %s", name_of(asked->request.kind),
              status_text(action->reply.status), action->reply.text);
    take_workers_reply(w, &asked->request, action->reply.status);
    asked->open = false;
}

static void launch(struct world *w, uint32_t which)
{
    const struct sim_job *job = &w->scenario->jobs[which];

    if (!disk_ledger(w, which)->has_record && !is_waiting_for(w, which)) {
        ask(w, which,
            (struct request){.kind = REQUEST_LAUNCH,
                             .spec = &job->spec,
                             .workers = job->workers,
                             .workers_min = job->workers_min});
    }
}

void person_center_up(struct world *w)
{
    struct person *p = w->person;

    for (uint32_t i = 0; i < ASKED_MAX; i++) {
        p->asked[i].open = false;
    }
    memset(p->has_cordoned, 0, sizeof(p->has_cordoned));
    memset(p->wanted, 0, sizeof(p->wanted));
    for (uint32_t j = 0; j < w->scenario->jobs_count; j++) {
        launch(w, j);
    }
}

/* --- Odd moments --- */

static uint64_t any_version(struct world *w, uint32_t which)
{
    const struct ledger *d = disk_ledger(w, which);
    uint64_t last = d->record.last_version;

    /* Now and then one that is not there. */
    return 1 + world_draw(w, (uint32_t)last + (world_chance(w, 8) ? 2 : 0));
}

static void set_something(struct world *w, uint32_t which)
{
    struct request request = {.kind = REQUEST_SET, .setting = SETTING_RATE};

    request.value = 0.001 * (1 + world_draw(w, 500));
    if (w->scenario->jobs[which].spec.roles[ROLE_RENEW].count > 0 &&
        world_chance(w, 2)) {
        request.setting = SETTING_POLICY_BASE + ROLE_RENEW * 100 + CBP_RATE;
        request.value = 0.002 * (1 + world_draw(w, 20));
    } else if (world_chance(w, 3)) {
        request.setting = SETTING_CLIP;
        request.value = world_draw(w, 2);
    }
    ask(w, which, request);
}

static void ask_about_workers(struct world *w)
{
    static const enum request_kind kinds[] = {REQUEST_DRAIN, REQUEST_DRAIN,
                                              REQUEST_CORDON, REQUEST_UNCORDON};
    const struct request request = {.kind = kinds[world_draw(w, 4)],
                                    .worker =
                                        world_draw(w, w->scenario->hosts_count),
                                    .wait_ms = world_between(w, 1, 3000)};

    ask(w, 0, request);
}

static void ask_something(struct world *w)
{
    const struct troubles *t = &w->scenario->troubles;
    uint32_t which = world_draw(w, w->scenario->jobs_count);
    const struct ledger *d = disk_ledger(w, which);
    bool *stopped = &w->person->has_stopped_it[which];
    uint32_t what = world_draw(w, t->may_drain ? 18 : 10);
    bool has_version = d->has_record && d->record.head != 0;

    if (what == 0) {
        *stopped = true;
        ask(w, which, (struct request){.kind = REQUEST_PAUSE});
    } else if (what == 1) {
        ask(w, which, (struct request){.kind = REQUEST_RESUME});
    } else if (what >= 10) {
        ask_about_workers(w);
    } else if (what >= 7 && t->may_set) {
        set_something(w, which);
    } else if ((what == 2 || what == 3) && t->may_restore && has_version &&
               d->record.lines_count < 12) {
        *stopped = true;
        ask(w, which,
            (struct request){.kind = REQUEST_RESTORE,
                             .version = any_version(w, which)});
    } else if (what == 4 && t->may_cancel) {
        *stopped = true;
        w->person->has_cancelled[which] = true;
        ask(w, which, (struct request){.kind = REQUEST_CANCEL});
    } else if (what == 5 && t->may_shut_down) {
        memset(w->person->has_stopped_it, true,
               sizeof(w->person->has_stopped_it));
        ask(w, which, (struct request){.kind = REQUEST_SHUTDOWN});
    } else if (what == 6 && has_version) {
        ask(w, which,
            (struct request){.kind = REQUEST_EVALUATE,
                             .version = any_version(w, which)});
    }
}

/* --- Seeing to it --- */

static void fail_late(struct world *w, uint32_t which)
{
    const struct ledger *d = disk_ledger(w, which);
    const struct job *job = center_job(w, which);

    world_fail(w, "job %u has not ended: it is %s, in the core %s", which,
               d->has_record ? job_state_name(d->record.state) : "no job",
               job != NULL ? job_phase_name(job->phase) : "not there");
}

/* What has overflowed does so again: it is given up. */
static void go_on(struct world *w, uint32_t which)
{
    const struct ledger *d = disk_ledger(w, which);
    bool calm = w->now_us >= w->scenario->calm_us;
    bool overflows = strstr(d->record.reason, "being finite") != NULL;

    ask(w, which,
        (struct request){.kind = calm && overflows ? REQUEST_CANCEL
                                                   : REQUEST_RESUME});
}

static bool has_ended(struct world *w, uint32_t which)
{
    const struct ledger *d = disk_ledger(w, which);
    bool calm = w->now_us >= w->scenario->calm_us;

    if (!d->has_record) {
        launch(w, which);
    } else if (d->record.state == JOB_FAILED) {
        world_fail(w, "job %u failed: %s", which, d->record.reason);
    } else if (d->record.state == JOB_PAUSED && !is_waiting_for(w, which) &&
               (calm || world_chance(w, 4))) {
        go_on(w, which);
    }
    return d->record.state == JOB_FINISHED || d->record.state == JOB_CANCELLED;
}

/* Whom somebody has cordoned, or drained, is wanted again. */
static void uncordon(struct world *w)
{
    struct person *p = w->person;

    for (uint32_t i = 0; i < ASKED_MAX; i++) {
        if (p->asked[i].open && is_of_workers(p->asked[i].request.kind)) {
            return;
        }
    }
    for (uint32_t h = 0; h < w->scenario->hosts_count; h++) {
        if (!p->wanted[h]) {
            ask(w, 0, (struct request){.kind = REQUEST_UNCORDON, .worker = h});
            return;
        }
    }
}

static void look(struct world *w)
{
    bool calm = w->now_us >= w->scenario->calm_us;
    uint32_t ended = 0;

    if (w->center->core == NULL && w->now_us < w->scenario->end_us) {
        return;
    }
    if (calm && w->scenario->troubles.may_drain) {
        uncordon(w);
    }
    for (uint32_t j = 0; j < w->scenario->jobs_count; j++) {
        if (has_ended(w, j)) {
            ended++;
        } else if (w->now_us >= w->scenario->end_us) {
            fail_late(w, j);
        }
    }
    if (ended == w->scenario->jobs_count && calm && !is_waiting(w)) {
        w->over = true;
    }
}

static void on_look(struct world *w, struct event *event)
{
    const struct troubles *t = &w->scenario->troubles;
    struct event again = {
        .at_us = w->now_us + LOOK_US, .fn = on_look, .process = EVERYBODY};

    (void)event;
    if (t->request_ms > 0 && w->now_us < w->scenario->calm_us &&
        w->now_us >= w->person->next_ask_us) {
        w->person->next_ask_us =
            w->now_us + world_between(w, 1, 2000 * t->request_ms);
        ask_something(w);
    }
    look(w);
    (void)world_post(w, again);
}

void person_open(struct world *w)
{
    struct event first = {
        .at_us = w->now_us + LOOK_US, .fn = on_look, .process = EVERYBODY};

    w->person = world_memory(sizeof(*w->person));
    (void)world_post(w, first);
}

void person_close(struct world *w)
{
    mem_free(w->person);
}
