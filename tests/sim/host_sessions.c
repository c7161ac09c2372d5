#include "tests/sim/host_sessions.h"

#include "base/check.h"
#include "tests/sim/center.h"
#include "tests/sim/disk.h"

enum {
    LINKS_RETRY_US = 5000,
    LINKS_DEADLINE_US = 10000000, /* as in worker/shell/slot.c */
    CHUNKS_DEADLINE_US = 30000000 /* as in worker/shell/chunks.h */
};

/* --- Sessions by number: events outlive them --- */

struct session *host_session(struct host *h, uint64_t id, uint32_t *out_slot)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (h->sessions[i] != NULL && h->sessions[i]->id == id) {
            *out_slot = i;
            return h->sessions[i];
        }
    }
    return NULL;
}

void host_later(struct world *w,
                const struct host *h,
                event_fn *fn,
                uint64_t after_us,
                uint64_t a,
                uint64_t b)
{
    struct event event = {.at_us = w->now_us + after_us,
                          .fn = fn,
                          .process = 1 + h->index,
                          .a = a,
                          .b = b};

    (void)world_post(w, event);
}

/* --- Notices --- */

static void on_notice(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);
    struct agent_event notice = {.type = (enum agent_event_type)(event->b >> 8),
                                 .status = (enum status)(event->b & 0xff)};

    if (s == NULL) {
        return;
    }
    notice.slot = slot;
    if (notice.type == AGENT_CLOSED) {
        h->steps_ended += s->sched.steps;
        session_close(s);
        h->sessions[slot] = NULL;
    }
    host_step(w, h, notice);
}

void host_notice(struct world *w,
                 struct session *s,
                 enum agent_event_type type,
                 enum status status)
{
    host_later(w, w->hosts[s->host], on_notice, 0, s->id,
               (uint64_t)type << 8 | (uint64_t)status);
}

/* --- Computing and cutting --- */

static void on_done(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);

    h->turns++;
    CHECK(s != NULL); /* a session is closed when its operations have ended */
    session_done(w, s, (uint32_t)event->b);
}

void host_compute(struct world *w, struct session *s, uint32_t local)
{
    host_later(w, w->hosts[s->host], on_done,
               world_between(w, 10, w->scenario->operation_us), s->id, local);
}

static void on_put_deadline(struct world *w, struct event *event)
{
    uint32_t slot = 0;
    struct session *s =
        host_session(w->hosts[event->process - 1], event->a, &slot);

    if (s != NULL) {
        session_stored(w, s, event->b, STATUS_DEADLINE);
    }
}

/* To the store by way of the coordinator's process. */
void host_put(struct world *w, struct session *s, struct session_put *put)
{
    put->life = w->hosts[s->host]->agent.life;
    put->id = mix(s->id, ++w->posted);
    center_put(w, &put->state, s->host, put->id);
    host_later(w, w->hosts[s->host], on_put_deadline, CHUNKS_DEADLINE_US, s->id,
               put->id);
}

static void on_put_answer(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (h->sessions[i] != NULL) {
            session_stored(w, h->sessions[i], event->a, (enum status)event->b);
        }
    }
}

void host_stored(struct world *w,
                 uint32_t index,
                 uint64_t birth,
                 uint64_t put,
                 enum status status)
{
    if (process_alive(w, 1 + index) && w->processes[1 + index].birth == birth) {
        host_later(w, w->hosts[index], on_put_answer,
                   20 + world_draw(w, w->scenario->troubles.delay_us), put,
                   (uint64_t)status);
    }
}

/* --- Opening, loading, closing --- */

static void on_opened(struct world *w, struct event *event)
{
    uint32_t slot = 0;
    struct session *s =
        host_session(w->hosts[event->process - 1], event->a, &slot);

    if (s != NULL) {
        host_notice(w, s, AGENT_OPENED, STATUS_OK);
    }
}

static void on_links(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);

    if (s == NULL || s->stopped) {
        return;
    }
    if (session_linked(w, s)) {
        host_notice(w, s, AGENT_LOADED, STATUS_OK);
    } else if (w->now_us >= s->links_until_us) {
        host_notice(w, s, AGENT_LOADED, STATUS_UNAVAILABLE);
    } else {
        host_later(w, h, on_links, LINKS_RETRY_US, s->id, 0);
    }
}

static void begin_links(struct world *w, struct host *h, struct session *s)
{
    s->links_until_us = w->now_us + LINKS_DEADLINE_US;
    host_later(w, h, on_links, 0, s->id, 0);
}

void host_loaded(struct world *w, struct session *s, enum status status)
{
    if (status == STATUS_OK) {
        begin_links(w, w->hosts[s->host], s);
    } else {
        host_notice(w, s, AGENT_LOADED, status);
    }
}

/* The store's answer: event->b is its status. */
static void on_fetched(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);
    enum status status = (enum status)event->b;

    if (s == NULL || s->stopped || !s->reading) {
        return;
    }
    s->reading = false;
    if (status == STATUS_OK) {
        status = session_fetch(w, s);
        if (status != STATUS_OK) {
            world_fail(w, "a version names a state that is not in the store");
        }
    }
    host_loaded(w, s, status);
}

struct fetch {
    uint32_t host;
    uint64_t birth;
    uint64_t session;
};

/* In the coordinator's process. */
static void on_fetch(struct world *w, struct event *event)
{
    const struct fetch *fetch = event->payload;

    if (process_alive(w, 1 + fetch->host) &&
        w->processes[1 + fetch->host].birth == fetch->birth) {
        host_later(w, w->hosts[fetch->host], on_fetched,
                   world_between(w, 50, 2000), fetch->session,
                   (uint64_t)disk_read(w));
    }
}

static void on_made(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);
    struct fetch fetch = {.host = h->index, .session = event->a};
    struct event ask = {.fn = on_fetch, .process = COORDINATOR};

    if (s == NULL || s->stopped) {
        return;
    }
    session_make(w, s);
    if (s->assign.from_point) {
        vault_load(w, s);
        return;
    }
    if (s->assign.records_count == 0) {
        begin_links(w, h, s);
        return;
    }
    s->reading = true;
    s->reading_life = h->agent.life;
    fetch.birth = w->processes[1 + h->index].birth;
    if (process_alive(w, COORDINATOR)) {
        ask.at_us = w->now_us + world_between(w, 20, 1000);
        ask.payload = world_copy(&fetch, sizeof(fetch));
        (void)world_post(w, ask);
    }
    host_later(w, h, on_fetched, CHUNKS_DEADLINE_US, s->id, STATUS_DEADLINE);
}

static void on_close(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);

    CHECK(s != NULL);
    if (s->running > 0) {
        host_later(w, h, on_close, 100, s->id, 0);
        return;
    }
    host_notice(w, s, AGENT_CLOSED, STATUS_OK);
}

static void on_close_late(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = host_session(h, event->a, &slot);

    CHECK(s != NULL);
    s->stopped = true;
    on_close(w, event);
}

/* A new life of the coordinator knows nothing of requests to the one before:
 * they end as UNAVAILABLE. */
void host_connect_chunks(struct world *w, struct host *h)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = h->sessions[i];

        if (s == NULL) {
            continue;
        }
        for (uint32_t p = 0; p < PUTS_MAX; p++) {
            if (s->puts[p].id != 0 && s->puts[p].life != h->agent.life) {
                session_stored(w, s, s->puts[p].id, STATUS_UNAVAILABLE);
            }
        }
        if (s->reading && s->reading_life != h->agent.life) {
            host_later(w, h, on_fetched, 0, s->id, STATUS_UNAVAILABLE);
        }
    }
}

/* PLANT_LIVES_ON: it goes on beyond the boundary that has stopped it. */
void host_close_session(struct world *w, struct host *h, struct session *s)
{
    if (w->scenario->plant == PLANT_LIVES_ON && s->made && !s->stopped &&
        world_chance(w, 2)) {
        session_release(w, s);
        host_later(w, h, on_close_late, world_between(w, 1, 20000), s->id, 0);
        return;
    }
    s->stopped = true;
    host_later(w, h, on_close, 0, s->id, 0);
}

void host_open_session(struct world *w, struct host *h, uint32_t slot)
{
    struct session *s = session_open(w, h->index, h->agent.worker, h->letter);

    h->sessions[slot] = s;
    host_later(w, h, on_opened, world_between(w, 50, 3000), s->id, 0);
}

void host_load_session(struct world *w, struct host *h, struct session *s)
{
    host_later(w, h, on_made, world_between(w, 50, 1000), s->id, 0);
}
