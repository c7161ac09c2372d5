#include "tests/sim/person.h"

#include "base/mem.h"
#include "tests/sim/disk.h"

#include <string.h>

enum { LOOK_US = 5000 };

struct person {
    uint64_t last_id;
    bool has_stopped_it;
    uint64_t next_ask_us;
    struct asked asked[ASKED_MAX];
};

const struct asked *person_asked(const struct world *w, uint64_t id)
{
    const struct asked *asked = &w->person->asked[id % ASKED_MAX];

    return asked->open && asked->request.id == id ? asked : NULL;
}

bool person_has_stopped_it(const struct world *w)
{
    return w->person->has_stopped_it;
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
    const struct durable *d = disk_look(w);
    struct request *request = event->payload;
    struct job_record *record = NULL;

    if (d->has_record) {
        record = world_copy(&d->record, sizeof(d->record));
        request->record = record;
    }
    center_request(w, request);
    mem_free(record);
}

static void ask(struct world *w, struct request request)
{
    struct person *p = w->person;
    struct event event = {.fn = on_asked, .process = COORDINATOR};
    struct asked *asked = &p->asked[(p->last_id + 1) % ASKED_MAX];

    if (w->center->core == NULL || asked->open) {
        return; /* nobody listens, or too much is open */
    }
    request.id = ++p->last_id;
    request.job = disk_look(w)->record.job;
    *asked = (struct asked){.open = true, .request = request};
    world_say(w, "asks to %s (%llu)", name_of(request.kind),
              (unsigned long long)request.version);
    event.at_us = w->now_us + world_between(w, 10, 500);
    event.payload = world_copy(&request, sizeof(request));
    (void)world_post(w, event);
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
    asked->open = false;
}

static void launch(struct world *w)
{
    if (!disk_look(w)->has_record && !is_waiting(w)) {
        ask(w, (struct request){.kind = REQUEST_LAUNCH,
                                .spec = &w->scenario->spec,
                                .workers = w->scenario->workers});
    }
}

void person_center_up(struct world *w)
{
    for (uint32_t i = 0; i < ASKED_MAX; i++) {
        w->person->asked[i].open = false;
    }
    launch(w);
}

/* --- Odd moments --- */

static uint64_t any_version(struct world *w)
{
    const struct durable *d = disk_look(w);
    uint64_t last = d->record.last_version;

    /* Now and then one that is not there. */
    return 1 + world_draw(w, (uint32_t)last + (world_chance(w, 8) ? 2 : 0));
}

static void set_something(struct world *w)
{
    struct request request = {.kind = REQUEST_SET, .setting = SETTING_RATE};

    request.value = 0.001 * (1 + world_draw(w, 500));
    if (w->scenario->spec.roles[ROLE_RENEW].count > 0 && world_chance(w, 2)) {
        request.setting = SETTING_POLICY_BASE + ROLE_RENEW * 100 + CBP_RATE;
        request.value = 0.002 * (1 + world_draw(w, 20));
    } else if (world_chance(w, 3)) {
        request.setting = SETTING_CLIP;
        request.value = world_draw(w, 2);
    }
    ask(w, request);
}

static void ask_something(struct world *w)
{
    const struct troubles *t = &w->scenario->troubles;
    const struct durable *d = disk_look(w);
    struct person *p = w->person;
    uint32_t which = world_draw(w, 10);
    bool has_version = d->has_record && d->record.head != 0;

    if (which == 0) {
        p->has_stopped_it = true;
        ask(w, (struct request){.kind = REQUEST_PAUSE});
    } else if (which == 1) {
        ask(w, (struct request){.kind = REQUEST_RESUME});
    } else if (which >= 7 && t->may_set) {
        set_something(w);
    } else if ((which == 2 || which == 3) && t->may_restore && has_version &&
               d->record.lines_count < 12) {
        p->has_stopped_it = true;
        ask(w, (struct request){.kind = REQUEST_RESTORE,
                                .version = any_version(w)});
    } else if (which == 4 && t->may_cancel) {
        p->has_stopped_it = true;
        ask(w, (struct request){.kind = REQUEST_CANCEL});
    } else if (which == 5 && t->may_shut_down) {
        p->has_stopped_it = true;
        ask(w, (struct request){.kind = REQUEST_SHUTDOWN});
    } else if (which == 6 && has_version) {
        ask(w, (struct request){.kind = REQUEST_EVALUATE,
                                .version = any_version(w)});
    }
}

/* --- Seeing to it --- */

static void look(struct world *w)
{
    const struct durable *d = disk_look(w);
    bool calm = w->now_us >= w->scenario->calm_us;

    if (w->now_us >= w->scenario->end_us) {
        const struct job *job = center_job(w);

        world_fail(w, "the job has not ended: it is %s, in the core %s",
                   d->has_record ? job_state_name(d->record.state) : "no job",
                   job != NULL ? job_phase_name(job->phase) : "not there");
        return;
    }
    if (w->center->core == NULL) {
        return;
    }
    if (!d->has_record) {
        launch(w);
    } else if (d->record.state == JOB_FAILED) {
        world_fail(w, "the job failed: %s", d->record.reason);
    } else if (d->record.state == JOB_PAUSED && !is_waiting(w) &&
               (calm || world_chance(w, 4))) {
        ask(w, (struct request){.kind = REQUEST_RESUME});
    } else if ((d->record.state == JOB_FINISHED ||
                d->record.state == JOB_CANCELLED) &&
               calm && !is_waiting(w)) {
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
